import StreamModel
import Testing

@testable import Formats

/// What each type takes and what it refuses.
@Suite struct JSONValueTests {
  private static let decimal = DataType.decimal(precision: 18, scale: 3)
  private static let wide = DataType.decimal(precision: 38, scale: 2)
  private static let narrow = DataType.decimal(precision: 5, scale: 1)

  static let accepted: [(DataType, String, Value)] = [
    (.boolean, "true", .boolean(true)), (.boolean, "false", .boolean(false)), (.boolean, "null", .null),
    (.int64, "0", .int64(0)), (.int64, "-0", .int64(0)), (.int64, "12345678", .int64(12_345_678)),
    (.int64, "123456789", .int64(123_456_789)), (.int64, "-9223372036854775808", .int64(.min)),
    (.int64, "9223372036854775807", .int64(.max)), (.int64, "1e2", .int64(100)), (.int64, "1200E-2", .int64(12)),
    (.int64, "0e999999999999", .int64(0)),
    (.double, "0.1", .double(0.1)), (.double, "-2.5e-3", .double(-0.0025)), (.double, "1e308", .double(1e308)),
    (.double, "1e-400", .double(0)), (.double, "5e-324", .double(.leastNonzeroMagnitude)), (.double, "7", .double(7)),
    (.double, "123456789012345678901234567890", .double(1.2345678901234568e29)),
    (.double, "1.7976931348623157e308", .double(.greatestFiniteMagnitude)),
    (.double, "9007199254740993", .double(9_007_199_254_740_992)), (.double, "0.30000000000000004", .double(0.1 + 0.2)),
    (decimal, "1.5", .decimal(1500, scale: 3)), (decimal, "\"-1.5\"", .decimal(-1500, scale: 3)),
    (decimal, "0.001", .decimal(1, scale: 3)), (decimal, "1.500000000000000000000000", .decimal(1500, scale: 3)),
    (decimal, "999999999999999.999", .decimal(999_999_999_999_999_999, scale: 3)),
    (decimal, "1e3", .decimal(1_000_000, scale: 3)), (decimal, "-15E-1", .decimal(-1500, scale: 3)),
    (decimal, "0e-99999999999999999999", .decimal(0, scale: 3)), (decimal, "\"\\u0031.5\"", .decimal(1500, scale: 3)),
    (narrow, "1.500", .decimal(15, scale: 1)), (narrow, "9999.9", .decimal(99_999, scale: 1)),
    (
      wide, "123456789012345678901234567890123456.78",
      .decimal(12_345_678_901_234_567_890_123_456_789_012_345_678, scale: 2)
    ),
    (wide, "-0.01", .decimal(-1, scale: 2)),
    (wide, "12345678901234567890", .decimal(1_234_567_890_123_456_789_000, scale: 2)),
    (.string, "\"\"", .string("")), (.string, "\"plain é 😀\"", .string("plain é 😀")),
    (.string, #""\"\\\/\b\f\n\r\t""#, .string("\"\\/\u{8}\u{c}\n\r\t")),
    (.string, #""\u0041\u00e9\u20AC\ud83d\ude00\u0000""#, .string("Aé€😀\u{0}")),
    (.string, #""ends \\""#, .string("ends \\")), (.string, #""{\"a\":[1,2]}""#, .string("{\"a\":[1,2]}")),
    (.bytes, "\"\"", .bytes([])), (.bytes, "\"AAEC/w==\"", .bytes([0, 1, 2, 255])),
    (.bytes, "\"YWI=\"", .bytes([97, 98])),
    (.bytes, #""YWI\u003d""#, .bytes([97, 98])),
    (.date, "\"1970-01-01\"", .date(0)), (.date, "\"2024-02-29\"", .date(19_782)),
    (.date, "\"0001-01-01\"", .date(-719_162)),
    (.timestamp, "\"1970-01-01T00:00:00Z\"", .timestamp(0)),
    (.timestamp, "\"1970-01-01t00:00:01.5z\"", .timestamp(1500)),
    (.timestamp, "\"1970-01-01T01:00:00.120000+01:00\"", .timestamp(120)),
    (.timestamp, "\"1969-12-31T23:59:59.999-00:00\"", .timestamp(-1)),
    (.timestamp, "1767225600000", .timestamp(1_767_225_600_000)),
    (.timestamp, "-1", .timestamp(-1)), (.timestamp, "1e3", .timestamp(1000)),
    (.timestamp, "\"9999-12-31T23:59:59.999Z\"", .timestamp(EventTimes.latestRecord)),
    (.timestamp, "\"0001-01-01T00:00:00Z\"", .timestamp(EventTimes.earliestRecord)),
    (.timestamp, "253402300799999", .timestamp(EventTimes.latestRecord)),
  ]

  @Test(arguments: accepted.indices)
  func aValueOfItsType_isRead(_ index: Int) {
    let (type, text, expected) = JSONValueTests.accepted[index]
    for line in ["{\"a\":\(text)}", "{ \"a\" : \(text) \t}", "{\"a\":\(text) }\r"] {
      let decoded = decodeJSON(line + "\n", Schema([Field("a", type)]))
      #expect(decoded.values == [[expected]], "\(type) \(line): \(decoded.failures)")
    }
  }

  static let refused: [(DataType, String, String)] = [
    (.boolean, "1", "is no boolean"), (.boolean, "\"true\"", "is no boolean"),
    (.boolean, "True", "a value is expected"),
    (.boolean, "tru", "a value is expected"), (.boolean, "truee", "a value is expected"),
    (.boolean, "[]", "[] is no boolean"),
    (.int64, "1.0", "has a fraction"), (.int64, "1.5e1", "has a fraction"), (.int64, "1e-1", "has a fraction"),
    (.int64, "9223372036854775808", "does not fit"), (.int64, "-9223372036854775809", "does not fit"),
    (.int64, "1e19", "does not fit"), (.int64, "1e99999999999999999999", "does not fit"),
    (.int64, "\"1\"", "is no int64"),
    (.int64, "01", "is no number"), (.int64, "-", "is no number"), (.int64, "--1", "is no number"),
    (.int64, "1x", "is no number"),
    (.int64, "+1", "a value is expected"), (.int64, "1\"x\"", "is no number"), (.int64, "1 2", "a comma"),
    (.int64, "12345678901234567890123", "does not fit"), (.int64, "00000000001", "is no number"),
    (.double, "1.", "is no number"), (.double, ".5", "a value is expected"), (.double, "1e", "is no number"),
    (.double, "1e+", "is no number"), (.double, "NaN", "a value is expected"),
    (.double, "Infinity", "a value is expected"),
    (.double, "-Infinity", "is no number"), (.double, "1e309", "does not fit"), (.double, "-1.8e308", "does not fit"),
    (.double, "0x10", "is no number"), (.double, "\"1.5\"", "is no double"), (.double, "1.5.5", "is no number"),
    (decimal, "1.2345", "would lose digits"), (decimal, "1e-4", "would lose digits"),
    (decimal, "1000000000000000", "does not fit"),
    (decimal, "1e15", "does not fit"), (decimal, "\"1,5\"", "is no number"), (decimal, "\"\"", "is no number"),
    (decimal, "\"+1\"", "is no number"), (decimal, "\" 1\"", "is no number"),
    (decimal, "1.5000000000000000000000000001", "would lose"),
    (decimal, "true", "is no decimal(18,3)"), (narrow, "10000", "does not fit"), (narrow, "0.05", "would lose digits"),
    (wide, "1234567890123456789012345678901234567", "does not fit"), (wide, "0.001", "would lose digits"),
    (wide, "999999999999999999999999999999999999999999", "does not fit"),
    (.string, "1", "1 is no string"), (.string, "true", "is no string"), (.string, "{\"b\":1}", "is no string"),
    (.string, #""\x""#, "an escape that JSON lacks"), (.string, #""\u12g4""#, "an escape"),
    (.string, #""\u12""#, "an escape"),
    (.string, #""\ud83d""#, "half a surrogate"), (.string, #""\ude00""#, "half a surrogate"),
    (.string, #""\ud83dx""#, "half a surrogate"), (.string, #""\ud83d\u0041""#, "half a surrogate"),
    (.string, "'a'", "a value is expected"), (.string, "\"a\u{1}b\"", "raw control character"),
    (.string, "\"a\tb\"", "raw control"),
    (.string, "\"a\u{0}b\"", "raw control character"), (.string, "\"open", "not closed"),
    (.string, #""open\"}"#, "not closed"),
    (.bytes, "\"YWI\"", "is not base64"), (.bytes, "\"YWJ=\"", "is not base64"), (.bytes, "\"Y=I=\"", "is not base64"),
    (.bytes, "\"YW-_\"", "is not base64"), (.bytes, "\"====\"", "is not base64"), (.bytes, "1", "is no bytes"),
    (.date, "\"2023-02-29\"", "is no date"), (.date, "\"2024-2-01\"", "is no date"),
    (.date, "\"0000-01-01\"", "is no date"),
    (.date, "\"2024-01-01Z\"", "is no date"), (.date, "19782", "is no date"), (.date, "\"2024-13-01\"", "is no date"),
    (.timestamp, "\"2026-01-01T00:00:00\"", "is no timestamp"),
    (.timestamp, "\"2026-01-01 00:00:00Z\"", "is no timestamp"),
    (.timestamp, "\"2026-01-01T00:00:00.0001Z\"", "is no timestamp"),
    (.timestamp, "\"2026-01-01T00:00:00.Z\"", "is no timestamp"),
    (.timestamp, "\"2026-01-01T24:00:00Z\"", "is no timestamp"),
    (.timestamp, "\"2026-01-01T00:00:60Z\"", "is no timestamp"),
    (.timestamp, "\"2026-01-01T00:00:00+0100\"", "is no timestamp"),
    (.timestamp, "\"2026-01-01T00:00:00+24:00\"", "is no timestamp"),
    (.timestamp, "\"2026-01-01T00:00:00ZZ\"", "is no timestamp"), (.timestamp, "\"1767225600000\"", "is no timestamp"),
    (.timestamp, "\"2026-02-30T00:00:00Z\"", "is no timestamp"), (.timestamp, "\"\"", "is no timestamp"),
    (.timestamp, #""\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000T00:00:00Z""#, "is no timestamp"),
    (.timestamp, "1.5", "has a fraction"), (.timestamp, "253402300800000", "does not fit"),
    (.timestamp, "-62135596800001", "does not fit"), (.timestamp, "\"0001-01-01T00:00:00+01:00\"", "does not fit"),
    (.timestamp, "\"9999-12-31T23:59:59-00:01\"", "does not fit"), (.timestamp, "false", "is no timestamp"),
  ]

  @Test(arguments: refused.indices)
  func aValueOfAnotherType_failsItsRecordAlone_andSaysWhy(_ index: Int) {
    let (type, text, reason) = JSONValueTests.refused[index]
    let schema = Schema([Field("a", type), Field("n", .int64, nullable: false)])
    let good = "{\"n\":1}\n"
    let bad = "{\"a\":\(text),\"n\":2}"
    let decoded = decodeJSON(good + bad + "\n" + good, schema)
    #expect(decoded.values == [[.null, .int64(1)], [.null, .int64(1)]])
    #expect(decoded.failureRanges == [good.utf8.count..<good.utf8.count + bad.utf8.count])
    #expect(decoded.failures.first?.reason.contains(reason) == true, "\(decoded.failures)")
  }

  @Test func aFieldAtFault_isNamed_andItsValueShortened() {
    let long = String(repeating: "x", count: 100)
    let decoded = decodeJSON("{\"amount\":\"\(long)\"}\n", Schema([Field("amount", .int64)]))
    #expect(decoded.failures.first?.reason.hasPrefix("amount: \"xxxx") == true)
    #expect(decoded.failures.first?.reason.hasSuffix("x… is no int64") == true)
    #expect((decoded.failures.first?.reason.utf8.count ?? 0) < 90)
  }

  @Test func integersOfEpochSecondColumns_areSeconds() {
    let schema = Schema([Field("a", .timestamp), Field("b", .timestamp)])
    let line = Array("{\"a\":2,\"b\":2}\n{\"a\":\"1970-01-01T00:00:03Z\",\"b\":null}\n{\"a\":253402300800}\n".utf8)
    let decoded = decodeJSON(line, schema, seconds: [0])
    #expect(decoded.values == [[.timestamp(2000), .timestamp(2)], [.timestamp(3000), .null]])
    #expect(decoded.failures.count == 1)
  }

  @Test func nullAndMissing_areTheSame_andFailWhereAFieldIsNotNull() {
    let schema = Schema([Field("a", .int64), Field("b", .string, nullable: false)])
    let decoded = decodeJSON("{\"b\":\"x\"}\n{\"a\":null,\"b\":\"y\"}\n{\"a\":1}\n{\"b\":null}\n{}\n", schema)
    #expect(decoded.values == [[.null, .string("x")], [.null, .string("y")]])
    #expect(
      decoded.failures.map(\.reason) == [
        "b: missing, and the field is not null", "b: null in a field that is not null",
        "b: missing, and the field is not null",
      ])
  }
}
