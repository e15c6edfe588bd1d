import EndToEndSupport
import Foundation
import Testing

/// Damaged input of every kind: a clear error or a dead letter, neighbours untouched, counters that add up.
@Suite struct MalformedInputTests {
  /// A usage record; `index` is its whole quantity, so that totals tell which records were counted.
  static func record(_ index: Int) -> Data {
    Data(
      #"{"account_id":"a","service":"voice","quantity":\#(index).5,"started_at":"2026-01-01T00:00:00Z"}"#.utf8)
  }

  /// A record's line with its quantity, or anything else, put in place of what is usual.
  static func record(quantity: String = "1", startedAt: String = "\"2026-01-01T00:00:00Z\"") -> Data {
    Data(#"{"account_id":"a","service":"voice","quantity":\#(quantity),"started_at":\#(startedAt)}"#.utf8)
  }

  static func hourly(_ path: String = "in.json", format: String = "json") -> String {
    RunTests.hourly(path).replacingOccurrences(of: "format: json\n", with: "format: \(format)\n")
      .replacingOccurrences(
        of: "sources:\n", with: "dead_letters: {connector: file, path: dead, format: json}\nsources:\n")
  }

  /// One kind of damage, as one line between two sound ones.
  struct Damage: Sendable, CustomTestStringConvertible {
    let name: String
    let line: Data
    let reason: String
    var testDescription: String { name }

    init(_ name: String, _ line: Data, reason: String) {
      self.name = name
      self.line = line
      self.reason = reason
    }
  }

  static let damages: [Damage] = [
    Damage("UTF-8 cut in a value", bytes("{\"account_id\":\"a", [0xC3], "\"}"), reason: "UTF-8"),
    Damage("UTF-8 cut in a field nobody reads", bytes("{\"x\":\"", [0xE2, 0x82], "\"}"), reason: "UTF-8"),
    Damage("half a surrogate pair", Data(#"{"account_id":"a\ud800"}"#.utf8), reason: "surrogate"),
    Damage("NUL bytes alone", Data(repeating: 0, count: 3), reason: "no JSON object"),
    Damage("a NUL byte in a text", bytes("{\"account_id\":\"a", [0], "\"}"), reason: "control character"),
    Damage("deep nesting", deep(closed: true), reason: "nested more than 1024 deep"),
    Damage("deep nesting left open", deep(closed: false), reason: "nested more than 1024 deep"),
    Damage("an array", Data("[1,2]".utf8), reason: "no JSON object"),
    Damage("half an object", Data(#"{"account_id":"#.utf8), reason: "ends too early"),
    Damage("two objects on a line", record(7) + record(8), reason: "text follows"),
    Damage("a missing field", Data("{}".utf8), reason: "account_id: missing"),
    Damage("too many digits", record(quantity: "1e15"), reason: "does not fit"),
    Damage("too fine a fraction", record(quantity: "0.0001"), reason: "lose digits"),
    Damage("a huge exponent", record(quantity: "1e99999999999999999999"), reason: "does not fit"),
    Damage("a number of 100,000 digits", record(quantity: String(repeating: "9", count: 100_000)), reason: "fit"),
    Damage("a number that is none", record(quantity: "NaN"), reason: "quantity"),
    Damage("29 February of a common year", record(startedAt: "\"2026-02-29T00:00:00Z\""), reason: "started_at"),
    Damage("before the year 1", record(startedAt: "-62135596800001"), reason: "does not fit timestamp"),
    Damage("after the year 9999", record(startedAt: "253402300800000"), reason: "does not fit timestamp"),
    Damage("the largest integer", record(startedAt: "9223372036854775807"), reason: "does not fit timestamp"),
  ]

  static func bytes(_ start: String, _ middle: [UInt8], _ end: String) -> Data {
    Data(start.utf8) + Data(middle) + Data(end.utf8)
  }

  static func deep(closed: Bool) -> Data {
    let depth = 100_000
    let open = "{\"x\":" + String(repeating: "[", count: depth)
    return Data((closed ? open + String(repeating: "]", count: depth) + "}" : open).utf8)
  }

  @Test(arguments: damages) func aDamagedLine_isADeadLetterWithItsBytes_andItsNeighboursCount(_ damage: Damage) throws {
    let folder = try TestFolder()
    let newline = Data("\n".utf8)
    let before = MalformedInputTests.record(2)
    let path = try folder.write(
      "in.json", before + newline + damage.line + newline + MalformedInputTests.record(4) + newline)
    let result = try WeirProcess.run(["run", try folder.write("t.yaml", MalformedInputTests.hourly())])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains(#""records":2,"quantity":7.000"#), "\(result.output)")
    #expect(result.errors.contains("every record is accounted for"))
    let letters = try DeadLetter.all(in: folder)
    try #require(letters.count == 1)
    #expect(letters[0].reason.contains(damage.reason), "\(letters[0].reason)")
    #expect(letters[0].partition == path)
    #expect(letters[0].offset == before.count + 1)
    #expect(letters[0].record == damage.line)
    #expect(letters[0].step == "usage")
    #expect(letters[0].port == "error")
  }

  @Test func aFileThatEndsInsideACharacter_losesThatRecordOnly() throws {
    let folder = try TestFolder()
    try folder.write("in.json", MalformedInputTests.record(2) + Data("\n{\"account_id\":\"".utf8) + Data([0xF0, 0x9F]))
    let result = try WeirProcess.run(["run", try folder.write("t.yaml", MalformedInputTests.hourly())])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains(#""records":1,"quantity":2.500"#))
    #expect(try DeadLetter.all(in: folder).map(\.record) == [Data("{\"account_id\":\"".utf8) + Data([0xF0, 0x9F])])
  }

  @Test func aLineOf100Megabytes_isADeadLetterInBoundedMemory() throws {
    let folder = try TestFolder()
    let newline = Data("\n".utf8)
    let line = Data(#"{"account_id":""#.utf8) + Data(repeating: 0x78, count: 100 << 20) + Data("\"}\n".utf8)
    try folder.write(
      "in.json", MalformedInputTests.record(2) + newline + line + MalformedInputTests.record(4) + newline)
    let file = try folder.write("t.yaml", MalformedInputTests.hourly())
    let (result, peakKilobytes) = try WeirProcess.runMeasured(["run", file])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains(#""records":2,"quantity":7.000"#), "\(result.output)")
    #expect(result.errors.contains("every record is accounted for"))
    #expect(peakKilobytes < 400_000, "peak \(peakKilobytes) kB")
    let letters = try DeadLetter.all(in: folder)
    try #require(letters.count == 1)
    #expect(letters[0].offset == MalformedInputTests.record(2).count + 1)
    #expect(letters[0].reason.contains("\(line.count) bytes long"), "\(letters[0].reason)")
    #expect(line.starts(with: letters[0].record) && letters[0].record.count > 1 << 20)
  }

  // MARK: CSV

  static let header = "account_id,service,quantity,started_at\n"

  @Test func aMissingQuoteInCSV_isOneDeadLetterWithEverythingItSwallowed() throws {
    let folder = try TestFolder()
    let good = "a,voice,2.5,2026-01-01T00:00:00Z\n"
    let swallowed = "\"a,voice,1,2026-01-01T00:00:00Z\n" + good + good
    try folder.write("in.csv", MalformedInputTests.header + good + swallowed)
    let file = try folder.write("t.yaml", MalformedInputTests.hourly("in.csv", format: "csv"))
    let result = try WeirProcess.run(["run", file])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains(#""records":1,"quantity":2.500"#))
    let letters = try DeadLetter.all(in: folder)
    try #require(letters.count == 1)
    #expect(letters[0].reason == "a quote is not closed")
    #expect(letters[0].offset == MalformedInputTests.header.utf8.count + good.utf8.count)
    #expect(String(decoding: letters[0].record, as: UTF8.self).trimmingCharacters(in: .newlines) + "\n" == swallowed)
  }

  @Test func aCSVHeaderWithAnOpenQuote_failsTheRun_ratherThanTakeTheRowsWithIt() throws {
    let folder = try TestFolder()
    try folder.write("in.csv", "\"account_id,service,quantity,started_at\na,voice,2.5,2026-01-01T00:00:00Z\n")
    let file = try folder.write("t.yaml", MalformedInputTests.hourly("in.csv", format: "csv"))
    let result = try WeirProcess.run(["run", file])
    #expect(result.status == 1)
    #expect(result.errors.contains("in.csv") && result.errors.contains("quotes"), "\(result.errors)")
  }

  @Test func rowsWithTheWrongNumberOfCells_areDeadLetters() throws {
    let folder = try TestFolder()
    let good = "a,voice,2.5,2026-01-01T00:00:00Z\n"
    try folder.write(
      "in.csv", MalformedInputTests.header + good + "a,voice\n" + "1,2,3,4,5\n" + "\"a\"x,v,1,2\n" + good)
    let file = try folder.write("t.yaml", MalformedInputTests.hourly("in.csv", format: "csv"))
    let result = try WeirProcess.run(["run", file])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains(#""records":2,"quantity":5.000"#))
    let records = try DeadLetter.all(in: folder).map { String(decoding: $0.record, as: UTF8.self) }
    #expect(records == ["a,voice", "1,2,3,4,5", "\"a\"x,v,1,2"])
  }

  // MARK: What happens to undecodable records

  @Test func onErrorFail_endsTheRunWithThePlace_andNothingIsVisible() throws {
    let folder = try TestFolder()
    try folder.write("in.json", MalformedInputTests.record(2) + Data("\njunk\n".utf8))
    let text = MalformedInputTests.hourly().replacingOccurrences(
      of: "connector: console", with: "connector: file, path: out, format: json")
    let file = try folder.write("t.yaml", text)
    let result = try WeirProcess.run(["run", file, "--set", "sources.usage.on_error=fail"])
    #expect(result.status == 1)
    #expect(result.errors.contains("in.json, byte \(MalformedInputTests.record(2).count + 1)"), "\(result.errors)")
    #expect(folder.contents.filter { $0.hasSuffix(".json") } == ["in.json"])
  }

  @Test func onErrorSkip_countsWhatItSkips() throws {
    let folder = try TestFolder()
    try folder.write("in.json", MalformedInputTests.record(2) + Data("\njunk\n".utf8))
    let file = try folder.write("t.yaml", MalformedInputTests.hourly())
    let result = try WeirProcess.run(["run", file, "--set", "sources.usage.on_error=skip"])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("undecodable 1"))
    #expect(try DeadLetter.all(in: folder).isEmpty)
  }
}

/// One line of a dead-letter file.
struct DeadLetter {
  let step: String
  let port: String
  let reason: String
  let partition: String
  let offset: Int
  let record: Data

  /// The dead letters below `folder`'s `dead`, by offset.
  static func all(in folder: TestFolder) throws -> [DeadLetter] {
    try folder.rows(in: "dead").map { line in
      let fields = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      return DeadLetter(
        step: fields["step"] as? String ?? "", port: fields["port"] as? String ?? "",
        reason: fields["reason"] as? String ?? "", partition: fields["partition"] as? String ?? "",
        offset: fields["offset"] as? Int ?? -1,
        record: try #require(Data(base64Encoded: fields["record"] as? String ?? "")))
    }.sorted { $0.offset < $1.offset }
  }
}
