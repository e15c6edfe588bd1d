import Foundation
import Runtime
import Testing
import Topology

/// Laws of `lookup` in a job.
@Suite struct LookupJobTests {
  static let input = """
    {"account":"a","currency":"EUR","amount":10,"at":"2026-01-01T00:00:01Z"}
    {"account":"b","currency":"USD","amount":10,"at":"2026-01-01T00:00:02Z"}
    {"account":"a","currency":"EUR","amount":10,"at":"2026-01-02T00:00:03Z"}
    {"account":"c","amount":10,"at":"2026-01-02T00:00:04Z"}

    """
  static let rates = """
    base,valid_from,valid_to,rate
    EUR,2026-01-01T00:00:00Z,2026-01-02T00:00:00Z,1.1
    EUR,2026-01-02T00:00:00Z,,1.2

    """

  static func plan(in folder: URL, rates: String = rates, missing: String, sinks: String = "") throws -> LogicalPlan {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data(input.utf8).write(to: folder.appendingPathComponent("in.json"))
    try Data(rates.utf8).write(to: folder.appendingPathComponent("rates.csv"))
    let text = """
      weir: 1
      topology: priced
      parallelism: 3
      checkpoint: {directory: checkpoints}
      sources:
        charges:
          connector: file
          path: in.json
          schema: {account: string not null, currency: string, amount: int64, at: timestamp not null}
          event_time: at
      steps:
        priced:
          from: charges
          lookup:
            table: {connector: file, path: rates.csv, format: csv}
            on: {currency: base}
            as_of: at
            take: {rate: "decimal(18,8)"}
            missing: \(missing)
        totals: {from: priced, aggregate: {key: [account], window: {tumble: 1d}, values: {sum: sum(amount * rate)}}}
      sinks:
        rows: {from: priced, connector: file, path: rows, format: json}
        out: {from: totals, connector: file, path: out, format: json}
      \(sinks)
      """
    let file = folder.appendingPathComponent("t.yaml")
    try Data(text.utf8).write(to: file)
    return try TopologyLoader.load(file: file.path, overrides: [], environment: [:])
  }

  /// The lines of every file of a folder, sorted.
  static func lines(_ folder: URL) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { !$0.hasPrefix(".") && $0 != "_weir" }
      .flatMap { try String(contentsOf: folder.appendingPathComponent($0), encoding: .utf8).split(separator: "\n") }
      .map(String.init).sorted()
  }

  @Test func rowsWithoutACounterpartAreDeadLettersThatSayWhy_andEveryRowIsAccountedFor() async throws {
    let folder = JobTests.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let summary = try await Job(Self.plan(in: folder, missing: "port")).run()
    #expect(summary.reconciles && summary.deadLetters == 2)
    let lookup = try #require(summary.nodes.first { $0.kind == .lookup })
    #expect(lookup.rowsIn == 4 && lookup.rowsOut == 2 && lookup.ports.map(\.rows) == [2])
    #expect(
      try Self.lines(folder.appendingPathComponent("out")) == [
        #"{"account":"a","window_start":"2026-01-01T00:00:00.000Z","window_end":"2026-01-02T00:00:00.000Z","sum":11.00000000}"#,
        #"{"account":"a","window_start":"2026-01-02T00:00:00.000Z","window_end":"2026-01-03T00:00:00.000Z","sum":12.00000000}"#,
      ])
    let letters = try Self.lines(folder.appendingPathComponent("checkpoints/priced/dead-letters"))
    #expect(letters.count == 2)
    let usd = try #require(letters.first { $0.contains(#""reason":"missing: the table has no row for it""#) })
    let record = Data(Self.input.split(separator: "\n")[1].utf8).base64EncodedString()
    #expect(usd.contains(#""step":"priced","port":"missing""#) && usd.contains(record))
    #expect(letters.contains { $0.contains(#""reason":"missing: the key is null""#) })
  }

  @Test func missingNull_letsRowsGoOn() async throws {
    let folder = JobTests.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let summary = try await Job(Self.plan(in: folder, missing: "'null'")).run()
    #expect(summary.reconciles && summary.deadLetters == 0)
    let rows = try Self.lines(folder.appendingPathComponent("rows"))
    #expect(rows.filter { $0.hasSuffix(#""rate":null}"#) }.count == 2 && rows.count == 4)
  }

  @Test func missingFail_failsTheJobForGood() async throws {
    let folder = JobTests.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let job = try Job(Self.plan(in: folder, missing: "fail"))
    let error = await #expect(throws: JobError.self) { try await job.run() }
    #expect(error?.isRetriable == false)
    #expect(error?.description == "priced: the table has no row for it (on_error: fail)", "\(error.debugDescription)")
  }

  @Test func aFaultyTableIsRefusedBeforeAnythingIsCreated() throws {
    let folder = JobTests.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let plan = try Self.plan(in: folder, rates: Self.rates + "EUR,2026-01-05T00:00:00Z,,1.3\n", missing: "port")
    let error = #expect(throws: JobError.self) { _ = try Job(plan) }
    #expect(error?.description.contains("base EUR: the versions") == true)
    let left = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    #expect(left == ["in.json", "rates.csv", "t.yaml"])
  }
}
