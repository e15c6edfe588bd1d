import StreamModel
import Testing

@testable import Formats

/// Random lines, whole and damaged, against the reference.
@Suite struct JSONPropertyTests {
  private static let schema = Schema([
    Field("id", .string, nullable: false), Field("flag", .boolean), Field("count", .int64), Field("ratio", .double),
    Field("amount", .decimal(precision: 18, scale: 3)), Field("total", .decimal(precision: 38, scale: 6)),
    Field("data", .bytes), Field("day", .date), Field("at", .timestamp), Field("note", .string),
  ])

  private static let values: [String: [String]] = [
    "id": [#""a""#, #""""#, #""é\n""#, #""\ud83d\ude00x""#, "null", "1"],
    "flag": ["true", "false", "null", "0", "True"],
    "count": ["0", "-17", "1e2", "1.0", "9223372036854775807", "9223372036854775808", "null", "12345678", "123456789"],
    "ratio": [
      "0.1", "1e309", "-0", "123.456e-7", "2.2250738585072011e-308", "1e-400", "9007199254740993", "null", "1.",
    ],
    "amount": ["1.5", "\"2.25\"", "1.2345", "999999999999999.999", "1e15", "0.0000", "-0.001", "\"x\"", "null"],
    "total": [
      "1.5", "12345678901234567890.123456", "\"99999999999999999999999999999999.999999\"", "1e32", "0.0000001",
    ],
    "data": [#""""#, #""AAEC""#, #""YWI=""#, #""YWJ=""#, #""Y\u0057I=""#, "null"],
    "day": [#""2024-02-29""#, #""2023-02-29""#, "null", "5"],
    "at": [
      #""2026-01-01T00:00:00.000Z""#, #""2026-01-01T00:00:00Z""#, #""2026-01-01T10:20:30.5+05:30""#, "1767225600000",
      #""2026-01-01T00:00:00""#, #""2026-06-30T12:34:56.789Z""#, "null", "1e99",
    ],
    "note": [#""plain""#, #""with \" and \\""#, #""{\"id\":1}""#, "null", #""\q""#, "[1]"],
    "other": ["1", "[1,{\"id\":\"x\"}]", "{}", "{\"a\":{\"b\":[null]}}", #""skip \u0041""#, "[1,]", "nul", "true"],
  ]

  /// Blanks that a feed puts behind every bracket or comma, before every colon and behind it.
  private static let spacings = [["", "", ""], ["", "", " "], [" ", "", " "], ["\t", " ", "  "]]

  private static func line(_ random: inout TestRandom, _ spacing: [String]) -> [UInt8] {
    let blank = { (random: inout TestRandom) in random.chance(12) ? random.pick([" ", "\t", "  ", "\r", " \n"]) : "" }
    var names = schema.fields.map(\.name)
    if random.chance(3) { names.shuffle(using: &random) }
    if random.chance(3) { names.insert("other", at: random.below(names.count)) }
    if random.chance(5) { names.remove(at: random.below(names.count)) }
    if random.chance(5) { names.insert(random.pick(names), at: random.below(names.count)) }
    var text = blank(&random) + "{"
    for (index, name) in names.enumerated() {
      text += (index > 0 ? "," + blank(&random) : "") + spacing[0]
      let choices = values[name] ?? []
      let value = random.chance(3) ? random.pick(choices) : choices[0]
      text += "\"\(name)\"" + spacing[1] + blank(&random) + ":" + spacing[2] + blank(&random) + value + blank(&random)
    }
    return Array((text + "}").utf8)
  }

  private static func lines(_ random: inout TestRandom) -> [UInt8] {
    var bytes: [UInt8] = []
    let damage = random.pick([0, 0, 3, 30])
    var spacing = random.pick(spacings)
    for _ in 0..<random.pick([1, 3, 40, 400]) {
      if random.chance(50) { spacing = random.pick(spacings) }
      var line = line(&random, spacing)
      if damage > 0, random.chance(damage) { line = random.mutated(line) }
      bytes += line + (random.chance(8) ? [0x0D, 0x0A] : [0x0A])
      if random.chance(20) { bytes += [0x0A] }
    }
    if random.chance(2) { bytes.removeLast() }
    return bytes
  }

  @Test func theDecoder_readsWhatTheReferenceReads() {
    var random = TestRandom()
    let decoder = JSONDecoder(schema: Self.schema, materialize: Array(0..<Self.schema.count))
    var rows = 0
    var failures = 0
    defer { #expect(rows > 500 && failures > 500, "seed \(random.seed): the lines prove little") }
    for _ in 0..<120 {
      let bytes = Self.lines(&random)
      let decoded = decoder.decode(chunk(bytes, offset: 1), prologue: []).outcomes
      let expected = JSONReference(schema: Self.schema).outcomes(bytes)
      let good = expected.filter { if case .row = $0 { true } else { false } }.count
      rows += good
      failures += expected.count - good
      guard decoded != expected else { continue }
      for (left, right) in zip(decoded, expected) where left != right {
        Issue.record("seed \(random.seed): decoded \(left), expected \(right)")
        return
      }
      Issue.record("seed \(random.seed): decoded \(decoded.count) records, expected \(expected.count)")
      return
    }
  }

  @Test(arguments: [0, 1, 3, 12])
  func shortNumbers_areReadDigitForDigit(scale: Int) {
    let schema = Schema([Field("v", .decimal(precision: 18, scale: scale)), Field("n", .int64)])
    let decoder = JSONDecoder(schema: schema, materialize: [0, 1])
    var random = TestRandom()
    let lines = (0..<4000).map { _ in
      let digits = (0...random.below(10)).map { _ in
        random.pick(["0", "0", "1", "5", "9", "8", "3", ".", "7", "e", "-"])
      }
      let text = digits.joined()
      return #"{"v":\#(text),"n":\#(random.chance(2) ? text : String(random.below(1_000_000_000)))}"#
    }
    let bytes = Array(lines.joined(separator: "\n").utf8)
    let decoded = decoder.decode(chunk(bytes), prologue: []).outcomes
    #expect(decoded == JSONReference(schema: schema).outcomes(bytes), "seed \(random.seed)")
    #expect(decoded.contains { if case .row = $0 { true } else { false } })
  }

  @Test func wideRecords_thatLackFieldsNowAndThen_areReadAsTheyAre() {
    let schema = Schema((0..<150).map { Field("field \($0)", .int64, nullable: $0 != 70) })
    var random = TestRandom()
    let decoder = JSONDecoder(schema: schema, materialize: Array(stride(from: 0, to: 150, by: 3)) + [64, 127, 128])
    var left = Set<Int>()
    var lines: [String] = []
    for _ in 0..<600 {
      if random.chance(4) { left = Set((0..<random.below(100)).map { _ in random.below(150) }) }
      if !random.chance(30) { left.remove(70) }
      var names = (0..<150).filter { !left.contains($0) }
      if random.chance(10) { names.append(random.below(150)) }
      if random.chance(20) { names.shuffle(using: &random) }
      lines.append(
        "{"
          + names.map { #""field \#($0)":\#(random.chance(9) ? "null" : "\(random.below(50))")"# }.joined(
            separator: ",") + "}")
    }
    let bytes = Array(lines.joined(separator: "\n").utf8)
    let all = JSONDecoder(schema: schema, materialize: Array(0..<150)).decode(chunk(bytes), prologue: []).outcomes
    #expect(all == JSONReference(schema: schema).outcomes(bytes), "seed \(random.seed)")
    let some = decoder.decode(chunk(bytes), prologue: [])
    let good = all.filter { if case .row = $0 { true } else { false } }.count
    #expect(some.rows.count == good && some.failures.count == all.count - good && good > 300 && good < all.count)
  }

  @Test func wherever_chunksAreCut_theRowsAreTheSame() {
    var random = TestRandom()
    let decoder = JSONDecoder(schema: Self.schema, materialize: Array(0..<Self.schema.count))
    for _ in 0..<40 {
      let bytes = Self.lines(&random)
      let whole = decoder.decode(chunk(bytes, offset: 1), prologue: []).outcomes
      var pieces: [Outcome] = []
      for piece in cut(bytes, by: LineSplitter(), &random) {
        let decoded = decoder.decode(chunk(Array(bytes[piece]), offset: Int64(piece.lowerBound) + 1), prologue: [])
        pieces += decoded.outcomes.map { $0.shifted(by: piece.lowerBound) }
      }
      #expect(pieces == whole, "seed \(random.seed)")
    }
  }

  @Test func noBytes_crashIt_andEveryLineIsAccountedFor() {
    var random = TestRandom()
    let decoder = JSONDecoder(schema: Self.schema, materialize: [0, 5, 9])
    for _ in 0..<1500 {
      let spacing = random.pick(Self.spacings)
      var bytes = Self.line(&random, spacing) + [0x0A] + Self.line(&random, spacing)
      for _ in 0..<random.below(4) { bytes = random.mutated(bytes) }
      if random.chance(10) { bytes = (0..<random.below(300)).map { _ in UInt8.random(in: 0...255, using: &random) } }
      let decoded = decoder.decode(chunk(bytes, offset: 1), prologue: [])
      let lines = bytes.split(separator: 0x0A).filter { !$0.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D } }
      #expect(decoded.rows.count + decoded.failures.count == lines.count, "seed \(random.seed): \(bytes)")
    }
  }
}

/// Cuts `bytes` as a reader would: random reads, chunks up to the splitter's ends.
func cut(_ bytes: [UInt8], by splitter: any RecordSplitter, _ random: inout TestRandom) -> [Range<Int>] {
  var splitter = splitter
  var pieces: [Range<Int>] = []
  var start = 0
  var scanned = 0
  var read = 0
  while start < bytes.count {
    if scanned == read - start { read = min(bytes.count, read + 1 + random.below(random.pick([3, 50, 1000]))) }
    let end = bytes[start..<read].withUnsafeBufferPointer {
      splitter.lastRecordEnd(in: $0, scanned: scanned, isAtEnd: read == bytes.count)
    }
    if end > 0 { pieces.append(start..<start + end) }
    start += end
    scanned = read - start
  }
  return pieces
}
