import EndToEndSupport
import Foundation
import KafkaClient
import Testing

/// The broker that the tests use: the one `WEIR_TEST_KAFKA` names, else one that is started for them and ends with them.
final class Broker: Sendable {
  static let shared = Result { try Broker() }

  let bootstrap: String
  /// Whether it is Tansu, whose answers do not name aborted transactions: committed records are then told from others by
  /// the markers in the log.
  let showsAborted: Bool

  private init() throws {
    let environment = ProcessInfo.processInfo.environment
    if let named = environment["WEIR_TEST_KAFKA"], !named.isEmpty {
      bootstrap = named
      showsAborted = environment["WEIR_TEST_BROKER"] == "tansu"
    } else {
      bootstrap = try Broker.start()
      showsAborted = true
    }
  }

  /// Starts Tansu; a watcher ends it with this process, however that ends.
  private static func start() throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    let script = WeirProcess.root.appendingPathComponent("scripts/broker").path
    process.arguments = [
      "-c", "\"$1\" & broker=$!; while kill -0 \"$2\" 2>/dev/null; do sleep 0.5; done; kill \"$broker\"", "broker",
      script,
      "\(getpid())",
    ]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    process.standardInput = FileHandle.nullDevice
    try process.run()
    var text = ""
    while !text.contains("\n") {
      let data = output.fileHandleForReading.availableData
      try #require(!data.isEmpty, "the broker did not start: run scripts/broker to see why")
      text += String(decoding: data, as: UTF8.self)
    }
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  static func get() throws -> Broker { try shared.get() }

  var configuration: KafkaConfiguration { KafkaConfiguration(bootstrap: bootstrap) }

  static let timeout: Int32 = 20_000

  /// A producer without transactions, also for administration.
  func makeProducer() throws -> KafkaProducer { try KafkaProducer(configuration) }

  /// Makes a topic with a name of its own, and waits until it can be used.
  func makeTopic(_ prefix: String, partitions: Int32) throws -> String {
    let name = "\(prefix).\(UUID().uuidString.prefix(8).lowercased())"
    let producer = try makeProducer()
    try KafkaAdmin(producer.handle).create(
      topic: name, partitions: partitions, replication: 1, timeoutMilliseconds: Broker.timeout)
    while try producer.handle.topic(name, timeoutMilliseconds: Broker.timeout)?.partitionCount != partitions {
      producer.handle.poll(milliseconds: 10)
    }
    return name
  }

  /// Sends records: key and value.
  func fill(_ topic: String, _ records: [(key: String?, value: String?)]) throws {
    let producer = try makeProducer()
    let target = try producer.topic(topic)
    for record in records {
      try Broker.withBytes(record.key) { key in
        try Broker.withBytes(record.value) { value in try producer.produce(to: target, key: key, value: value) }
      }
    }
    try producer.flush(timeoutMilliseconds: Broker.timeout)
  }

  static func withBytes<Result>(_ text: String?, _ body: (UnsafeRawBufferPointer?) throws -> Result) rethrows -> Result
  {
    guard let text else { return try body(nil) }
    return try Array(text.utf8).withUnsafeBytes { try body($0) }
  }

  /// What a committed reader sees of a topic, partition by partition.
  func committed(_ topic: String) throws -> [[LogRecord]] {
    let consumer = try KafkaConsumer(configuration, group: "reader")
    let found = try #require(try consumer.handle.topic(topic, timeoutMilliseconds: Broker.timeout))
    return try (0..<found.partitionCount).map { partition in
      let place = TopicPartition(topic: topic, partition: partition)
      return showsAborted
        ? try RawPartition(bootstrap: bootstrap, place: place).committed()
        : try Broker.read(consumer, place)
    }
  }

  /// Reads a partition to its end as an ordinary consumer does.
  private static func read(_ consumer: KafkaConsumer, _ place: TopicPartition) throws -> [LogRecord] {
    let bounds = try consumer.bounds(of: place, timeoutMilliseconds: timeout)
    try consumer.assign([PartitionOffset(place, offset: bounds.first)])
    var records: [LogRecord] = []
    while true {
      let messages = consumer.poll(1000, milliseconds: 1000)
      for index in 0..<messages.count where messages[index].partition == place.partition {
        switch messages[index].kind {
        case .record:
          records.append(
            LogRecord(
              offset: messages[index].offset, key: messages[index].key.map { [UInt8]($0) },
              value: messages[index].value.map { [UInt8]($0) }))
        case .end: return records
        case .failure(let error): if !error.isRetriable { throw error }
        }
      }
    }
  }

  /// The offsets a group has committed.
  func groupOffsets(_ group: String, _ places: [TopicPartition]) throws -> [Int64?] {
    try KafkaConsumer(configuration, group: group).committed(places, timeoutMilliseconds: Broker.timeout)
  }
}

/// A record as it lies in a log.
struct LogRecord: Hashable {
  let offset: Int64
  let key: [UInt8]?
  let value: [UInt8]?

  var text: String { value.map { String(decoding: $0, as: UTF8.self) } ?? "(tombstone)" }
}
