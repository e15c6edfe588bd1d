import Formats
import StreamModel
import Testing

@testable import Connectors

/// What a row is as a Kafka record.
struct KafkaRecordEncoderTests {
  static let schema = Schema([
    Field("account", .string), Field("hour", .int64), Field("at", .timestamp), Field("text", .string),
  ])

  static func batch(_ rows: [[Value]]) -> RecordBatch {
    let builders = schema.fields.map { ColumnBuilder($0.type) }
    for row in rows { for (value, builder) in zip(row, builders) { builder.append(value) } }
    return RecordBatch(
      schema: schema, columns: builders.map { $0.finish() }, count: rows.count,
      eventTimes: .constant(.timestamp(0), .timestamp, count: rows.count))
  }

  static let rows: [[Value]] = [
    [.string("a"), .int64(7), .timestamp(0), .string("x")],
    [.null, .null, .null, .string("two\nlines")],
  ]

  static func records(_ format: Format, key: [Int]) throws -> [(key: String?, value: String)] {
    var records: [(key: String?, value: String)] = []
    let encoder = KafkaRecordEncoder(format: format, key: key, schema: schema, subject: "t-value")
    let rows = batch(rows)
    try encoder.encode(rows)
    encoder.forEach(rows) { key, value in
      records.append((key.map { String(decoding: $0, as: UTF8.self) }, String(decoding: value, as: UTF8.self)))
    }
    return records
  }

  static func keys(_ key: [Int]) throws -> [String?] { try records(.json, key: key).map(\.key) }

  @Test func aKeyOfOneColumn_isItsText_andNullWhereItIs() throws {
    #expect(try KafkaRecordEncoderTests.keys([0]) == ["a", nil])
    #expect(try KafkaRecordEncoderTests.keys([1]) == ["7", nil])
    #expect(try KafkaRecordEncoderTests.keys([2]) == ["1970-01-01T00:00:00.000Z", nil])
  }

  @Test func aKeyOfSeveralColumns_isAnObjectOfThem() throws {
    #expect(
      try KafkaRecordEncoderTests.keys([1, 0]) == [#"{"hour":7,"account":"a"}"#, #"{"hour":null,"account":null}"#])
  }

  @Test func withoutKey_recordsHaveNone() throws { #expect(try KafkaRecordEncoderTests.keys([]) == [nil, nil]) }

  @Test func everyRowIsOneRecord_withoutLineEnd() throws {
    #expect(
      try KafkaRecordEncoderTests.records(.json, key: []).map(\.value) == [
        #"{"account":"a","hour":7,"at":"1970-01-01T00:00:00.000Z","text":"x"}"#,
        #"{"account":null,"hour":null,"at":null,"text":"two\nlines"}"#,
      ])
  }

  @Test func aCSVRecordMayHoldLineEnds() throws {
    var options = CSVOptions()
    options.header = false
    #expect(
      try KafkaRecordEncoderTests.records(.csv(options), key: [0]).map(\.value) == [
        "a,7,1970-01-01T00:00:00.000Z,x", ",,,\"two\nlines\"",
      ])
  }

  @Test func aSchemasVersionChangesWithItsColumns() throws {
    let version = KafkaSinkWriter.version(of: KafkaRecordEncoderTests.schema)
    #expect(version == KafkaSinkWriter.version(of: KafkaRecordEncoderTests.schema) && version.count == 16)
    let other = Schema(KafkaRecordEncoderTests.schema.fields.dropLast() + [Field("text", .bytes)])
    #expect(version != KafkaSinkWriter.version(of: other))
  }
}
