import EndToEndSupport
import Foundation
import Testing

/// A topology whose output and counters must not show how often it was killed.
struct KillScenario: Sendable, CustomTestStringConvertible {
  enum Output: Sendable {
    /// Every row.
    case rows
    /// Every row, without the time at which it failed.
    case deadLetters
    /// The last row of each key, by `records`: how many updates came before it is a matter of the wall clock.
    case latest
  }

  let name: String
  let steps: String
  let sinks: String
  let outputs: [(folder: String, kind: Output)]
  /// Lines of the summary that depend on the wall clock.
  var volatile: [String] = []

  var testDescription: String { name }

  func topology(rate: Int, rows: Int = 60_000, interval: String = "50ms", memory: String = "1MB") -> String {
    """
    weir: 1
    topology: killed
    checkpoint: {interval: \(interval), directory: checkpoints, retain: 2}
    state: {memory: \(memory)}
    restart: {initial_backoff: 1ms, max_backoff: 10ms}
    dead_letters: {connector: file, path: dead, format: json}
    sources:
      usage:
        connector: generator
        kind: usage
        rows: \(rows)
        rate: \(rate)
        records_per_event_second: 1
        anomalies: {duplicates: 0.01, missing: 0.005, corrupt: 0.005, late: 0.01}
    steps:
      once: {from: usage, deduplicate: {key: [record_id], within: 24h}}
    \(steps.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n"))
    sinks:
    \(sinks.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n"))
    """
  }

  /// Tumbling windows, sessions, de-duplication.
  static let windows = KillScenario(
    name: "windows and sessions",
    steps: """
      hourly: {from: once, aggregate: {key: [account_id, service], window: {tumble: 1h}, values: {records: count(*), quantity: sum(quantity)}}}
      sessions: {from: once, aggregate: {key: [account_id], window: {session: 30m}, values: {records: count(*), last: last(record_id)}}}
      """,
    sinks: """
      hourly: {from: hourly, connector: file, path: hourly, format: json}
      sessions: {from: sessions, connector: file, path: sessions, format: json}
      duplicates: {from: once.duplicates, connector: file, path: duplicates, format: json}
      """,
    outputs: [("hourly", .rows), ("sessions", .rows), ("duplicates", .rows), ("dead", .deadLetters)])

  /// A join, row patterns, overlapping and calendar windows, a running aggregate.
  static let joins = KillScenario(
    name: "joins, patterns and running aggregates",
    steps: """
      voice: {from: once, filter: "service = 'voice'"}
      data: {from: once, filter: "service = 'data'"}
      megabytes: {from: data, select: {account_id: account_id, data_id: record_id, megabytes: quantity}}
      calls: {from: voice, select: {account_id: account_id, record_id: record_id}}
      together: {from: calls, join: {with: megabytes, on: [account_id], between: [-1m, 1m], type: left}}
      rising: {from: once, match: {key: [account_id], pattern: "LOW RISE{2,}", define: {RISE: "quantity > prev(quantity)"}, measures: {peak: last(RISE.quantity), records: count(*)}, within: 30m}}
      hops: {from: once, aggregate: {key: [account_id], window: {hop: 1h, every: 15m}, values: {records: count(*), quantity: sum(quantity)}}}
      days: {from: once, aggregate: {key: [account_id], window: {tumble: day, timezone: Africa/Casablanca}, values: {services: count(distinct service), last: last(record_id)}}}
      running: {from: once, aggregate: {key: [service], values: {records: count(*), quantity: sum(quantity)}}}
      """,
    sinks: """
      together: {from: together, connector: file, path: together, format: json}
      rising: {from: rising, connector: file, path: rising, format: json}
      hops: {from: hops, connector: file, path: hops, format: json}
      days: {from: days, connector: file, path: days, format: json}
      running: {from: running, connector: file, path: running, format: json}
      """,
    outputs: [
      ("together", .rows), ("rising", .rows), ("hops", .rows), ("days", .rows), ("running", .latest),
      ("dead", .deadLetters),
    ], volatile: ["aggregate running", "sink running"])

  static let all = [windows, joins]

  /// What a run has left behind, in a form that is the same for every run that went well.
  struct Outcome: Equatable {
    var rows: [String: [String]] = [:]
    /// The summary's table: counters over the job's whole life.
    var counters: [String] = []

    /// In which outputs, and counters, it differs from `other`.
    func differences(from other: Outcome) -> [String] {
      var names = rows.keys.filter { rows[$0] != other.rows[$0] }.sorted().map { name in
        let (mine, theirs) = (Set(rows[name] ?? []), Set(other.rows[name] ?? []))
        return "\(name): \(rows[name]?.count ?? 0) rows, not \(other.rows[name]?.count ?? 0); "
          + "too many: \(mine.subtracting(theirs).prefix(2)), missing: \(theirs.subtracting(mine).prefix(2))"
      }
      if counters != other.counters { names.append("counters: \(counters) not \(other.counters)") }
      return names
    }
  }

  /// Reads what is in `folder`; `errors`: what the last run said.
  func outcome(in folder: TestFolder, errors: String) -> Outcome {
    var outcome = Outcome()
    for (name, kind) in outputs {
      let rows = folder.rows(in: name)
      switch kind {
      case .rows: outcome.rows[name] = rows
      case .latest: outcome.rows[name] = KillScenario.latest(rows)
      case .deadLetters:
        outcome.rows[name] = rows.map(KillScenario.withoutTime).sorted()
      }
    }
    let lines = errors.split(separator: "\n").map(String.init)
    outcome.counters = lines.filter { line in
      (line.hasPrefix("  ") || line.hasPrefix("dead letters:")) && !volatile.contains { line.contains($0) }
    }.map { $0.split(separator: " ").joined(separator: " ") }
    return outcome
  }

  /// A dead letter without when it came to be one.
  private static func withoutTime(_ letter: String) -> String {
    guard let start = letter.range(of: "\"failed_at\":\""),
      let end = letter.range(of: "\",", range: start.upperBound..<letter.endIndex)
    else { return letter }
    return letter.replacingCharacters(in: start.lowerBound..<end.upperBound, with: "")
  }

  /// By key, which is what stands before the count of records: the row with most of them.
  private static func latest(_ rows: [String]) -> [String] {
    var best: [String: (records: Int, row: String)] = [:]
    for row in rows {
      guard let count = row.range(of: ",\"records\":") else { continue }
      let key = String(row[..<count.lowerBound])
      let records = Int(row[count.upperBound...].prefix { $0.isNumber }) ?? -1
      if records > best[key]?.records ?? -1 { best[key] = (records, row) }
    }
    return best.values.map(\.row).sorted()
  }

  /// What a run gives that nobody disturbs.
  func undisturbed() throws -> Outcome {
    let folder = try TestFolder()
    let result = try WeirProcess.run(["run", try folder.write("t.yaml", topology(rate: 10_000_000))])
    #expect(result.status == 0, "\(result.errors)")
    let outcome = outcome(in: folder, errors: result.errors)
    for (name, rows) in outcome.rows { #expect(!rows.isEmpty, "\(name) is empty") }
    #expect(outcome.counters.count > 5, "\(result.errors)")
    return outcome
  }

  /// Every named crash point, in the order in which a run passes them.
  static let crashPoints = [
    "restored-output-committed", "leftovers-removed", "barrier-injected", "barrier-aligned", "part-closed",
    "part-durable", "snapshot-taken", "acknowledged", "before-state", "state-durable", "before-manifest",
    "manifest-written", "checkpoint-durable", "checkpoint-renamed", "manifest-durable", "part-linked",
    "parts-renamed", "files-renamed", "output-noted", "old-checkpoint-hidden", "old-checkpoints-removed",
  ]
}

/// Seeded random numbers (SplitMix64).
struct SplitMix {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }

  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
