import StreamModel
import Testing

@testable import Formats

/// Random rows, whole and damaged, against a reading byte by byte.
@Suite struct CSVPropertyTests {
  private static let schema = Schema([Field("a", .string), Field("b", .int64), Field("c", .string)])

  /// The cells of every record by RFC 4180: nil where the record is malformed; a cell is nil where it is empty and unquoted.
  private static func reference(_ bytes: [UInt8]) -> [Outcome] {
    var outcomes: [Outcome] = []
    var start = 0
    while start < bytes.count {
      var cells: [[UInt8]?] = []
      var isMalformed = false
      var at = start
      record: while true {
        var cell: [UInt8]? = nil
        if at < bytes.count, bytes[at] == UInt8(ascii: "\"") {
          cell = []
          at += 1
          while true {
            guard at < bytes.count else { return outcomes + [.failure(start..<bytes.count)] }
            if bytes[at] == UInt8(ascii: "\"") {
              at += 1
              guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { break }
            }
            cell?.append(bytes[at])
            at += 1
          }
          if at < bytes.count, bytes[at] == 0x0D, at + 1 == bytes.count || bytes[at + 1] == 0x0A { at += 1 }
          while at < bytes.count, bytes[at] != UInt8(ascii: ","), bytes[at] != 0x0A { isMalformed = true; at += 1 }
        } else {
          let first = at
          while at < bytes.count, bytes[at] != UInt8(ascii: ","), bytes[at] != 0x0A { at += 1 }
          var text = bytes[first..<at]
          if at == bytes.count || bytes[at] == 0x0A, text.last == 0x0D { text = text.dropLast() }
          cell = text.isEmpty ? nil : Array(text)
        }
        cells.append(cell)
        if at == bytes.count || bytes[at] == 0x0A { break record }
        at += 1
      }
      let end = at > start && bytes[at - 1] == 0x0D ? at - 1 : at
      let isBlank = end == start
      if !isBlank { outcomes.append(outcome(cells, isMalformed, bytes[start..<end])) }
      start = at + 1
    }
    return outcomes
  }

  private static func outcome(_ cells: [[UInt8]?], _ isMalformed: Bool, _ record: ArraySlice<UInt8>) -> Outcome {
    let range = record.startIndex..<record.endIndex
    guard !isMalformed, cells.count == 3, String(validating: record, as: UTF8.self) != nil else {
      return .failure(range)
    }
    let texts = cells.map { cell in cell.map { String(decoding: $0, as: UTF8.self) } }
    var number = Value.null
    if let text = texts[1] {
      var parser = JSONReferenceParser(Array(text.utf8))
      guard (try? parser.number()) != nil, parser.isAtEnd, !text.contains("."),
        case .value(let value) = Decimal.parse(text, precision: 19, scale: 0), let exact = Int64(exactly: value)
      else { return .failure(range) }
      number = .int64(exact)
    }
    return .row(range, [texts[0].map { .string($0) } ?? .null, number, texts[2].map { .string($0) } ?? .null])
  }

  private static func lines(_ random: inout TestRandom) -> [UInt8] {
    let texts = [
      "", "x", "\"\"", "\"a,b\"", "\"line\nbreak\"", "\"\"\"q\"\"\"", "é", "in\"ner", "\"x\"y", "a longer cell of text",
      "\r",
    ]
    let numbers = ["", "1", "-12", "\"3\"", "x", "1e2", "1.0"]
    var bytes: [UInt8] = []
    for _ in 0..<random.pick([1, 5, 60, 500]) {
      var line = random.pick(texts) + "," + (random.chance(4) ? random.pick(numbers) : "7") + "," + random.pick(texts)
      if random.chance(15) { line += "," }
      bytes += Array(line.utf8) + (random.chance(5) ? [0x0D, 0x0A] : [0x0A])
      if random.chance(25) { bytes += [0x0A] }
    }
    return random.chance(2) ? random.mutated(bytes) : bytes
  }

  private static func decoder(_ materialize: [Int] = [0, 1, 2]) -> CSVDecoder {
    var options = CSVOptions()
    options.header = false
    return CSVDecoder(schema: schema, materialize: materialize, options: options)
  }

  @Test func theDecoder_readsWhatTheReferenceReads() {
    var random = TestRandom()
    let decoder = Self.decoder()
    for _ in 0..<200 {
      let bytes = Self.lines(&random)
      let decoded = decoder.decode(chunk(bytes, offset: 1), prologue: []).outcomes
      let expected = Self.reference(bytes)
      for (left, right) in zip(decoded, expected) where left != right {
        Issue.record("seed \(random.seed): decoded \(left), expected \(right)")
        return
      }
      #expect(decoded.count == expected.count, "seed \(random.seed)")
    }
  }

  @Test func wherever_chunksAreCut_theRowsAreTheSame() {
    var random = TestRandom()
    let decoder = Self.decoder()
    for _ in 0..<100 {
      let bytes = Self.lines(&random)
      let whole = decoder.decode(chunk(bytes, offset: 1), prologue: []).outcomes
      var pieces: [Outcome] = []
      for piece in cut(bytes, by: CSVSplitter(), &random) {
        let decoded = decoder.decode(chunk(Array(bytes[piece]), offset: Int64(piece.lowerBound) + 1), prologue: [])
        pieces += decoded.outcomes.map { $0.shifted(by: piece.lowerBound) }
      }
      #expect(pieces == whole, "seed \(random.seed)")
    }
  }

  @Test func noBytes_crashIt() {
    var random = TestRandom()
    let decoder = Self.decoder([2])
    for _ in 0..<2000 {
      let alphabet = Array("\",\n\r1x".utf8)
      let bytes = (0..<random.below(60)).map { _ in
        random.chance(10) ? UInt8.random(in: 0...255, using: &random) : random.pick(alphabet)
      }
      let decoded = decoder.decode(chunk(bytes, offset: 1), prologue: [])
      #expect(decoded.outcomes.count == Self.reference(bytes).count, "seed \(random.seed): \(bytes)")
    }
  }
}
