import Formats
import Foundation
import KafkaClient
import Operators
import StreamModel
import Testing

@testable import Connectors

/// Laws of a table in a compacted topic. The cluster is librdkafka's own pretended one.
@Suite(.serialized) struct KafkaTableTests {
  private static let timeout: Int32 = 20_000
  private static let topic = "rates"

  /// A topic, and who writes it.
  private struct Topic {
    let cluster: MockCluster
    let producer: KafkaProducer
    let topic: KafkaTopic

    init(partitions: Int32 = 2) throws {
      cluster = try MockCluster()
      cluster.create(topic: KafkaTableTests.topic, partitions: partitions)
      producer = try KafkaProducer(KafkaConfiguration(bootstrap: cluster.bootstrap))
      topic = try producer.topic(KafkaTableTests.topic)
    }

    /// Writes records, in their order; a value of nil takes its key away.
    func write(_ records: [(key: String?, value: String?)]) throws {
      for record in records {
        guard let value = record.value else {
          try Array((record.key ?? "").utf8).withUnsafeBytes {
            try producer.produce(to: topic, key: $0, value: nil)
          }
          continue
        }
        try producer.produce(to: topic, keyBytes: record.key.map { Array($0.utf8) }, valueBytes: Array(value.utf8))
      }
      try producer.flush(timeoutMilliseconds: KafkaTableTests.timeout)
    }

    func table(_ notes: FileTableTests.Notes = .init()) throws(ConnectorError) -> KafkaTable {
      try KafkaTable(
        KafkaTableSpec(
          cluster: KafkaConfiguration(bootstrap: cluster.bootstrap), topic: KafkaTableTests.topic, format: .json),
        place: "steps.priced.lookup.table", layout: KafkaTableTests.layout, notice: { notes.add($0) })
    }
  }

  private static let layout = TableLayout(
    schema: Schema([Field("base", .string, nullable: false), Field("rate", .int64, nullable: false)]), key: [0],
    validity: nil, taken: [1], givesNulls: false)

  private static func row(_ base: String, _ rate: Int) -> String { "{\"base\":\"\(base)\",\"rate\":\(rate)}" }

  private static func rate(_ base: String, in table: KafkaTable) throws -> Value? {
    let batch = RecordBatch(
      schema: Schema([Field("currency", .string)]), columns: [.constant(.string(base), .string, count: 1)], count: 1,
      eventTimes: .constant(.timestamp(0), .timestamp, count: 1))
    let encoder = KeyEncoder(keyColumns: [0])
    encoder.encode(batch)
    let result = try table.find(LookupKeys(batch, columns: [0], encoder))
    guard result.slots[0] >= 0, let row = result.rows.range(result.slots[0]).first else { return nil }
    return result.rows.columns[0].value(at: row)
  }

  /// Runs `body` while the table's thread follows the topic.
  private static func following(_ table: KafkaTable, _ body: () throws -> Void) rethrows {
    let ended = DispatchSemaphore(value: 0)
    let worker = Thread {
      table.work()
      ended.signal()
    }
    worker.start()
    defer {
      table.close()
      ended.wait()
    }
    try body()
  }

  @Test func ofEachKeyTheNewestRecordCounts_andOneWithoutAValueTakesItAway() throws {
    let topic = try Topic()
    try topic.write([
      ("EUR", Self.row("EUR", 1)), ("MAD", Self.row("MAD", 5)), ("USD", Self.row("USD", 7)),
      ("EUR", Self.row("EUR", 2)), ("MAD", nil), ("USD", "{\n\"base\": \"USD\",\n\"rate\": 8}"),
    ])
    let table = try topic.table()
    #expect(try Self.rate("EUR", in: table) == .int64(2))
    #expect(try Self.rate("MAD", in: table) == nil)
    #expect(try Self.rate("USD", in: table) == .int64(8), "a record may be spread over lines")
    #expect(try Self.rate("GBP", in: table) == nil)
  }

  @Test func anEmptyTopicIsAnEmptyTable_andWhatIsWrittenLaterIsFoundThere() throws {
    let topic = try Topic()
    let table = try topic.table()
    #expect(try Self.rate("EUR", in: table) == nil)
    try Self.following(table) {
      try topic.write([("EUR", Self.row("EUR", 1))])
      while try Self.rate("EUR", in: table) == nil { sched_yield() }
      try topic.write([("EUR", nil)])
      while try Self.rate("EUR", in: table) != nil { sched_yield() }
    }
    #expect(table.counters.reloads.value >= 2)
  }

  @Test func aFaultyRecordLeavesTheTableAsItWas_untilOneMendsIt() throws {
    let topic = try Topic()
    try topic.write([("EUR", Self.row("EUR", 1)), ("MAD", Self.row("MAD", 5))])
    let notes = FileTableTests.Notes()
    let table = try topic.table(notes)
    try Self.following(table) {
      try topic.write([("EUR", "no json"), ("MAD", Self.row("MAD", 6))])
      while notes.all.isEmpty { sched_yield() }
      #expect(try Self.rate("EUR", in: table) == .int64(1))
      #expect(try Self.rate("MAD", in: table) == .int64(5), "whole or not at all")
      try topic.write([("EUR", Self.row("EUR", 2))])
      while try Self.rate("EUR", in: table) != .int64(2) { sched_yield() }
      #expect(try Self.rate("MAD", in: table) == .int64(6))
    }
    let note = notes.all[0]
    #expect(note.contains("topic rates: partition") && note.contains("stays as it was"), "\(note)")
  }

  @Test func aFaultyTopic_isRefusedAtTheStart_withThePlaceAndTheMend() throws {
    let broken = try Topic(partitions: 1)
    try broken.write([("EUR", Self.row("EUR", 1)), ("MAD", "{\"base\":\"MAD\"}")])
    let noRow = #expect(throws: ConnectorError.self) { try broken.table() }
    #expect(noRow?.description.contains("topic rates: partition 0, offset 1: ") == true, "\(String(describing: noRow))")
    let keyless = try Topic(partitions: 1)
    try keyless.write([(nil, Self.row("EUR", 1))])
    let noKey = #expect(throws: ConnectorError.self) { try keyless.table() }
    #expect(noKey?.description.contains("partition 0, offset 0: the record has no key") == true)
    let doubled = try Topic()
    try doubled.write([("1", Self.row("EUR", 1)), ("2", Self.row("EUR", 2))])
    let twice = #expect(throws: ConnectorError.self) { try doubled.table() }
    #expect(twice?.description.contains("are both of this key") == true, "\(String(describing: twice))")
    let blank = try Topic(partitions: 1)
    try blank.write([("EUR", "  ")])
    let nothing = #expect(throws: ConnectorError.self) { try blank.table() }
    #expect(nothing?.description.contains("offset 0: the record is blank") == true, "\(String(describing: nothing))")
  }

  @Test func aMissingTopicAndAMissingBroker_areToldApart() throws {
    let topic = try Topic()
    func table(_ bootstrap: String, _ name: String) throws(ConnectorError) -> KafkaTable {
      try KafkaTable(
        KafkaTableSpec(cluster: KafkaConfiguration(bootstrap: bootstrap), topic: name, format: .json),
        place: "steps.priced.lookup.table", layout: Self.layout, notice: { _ in })
    }
    let noBroker = #expect(throws: ConnectorError.self) { _ = try table("127.0.0.1:1", "rates") }
    #expect(noBroker?.description.contains("start the broker") == true && noBroker?.isRetriable == true)
    #expect(try Self.rate("EUR", in: try topic.table()) == nil)
  }
}
