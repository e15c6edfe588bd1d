import EndToEndSupport
import Foundation
import RatingModel
import Testing

/// `topologies/rated-totals.yaml`, as people run it.
@Suite(.serialized) struct RatedTotalsTests {
  static let file = WeirProcess.root.appendingPathComponent("topologies/rated-totals.yaml").path
  static let fixtures = WeirProcess.root.appendingPathComponent("Tests/Fixtures/rated-totals")
  static let outputs = ["rated", "totals", "invoices", "rejected"]

  private static func arguments(_ folder: TestFolder) -> [String] {
    var arguments = ["run", file, "--set", "checkpoint.directory=\(folder.path)/checkpoints"]
    for output in outputs { arguments += ["--set", "sinks.\(output).path=\(folder.path)/\(output)"] }
    return arguments + ["--set", "dead_letters.path=\(folder.path)/dead"]
  }

  /// Runs it on its own generator; `rows` in two and a half months.
  private static func run(
    _ folder: TestFolder, rows: Int, accounts: Int, _ more: [String] = []
  ) throws -> WeirProcess.Result {
    try WeirProcess.run(
      arguments(folder) + [
        "--set", "sources.usage.rows=\(rows)", "--set", "sources.usage.accounts=\(accounts)", "--set",
        "sources.usage.records_per_event_second=\(String(format: "%.9f", Double(rows) / 6_500_000))",
      ] + more)
  }

  /// The totals as they stood at last: how many early ones came before is a matter of the wall clock.
  private static func finalTotals(_ folder: TestFolder) -> [String] {
    var last: [String: (records: Int, row: String)] = [:]
    for row in folder.rows(in: "totals") where !row.contains("\"pane\":\"early\"") {
      let key = ["account_id", "service", "currency", "window_start"].map { PhoneLogTests.text(row, $0) }
        .joined(separator: " ")
      let records = Int(PhoneLogTests.text(row, "records")) ?? 0
      if records > last[key]?.records ?? -1 { last[key] = (records, row) }
    }
    return last.values.map(\.row).sorted()
  }

  private static func outcome(_ folder: TestFolder) -> [String: [String]] {
    var rows = Dictionary(uniqueKeysWithValues: outputs.map { ($0, folder.rows(in: $0)) })
    rows["totals"] = finalTotals(folder).map { $0.replacing(/,"pane":"[a-z_]+"/, with: "") }
    return rows
  }

  // MARK: Expected output

  /// `WEIR_WRITE_FIXTURES=1` writes what comes out; look at it before you check it in.
  @Test func aSmallRunGivesTheOutputThatIsCheckedIn() throws {
    let folder = try TestFolder()
    let result = try Self.run(folder, rows: 160, accounts: 8)
    #expect(result.status == 0, "\(result.errors)")
    let outcome = Self.outcome(folder)
    for output in Self.outputs {
      let file = Self.fixtures.appendingPathComponent("\(output).json")
      let rows = outcome[output] ?? []
      if ProcessInfo.processInfo.environment["WEIR_WRITE_FIXTURES"] == "1" {
        try FileManager.default.createDirectory(at: Self.fixtures, withIntermediateDirectories: true)
        try Data(rows.map { $0 + "\n" }.joined().utf8).write(to: file)
      }
      let expected = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map(String.init)
      #expect(!expected.isEmpty && rows == expected, "\(output)")
    }
  }

  @Test func theAccountsThatComeAlongAreTheGenerators() throws {
    let made = try WeirProcess.run(["generate", "--kind", "accounts"])
    let table = WeirProcess.root.appendingPathComponent("topologies/tables/accounts.csv")
    #expect(made.output == (try String(contentsOf: table, encoding: .utf8)))
  }

  // MARK: Sums

  @Test func ratedRecordsAddUpToTheTotals_andTheseToTheInvoicesBeforeDiscounts_perAccountAndOverall() throws {
    let folder = try TestFolder()
    let result = try Self.run(folder, rows: 40_000, accounts: 1000)
    #expect(result.status == 0, "\(result.errors)")
    let rated = Self.sums(folder.rows(in: "rated"), "amount", "account_id", "currency", "cycle_start")
    let totals = Self.sums(Self.finalTotals(folder), "amount", "account_id", "currency", "window_start")
    let usage = folder.rows(in: "invoices").filter { $0.contains("\"kind\":\"usage\"") }
    let invoiced = Self.sums(usage, "amount", "account_id", "currency", "cycle_start")
    #expect(rated.count > 1500)
    #expect(rated == totals && totals == invoiced)
    let overall = [rated, totals, invoiced].map { Self.byCurrency($0) }
    #expect(overall[0] == overall[1] && overall[1] == overall[2] && overall[0].count == 7)
    let charges = Self.sums(folder.rows(in: "rated"), "charge", "account_id")
    #expect(charges == Self.sums(Self.finalTotals(folder), "charge", "account_id"))
  }

  private static func sums(_ rows: [String], _ amount: String, _ key: String...) -> [String: Decimal] {
    var sums: [String: Decimal] = [:]
    for row in rows {
      let name = key.map { PhoneLogTests.text(row, $0) }.joined(separator: " ")
      sums[name, default: 0] += Decimal(string: PhoneLogTests.text(row, amount)) ?? .nan
    }
    return sums
  }

  private static func byCurrency(_ sums: [String: Decimal]) -> [Substring: Decimal] {
    var totals: [Substring: Decimal] = [:]
    for (key, sum) in sums { totals[key.split(separator: " ")[1], default: 0] += sum }
    return totals
  }

  @Test func linesOfEveryInvoiceAddUpToItsTotal() throws {
    let folder = try TestFolder()
    let result = try Self.run(folder, rows: 20_000, accounts: 300)
    #expect(result.status == 0, "\(result.errors)")
    var invoices: [String: [(kind: String, amount: Decimal)]] = [:]
    for row in folder.rows(in: "invoices") {
      invoices[PhoneLogTests.text(row, "invoice"), default: []].append(
        (PhoneLogTests.text(row, "kind"), Decimal(string: PhoneLogTests.text(row, "amount")) ?? .nan))
    }
    #expect(invoices.count > 500)
    for (name, lines) in invoices {
      func sum(_ kinds: Set<String>) -> Decimal {
        lines.filter { kinds.contains($0.kind) }.reduce(0) { $0 + $1.amount }
      }
      let net = sum(["net"])
      #expect(sum(["usage", "discount", "cap", "rounding"]) == net, "\(name)")
      #expect(sum(["total"]) == net + sum(["vat", "fee"]), "\(name)")
      #expect(net == net.rounded(scale: 2, .plain), "\(name)")
    }
  }

  // MARK: Reconciliation

  @Test func usageIn_isRatedRejectedDuplicateLateAndUndecodable() throws {
    let folder = try TestFolder()
    let result = try Self.run(folder, rows: 40_000, accounts: 1000)
    #expect(result.errors.contains("every record is accounted for"), "\(result.errors)")
    let letters = try DeadLetter.all(in: folder)
    let rated = folder.rows(in: "rated").count
    let rejected = folder.rows(in: "rejected").count
    let duplicates = try #require(
      result.errors.firstMatch(of: /duplicates ([0-9,]+)/).flatMap { Int($0.output.1.replacing(",", with: "")) })
    let late = letters.count { $0.port == "late" }
    let undecodable = letters.count { $0.step == "usage" && $0.port == "error" }
    #expect(rejected > 0 && duplicates > 0 && late > 0 && undecodable > 0)
    #expect(rated + rejected + duplicates + late + undecodable == 40_000)
    #expect(letters.count == late + undecodable)
  }

  // MARK: Kills

  @Test func afterKills_atAnyParallelism_outputIsThatOfAnUndisturbedRun() throws {
    let undisturbed = try TestFolder()
    #expect(try Self.run(undisturbed, rows: 30_000, accounts: 1000).status == 0)
    let folder = try TestFolder()
    let hurried = ["--set", "checkpoint.interval=40ms", "--set", "state.memory=1MB"]
    var random = SplitMix(11)
    for point in ["acknowledged", "state-durable", "checkpoint-renamed", "part-linked", "snapshot-taken"] {
      _ = try WeirProcess.run(
        Self.arguments(folder) + hurried + [
          "--quiet", "--set", "sources.usage.rows=30000", "--set",
          "sources.usage.records_per_event_second=\(String(format: "%.9f", 30_000 / 6_500_000.0))", "--set",
          "sources.usage.rate=60000", "--set", "parallelism=\(1 + random.below(4))",
        ], environment: ["WEIR_CRASH_POINT": "\(point):\(1 + random.below(2))"])
    }
    let result = try Self.run(folder, rows: 30_000, accounts: 1000, hurried + ["--set", "parallelism=3"])
    #expect(result.status == 0, "\(result.errors)")
    let (expected, actual) = (Self.outcome(undisturbed), Self.outcome(folder))
    for output in Self.outputs { #expect(actual[output] == expected[output], "\(output)") }
  }
}
