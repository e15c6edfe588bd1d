import Connectors
import StreamModel

/// Reads the settings of `connector: generator`.
struct GeneratorChecker {
  let section: Section
  /// The directory that relative paths are relative to.
  let base: String

  /// The settings; nil, with faults, where one is faulty.
  func check() -> GeneratorSpec? {
    var spec = GeneratorSpec()
    var isFaulty = false
    if let item = section["kind"], item.choice(["usage"]) == nil { isFaulty = true }
    func read<Value>(_ key: String, _ target: WritableKeyPath<GeneratorSpec, Value>, _ value: (Item) -> Value?) {
      guard let item = section[key] else { return }
      if let value = value(item) { spec[keyPath: target] = value } else { isFaulty = true }
    }
    read("rows", \.rows) { item in item.integer(in: 0...Int64.max).map(Optional.some) }
    read("seed", \.seed) { $0.integer(in: 0...Int64.max).map { UInt64($0) } }
    read("accounts", \.accounts) { $0.integer(in: 1...10_000_000).map { Int($0) } }
    read("start", \.start, start)
    read("records_per_event_second", \.recordsPerEventSecond) {
      $0.number({ $0 > 0 && $0 <= 1e9 }, "a number of records a second of event time, more than 0")
    }
    read("frauds", \.fraudCasesPerDay) {
      $0.integer(in: 0...Int64(GeneratorSpec.fraudCasesPerDayLimit)).map { Int($0) }
    }
    read("truth", \.truthPath) { PathText.read($0, relativeTo: base).map(Optional.some) }
    guard readAnomalies(into: &spec), !isFaulty else { return nil }
    if let item = section["truth"], spec.rows == nil || spec.fraudCasesPerDay == 0 {
      item.keyFault("there are no planted cases to tell of", "give `rows`, and `frauds`: cases a day")
      return nil
    }
    return spec
  }

  private func start(_ item: Item) -> EventTime? {
    guard let scalar = item.scalar("a time such as 2026-01-01T00:00:00Z") else { return nil }
    let time = CivilTime.parseTimestamp(scalar.text, allowingBlank: true)
    if time == nil { item.fault("`\(scalar.shown)` is no time", "write it with its zone: 2026-01-01T00:00:00Z") }
    return time
  }

  private static var anomalies: [(String, WritableKeyPath<GeneratorSpec, Double>)] {
    [
      ("duplicates", \.duplicates), ("missing", \.missing), ("corrupt", \.corrupt), ("late", \.late),
      ("spikes", \.spikes),
    ]
  }

  private func readAnomalies(into spec: inout GeneratorSpec) -> Bool {
    guard let item = section["anomalies"] else { return true }
    let names = GeneratorChecker.anomalies.map(\.0)
    guard let shares = item.section(names, expected: "shares such as {duplicates: 0.01, late: 0.01}") else {
      return false
    }
    var total = 0.0
    var isFaulty = false
    for (name, path) in GeneratorChecker.anomalies {
      guard let share = shares[name] else { continue }
      guard let value = share.number({ $0 >= 0 && $0 <= 1 }, "a share of the records, from 0 to 1") else {
        isFaulty = true
        continue
      }
      spec[keyPath: path] = value
      total += value
    }
    guard total <= 1 else {
      item.keyFault("the shares add up to more than 1", "lower them")
      return false
    }
    return !isFaulty
  }
}
