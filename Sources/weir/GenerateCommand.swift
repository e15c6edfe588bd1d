import ArgumentParser
import Connectors
import Formats
import StreamModel

/// `weir generate`.
struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Write generated usage records, or their accounts, to files or to stdout.",
    discussion:
      "The same arguments give the same bytes. Shares are between 0 and 1. --kind accounts writes the table of the accounts that usage of the same --seed, --accounts and --start is of."
  )

  enum Kind: String, CaseIterable, ExpressibleByArgument { case usage, accounts }

  enum Style: String, CaseIterable, ExpressibleByArgument { case json, csv }

  @Option(help: "usage records, or the table of accounts.")
  var kind = Kind.usage

  @Option(help: "How many records.")
  var rows: Int64 = 1000

  @Option(
    help: "Where they go: a file (.gz and .zst are compressed), or with --files a directory. Default: stdout.")
  var output: String?

  @Option(help: "json or csv. Default: json, of accounts csv.")
  var format: Style?

  @Option(help: "Spread the records over this many files of equal size.")
  var files = 1

  @Option(help: "What the records are drawn from.")
  var seed: UInt64 = 1

  @Option(help: "How many accounts.")
  var accounts = 1000

  @Option(help: "Event time of the first record, RFC 3339.")
  var start = "2026-01-01T00:00:00Z"

  @Option(help: "Records in a second of event time, on average.")
  var recordsPerSecond = 50.0

  @Flag(help: "Leave msisdn, destination and cell_id out of JSON records.")
  var brief = false

  @Option(help: "Share of records that come twice.")
  var duplicates = 0.0

  @Option(help: "Share of records that lack a required field.")
  var missing = 0.0

  @Option(help: "Share of records that are no JSON.")
  var corrupt = 0.0

  @Option(help: "Share of records that come far too late.")
  var late = 0.0

  @Option(help: "Share of records that belong to volume spikes.")
  var spikes = 0.0

  @Option(help: "Cases of fraud planted in a day of event time, at most \(GeneratorSpec.fraudCasesPerDayLimit).")
  var frauds = 0

  @Option(help: "A file for what is true: the planted cases of fraud, one JSON object a line.")
  var truth: String?

  func validate() throws {
    if rows < 0 { throw ValidationError("--rows is \(rows): give 0 or more") }
    if files < 1 { throw ValidationError("--files is \(files): give 1 or more") }
    if accounts < 1 { throw ValidationError("--accounts is \(accounts): give 1 or more") }
    if recordsPerSecond <= 0 { throw ValidationError("--records-per-second is \(recordsPerSecond): give more than 0") }
    if CivilTime.parseTimestamp(start) == nil {
      throw ValidationError("--start is \(start): give a time such as 2026-01-01T00:00:00Z")
    }
    let shares = [
      "duplicates": duplicates, "missing": missing, "corrupt": corrupt, "late": late, "spikes": spikes,
    ]
    for (name, share) in shares where !(0...1).contains(share) {
      throw ValidationError("--\(name) is \(share): give a share between 0 and 1")
    }
    if !(0...GeneratorSpec.fraudCasesPerDayLimit).contains(frauds) {
      throw ValidationError("--frauds is \(frauds): give 0 to \(GeneratorSpec.fraudCasesPerDayLimit)")
    }
    if truth != nil && frauds == 0 { throw ValidationError("--truth needs --frauds: there are no cases to tell of") }
    if files > 1 && kind == .accounts { throw ValidationError("--files is for usage: accounts are one table") }
    if files > 1 && output == nil { throw ValidationError("--files needs --output DIRECTORY") }
  }

  func run() throws {
    let format: Format = (format ?? (kind == .usage ? .json : .csv)) == .json ? .json : .csv(CSVOptions())
    do {
      if kind == .accounts {
        let rows = try writeGeneratedAccounts(spec, to: output, format: format)
        StandardError.write(
          "generated \(Numbers.grouped(rows)) versions of \(Numbers.grouped(accounts)) accounts\n")
        return
      }
      let counts =
        if let output {
          try writeGenerated(spec, to: output, format: format, files: files)
        } else {
          try writeGenerated(spec, toDescriptor: 1, format: format)
        }
      if let truth { try writeTruth(of: spec, to: truth, place: "truth") }
      StandardError.write("generated \(Numbers.grouped(Int(counts.records))) records\n")
    } catch {
      throw CommandFailure.failed("weir: \(error)")
    }
  }

  private var spec: GeneratorSpec {
    var spec = GeneratorSpec()
    spec.rows = rows
    spec.seed = seed
    spec.accounts = accounts
    spec.start = CivilTime.parseTimestamp(start) ?? spec.start
    spec.recordsPerEventSecond = recordsPerSecond
    spec.duplicates = duplicates
    spec.missing = missing
    spec.corrupt = corrupt
    spec.late = late
    spec.spikes = spikes
    spec.fraudCasesPerDay = frauds
    spec.isBrief = brief
    return spec
  }
}
