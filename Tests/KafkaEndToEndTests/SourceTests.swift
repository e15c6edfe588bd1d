import EndToEndSupport
import Foundation
import KafkaClient
import Testing

/// What a Kafka source reads, and what it says when it cannot.
@Suite(.serialized) struct SourceTests {
  /// A topology that copies a topic to a file sink, with `source` among the source's settings.
  static func topology(_ topic: String, _ source: String, select: String = "", more: String = "") throws -> String {
    """
    weir: 1
    topology: copy-\(UUID().uuidString.prefix(8).lowercased())
    parallelism: 2
    checkpoint: {interval: 100ms, directory: checkpoints}
    dead_letters: {connector: file, path: dead}
    sources:
      in:
        connector: kafka
        bootstrap: "\(try Broker.get().bootstrap)"
        topic: \(topic)
        schema: {id: int64 not null, text: string}
    \(source.split(separator: "\n").map { "    \($0)" }.joined(separator: "\n"))
    steps:
      all: {from: in, filter: id >= 0}
    \(more)
    sinks:
      out: {from: all, connector: file, path: out}
    """
  }

  static func run(_ text: String, _ folder: TestFolder) throws -> WeirProcess.Result {
    try WeirProcess.run(["run", try folder.write("t.yaml", text)])
  }

  @Test func keyHeadersAndPlace_areColumnsWhereAsked() throws {
    let broker = try Broker.get()
    let topic = try broker.makeTopic("meta", partitions: 1)
    let producer = try broker.makeProducer()
    let target = try producer.topic(topic)
    let headers = KafkaHeaders([("trace", "abc")])
    for (key, value) in [("k1", #"{"id":1,"text":"a"}"#), ("k2", #"{"id":2}"#)] {
      try Broker.withBytes(key) { key in
        try Broker.withBytes(value) { value in
          try producer.produce(to: target, key: key, value: value, headers: headers, timestamp: 1_767_225_600_000)
        }
      }
    }
    try producer.flush(timeoutMilliseconds: Broker.timeout)
    let folder = try TestFolder()
    let source = """
      stop: latest
      message: {who: key, trace: header.trace, sent: timestamp, part: partition, at: offset, of: topic, none: header.x}
      """
    let result = try SourceTests.run(try SourceTests.topology(topic, source), folder)
    #expect(result.status == 0, "\(result.errors)")
    let rest = #""trace":"abc","sent":"2026-01-01T00:00:00.000Z","part":0"#
    #expect(
      folder.rows(in: "out") == [
        #"{"id":1,"text":"a","who":"k1",\#(rest),"at":0,"of":"\#(topic)","none":null}"#,
        #"{"id":2,"text":null,"who":"k2",\#(rest),"at":1,"of":"\#(topic)","none":null}"#,
      ])
  }

  @Test func aRecordSpreadOverLines_isOneRecord_andADeadLetterHasItsOwnBytes() throws {
    let broker = try Broker.get()
    let topic = try broker.makeTopic("lines", partitions: 1)
    let broken = "{\"id\": 3,\n \"text\": \"a\nb\"}"
    try broker.fill(topic, [(nil, "{\n  \"id\": 1,\n  \"text\": \"x\"\n}\n"), (nil, broken), (nil, "{\"id\":2}")])
    let folder = try TestFolder()
    let result = try SourceTests.run(try SourceTests.topology(topic, "stop: latest"), folder)
    #expect(result.status == 0, "\(result.errors)")
    #expect(folder.rows(in: "out") == [#"{"id":1,"text":"x"}"#, #"{"id":2,"text":null}"#])
    let dead = folder.rows(in: "dead")
    let letter = try #require(dead.first)
    #expect(dead.count == 1 && letter.contains(Data(broken.utf8).base64EncodedString()), "\(dead)")
    #expect(letter.contains(#""partition":"\#(topic)-0","offset":1"#), "\(dead)")
  }

  @Test func tombstonesBlanksAndPoison_areDeadLetters_andNothingIsLost() throws {
    let broker = try Broker.get()
    let topic = try broker.makeTopic("poison", partitions: 1)
    try broker.fill(
      topic, [("k", nil), (nil, ""), (nil, "  "), (nil, "{\"id\":1}"), (nil, "not json"), (nil, "{\"text\":\"x\"}")])
    let folder = try TestFolder()
    let result = try SourceTests.run(try SourceTests.topology(topic, "stop: latest"), folder)
    #expect(result.status == 0 && result.errors.contains("every record is accounted for"), "\(result.errors)")
    #expect(folder.rows(in: "out") == [#"{"id":1,"text":null}"#])
    let dead = folder.rows(in: "dead").joined(separator: "\n")
    #expect(folder.rows(in: "dead").count == 5, "\(dead)")
    #expect(dead.contains("tombstone") && dead.contains("blank"), "\(dead)")
    for offset in [0, 1, 2, 4, 5] { #expect(dead.contains("\"offset\":\(offset),"), "\(offset): \(dead)") }
  }

  @Test func withOnErrorFail_theFirstPoisonRecordEndsTheJob_andNamesItsPlace() throws {
    let broker = try Broker.get()
    let topic = try broker.makeTopic("poison", partitions: 1)
    try broker.fill(topic, [(nil, "{\"id\":1}"), (nil, "not json")])
    let folder = try TestFolder()
    let result = try SourceTests.run(try SourceTests.topology(topic, "stop: latest\non_error: fail"), folder)
    #expect(result.status == 1, "\(result.errors)")
    #expect(result.errors.contains("\(topic)-0, offset 1"), "\(result.errors)")
  }

  @Test(arguments: [
    ("latest", [String]()), ("earliest", ["1", "2", "3"]), ("timestamp\ntimestamp: 2026-01-02T00:00:00Z", ["2", "3"]),
    ("committed", ["3"]),
  ])
  func aSourceStartsWhereItIsTold(_ start: String, _ expected: [String]) throws {
    let broker = try Broker.get()
    let topic = try broker.makeTopic("start", partitions: 1)
    let producer = try KafkaProducer(broker.configuration, transactionalID: "test-\(topic)")
    try producer.initialize(timeoutMilliseconds: Broker.timeout)
    try producer.begin()
    let target = try producer.topic(topic)
    for (day, id) in [(0, 1), (1, 2), (2, 3)] {
      try Broker.withBytes("{\"id\":\(id)}") { value in
        try producer.produce(to: target, key: nil, value: value, timestamp: 1_767_225_600_000 + Int64(day) * 86_400_000)
      }
    }
    try producer.flush(timeoutMilliseconds: Broker.timeout)
    try producer.send(
      [PartitionOffset(TopicPartition(topic: topic, partition: 0), offset: 2)], group: "group-\(topic)",
      timeoutMilliseconds: Broker.timeout)
    #expect(producer.commit(timeoutMilliseconds: Broker.timeout) == .committed)
    let folder = try TestFolder()
    let source = "stop: latest\ngroup: group-\(topic)\nstart: \(start)"
    let result = try SourceTests.run(try SourceTests.topology(topic, source), folder)
    #expect(result.status == 0, "\(result.errors)")
    #expect(folder.rows(in: "out") == expected.map { "{\"id\":\($0),\"text\":null}" })
  }

  @Test func aPartitionMadeWhileTheJobRuns_isReadFromItsBeginning() throws {
    let broker = try Broker.get()
    let prefix = "grow\(UUID().uuidString.prefix(6).lowercased())"
    let first = try broker.makeTopic(prefix, partitions: 1)
    try broker.fill(first, [(nil, "{\"id\":1}")])
    let folder = try TestFolder()
    let text = try SourceTests.topology("TOPIC", "discover: 50ms\nstart: latest").replacingOccurrences(
      of: "topic: TOPIC", with: "pattern: '\(prefix)[.].*'")
    let running = try WeirProcess.start(["run", "--quiet", try folder.write("t.yaml", text)])
    while folder.rows(in: "out").isEmpty && running.process.isRunning && folder.hasNoCheckpoint { sched_yield() }
    let second = try broker.makeTopic(prefix, partitions: 2)
    try broker.fill(second, (0..<20).map { ("k\($0)", "{\"id\":\(100 + $0)}") })
    while folder.rows(in: "out").count < 20 && running.process.isRunning { sched_yield() }
    running.send(SIGTERM)
    let result = running.wait()
    #expect(result.status == 130, "\(result.errors)")
    #expect(folder.rows(in: "out") == (0..<20).map { "{\"id\":\(100 + $0),\"text\":null}" })
  }

  @Test func aSilentPartition_idlesOnlyAtItsEnd_andThenHoldsNothingBack() throws {
    let broker = try Broker.get()
    let topic = try broker.makeTopic("idle", partitions: 2)
    let folder = try TestFolder()
    let source = """
      event_time: at
      watermark: {idle_after: 300ms}
      """
    let windows = "  counts: {from: all, aggregate: {key: [], window: {tumble: 1m}, values: {n: count(*)}}}"
    let text = try SourceTests.topology(topic, source, more: windows)
      .replacingOccurrences(of: "text: string", with: "at: timestamp").replacingOccurrences(
        of: "out: {from: all", with: "out: {from: counts")
    let running = try WeirProcess.start(["run", "--quiet", try folder.write("t.yaml", text)])
    // One partition gets records; the other, silent at its end, must not keep the window open.
    try broker.fill(
      topic, [("a", #"{"id":1,"at":"2026-01-01T00:00:10Z"}"#), ("a", #"{"id":2,"at":"2026-01-01T00:05:00Z"}"#)])
    while folder.rows(in: "out").isEmpty && running.process.isRunning { sched_yield() }
    running.send(SIGTERM)
    let result = running.wait()
    #expect(result.status == 130, "\(result.errors)")
    let rows = folder.rows(in: "out")
    #expect(rows.count == 1 && rows.allSatisfy { $0.contains("\"n\":1") }, "\(rows)")
  }

  @Test func aStoppedRun_saysHowFarEachPartitionIsBehind() throws {
    let broker = try Broker.get()
    let topic = try broker.makeTopic("lag", partitions: 1)
    try broker.fill(topic, (0..<5000).map { (nil, "{\"id\":\($0)}") })
    let folder = try TestFolder()
    let text = try SourceTests.topology(topic, "rate: 100")
    let running = try WeirProcess.start(["run", try folder.write("t.yaml", text)])
    while folder.rows(in: "out").isEmpty && running.process.isRunning { sched_yield() }
    running.send(SIGTERM)
    let result = running.wait()
    #expect(result.status == 130, "\(result.errors)")
    let read = folder.rows(in: "out").count
    let behind = result.errors.firstMatch(of: /-0 is ([0-9,]+) records behind/).map {
      String($0.1).replacingOccurrences(of: ",", with: "")
    }
    #expect(behind.flatMap { Int($0) } == 5000 - read, "\(read) read: \(result.errors)")
  }

  // MARK: What is not there

  @Test func aMissingBroker_aMissingTopic_andAShortenedLog_areToldApart() throws {
    let broker = try Broker.get()
    let folder = try TestFolder()
    let nowhere = try SourceTests.topology("usage", "stop: latest")
      .replacingOccurrences(of: broker.bootstrap, with: "127.0.0.1:1")
    let noBroker = try SourceTests.run(nowhere, folder)
    #expect(noBroker.status == 1 && noBroker.errors.contains("127.0.0.1:1"), "\(noBroker.errors)")
    #expect(noBroker.errors.contains("refused") && noBroker.errors.contains("start the broker"), "\(noBroker.errors)")
    let noTopic = try SourceTests.run(try SourceTests.topology("no.such.topic", "stop: latest"), folder)
    #expect(noTopic.status == 1 && noTopic.errors.contains("there is no such topic"), "\(noTopic.errors)")
    #expect(folder.rows(in: "out").isEmpty)
  }

  @Test func aLogThatLostRecordsNotYetRead_isRefused_andSaysHowMany() throws {
    let broker = try Broker.get()
    let topic = try broker.makeTopic("short", partitions: 1)
    try broker.fill(topic, (0..<10).map { (nil, "{\"id\":\($0)}") })
    let folder = try TestFolder()
    let file = try folder.write("t.yaml", try SourceTests.topology(topic, "stop: latest"))
    #expect(try WeirProcess.run(["run", file]).status == 0)
    // The topic is made anew with fewer records than were read.
    let admin = KafkaAdmin(try broker.makeProducer().handle)
    try admin.delete(topic: topic, timeoutMilliseconds: Broker.timeout)
    let deleted = try WeirProcess.run(["run", file])
    #expect(deleted.status == 1 && deleted.errors.contains("there is no such topic"), "\(deleted.errors)")
    try admin.create(topic: topic, partitions: 1, replication: 1, timeoutMilliseconds: Broker.timeout)
    try broker.fill(topic, [(nil, "{\"id\":0}")])
    let shortened = try WeirProcess.run(["run", file])
    #expect(shortened.status == 1, "\(shortened.errors)")
    #expect(
      shortened.errors.contains("ends at offset 1") && shortened.errors.contains("up to 10"), "\(shortened.errors)")
    #expect(folder.rows(in: "out").count == 10, "what was read stays")
  }

  @Test func aTopicDeletedWhileItIsRead_endsTheJobWithItsName() throws {
    let broker = try Broker.get()
    let topic = try broker.makeTopic("doomed", partitions: 1)
    try broker.fill(topic, [(nil, "{\"id\":1}")])
    let folder = try TestFolder()
    let running = try WeirProcess.start([
      "run", "--quiet", try folder.write("t.yaml", try SourceTests.topology(topic, "discover: 50ms")),
    ])
    while folder.rows(in: "out").isEmpty && running.process.isRunning { sched_yield() }
    try KafkaAdmin(try broker.makeProducer().handle).delete(topic: topic, timeoutMilliseconds: Broker.timeout)
    let result = running.wait()
    #expect(result.status == 1, "\(result.errors)")
    #expect(result.errors.contains(topic) && result.errors.contains("deleted"), "\(result.errors)")
    #expect(folder.rows(in: "out") == [#"{"id":1,"text":null}"#])
  }
}

extension TestFolder {
  /// Whether no checkpoint has been committed below this folder.
  var hasNoCheckpoint: Bool {
    let all = FileManager.default.enumerator(atPath: url.path)?.compactMap { $0 as? String } ?? []
    return !all.contains { $0.contains("/checkpoint-") && !$0.contains("/.") }
  }
}
