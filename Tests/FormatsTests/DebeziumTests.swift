import StreamModel
import Testing

@testable import Formats

/// Changes of a database's rows as Debezium writes them.
struct DebeziumTests {
  private static let row = [
    Field("id", .int64, nullable: false), Field("name", .string), Field("price", .decimal(precision: 10, scale: 2)),
    Field("day", .date), Field("at", .timestamp),
  ]

  private func decode(_ text: String, _ metadata: [(String, String)] = [("op", "op")]) throws -> DecodedChunk {
    var fields = DebeziumTests.row
    var parts: [DebeziumOptions.Metadata] = []
    for (name, part) in metadata {
      let part = try #require(DebeziumPart(name: part))
      let type = part.type ?? .decimal(precision: 10, scale: 2)
      fields.append(Field(name, type, nullable: part != .operation))
      parts.append(DebeziumOptions.Metadata(column: name, part: part))
    }
    let decoder = Format.debeziumJSON(DebeziumOptions(metadata: parts)).makeDecoder(
      schema: Schema(fields), materialize: Array(0..<fields.count), epochSecondColumns: [])
    return try decoder.decode(chunk(Array(text.utf8)), prologue: [])
  }

  private static let after = #"{"id":1,"name":"a","price":1.50,"day":null,"at":1000}"#
  private static let before = #"{"id":1,"name":"old","price":1.25,"day":null,"at":900}"#

  private func values(_ name: String, _ price: Int128, _ at: Int64, _ op: String) -> [Value] {
    [.int64(1), .string(name), .decimal(price, scale: 2), .null, .timestamp(at), .string(op)]
  }

  @Test func everyKindOfChange_isOneRow_withOrWithoutKafkaConnectsEnvelope() throws {
    let (before, after) = (DebeziumTests.before, DebeziumTests.after)
    let changes = [
      #"{"before":null,"after":\#(after),"op":"c","ts_ms":5}"#, #"{"op":"r","after":\#(after)}"#,
      #"{"before":\#(before),"after":\#(after),"op":"u"}"#, #"{"before":\#(before),"after":null,"op":"d"}"#,
    ]
    let expected = [
      values("a", 150, 1000, "c"), values("a", 150, 1000, "r"), values("a", 150, 1000, "u"),
      values("old", 125, 900, "d"),
    ]
    let plain = changes.joined(separator: "\n") + "\n"
    let decoded = try decode(plain)
    #expect(decoded.failures.isEmpty)
    #expect(decoded.values == expected)
    var start = 0
    let places = changes.map { change in
      defer { start += change.utf8.count + 1 }
      return start..<start + change.utf8.count
    }
    #expect(decoded.ranges == places)
    let wrapped = changes.map { #"{"schema":{"type":"struct"},"payload":\#($0)}"# }.joined(separator: "\r\n")
    #expect(try decode(wrapped).values == expected)
  }

  @Test func tombstonesGiveNoRow() throws {
    let decoded = try decode("null\n\n{\"schema\":{},\"payload\":null}\n  \n")
    #expect(decoded.rows.count == 0 && decoded.failures.isEmpty)
  }

  @Test func theSourceOfAChange_standsInDeclaredColumns() throws {
    let change = #"""
      {"before":\#(DebeziumTests.before),"after":\#(DebeziumTests.after),"source":{"ts_ms":7,"db":"shop","schema":"public","table":"t","snapshot":"false"},"op":"u","ts_ms":8}
      """#
    let decoded = try decode(
      change,
      [
        ("op", "op"), ("seen", "ingestion-timestamp"), ("made", "source.timestamp"), ("db", "source.database"),
        ("space", "source.schema"), ("table", "source.table"), ("snap", "source.snapshot"), ("was", "before.price"),
      ])
    #expect(decoded.failures.isEmpty)
    #expect(
      decoded.values.first.map { Array($0[5...]) } == [
        .string("u"), .timestamp(8), .timestamp(7), .string("shop"), .string("public"), .string("t"), .string("false"),
        .decimal(125, scale: 2),
      ])
  }

  @Test func kafkaConnectsTypes_areReadByItsSchema() throws {
    let types = #"""
      {"type":"struct","fields":[{"field":"before"},{"field":"after","fields":[
      {"type":"bytes","field":"price","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"}},
      {"type":"int32","field":"day","name":"io.debezium.time.Date"},
      {"type":"int64","field":"at","name":"io.debezium.time.MicroTimestamp"}]}]}
      """#.split(separator: "\n").joined()
    func change(_ row: String) -> String { #"{"schema":\#(types),"payload":{"after":\#(row),"op":"c"}}"# + "\n" }
    let decoded = try decode(
      change(#"{"id":1,"price":"AJY=","day":19000,"at":1500000}"#) + change(#"{"id":2,"price":"AJY=","day":1,"at":1}"#)
        + change(#"{"id":3,"price":"_","day":1,"at":0}"#))
    #expect(
      decoded.values == [[.int64(1), .null, .decimal(150, scale: 2), .date(19000), .timestamp(1500), .string("c")]])
    #expect(
      decoded.failures.map(\.reason) == [
        "at: 1 µs is no timestamp of whole milliseconds between the years 1 and 9999",
        "price: _ is no decimal of at most 38 digits",
      ])
  }

  @Test func aDecimalOfAnyScale_isReadDigitByDigit() throws {
    let types =
      #"{"fields":[{"field":"after","fields":[{"field":"price","name":"io.debezium.data.VariableScaleDecimal"}]}]}"#
    let decoded = try decode(
      #"{"schema":\#(types),"payload":{"after":{"id":1,"price":{"scale":1,"value":"Dw=="}},"op":"c"}}"#)
    #expect(decoded.values == [[.int64(1), .null, .decimal(150, scale: 2), .null, .null, .string("c")]])
  }

  @Test func changesWithoutARow_fail() throws {
    let decoded = try decode(
      """
      {"op":"d","before":null}
      {"op":"t"}
      {"op":"u","before":{}}
      {"id":1}
      [1]
      {"op":"c","after":{"id":1,"price":1.234}}
      {"op":"c","after":{"id":1},"x":}
      {"op":"c","after":{"id":"a" 1}}
      """)
    #expect(decoded.rows.count == 0)
    #expect(
      decoded.failures.map(\.reason) == [
        "a deletion has no `before`: let the database log whole rows (REPLICA IDENTITY FULL)",
        "a change with op \"t\" gives no row",
        "a change with op \"u\" has no `after`",
        "the record is no Debezium envelope: it has no `op`",
        "the record is no JSON object",
        "price: decimal(10,2) would lose digits of 1.234",
        "the record is no JSON object",
        "the row of the change is no JSON object",
      ])
  }

  @Test func randomDamage_neverGivesARowThatIsNotThere() throws {
    let change = Array(#"{"before":null,"after":\#(DebeziumTests.after),"op":"c","ts_ms":5}"#.utf8)
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = TestRandom(seed: seed)
    for _ in 0..<2000 {
      var damaged = change
      let place = Int(random.next() % UInt64(change.count))
      damaged.remove(at: place)
      let decoded = try decode(String(decoding: damaged, as: UTF8.self))
      #expect(
        decoded.rows.count + decoded.failures.count == 1, "seed \(seed): \(String(decoding: damaged, as: UTF8.self))")
    }
  }
}
