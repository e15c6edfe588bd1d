import EndToEndSupport
import Foundation
import KafkaClient
import Testing

/// The built-in topologies with a topic before them and topics behind them, as `--set` makes them.
@Suite(.serialized) struct BuiltInTopologyTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let topology: String
    let generated: [String]
    let sinks: [String]
    var testDescription: String { topology }
  }

  static let cases = [
    Case(
      topology: "currency-conversion",
      generated: [
        "--rows", "20000", "--accounts", "200", "--start", "2026-01-05T00:00:00Z", "--records-per-second", "1",
        "--duplicates", "0.01", "--missing", "0.005", "--corrupt", "0.005", "--late", "0.01",
      ], sinks: ["charges", "daily", "unrated"]),
    Case(
      topology: "fraud-spikes",
      generated: [
        "--rows", "60000", "--accounts", "300", "--records-per-second", "1", "--duplicates", "0.01", "--missing",
        "0.005", "--corrupt", "0.005", "--frauds", "12",
      ], sinks: ["alerts"]),
    Case(
      topology: "rated-totals",
      generated: [
        "--rows", "20000", "--accounts", "300", "--records-per-second", "0.003", "--duplicates", "0.01", "--missing",
        "0.005", "--corrupt", "0.005", "--late", "0.01",
      ], sinks: ["rated", "totals", "invoices", "rejected"]),
  ]

  @Test(arguments: cases)
  func fromATopicToTopics_itGivesWhatItGivesFromAFileToFiles(_ test: Case) throws {
    let broker = try Broker.get()
    let folder = try TestFolder()
    let data = folder.url.appendingPathComponent("usage.json").path
    let generated = try WeirProcess.run(["generate", "--output", data] + test.generated)
    try #require(generated.status == 0, "\(generated.errors)")
    // One partition in the file's order: what is late is a matter of the order in a partition.
    let topic = try broker.makeTopic("usage", partitions: 1)
    try BuiltInTopologyTests.fill(broker, topic, Data(contentsOf: URL(fileURLWithPath: data)))

    let files = try BuiltInTopologyTests.run(
      test, folder, "files", ["sources.usage.connector=file", "sources.usage.path=\(data)"],
      sinks: { sink in ["sinks.\(sink).path=\(folder.url.appendingPathComponent("files-\(sink)").path)"] })
    try #require(files.status == 0, "\(files.errors)")
    var topics: [String: String] = [:]
    for sink in test.sinks { topics[sink] = try broker.makeTopic(sink, partitions: 2) }
    let place = "bootstrap=\(broker.bootstrap)"
    let result = try BuiltInTopologyTests.run(
      test, folder, "topics",
      [
        "sources.usage.connector=kafka", "sources.usage.\(place)", "sources.usage.topic=\(topic)",
        "sources.usage.start=earliest", "sources.usage.stop=latest",
      ],
      sinks: { sink in
        ["sinks.\(sink).connector=kafka", "sinks.\(sink).\(place)", "sinks.\(sink).topic=\(topics[sink] ?? "")"]
      })
    #expect(result.status == 0 && result.errors.contains("every record is accounted for"), "\(result.errors)")
    for sink in test.sinks {
      let expected = BuiltInTopologyTests.settled(folder.rows(in: "files-\(sink)"))
      let actual = BuiltInTopologyTests.settled(
        try broker.committed(topics[sink] ?? "").joined().map(\.text).sorted())
      #expect(!expected.isEmpty || sink == "unrated", "\(sink): the file has rows: \(files.errors)")
      let other = zip(actual, expected).first { $0 != $1 }
      #expect(actual.count == expected.count && other == nil, "\(sink): the first that differ: \("\(other as Any)")")
    }
  }

  /// Sends each line as it is, which need not be text, keyed by account.
  private static func fill(_ broker: Broker, _ topic: String, _ lines: Data) throws {
    let producer = try broker.makeProducer()
    let target = try producer.topic(topic)
    for line in lines.split(separator: UInt8(ascii: "\n")) {
      let text = String(decoding: line, as: UTF8.self)
      let key = text.firstMatch(of: /"account_id":"([^"]*)"/).map { Array($0.1.utf8) }
      try producer.produce(to: target, keyBytes: key, valueBytes: Array(line))
    }
    try producer.flush(timeoutMilliseconds: Broker.timeout)
  }

  /// Rows without early panes, of which there are as many as there was time for.
  private static func settled(_ rows: [String]) -> [String] { rows.filter { !$0.contains("\"pane\":\"early\"") } }

  private static func run(
    _ test: Case, _ folder: TestFolder, _ name: String, _ source: [String], sinks: (String) -> [String]
  ) throws -> WeirProcess.Result {
    let file = WeirProcess.root.appendingPathComponent("topologies/\(test.topology).yaml").path
    let common = [
      "checkpoint.directory=\(folder.url.appendingPathComponent("checkpoints-\(name)").path)",
      "dead_letters.path=\(folder.url.appendingPathComponent("dead-\(name)").path)",
    ]
    let settings = common + source + test.sinks.flatMap(sinks)
    return try WeirProcess.run(["run", file] + settings.flatMap { ["--set", $0] })
  }
}
