import StreamModel
import Testing

@testable import Formats

@Suite struct CSVDecoderTests {
  private let schema = Schema([Field("a", .int64), Field("b", .string), Field("c", .boolean)])

  @Test func cells_areReadAsJSONWritesThem() {
    let types = Schema([
      Field("s", .string), Field("n", .int64), Field("d", .decimal(precision: 18, scale: 2)), Field("x", .double),
      Field("t", .timestamp), Field("e", .timestamp), Field("y", .date), Field("f", .boolean), Field("r", .bytes),
      Field("w", .decimal(precision: 30, scale: 2)),
    ])
    let decoded = decodeCSV(
      "é,-1,1.5,0.25,2026-01-01T00:00:00Z,1500,2024-02-29,true,AAE=,12345678901234567890.12\n"
        + "\"q\",\"2\",\"0.10\",\"1e3\",\"1970-01-01T00:00:00.001Z\",\"0\",\"1970-01-02\",\"false\",\"\",\"-0.01\"\n",
      types)
    #expect(decoded.failures.isEmpty)
    #expect(
      decoded.values[0] == [
        .string("é"), .int64(-1), .decimal(150, scale: 2), .double(0.25), .timestamp(1_767_225_600_000),
        .timestamp(1500),
        .date(19_782), .boolean(true), .bytes([0, 1]), .decimal(1_234_567_890_123_456_789_012, scale: 2),
      ])
    #expect(
      decoded.values[1] == [
        .string("q"), .int64(2), .decimal(10, scale: 2), .double(1000), .timestamp(1), .timestamp(0), .date(1),
        .boolean(false), .bytes([]), .decimal(-1, scale: 2),
      ])
  }

  static let refused: [(DataType, String, String)] = [
    (.int64, "x", "is no number"), (.int64, " 1", "is no number"), (.int64, "1.0", "has a fraction"),
    (.int64, "\"\"", "no number"),
    (.int64, "NaN", "is no number"), (.boolean, "TRUE", "is no boolean"), (.boolean, "1", "is no boolean"),
    (.double, "inf", "is no number"), (.double, "1e999", "does not fit"),
    (.decimal(precision: 4, scale: 1), "0.25", "would lose"),
    (.decimal(precision: 4, scale: 1), "1000", "does not fit"), (.timestamp, "2026-01-01", "is no timestamp"),
    (.timestamp, "1.5", "has a fraction"), (.date, "2026-1-1", "is no date"), (.bytes, "AA", "is not base64"),
  ]

  @Test(arguments: refused.indices)
  func aCellOfAnotherType_failsItsRowAlone(_ index: Int) {
    let (type, cell, reason) = CSVDecoderTests.refused[index]
    let decoded = decodeCSV(",x\n\(cell),y\n,z\n", Schema([Field("a", type), Field("b", .string)]))
    #expect(decoded.values.map { $0[1] } == [.string("x"), .string("z")])
    #expect(decoded.failureRanges == [3..<3 + cell.utf8.count + 2])
    #expect(decoded.failures.first?.reason.hasPrefix("a: ") == true)
    #expect(decoded.failures.first?.reason.contains(reason) == true, "\(decoded.failures)")
  }

  @Test func anEmptyCell_isNull_andAQuotedOneIsEmptyText() {
    let decoded = decodeCSV(",,\n1,\"\",true\r\n,\"\",\n", schema)
    let expected: [[Value]] = [
      [.null, .null, .null], [.int64(1), .string(""), .boolean(true)], [.null, .string(""), .null],
    ]
    #expect(decoded.values == expected)
    let strict = Schema([Field("a", .int64, nullable: false), Field("b", .string, nullable: false)])
    #expect(
      decodeCSV(",x\n1,\n1,\"\"\n", strict).failures.map(\.reason) == [
        "a: null in a field that is not null", "b: null in a field that is not null",
      ])
  }

  @Test func quotes_holdDelimiters_lineEnds_andDoubledQuotes() {
    let decoded = decodeCSV("1,\"a,\"\"b\"\"\r\nc\",true\n2,\"\"\"\",\n3,in\"side\",false\n", schema)
    let expected: [[Value]] = [
      [.int64(1), .string("a,\"b\"\r\nc"), .boolean(true)], [.int64(2), .string("\""), .null],
      [.int64(3), .string("in\"side\""), .boolean(false)],
    ]
    #expect(decoded.values == expected)
    #expect(decoded.ranges == [0..<19, 20..<27, 28..<44])
  }

  @Test func rowsWithOtherThanTheirCells_fail() {
    let decoded = decodeCSV("1,x\n1,x,true,\n1,\"x\"y,true\n1,\"x\" ,true\n2,y,false", schema)
    #expect(decoded.values == [[.int64(2), .string("y"), .boolean(false)]])
    #expect(
      decoded.failures.map(\.reason) == [
        "the row has too few cells", "the row has too many cells", "text follows the closing quote of a cell: y",
        "text follows the closing quote of a cell:  ",
      ])
  }

  @Test func whatFollowsAnUnclosedQuote_isOneFailure_inBoundedPieces() {
    let decoded = decodeCSV("1,x,true\n2,\"y,true\n3,z,true\n", schema)
    #expect(decoded.outcomes == [.row(0..<8, [.int64(1), .string("x"), .boolean(true)]), .failure(9..<28)])
    let pieces = decodeCSV("1,x,true\n2,\"" + String(repeating: "y", count: 100), schema, maxRecordBytes: 40)
    #expect(pieces.failureRanges == [9..<49, 49..<89, 89..<112])
    #expect(pieces.rows.count == 1)
  }

  @Test func blankLines_areSkipped_butNotWhereARowHasOneCell() {
    #expect(decodeCSV("\n1,x,true\n\r\n\n2,y,\n\r\n", schema).rows.count == 2)
    let single = Schema([Field("a", .int64)])
    #expect(decodeCSV("1\n\n2\r\n\r\n", single).values == [[.int64(1)], [.null], [.int64(2)], [.null]])
  }

  @Test func withAHeader_cellsAreFoundByName() {
    let text = "x,extra,1\ny,,\n"
    let decoded = decodeCSV(text, schema, header: "\u{FEFF}\"b\",other,a\r\n")
    #expect(decoded.values == [[.int64(1), .string("x"), .null], [.null, .string("y"), .null]])
    let quoted = Schema([Field("a,\"b\"", .int64)])
    #expect(decodeCSV("5\n", quoted, header: "\"a,\"\"b\"\"\"\n").values == [[.int64(5)]])
  }

  @Test func aHeaderThatDoesNotFit_failsEveryRecord() {
    let strict = Schema([Field("a", .int64, nullable: false), Field("b", .string)])
    let lacking = decodeCSV("x\ny\n", strict, header: "b\n")
    #expect(lacking.failures.map(\.reason) == Array(repeating: "the header lacks a, which is not null", count: 2))
    #expect(decodeCSV("1,2\n", strict, header: "a,a\n").failures.map(\.reason) == ["the header names a twice"])
    #expect(decodeCSV("1,2\n", strict, header: "").failures.map(\.reason).first?.contains("no header") == true)
    #expect(decodeCSV("1,2,3\n", strict, header: "a,x,x\n").values == [[.int64(1), .null]])
  }

  @Test func oneDecoder_readsPartitionsWithDifferentHeaders() {
    let decoder = CSVDecoder(schema: schema, materialize: [0, 1])
    let first = decoder.decode(chunk(Array("1,x\n".utf8), offset: 4), prologue: Array("a,b\n".utf8))
    let second = decoder.decode(chunk(Array("y,2\n".utf8), offset: 4), prologue: Array("b,a\n".utf8))
    let third = decoder.decode(chunk(Array("3\n".utf8), offset: 2), prologue: Array("a\n".utf8))
    #expect(first.values + second.values == [[.int64(1), .string("x")], [.int64(2), .string("y")]])
    #expect(third.values == [[.int64(3), .null]])
  }

  @Test func otherDelimitersAndQuotes_work() {
    var options = CSVOptions()
    options.delimiter = UInt8(ascii: ";")
    options.quote = UInt8(ascii: "'")
    let decoded = decodeCSV("1;'a;''b''';true\n", schema, options: options)
    #expect(decoded.values == [[.int64(1), .string("a;'b'"), .boolean(true)]])
  }

  @Test func brokenUTF8_andLongRecords_failAlone() {
    let options = {
      var options = CSVOptions(); options.header = false; return options
    }()
    let decoder = CSVDecoder(schema: schema, materialize: [0, 1, 2], options: options, maxRecordBytes: 20)
    let bytes =
      Array("1,é,\n2,".utf8) + [0xC3, 0x28] + Array(",\n3,".utf8) + [UInt8](repeating: 0x61, count: 30)
      + Array(",\n4,x,\n".utf8)
    let decoded = decoder.decode(chunk(bytes), prologue: [])
    #expect(decoded.values.map { $0[0] } == [.int64(1), .int64(4)])
    #expect(decoded.failures.map(\.reason) == ["the record is not UTF-8", "the record has 33 bytes, the most is 20"])
  }
}
