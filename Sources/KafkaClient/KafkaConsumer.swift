import CRdKafka

/// Reads partitions that it is told to read, from offsets that it is told, and never commits anything.
///
/// It joins no group: the group named is only where committed offsets are looked up. It reads committed records, and says
/// when a partition's end was reached. What is fetched ahead is bounded; who stops calling `poll` stops the fetching.
///
/// Calls may come from any thread, `poll` from one at a time.
package final class KafkaConsumer: Sendable {
  package let handle: KafkaHandle
  private let queue: Queue

  /// The consumer's queue of fetched records; kept from before the handle ends until after.
  ///
  /// Invariant for `Sendable`: thread-safe by librdkafka.
  private struct Queue: @unchecked Sendable { let native: OpaquePointer }

  /// Most bytes fetched ahead, in kilobytes.
  private static let prefetchKilobytes = 32 << 10

  /// - Parameter readsUncommitted: Whether records of open and aborted transactions are there too; for looking at a log only.
  package init(
    _ configuration: KafkaConfiguration, group: String, readsUncommitted: Bool = false
  ) throws(KafkaError) {
    let conf = try configuration.makeNative(
      [
        ("group.id", group), ("isolation.level", readsUncommitted ? "read_uncommitted" : "read_committed"),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"), ("auto.offset.reset", "error"), ("enable.partition.eof", "true"),
        ("allow.auto.create.topics", "false"),
      ],
      defaults: [
        ("queued.max.messages.kbytes", "\(KafkaConsumer.prefetchKilobytes)"), ("queued.min.messages", "200000"),
        ("fetch.wait.max.ms", "100"), ("fetch.message.max.bytes", "4194304"), ("reconnect.backoff.max.ms", "2000"),
      ])
    handle = try KafkaHandle(RD_KAFKA_CONSUMER, conf, bootstrap: configuration.bootstrap)
    guard let native = rd_kafka_queue_get_consumer(handle.native) else {
      throw KafkaError(name: "_STATE", remedy: .renew, description: "the consumer has no queue")
    }
    queue = Queue(native: native)
  }

  deinit { rd_kafka_queue_destroy(queue.native) }

  /// In place of an offset: where the partition's log begins.
  package static let beginning = Int64(RD_KAFKA_OFFSET_BEGINNING)

  /// Adds partitions to those that are read, each from its offset.
  package func assign(_ offsets: [PartitionOffset]) throws(KafkaError) {
    if offsets.isEmpty { return }
    let list = PartitionList(offsets)
    if let error = KafkaError(taking: rd_kafka_incremental_assign(handle.native, list.native)) { throw error }
  }

  /// Takes partitions from those that are read.
  package func unassign(_ places: [TopicPartition]) throws(KafkaError) {
    let list = PartitionList(places.map { PartitionOffset($0, offset: 0) })
    if let error = KafkaError(taking: rd_kafka_incremental_unassign(handle.native, list.native)) { throw error }
  }

  /// Fetches and gives nothing more of these partitions. What has been fetched of them and not been polled is dropped, and fetched
  /// again after `resume`.
  package func pause(_ places: [TopicPartition]) throws(KafkaError) {
    let list = PartitionList(places.map { PartitionOffset($0, offset: 0) })
    let code = rd_kafka_pause_partitions(handle.native, list.native)
    if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(code, "partitions cannot be paused") }
    _ = try list.entries()
  }

  /// Goes on with partitions that were paused, after the last record that was polled.
  package func resume(_ places: [TopicPartition]) throws(KafkaError) {
    let list = PartitionList(places.map { PartitionOffset($0, offset: 0) })
    let code = rd_kafka_resume_partitions(handle.native, list.native)
    if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(code, "partitions cannot be resumed") }
    _ = try list.entries()
  }

  /// The next records and events, at most `count`: what is there at once, or else the first that comes within
  /// `milliseconds`.
  package func poll(_ count: Int, milliseconds: Int32) -> ConsumedMessages {
    handle.poll(milliseconds: 0)
    var messages = ConsumedMessages(capacity: count)
    messages.fill(from: queue.native, milliseconds: 0)
    if messages.count == 0, milliseconds > 0 { messages.fillOne(from: queue.native, milliseconds: milliseconds) }
    return messages
  }

  /// Records and events that have been fetched and not been polled.
  package var fetchedAhead: Int { Int(rd_kafka_queue_length(queue.native)) }

  // MARK: Offsets

  /// The first offset that a partition still has, and the one after its last record (of a consumer of committed records: up
  /// to where it may read), asked of the broker.
  package func bounds(
    of place: TopicPartition, timeoutMilliseconds: Int32
  ) throws(KafkaError) -> (first: Int64, end: Int64) {
    // Not with rd_kafka_query_watermark_offsets: when one of its two answers is an error it gives the other for both.
    let first = try edge(RD_KAFKA_OFFSET_BEGINNING, of: place, timeoutMilliseconds)
    return (first, try edge(RD_KAFKA_OFFSET_END, of: place, timeoutMilliseconds))
  }

  private func edge(
    _ edge: Int32, of place: TopicPartition, _ timeoutMilliseconds: Int32
  ) throws(KafkaError) -> Int64 {
    guard let offset = try offsets(at: Int64(edge), of: [place], timeoutMilliseconds: timeoutMilliseconds)[0] else {
      throw KafkaError(name: "_STATE", remedy: .retry, description: "\(place): the broker names no offset")
    }
    return offset
  }

  /// The end of a partition as the last fetch found it; nil before the first. No broker is asked.
  package func lastKnownEnd(of place: TopicPartition) -> Int64? {
    var first: Int64 = 0
    var end: Int64 = 0
    let code = rd_kafka_get_watermark_offsets(handle.native, place.topic, place.partition, &first, &end)
    return code == RD_KAFKA_RESP_ERR_NO_ERROR && end >= 0 ? end : nil
  }

  /// The end of each partition's log, open transactions included where the consumer reads uncommitted records; asked of the
  /// brokers all at once.
  package func ends(of places: [TopicPartition], timeoutMilliseconds: Int32) throws(KafkaError) -> [Int64] {
    try offsets(at: Int64(RD_KAFKA_OFFSET_END), of: places, timeoutMilliseconds: timeoutMilliseconds).map { $0 ?? 0 }
  }

  /// The offset of the first record of each partition that is no older than `time` (ms since 1970); nil where none is.
  package func offsets(
    at time: Int64, of places: [TopicPartition], timeoutMilliseconds: Int32
  ) throws(KafkaError) -> [Int64?] {
    try handle.asking(timeoutMilliseconds: timeoutMilliseconds) { (rest) throws(KafkaError) in
      let list = PartitionList(places.map { PartitionOffset($0, offset: time) })
      let code = rd_kafka_offsets_for_times(handle.native, list.native, rest)
      guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(code, "offsets by time cannot be read") }
      return try list.entries().map { $0.offset >= 0 ? $0.offset : nil }
    }
  }

  /// Commits offsets of the group, without waiting for the answer: for whoever watches how far it is, no more than that.
  package func announce(_ offsets: [PartitionOffset]) {
    if offsets.isEmpty { return }
    let list = PartitionList(offsets)
    _ = rd_kafka_commit(handle.native, list.native, 1)
  }

  /// The offsets that the group has committed; nil where it has none. Waits out transactions that hold some.
  package func committed(
    _ places: [TopicPartition], timeoutMilliseconds: Int32
  ) throws(KafkaError) -> [Int64?] {
    try handle.asking(timeoutMilliseconds: timeoutMilliseconds) { (rest) throws(KafkaError) in
      let list = PartitionList(places.map { PartitionOffset($0, offset: Int64(RD_KAFKA_OFFSET_INVALID)) })
      let code = rd_kafka_committed(handle.native, list.native, rest)
      guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(code, "committed offsets cannot be read") }
      return try list.entries().map { $0.offset >= 0 ? $0.offset : nil }
    }
  }
}
