import StreamModel
import Testing

@testable import Formats

/// Records as a whole: lines, names, order, grammar, bounds.
@Suite struct JSONRecordTests {
  private let schema = Schema([Field("a", .int64), Field("b", .string)])

  @Test func ofARepeatedField_theLastWins() {
    let lines = [
      #"{"a":1,"a":2,"b":"x","b":"y"}"#, #"{"a":null,"a":2}"#, #"{"a":2,"a":null}"#, #"{"a":"wrong","a":2}"#,
      #"{"a":2,"a":"wrong"}"#, #"{"a":null,"a":null,"b":"\n","b":"z"}"#,
    ]
    let decoded = decodeJSON(lines.joined(separator: "\n"), schema)
    let expected: [[Value]] = [
      [.int64(2), .string("y")], [.int64(2), .null], [.null, .null], [.int64(2), .null], [.null, .string("z")],
    ]
    #expect(decoded.values == expected)
    #expect(decoded.failures.count == 1)
    #expect(decoded.rows.columns[0].nullCount == 2)
  }

  @Test func namesMatch_howeverTheyAreWritten() {
    let odd = Schema([Field("na\"me", .int64), Field("é", .int64), Field(String(repeating: "n", count: 80), .int64)])
    let long = String(repeating: "n", count: 80)
    let decoded = decodeJSON(
      "{\"na\\\"me\":1,\"\\u00e9\":2,\"\(long)\":3}\n{\"\(long)\":6,\"é\":5,\"\\u006ea\\u0022me\":4}\n", odd)
    #expect(decoded.values == [[.int64(1), .int64(2), .int64(3)], [.int64(4), .int64(5), .int64(6)]])
  }

  @Test func theOrderOfFields_doesNotMatter() {
    var random = TestRandom()
    let names = (0..<300).map { "field_number_\($0)" }
    let wide = Schema(names.map { Field($0, .int64) })
    var lines: [String] = []
    for row in 0..<20 {
      let members = names.indices.map { "\"\(names[$0])\":\($0 * row)" }.shuffled(using: &random)
      let unknown = (0..<random.below(6)).map { "\"unknown_\($0)\":[{}]" }
      lines.append("{" + (members + unknown).shuffled(using: &random).joined(separator: ",") + "}")
    }
    let decoded = decodeJSON(lines.joined(separator: "\n"), wide)
    #expect(decoded.failures.isEmpty, "seed \(random.seed)")
    let expected: [[Value]] = (0..<20).map { row in names.indices.map { .int64(Int64($0 * row)) } }
    #expect(decoded.values == expected)
  }

  @Test func blankLines_carriageReturns_andTheMark_areNoRecords() {
    let mark = [UInt8]([0xEF, 0xBB, 0xBF])
    let lines = Array("\n \t\n{\"a\":1}\r\n\r\n  {\"a\":2}  \r\n\n{\"a\":3}".utf8)
    let decoded = decodeJSON(mark + lines, schema)
    #expect(decoded.values.map { $0[0] } == [.int64(1), .int64(2), .int64(3)])
    #expect(decoded.ranges == [7..<14, 18..<29, 32..<39])
    #expect(decoded.failures.isEmpty)
    #expect(decodeJSON(mark + [0x0A], schema).outcomes.isEmpty)
    #expect(decodeJSON("", schema).outcomes.isEmpty)
  }

  @Test func aByteOrderMark_elsewhereThanAtTheStart_isAFailure() {
    let decoded = decodeJSON("\u{FEFF}{\"a\":1}\n{\"a\":2}\n", schema, offset: 10)
    #expect(decoded.values == [[.int64(2), .null]])
    #expect(decoded.failureRanges == [0..<10])
  }

  static let malformed = [
    "x", "1", "[]", "\"a\"", "null", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}",
    "{\"a\" 1}",
    "{\"a\"::1}", "{\"a\":1 \"b\":2}", "{\"a\":1}}", "{\"a\":1}{\"a\":2}", "{\"a\":1},", "{\"a\":1} x", "{a:1}",
    "{\"a\":1;}",
    "{1:2}", "{\"u\":}", "{\"u\":[1,]}", "{\"u\":[,1]}", "{\"u\":[1 2]}", "{\"u\":{\"v\"}}", "{\"u\":{\"v\":1,}}",
    "{\"u\":[}]", "{\"u\":[1}", "{\"u\":nul}", "{\"u\":01}", "{\"u\":1.}", "{\"u\":\"\\q\"}", "{\"u\":{\"\\q\":1}}",
    "{\"u\":\"\\ud800\"}", "{\"\\q\":1}", "{\"u\":[1]]}", "{\"u\":{}", "}", "]", ":", ",", "{\"u\":-}",
    "{\"u\":\u{c}1}",
    "{\"u\":1\u{c}\"v\":2}", "{\"u\"\u{1a}1}", "\\{\"a\":1}", "{\"a\":\\1}", "\\\"{\"a\":1}", "{\"a\":1}\u{0}", "\u{0}",
    "/* c */{\"a\":1}", "{\"u\":tru\u{0}e}", "{'a':1}", "{\"a\":1,\"b\":\"x}", "{\"a\"\"b\":1}", "{\"a\":\"x\"\"y\"}",
  ]

  @Test(arguments: malformed)
  func aMalformedLine_failsAlone(_ line: String) {
    let good = "{\"a\":1,\"b\":\"x\"}\n"
    for ending in ["\n", "\r\n"] {
      let decoded = decodeJSON(good + line + ending + good, schema)
      #expect(decoded.values == [[.int64(1), .string("x")], [.int64(1), .string("x")]])
      #expect(decoded.failureRanges == [good.utf8.count..<good.utf8.count + line.utf8.count])
    }
    #expect(decodeJSON(line, schema).outcomes == [.failure(0..<line.utf8.count)])
  }

  static let ignored = [
    "1", "-0.5e+10", "\"\"", "\"\\u00e9\\\\\"", "true", "false", "null", "[]", "{}", "[ ]", "{ }", "[[],{},[1,2,[3]]]",
    "{\"v\":{\"w\":[1,{\"x\":\"}]\"}]},\"\\n\":null}", "[\"a\" , \"b\"]", "12345678901234567890123456789e-999999",
  ]

  @Test(arguments: ignored)
  func unknownFields_areIgnored(_ value: String) {
    let decoded = decodeJSON("{\"u\":\(value),\"a\":1,\"w\": \(value) }\n{\"a\":2}", schema)
    #expect(decoded.values == [[.int64(1), .null], [.int64(2), .null]], "\(decoded.failures)")
  }

  @Test func lineEndsWithinARecord_splitIt() {
    let decoded = decodeJSON("{\"a\":1,\n\"b\":\"x\"}\n{\"a\"\n:1}\n{\n}\n{\"a\":[\n1]}\n{\"a\":2}\n", schema)
    #expect(decoded.values == [[.int64(2), .null]])
    #expect(decoded.failures.count == 8)
    #expect(decodeJSON("{\"a\":1\n}\n{\"a\":1}", schema).failures.count == 2)
    #expect(decodeJSON("{\"b\":\"x\"\n}\n", schema).failures.count == 2)
    #expect(decodeJSON("{\"b\":null\n}\n", schema).failures.count == 2)
    #expect(decodeJSON("{\"u\":[1,\n2]}\n", schema).failures.count == 2)
    #expect(decodeJSON("{\n\"a\":1}\n{\"a\":1,\n\"a\":2}", schema).failures.count == 4)
  }

  @Test func nesting_isBounded() {
    func nested(_ depth: Int) -> String {
      "{\"u\":" + String(repeating: "[", count: depth) + String(repeating: "]", count: depth) + "}\n"
    }
    let depth = JSONDecoder.maxDepth
    #expect(decodeJSON(nested(depth), schema).rows.count == 1)
    #expect(decodeJSON(nested(depth + 1), schema).failures.first?.reason.contains("1024 deep") == true)
    #expect(decodeJSON(String(repeating: "{\"a\":", count: 1_000_000), schema).failures.count == 1)
    #expect(decodeJSON(String(repeating: "{\"a\":[\n", count: 20_000), schema).failures.count == 20_000)
  }

  @Test func brokenUTF8_failsItsLineAlone() {
    let good = Array("{\"b\":\"é\"}\n".utf8)
    for broken: [UInt8] in [
      [0xC3], [0xE2, 0x82], [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0x80],
    ] {
      let bad = Array("{\"b\":\"".utf8) + broken + Array("\"}".utf8)
      let decoded = decodeJSON(good + bad + [0x0A] + good, schema)
      #expect(decoded.values == [[.null, .string("é")], [.null, .string("é")]])
      #expect(decoded.failures.map(\.reason) == ["the record is not UTF-8"])
      #expect(decodeJSON(Array("{\"b\":\"".utf8) + broken, schema).failures.count == 1)
    }
  }

  @Test func recordsBeyondTheBound_fail_andTheirNeighboursDoNot() {
    let long = "{\"b\":\"" + String(repeating: "x", count: 100) + "\"}"
    let bytes = Array("{\"a\":1}\n\(long)\n{\"a\":2}\n".utf8)
    let decoded = decodeJSON(bytes, schema, maxRecordBytes: 64)
    #expect(decoded.values.map { $0[0] } == [.int64(1), .int64(2)])
    #expect(decoded.failures.map(\.reason) == ["the record has 108 bytes, the most is 64"])
    #expect(decodeJSON(Array(long.utf8), schema, maxRecordBytes: 108).rows.count == 1)
  }

  @Test func aLineOf100MB_isOneFailure_andARecordOf8MBIsARow() {
    let line = [UInt8](repeating: UInt8(ascii: "["), count: 100_000_000) + Array("\n{\"a\":1}\n".utf8)
    #expect(
      decodeJSON(line, schema).outcomes == [
        .failure(0..<100_000_000), .row(100_000_001..<100_000_008, [.int64(1), .null]),
      ])
    let text = String(repeating: "y", count: 8_000_000)
    #expect(
      decodeJSON("{\"b\":\"\(text)\"}\n{\"a\":1}", schema).values == [[.null, .string(text)], [.int64(1), .null]])
  }

  @Test func aFragment_isOneFailure() {
    let decoder = JSONDecoder(schema: schema, materialize: [0, 1])
    let decoded = decoder.decode(chunk(Array("{\"a\":1}\n".utf8), isFragment: true), prologue: [])
    #expect(decoded.outcomes == [.failure(0..<8)])
    #expect(decoded.rows.columns.count == 2)
  }

  @Test func onlyWhatIsMaterialized_isKept_butAllIsChecked() {
    let decoder = JSONDecoder(schema: schema, materialize: [1])
    let decoded = decoder.decode(chunk(Array("{\"a\":1,\"b\":\"\\t\"}\n{\"a\":\"\",\"b\":\"y\"}\n".utf8)), prologue: [])
    #expect(decoded.values == [[.string("\t")]])
    #expect(decoded.failures.count == 1)
    let none = JSONDecoder(schema: schema, materialize: [])
    #expect(none.decode(chunk(Array("{\"a\":1}\n{\"a\":2}".utf8)), prologue: []).rows.count == 2)
  }

  @Test func escapedText_andPlainText_shareAColumn() {
    var lines = ""
    var expected: [[Value]] = []
    for row in 0..<5000 {
      lines += row % 7 == 0 ? "{\"b\":\"\\u00e9\(row)\"}\n" : "{\"b\":\"e\(row)\"}\n"
      expected.append([.null, .string(row % 7 == 0 ? "é\(row)" : "e\(row)")])
    }
    #expect(decodeJSON(lines, schema).values == expected)
  }

  @Test func nulls_surviveTheGrowthOfColumns() {
    let lines = (0..<3000).map { $0 % 3 == 0 ? "{}" : "{\"a\":\($0)}" }
    let decoded = decodeJSON(lines.joined(separator: "\n"), schema)
    let expected: [Value] = (0..<3000).map { $0 % 3 == 0 ? .null : .int64(Int64($0)) }
    #expect(decoded.values.map { $0[0] } == expected)
    #expect(decodeJSON("{\"a\":1}\n{\"a\":2,\"b\":1}\n{\"b\":null}", schema).rows.columns[0].nullCount == 1)
    #expect(decodeJSON("{\"a\":1}\n{\"a\":null,\"b\":1}\n{\"a\":3}", schema).rows.columns[0].validity == nil)
  }
}
