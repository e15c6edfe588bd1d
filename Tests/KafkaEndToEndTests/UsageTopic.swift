import EndToEndSupport
import Foundation
import KafkaClient
import Testing

/// A topic of usage records, keyed by account, and topologies over it.
struct UsageTopic {
  let broker: Broker
  let topic: String
  let records: Int
  static let partitions: Int32 = 3

  /// Fills a new topic with generated records; a few are late, doubled or damaged.
  init(_ broker: Broker, records: Int) throws {
    self.broker = broker
    self.records = records
    topic = try broker.makeTopic("usage", partitions: UsageTopic.partitions)
    let generated = try WeirProcess.run([
      "generate", "--rows", "\(records)", "--brief", "--accounts", "200", "--records-per-second", "1", "--late", "0.01",
      "--duplicates", "0.01", "--corrupt", "0.003",
    ])
    try #require(generated.status == 0, "\(generated.errors)")
    let lines = generated.output.split(separator: "\n").map(String.init)
    try #require(lines.count == records, "\(generated.errors)")
    try broker.fill(topic, lines.map { (UsageTopic.account(of: $0), $0) })
  }

  private static func account(of line: String) -> String? {
    line.firstMatch(of: /"account_id":"([^"]*)"/).map { String($0.1) }
  }

  var places: [TopicPartition] {
    (0..<UsageTopic.partitions).map { TopicPartition(topic: topic, partition: $0) }
  }

  /// Where the output of one job goes.
  struct Output {
    let job: String
    let hourly: String
    let dead: String

    init(_ broker: Broker, job: String) throws {
      self.job = "\(job)-\(UUID().uuidString.prefix(8).lowercased())"
      hourly = try broker.makeTopic("hourly", partitions: 2)
      dead = try broker.makeTopic("dead", partitions: 1)
    }

    /// Rows that a committed reader sees, sorted; a dead letter without the time at which it failed.
    func rows(_ broker: Broker) throws -> [String: [String]] {
      [
        "hourly": try broker.committed(hourly).joined().map(\.text).sorted(),
        "dead": try broker.committed(dead).joined().map {
          $0.text.replacing(/"topology":"[^"]*",/, with: "").replacing(/"failed_at":"[^"]*",/, with: "")
        }.sorted(),
      ]
    }
  }

  /// Usage by hour from topic to topic, with a file sink and dead letters beside it. Ends where the topic ends.
  func topology(_ output: Output, rate: Int = 10_000_000, interval: String = "100ms") -> String {
    """
    weir: 1
    topology: \(output.job)
    parallelism: 2
    checkpoint: {interval: \(interval), timeout: 5s, directory: checkpoints}
    dead_letters: {connector: kafka, bootstrap: "\(broker.bootstrap)", topic: \(output.dead)}
    sources:
      usage:
        connector: kafka
        bootstrap: "\(broker.bootstrap)"
        topic: \(topic)
        stop: latest
        format: json
        rate: \(rate)
        schema:
          record_id: string not null
          account_id: string not null
          service: string
          started_at: timestamp not null
          quantity: decimal(18,3)
        event_time: started_at
        watermark: {delay: 10s}
    steps:
      once: {from: usage, deduplicate: {key: [record_id], within: 24h}}
      hourly:
        from: once
        aggregate: {key: [account_id, service], window: {tumble: 1h}, values: {records: count(*), quantity: sum(quantity)}}
    sinks:
      hourly: {from: hourly, connector: kafka, bootstrap: "\(broker.bootstrap)", topic: \(output.hourly), key: [account_id]}
      copy: {from: hourly, connector: file, path: copy, format: json}
    """
  }

  /// Checks that the group's offsets are where the topic ends: with the output, neither behind it nor ahead.
  func expectOffsetsAtEnd(_ job: String, _ comment: Comment) throws {
    let ends = try broker.committed(topic).map { records in (records.last?.offset ?? -1) + 1 }
    let committed = try broker.groupOffsets(job, places)
    #expect(committed == ends, comment)
  }
}

/// A small seeded generator (SplitMix64).
struct SplitMix {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }

  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
