import EndToEndSupport
import Foundation
import Testing

/// Every record is accounted for: outputs and counters against sums made without Weir.
@Suite struct ReconciliationTests {
  static let anomalies = [
    "--duplicates", "0.01", "--missing", "0.005", "--corrupt", "0.005", "--late", "0.01", "--spikes", "0.001",
  ]

  @Test func recordsIn_areHourlysCountedDuplicatesLateRejectedAndUndecodable() throws {
    let folder = try TestFolder()
    let input = folder.path + "/usage.json"
    let arguments = ["generate", "--rows", "40000", "--records-per-second", "1", "--output", input]
    #expect(try WeirProcess.run(arguments + ReconciliationTests.anomalies).status == 0)
    // Some that the filter turns away; at the end, so that they are not late.
    let handle = try #require(FileHandle(forWritingAtPath: input))
    try handle.seekToEnd()
    for index in 0..<7 {
      let line = #"{"record_id":"r\#(index)","account_id":"x","service":"fax","started_at":"2026-03-01T00:00:00Z"}"#
      try handle.write(contentsOf: Data((line + "\n").utf8))
    }
    try handle.close()
    let counts = try ReconciliationTests.run(on: input, into: folder)
    #expect(counts.read == 40_007)
    #expect(counts.rejected == 7 && counts.duplicates > 0 && counts.late > 0 && counts.undecodable > 0)
    let total = counts.counted + counts.duplicates + counts.late + counts.rejected + counts.undecodable
    #expect(total == counts.read, "\(counts)")
  }

  /// The view `reconciliation`, of a runner: what came in of an account is what became of it, and of all what the source read.
  @Test func forEveryAccount_whatCameInIsCountedDuplicateLateOrRejected_andInTotalUndecodable() throws {
    let folder = try TestFolder()
    let input = folder.path + "/usage.json"
    let arguments = [
      "generate", "--rows", "30000", "--accounts", "200", "--records-per-second", "1", "--output", input,
    ]
    #expect(try WeirProcess.run(arguments + ReconciliationTests.anomalies).status == 0)
    let handle = try #require(FileHandle(forWritingAtPath: input))
    try handle.seekToEnd()
    let fax = #"{"record_id":"r","account_id":"acc-000001","service":"fax","started_at":"2026-03-01T00:00:00Z"}"#
    try handle.write(contentsOf: Data((fax + "\n").utf8))
    try handle.close()
    let runner = try RunnerProcess.start(folder)
    let submitted = try runner.weir(["submit"] + ReconciliationTests.settings(input, folder))
    #expect(submitted.status == 0, "\(submitted.errors)")
    let done = try runner.wait("usage-aggregation") { $0["state"] as? String == "done" }
    let source = try #require((done["nodes"] as? [[String: Any]])?.first { $0["kind"] as? String == "source" })
    let rows = try ReconciliationTests.rows(of: "reconciliation", runner)
    #expect(rows.count > 100)
    for row in rows {
      func of(_ column: String) -> Int { row[column] as? Int ?? -1 }
      #expect(of("records_in") == of("counted") + of("duplicates") + of("late") + of("rejected"), "\(row)")
      #expect(of("open") == 0, "\(row)")
    }
    func total(_ rows: [[String: Any]], _ column: String) -> Int { rows.reduce(0) { $0 + ($1[column] as? Int ?? 0) } }
    #expect(total(rows, "records_in") + (source["failed"] as? Int ?? -1) == source["in"] as? Int)
    #expect(source["in"] as? Int == 30_001)
    let hours = try ReconciliationTests.rows(of: "quality", runner)
    for column in ["records_in", "duplicates", "late", "rejected"] {
      #expect(total(hours, column) == total(rows, column) && total(rows, column) > 0, "\(column)")
    }
    #expect(runner.end(SIGTERM).status == 0)
  }

  /// All rows of a view, page by page.
  private static func rows(of view: String, _ runner: RunnerProcess) throws -> [[String: Any]] {
    var rows: [[String: Any]] = []
    var cursor: String?
    repeat {
      let target =
        "/v1/topologies/usage-aggregation/views/\(view)/rows?limit=100" + (cursor.map { "&cursor=\($0)" } ?? "")
      let answer = try runner.curl(target)
      try #require(answer.status == 200, "\(answer.body)")
      let page = try JSONSerialization.jsonObject(with: Data(answer.body.utf8)) as? [String: Any] ?? [:]
      rows += page["rows"] as? [[String: Any]] ?? []
      cursor = page["next"] as? String
    } while cursor != nil
    return rows
  }

  /// The built-in topology on a file, with everything that it writes in `folder`.
  private static func settings(_ input: String, _ folder: TestFolder) -> [String] {
    var arguments = [UsageAggregation.file, "--set", "sources.usage.connector=file"]
    arguments += ["--set", "sources.usage.path=\(input)", "--set", "dead_letters.path=\(folder.path)/dead"]
    for output in UsageAggregation.outputs + ["rejected", "late"] {
      arguments += ["--set", "sinks.\(output).path=\(folder.path)/\(output)"]
    }
    return arguments + ["--set", "checkpoint.directory=\(folder.path)/checkpoints"]
  }

  struct Counts {
    var read = 0
    var counted = 0
    var duplicates = 0
    var late = 0
    var rejected = 0
    var undecodable = 0
  }

  /// Runs the built-in topology on a file and adds up what it wrote; duplicates, which are written nowhere, are taken from
  /// the summary.
  private static func run(on input: String, into folder: TestFolder) throws -> Counts {
    let result = try WeirProcess.run(["run"] + settings(input, folder))
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("every record is accounted for"), "\(result.errors)")
    let letters = try DeadLetter.all(in: folder)
    var counts = Counts()
    counts.read = try String(decoding: Data(contentsOf: URL(fileURLWithPath: input)), as: UTF8.self).utf8.count {
      $0 == 10
    }
    counts.counted = folder.rows(in: "hourly").reduce(0) { $0 + (Int(PhoneLogTests.text($1, "records")) ?? 0) }
    counts.duplicates = number(after: "duplicates ", in: result.errors)
    counts.late = folder.rows(in: "late").count
    #expect(!letters.contains { $0.port == "late" && ["once", "hourly"].contains($0.step) }, "each is in one place")
    counts.undecodable = letters.count { $0.step == "usage" && $0.port == "error" }
    counts.rejected = folder.rows(in: "rejected").count
    return counts
  }

  private static func number(after label: String, in text: String) -> Int {
    guard let range = text.range(of: label) else { return -1 }
    return Int(text[range.upperBound...].prefix { $0.isNumber || $0 == "," }.filter(\.isNumber)) ?? -1
  }

  @Test func lateRows_areDeadLetters_orFlowWhereTheirPortIsRead() throws {
    let folder = try TestFolder()
    let times = ["2026-01-01T00:00:00Z", "2026-01-01T05:00:00Z", "2026-01-01T00:30:00Z"]
    try folder.write(
      "in.json",
      times.map { #"{"account_id":"a","service":"v","quantity":1,"started_at":"\#($0)"}"# + "\n" }.joined())
    let dead = try WeirProcess.run(["run", try folder.write("dead.yaml", MalformedInputTests.hourly())])
    #expect(dead.status == 0 && dead.lines.count == 2, "\(dead.errors)")
    let letters = try DeadLetter.all(in: folder)
    try #require(letters.count == 1)
    #expect(letters[0].port == "late" && letters[0].step == "hourly")
    #expect(String(decoding: letters[0].record, as: UTF8.self).contains(times[2]))
    let text =
      RunTests.hourly("in.json") + "\n  late: {from: hourly.late, connector: file, path: late, format: json}"
    let read = try WeirProcess.run(["run", "--from", "none", try folder.write("read.yaml", text)])
    #expect(read.status == 0 && read.lines == dead.lines, "\(read.errors)")
    #expect(folder.rows(in: "late").count == 1 && !read.errors.contains("dead letters"))
  }

  @Test func thousandsOfTinyFiles_giveTheSameRowsAtAnyParallelism() throws {
    let folder = try TestFolder()
    var quantities: [String: Int] = [:]
    for index in 0..<2000 {
      let account = "a\(index % 7)"
      quantities[account, default: 0] += index
      let row = #"{"account_id":"\#(account)","quantity":\#(index),"started_at":"2026-01-01T00:00:00Z"}"#
      try folder.write("in/\(index).json", row + "\n")
    }
    let file = try folder.write("t.yaml", RunTests.hourly("in"))
    for parallelism in [1, 2, 16] {
      let result = try WeirProcess.run(["run", "--from", "none", file, "--set", "parallelism=\(parallelism)"])
      #expect(result.status == 0, "\(result.errors)")
      let rows = result.lines.map { (PhoneLogTests.text($0, "account_id"), PhoneLogTests.text($0, "quantity")) }
      #expect(Dictionary(uniqueKeysWithValues: rows) == quantities.mapValues { "\($0).000" })
    }
  }

  @Test func oneRowAtSixteenWays_isOneRow() throws {
    let folder = try TestFolder()
    try folder.write("in.json", MalformedInputTests.record(3))
    let file = try folder.write("t.yaml", RunTests.hourly("in.json", parallelism: 16))
    let result = try WeirProcess.run(["run", file])
    #expect(result.status == 0 && result.lines.count == 1, "\(result.errors)")
    #expect(result.output.contains(#""records":1,"quantity":3.500"#))
  }
}
