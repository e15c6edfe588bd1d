import StreamModel
import Testing

@testable import Formats

@Suite struct SplitterTests {
  private func end(_ splitter: inout some RecordSplitter, _ text: String, scanned: Int = 0, isAtEnd: Bool = false)
    -> Int
  {
    Array(text.utf8).withUnsafeBufferPointer { splitter.lastRecordEnd(in: $0, scanned: scanned, isAtEnd: isAtEnd) }
  }

  @Test func lines_endAtTheLastLineEnd() {
    var splitter = LineSplitter()
    #expect(end(&splitter, "{}\n{}\n{") == 6)
    #expect(end(&splitter, "{", scanned: 1) == 0)
    #expect(end(&splitter, "{}", scanned: 1) == 0)
    #expect(end(&splitter, "{}\n", scanned: 2) == 3)
    #expect(end(&splitter, "{}", isAtEnd: true) == 2)
    #expect(end(&splitter, "", isAtEnd: true) == 0)
  }

  @Test func aLineBeyondTheBound_isGivenAwayInPieces_thatSaySo() {
    var splitter = LineSplitter(maxRecordBytes: 8)
    #expect(end(&splitter, "xxxxxxxx") == 0)
    #expect(end(&splitter, "xxxxxxxxx", scanned: 8) == 9)
    #expect(splitter.isFragment)
    #expect(end(&splitter, "yyy") == 0)
    #expect(end(&splitter, "yyyz\na\nb", scanned: 3) == 5)
    #expect(splitter.isFragment)
    #expect(end(&splitter, "a\nb", scanned: 3) == 2)
    #expect(!splitter.isFragment)
  }

  @Test func csvRecords_endOutsideQuotes() {
    var splitter = CSVSplitter()
    #expect(end(&splitter, "1,\"a\nb\n") == 0)
    #expect(end(&splitter, "1,\"a\nb\n\"", scanned: 7) == 0)
    #expect(end(&splitter, "1,\"a\nb\n\"\"\n", scanned: 8) == 0)
    #expect(end(&splitter, "1,\"a\nb\n\"\"\n\"\n2,\"", scanned: 10) == 12)
    #expect(end(&splitter, "2,\"\"", scanned: 3) == 0)
    #expect(end(&splitter, "2,\"\"\n3,x\"y\n4", scanned: 4) == 11)
    #expect(end(&splitter, "4", scanned: 1, isAtEnd: true) == 1)
  }

  @Test func anUnclosedQuoteBeyondTheBound_isGivenAwayInPieces() {
    var splitter = CSVSplitter(maxRecordBytes: 8)
    #expect(end(&splitter, "\"xxxxxxxx\n") == 10)
    #expect(splitter.isFragment)
    #expect(end(&splitter, "1\n2\n3\n4\n5\n") == 10)
    #expect(splitter.isFragment)
    #expect(end(&splitter, "6\"\n7\n8") == 3)
    #expect(splitter.isFragment)
    #expect(end(&splitter, "7\n8", scanned: 3) == 2)
    #expect(!splitter.isFragment)
    #expect(end(&splitter, "8", scanned: 1, isAtEnd: true) == 1)
  }

  @Test func theHeader_isTheFirstRecord() {
    func length(_ text: String, isAtEnd: Bool = false, header: Bool = true) -> Int? {
      var options = CSVOptions()
      options.header = header
      return Array(text.utf8).withUnsafeBufferPointer {
        CSVSplitter(options: options).prologueLength(in: $0, isAtEnd: isAtEnd)
      }
    }
    #expect(length("a,b\n1,2\n") == 4)
    #expect(length("a,\"b\nc\"\r\n1") == 9)
    #expect(length("\u{FEFF}\"a\nb\"\n1") == 9)
    #expect(length("\r\n\na\n1") == 5)
    #expect(length("a,b") == nil)
    #expect(length("") == nil)
    #expect(length("a,b", isAtEnd: true) == 3)
    #expect(length("", isAtEnd: true) == 0)
    #expect(length("\"a,b\n1,2\n", isAtEnd: true) == nil, "the quote is never closed")
    #expect(length("1,2\n", header: false) == 0)
  }

  @Test func raw_takesLinesAsTheyAre() throws {
    let schema = Schema([Field("value", .string)])
    let decoder = Format.raw.makeDecoder(schema: schema, materialize: [0], epochSecondColumns: [])
    let bytes = Array("a b\r\n\n{\"x\":1}\n".utf8) + [0xFF] + Array("\nlast".utf8)
    let decoded = try decoder.decode(chunk(bytes), prologue: [])
    #expect(decoded.values == [[.string("a b")], [.string("{\"x\":1}")], [.string("last")]])
    #expect(decoded.ranges == [0..<3, 6..<13, 16..<20])
    #expect(decoded.failureRanges == [14..<15])
    let binary = RawDecoder(schema: Schema([Field("value", .bytes)]), materialize: [0])
    #expect(binary.decode(chunk([0xFF, 0x0A, 0x00]), prologue: []).values == [[.bytes([0xFF])], [.bytes([0])]])
    let long = RawDecoder(schema: schema, materialize: [0], maxRecordBytes: 3).decode(
      chunk(Array("abcd\nabc".utf8)), prologue: [])
    #expect(long.outcomes == [.failure(0..<4), .row(5..<8, [.string("abc")])])
    #expect(text(encode(Format.raw.makeEncoder(), batch(schema, decoded.values))) == "a b\n{\"x\":1}\nlast\n")
  }
}
