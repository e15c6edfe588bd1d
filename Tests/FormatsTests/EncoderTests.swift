import StreamModel
import Testing

@testable import Formats

@Suite struct EncoderTests {
  static let schema = Schema([
    Field("b", .boolean), Field("i", .int64), Field("x", .double), Field("d", .decimal(precision: 18, scale: 3)),
    Field("w", .decimal(precision: 38, scale: 10)), Field("s", .string), Field("r", .bytes), Field("y", .date),
    Field("t", .timestamp),
  ])

  @Test func json_isWrittenInSchemaOrder_exactly() {
    let rows: [[Value]] = [
      [
        .boolean(true), .int64(.min), .double(0.1), .decimal(-5, scale: 3), .decimal(-1, scale: 10),
        .string("a\"\\\u{1}\n\u{7f}é😀/"), .bytes([0, 255]), .date(19_782), .timestamp(1_767_225_600_001),
      ],
      Array(repeating: .null, count: 9),
      [
        .boolean(false), .int64(0), .double(1e300), .decimal(1_234_567, scale: 3),
        .decimal(12_345_678_901_234_567_890_123_456_789_012_345_678, scale: 10), .string(""), .bytes([]),
        .date(-719_162),
        .timestamp(-1),
      ],
    ]
    let encoded = text(encode(JSONEncoder(), batch(Self.schema, rows)))
    let expected = [
      #"{"b":true,"i":-9223372036854775808,"x":0.1,"d":-0.005,"w":-0.0000000001,"s":"a\"\\\u0001\n"#
        + "\u{7f}" + #"é😀/","r":"AP8=","y":"2024-02-29","t":"2026-01-01T00:00:00.001Z"}"#,
      #"{"b":null,"i":null,"x":null,"d":null,"w":null,"s":null,"r":null,"y":null,"t":null}"#,
      #"{"b":false,"i":0,"x":1e+300,"d":1234.567,"w":1234567890123456789012345678.9012345678,"s":"","r":"","#
        + #""y":"0001-01-01","t":"1969-12-31T23:59:59.999Z"}"#,
    ]
    #expect(encoded == expected.map { $0 + "\n" }.joined())
    #expect(JSONEncoder().header(for: Self.schema).isEmpty)
  }

  @Test func names_areEscaped_andARowWithoutColumnsIsAnEmptyObject() {
    let odd = Schema([Field("a\"\n", .int64)])
    #expect(text(encode(JSONEncoder(), batch(odd, [[.int64(1)]]))) == "{\"a\\\"\\n\":1}\n")
    let none = RecordBatch(
      schema: Schema([]), columns: [], count: 2, eventTimes: .constant(.int64(0), .int64, count: 2))
    #expect(text(encode(JSONEncoder(), none)) == "{}\n{}\n")
  }

  @Test func oneEncoder_writesBatchesOfSeveralSchemas() {
    let encoder = JSONEncoder()
    #expect(text(encode(encoder, batch(Schema([Field("a", .int64)]), [[.int64(1)]]))) == "{\"a\":1}\n")
    #expect(text(encode(encoder, batch(Schema([Field("b", .string)]), [[.string("x")]]))) == "{\"b\":\"x\"}\n")
  }

  @Test func csv_quotesOnlyWhatMustBe() {
    let schema = Schema([Field("a,b", .string), Field("n", .int64)])
    let rows: [[Value]] = [
      [.string("plain text"), .int64(1)], [.string("a,b"), .null], [.string(""), .int64(2)], [.null, .null],
      [.string("q\"q"), .int64(3)], [.string("l\nl"), .int64(4)], [.string("r\r"), .int64(5)],
      [.string("\u{FEFF}x"), .int64(6)],
    ]
    let encoder = CSVEncoder()
    #expect(text(encoder.header(for: schema)) == "\"a,b\",n\n")
    let encoded = text(encode(encoder, batch(schema, rows)))
    #expect(
      encoded == "plain text,1\n\"a,b\",\n\"\",2\n,\n\"q\"\"q\",3\n\"l\nl\",4\n\"r\r\",5\n\"\u{FEFF}x\",6\n")
    #expect(decodeCSV(encoded, schema, header: text(encoder.header(for: schema))).values == rows)
    var options = CSVOptions()
    options.header = false
    #expect(CSVEncoder(options: options).header(for: schema).isEmpty)
    let single = Schema([Field("a", .int64)])
    #expect(
      decodeCSV(text(encode(encoder, batch(single, [[.null], [.int64(1)]]))), single).values == [[.null], [.int64(1)]])
  }

  private static func value(_ type: DataType, _ random: inout TestRandom) -> Value {
    if random.chance(6) { return .null }
    switch type {
    case .boolean: return .boolean(random.chance(2))
    case .int64: return .int64(Int64(bitPattern: random.next()) >> Int64(random.below(64)))
    case .double:
      let value = Double(bitPattern: random.next())
      return .double(value.isFinite ? value : Double(random.below(1000)) / 8)
    case .decimal(let precision, let scale):
      let bits = Int128(truncatingIfNeeded: Int64(bitPattern: random.next())) << 64 | Int128(random.next())
      return .decimal(bits % Decimal.powersOfTen[random.below(precision + 1)], scale: scale)
    case .string:
      let letters = Array("ab \",\\\n\r\t\u{0}\u{1f}é€😀\u{7f}{}:")
      return .string(String((0..<random.below(40)).map { _ in random.pick(letters) }))
    case .bytes: return .bytes((0..<random.below(20)).map { _ in UInt8.random(in: 0...255, using: &random) })
    case .date: return .date(Int64(random.below(3_652_059)) - 719_162)
    case .timestamp:
      return .timestamp(Int64.random(in: EventTimes.earliestRecord...EventTimes.latestRecord, using: &random))
    }
  }

  @Test func whatIsWritten_isReadBack_inJSONAndCSV() {
    var random = TestRandom()
    for _ in 0..<20 {
      let rows = (0..<random.pick([1, 10, 1500])).map { _ in
        Self.schema.fields.map { Self.value($0.type, &random) }
      }
      let batch = batch(Self.schema, rows)
      let json = decodeJSON(encode(JSONEncoder(), batch), Self.schema)
      #expect(json.failures.isEmpty && json.values == rows, "seed \(random.seed)")
      let csv = decodeCSV(text(encode(CSVEncoder(), batch)), Self.schema)
      #expect(csv.failures.isEmpty && csv.values == rows, "seed \(random.seed)")
    }
  }

  @Test func gatheredAndAbsentColumns_areWrittenToo() {
    let schema = Schema([Field("s", .string), Field("n", .int64)])
    let whole = batch(schema, [[.string("x"), .int64(1)], [.null, .int64(2)], [.string("z"), .null]])
    #expect(text(encode(JSONEncoder(), whole.gather([2, 1]))) == "{\"s\":\"z\",\"n\":null}\n{\"s\":null,\"n\":2}\n")
    let absent = whole.with(schema: schema, columns: [.absent(.string, count: 3), whole.columns[1]])
    #expect(text(encode(CSVEncoder(), absent)) == ",1\n,2\n,\n")
  }

  @Test func base64_isRFC4648() {
    let vectors = [
      "": "", "f": "Zg==", "fo": "Zm8=", "foo": "Zm9v", "foob": "Zm9vYg==", "fooba": "Zm9vYmE=", "foobar": "Zm9vYmFy",
    ]
    for (plain, coded) in vectors {
      #expect(Base64.encode(Array(plain.utf8)) == coded)
      #expect(Base64.decode(coded) == Array(plain.utf8))
    }
    for wrong in [
      "Z", "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm9v\n", "Zm 9", "Zm9v====", "=Zm9", "Zm-_",
    ] {
      #expect(Base64.decode(wrong) == nil, "\(wrong)")
    }
    var random = TestRandom()
    for _ in 0..<500 {
      let bytes = (0..<random.below(50)).map { _ in UInt8.random(in: 0...255, using: &random) }
      #expect(Base64.decode(Base64.encode(bytes)) == bytes)
      let text = text(random.mutated(Array(Base64.encode(bytes).utf8)))
      #expect(Base64.decode(text) == Base64Reference.decode(text), "seed \(random.seed): \(text)")
    }
  }
}
