import KafkaClient
import Testing

/// What the consumer makes of errors that brokers answer with.
@Suite(.serialized) struct ConsumerErrorTests {
  static let timeout: Int32 = 20_000

  static func makeConsumer(_ cluster: MockCluster) throws -> KafkaConsumer {
    try KafkaConsumer(
      KafkaConfiguration(bootstrap: cluster.bootstrap, properties: ["retry.backoff.ms": "20"]), group: "job")
  }

  static func fill(_ cluster: MockCluster, _ topic: String, _ count: Int) throws {
    let producer = try KafkaProducer(KafkaConfiguration(bootstrap: cluster.bootstrap))
    let target = try producer.topic(topic)
    for index in 0..<count {
      try Array("\(index)".utf8).withUnsafeBytes { try producer.produce(to: target, key: nil, value: $0) }
    }
    try producer.flush(timeoutMilliseconds: timeout)
  }

  /// What a partition gives until its end: values, and where the end is.
  static func readToEnd(_ consumer: KafkaConsumer) throws -> (values: [String], end: Int64) {
    var values: [String] = []
    while true {
      let messages = consumer.poll(100, milliseconds: 1000)
      for index in 0..<messages.count {
        switch messages[index].kind {
        case .record: values.append(messages[index].value.map { String(decoding: $0, as: UTF8.self) } ?? "")
        case .end: return (values, messages[index].offset)
        case .failure(let error): if !error.isRetriable { throw error }
        }
      }
    }
  }

  static let place = TopicPartition(topic: "usage", partition: 0)

  @Test func aPartitionIsReadFromItsOffset_toItsEnd() throws {
    let cluster = try MockCluster()
    cluster.create(topic: "usage", partitions: 1)
    try ConsumerErrorTests.fill(cluster, "usage", 100)
    let consumer = try ConsumerErrorTests.makeConsumer(cluster)
    try consumer.assign([PartitionOffset(ConsumerErrorTests.place, offset: 90)])
    let read = try ConsumerErrorTests.readToEnd(consumer)
    #expect(read.values == (90..<100).map { "\($0)" } && read.end == 100)
  }

  @Test(arguments: [Int32(6), 5, 7, 13])
  func whenFetchesFailForAWhile_everyRecordStillComesOnce(_ code: Int32) throws {
    let cluster = try MockCluster()
    cluster.create(topic: "usage", partitions: 1)
    try ConsumerErrorTests.fill(cluster, "usage", 50)
    cluster.fail(.fetch, with: [code, code])
    let consumer = try ConsumerErrorTests.makeConsumer(cluster)
    try consumer.assign([PartitionOffset(ConsumerErrorTests.place, offset: 0)])
    #expect(try ConsumerErrorTests.readToEnd(consumer).values == (0..<50).map { "\($0)" })
  }

  @Test func anOffsetBeyondTheLog_isAnErrorOfItsOwn() throws {
    let cluster = try MockCluster()
    cluster.create(topic: "usage", partitions: 1)
    try ConsumerErrorTests.fill(cluster, "usage", 10)
    let consumer = try ConsumerErrorTests.makeConsumer(cluster)
    try consumer.assign([PartitionOffset(ConsumerErrorTests.place, offset: 5000)])
    let error = #expect(throws: KafkaError.self) { _ = try ConsumerErrorTests.readToEnd(consumer) }
    #expect(error?.name == "_AUTO_OFFSET_RESET", "\(String(describing: error))")
  }

  @Test(arguments: [Int32(14), 15, 16])
  func whenTheGroupsCoordinatorMoves_committedOffsetsAreStillRead(_ code: Int32) throws {
    let cluster = try MockCluster()
    cluster.create(topic: "usage", partitions: 1)
    cluster.fail(.offsetFetch, with: [code])
    let consumer = try ConsumerErrorTests.makeConsumer(cluster)
    let committed = try consumer.committed(
      [ConsumerErrorTests.place], timeoutMilliseconds: ConsumerErrorTests.timeout)
    #expect(committed == [nil])
  }

  @Test(arguments: [Int32(6), 5])
  func whenALeaderMoves_boundsAreAskedAgain(_ code: Int32) throws {
    let cluster = try MockCluster()
    cluster.create(topic: "usage", partitions: 1)
    try ConsumerErrorTests.fill(cluster, "usage", 3)
    cluster.fail(.listOffsets, with: [code])
    let consumer = try ConsumerErrorTests.makeConsumer(cluster)
    let bounds = try consumer.bounds(
      of: ConsumerErrorTests.place, timeoutMilliseconds: ConsumerErrorTests.timeout)
    #expect(bounds.first == 0 && bounds.end == 3)
  }

  @Test func whenOnlyOneBrokerIsLeft_theTopicIsStillFound() throws {
    let cluster = try MockCluster()
    cluster.create(topic: "usage", partitions: 4)
    for broker in [Int32(1), 2] { cluster.setDown(broker: broker) }
    let consumer = try ConsumerErrorTests.makeConsumer(cluster)
    let topic = try consumer.handle.topic("usage", timeoutMilliseconds: ConsumerErrorTests.timeout)
    #expect(topic?.partitionCount == 4)
  }

  @Test func whoDoesNotPoll_isFetchedForOnlySoFar() throws {
    let cluster = try MockCluster()
    cluster.create(topic: "usage", partitions: 1)
    let producer = try KafkaProducer(KafkaConfiguration(bootstrap: cluster.bootstrap))
    let target = try producer.topic("usage")
    let value = [UInt8](repeating: 7, count: 1000)
    for _ in 0..<4000 { try value.withUnsafeBytes { try producer.produce(to: target, key: nil, value: $0) } }
    try producer.flush(timeoutMilliseconds: ConsumerErrorTests.timeout)
    let bounded = KafkaConfiguration(
      bootstrap: cluster.bootstrap,
      properties: [
        "queued.max.messages.kbytes": "100", "queued.min.messages": "100000", "fetch.message.max.bytes": "50000",
      ])
    let held = try KafkaConsumer(bounded, group: "job")
    try held.assign([PartitionOffset(ConsumerErrorTests.place, offset: 0)])
    // As long as another takes to read it all, the one that is held back could have fetched it all.
    let other = try KafkaConsumer(bounded, group: "job")
    try other.assign([PartitionOffset(ConsumerErrorTests.place, offset: 0)])
    #expect(try ConsumerErrorTests.readToEnd(other).values.count == 4000)
    #expect(held.fetchedAhead < 1000, "\(held.fetchedAhead) records of a kilobyte wait where 100 kB may")
    #expect(try ConsumerErrorTests.readToEnd(held).values.count == 4000, "and nothing is lost by it")
  }

  @Test func aPausedPartition_givesNothing_andAllOfItOnceWhenItGoesOn() throws {
    let cluster = try MockCluster()
    cluster.create(topic: "usage", partitions: 1)
    try ConsumerErrorTests.fill(cluster, "usage", 100)
    let consumer = try ConsumerErrorTests.makeConsumer(cluster)
    try consumer.assign([PartitionOffset(ConsumerErrorTests.place, offset: 0)])
    while consumer.fetchedAhead < 100 { consumer.handle.poll(milliseconds: 1) }
    try consumer.pause([ConsumerErrorTests.place])
    let none = consumer.poll(1000, milliseconds: 300)
    #expect((0..<none.count).allSatisfy { if case .record = none[$0].kind { false } else { true } })
    try consumer.resume([ConsumerErrorTests.place])
    #expect(try ConsumerErrorTests.readToEnd(consumer).values == (0..<100).map { "\($0)" })
  }

  @Test(arguments: [Int32(14), 16, 30])
  func whenTheGroupsOffsetsAreNotTaken_readingGoesOn(_ code: Int32) throws {
    let cluster = try MockCluster()
    cluster.create(topic: "usage", partitions: 1)
    try ConsumerErrorTests.fill(cluster, "usage", 50)
    cluster.fail(.offsetCommit, with: [code, code])
    let consumer = try ConsumerErrorTests.makeConsumer(cluster)
    try consumer.assign([PartitionOffset(ConsumerErrorTests.place, offset: 0)])
    consumer.announce([PartitionOffset(ConsumerErrorTests.place, offset: 0)])
    #expect(try ConsumerErrorTests.readToEnd(consumer).values == (0..<50).map { "\($0)" })
  }

  @Test func whenNoBrokerAnswers_theErrorNamesTheCause() throws {
    let consumer = try KafkaConsumer(KafkaConfiguration(bootstrap: "127.0.0.1:1"), group: "job")
    let error = #expect(throws: KafkaError.self) { _ = try consumer.handle.topics(timeoutMilliseconds: 2_000) }
    #expect(
      error?.isRetriable == true && error?.description.contains("refused") == true, "\(String(describing: error))")
  }
}
