import EndToEndSupport
import Foundation
import RatingModel
import Testing

/// 100,000 random records, rated by the release binary that is killed again and again and comes back at other parallelisms,
/// and rated by the model: the same to the last digit.
@Suite(.serialized) struct RatingModelTests {
  static let rows = 100_000
  static let catalog = """
    catalog: 1
    name: test
    currency: EUR
    services: {voice: second, sms: message, data: megabyte}
    plans: {standard: {international: false}, premium: {international: true}}
    tariffs:
      - {plan: standard, service: voice, valid_from: 2025-01-01, valid_to: 2026-02-10, increment: 30, free: 120, rollover: 60, price: 0.0123}
      - {plan: standard, service: voice, valid_from: 2026-02-10, increment: 1, free: 90, rollover: 90, tiers: [{up_to: 600, price: 0.013}, {up_to: 6000, price: 0.011}, {price: 0.0091}]}
      - {plan: premium, service: voice, valid_from: 2025-01-01, free: 240, rollover: 500, price: 0.08}
      - {plan: standard, service: sms, valid_from: 2025-01-01, valid_to: 2026-03-05, free: 3, rollover: 2, price: 0.05}
      - {plan: premium, service: sms, valid_from: 2025-01-01, price: 0.03}
      - {plan: standard, service: data, valid_from: 2025-01-01, increment: 0.1, free: 10, tiers: [{up_to: 50, price: 0.05}, {price: 0.1}]}
      - {plan: premium, service: data, valid_from: 2025-01-01, increment: 0.25, free: 20.5, rollover: 20, tiers: [{up_to: 100, price: 0.04}, {price: 0.08}]}
    modifiers:
      - {name: morning, percent: -2, services: [voice], hours: "08:00-12:00"}
      - {name: evening, percent: 2.125, services: [voice], hours: "18:00-23:00"}
      - {name: night, percent: -33.3333, hours: "23:00-05:00"}
      - {name: friday, percent: -3, services: [voice], weekdays: [friday]}
      - {name: spring, percent: -12.5, plans: [premium], valid_from: 2026-02-20, valid_to: 2026-03-10}
      - {name: roaming, percent: 50, roaming: true}
    """

  private static func day(_ text: String) -> Int64 {
    let parts = text.split(separator: "-").compactMap { Int($0) }
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = TimeZone(secondsFromGMT: 0)!
    let date = calendar.date(from: DateComponents(year: parts[0], month: parts[1], day: parts[2]))!
    return Int64(date.timeIntervalSince1970) / 86_400
  }

  private static func number(_ text: String) -> Decimal { Decimal(string: text)! }

  private static func tariff(
    _ plan: String, _ service: String, _ from: String, until to: String? = nil, increment: String = "1",
    free: String = "0", rollover: String = "0", _ tiers: [(String?, String)]
  ) -> ModelTariff {
    ModelTariff(
      plan: plan, service: service, version: from, from: day(from) * 86_400_000, to: to.map { day($0) * 86_400_000 },
      increment: number(increment), free: number(free), rollover: number(rollover),
      tiers: tiers.map { ($0.0.map(number), number($0.1)) })
  }

  /// The same catalogue, read by a person.
  private static var model: RatingModel {
    var morning = ModelModifier("morning", -2)
    (morning.services, morning.hours) = (["voice"], "08:00"..<"12:00")
    var evening = ModelModifier("evening", number("2.125"))
    (evening.services, evening.hours) = (["voice"], "18:00"..<"23:00")
    var night = ModelModifier("night", number("-33.3333"))
    night.hours = "23:00"..<"29:00"
    var friday = ModelModifier("friday", -3)
    (friday.services, friday.weekdays) = (["voice"], [5])
    var spring = ModelModifier("spring", number("-12.5"))
    (spring.plans, spring.from, spring.to) = (["premium"], day("2026-02-20"), day("2026-03-10"))
    var roaming = ModelModifier("roaming", 50)
    roaming.roaming = true
    return RatingModel(
      ModelCatalog(
        plans: [("standard", false), ("premium", true)],
        tariffs: [
          tariff(
            "standard", "voice", "2025-01-01", until: "2026-02-10", increment: "30", free: "120", rollover: "60",
            [(nil, "0.0123")]),
          tariff(
            "standard", "voice", "2026-02-10", free: "90", rollover: "90",
            [("600", "0.013"), ("6000", "0.011"), (nil, "0.0091")]),
          tariff("premium", "voice", "2025-01-01", free: "240", rollover: "500", [(nil, "0.08")]),
          tariff("standard", "sms", "2025-01-01", until: "2026-03-05", free: "3", rollover: "2", [(nil, "0.05")]),
          tariff("premium", "sms", "2025-01-01", [(nil, "0.03")]),
          tariff("standard", "data", "2025-01-01", increment: "0.1", free: "10", [("50", "0.05"), (nil, "0.1")]),
          tariff(
            "premium", "data", "2025-01-01", increment: "0.25", free: "20.5", rollover: "20",
            [("100", "0.04"), (nil, "0.08")]),
        ], modifiers: [morning, evening, night, friday, spring, roaming]))
  }

  private static func topology(_ folder: TestFolder) -> String {
    """
    weir: 1
    topology: rating
    checkpoint: {interval: 40ms, directory: checkpoints, retain: 2}
    state: {memory: 1MB}
    restart: {initial_backoff: 1ms, max_backoff: 10ms}
    dead_letters: {connector: file, path: dead, format: json}
    sources:
      usage:
        connector: file
        path: usage.json
        rate: 150000
        format: json
        schema: {record_id: string not null, account_id: string not null, service: string, started_at: timestamp not null, quantity: "decimal(18,3)", roaming: boolean, international: boolean}
        event_time: started_at
        watermark: {delay: 10s}
    steps:
      placed:
        from: usage
        lookup:
          table: {connector: file, path: accounts.csv, format: csv}
          on: [account_id]
          as_of: started_at
          take: {plan: string, timezone: string, cycle_day: int64, joined: date}
      rated:
        from: placed
        rate: {catalog: catalog.yaml, cycle: {timezone: timezone, cycle_day: cycle_day}}
    sinks:
      rated: {from: rated, connector: file, path: rated, format: json}
      rejected: {from: rated.rejected, connector: file, path: rejected, format: json}
      late: {from: rated.late, connector: file, path: late, format: json}
    """
  }

  /// The fields of a line of JSON whose texts hold no `,"`.
  private static func fields(_ line: some StringProtocol) -> [Substring: Substring] {
    var fields: [Substring: Substring] = [:]
    for part in Substring(line.dropFirst().dropLast()).split(separator: ",\"") {
      guard let colon = part.firstRange(of: "\":") else { continue }
      let name = part[..<colon.lowerBound]
      let value = part[colon.upperBound...]
      fields[name.hasPrefix("\"") ? name.dropFirst() : name] =
        value.hasPrefix("\"") ? value.dropFirst().dropLast() : value
    }
    return fields
  }

  private static func text(_ value: Decimal, _ scale: Int) -> String {
    let unscaled = NSDecimalNumber(decimal: (value * pow(10, scale)).rounded(scale: 0, .plain)).int64Value
    let digits = String(unscaled)
    let padded = String(repeating: "0", count: max(0, scale + 1 - digits.count)) + digits
    return padded.dropLast(scale) + "." + padded.suffix(scale)
  }

  private struct Version {
    let from: Int64
    let to: Int64
    let fields: [String]
  }

  /// What the model makes of the input, a line a record.
  private static func expected(_ folder: TestFolder) throws -> [String] {
    func lines(_ name: String) throws -> [Substring] {
      try String(contentsOf: folder.url.appendingPathComponent(name), encoding: .utf8).split(separator: "\n")
    }
    let clock = ISO8601DateFormatter()
    var versions: [String: [Version]] = [:]
    for line in try lines("accounts.csv").dropFirst() {
      let cells = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      func time(_ text: String) -> Int64? { clock.date(from: text).map { Int64($0.timeIntervalSince1970) * 1000 } }
      versions[cells[0], default: []].append(
        Version(from: time(cells[1])!, to: time(cells[2]) ?? .max, fields: cells))
    }
    let model = model
    var highest = Int64.min
    return try lines("usage.json").map { line in
      let fields = fields(line)
      let started = fields["started_at"]!
      let seconds = clock.date(from: String(started.prefix(19)) + "Z")!.timeIntervalSince1970
      var record = ModelRecord(time: Int64(seconds) * 1000 + Int64(started.dropFirst(20).prefix(3))!)
      let account = String(fields["account_id"]!)
      let version = versions[account]!.first { record.time >= $0.from && record.time < $0.to }!
      record.account = account
      record.service = String(fields["service"]!)
      record.quantity = number(String(fields["quantity"]!))
      record.isRoaming = fields["roaming"] == "true"
      record.isInternational = fields["international"] == "true"
      (record.plan, record.zone, record.cycleDay) = (version.fields[3], version.fields[4], Int(version.fields[5]))
      record.joined = day(version.fields[9])
      if highest > .min { record.watermark = highest - 10_001 }
      highest = max(highest, record.time)
      return describe(String(fields["record_id"]!), model.rate(record))
    }.sorted()
  }

  private static func describe(_ id: String, _ outcome: ModelOutcome) -> String {
    switch outcome {
    case .late: return "\(id) late"
    case .rejected(let reason): return "\(id) rejected \(reason)"
    case .rated(let rating):
      let modifiers = rating.modifiers.isEmpty ? "null" : rating.modifiers.joined(separator: ", ")
      return
        "\(id) rated \(rating.version) \(text(rating.quantity, 3)) \(text(rating.free, 3)) \(text(rating.rolled, 3)) \(text(rating.billable, 3)) \(text(rating.before, 3)) \(text(rating.base, 9)) \(modifiers) \(text(rating.charge, 4))"
    }
  }

  /// What the binary made of it.
  private static func actual(_ folder: TestFolder) -> [String] {
    let rated = folder.rows(in: "rated").map { line in
      let fields = fields(line)
      func value(_ name: Substring) -> Substring { fields[name] ?? "" }
      return
        "\(value("record_id")) rated \(value("tariff_version").dropFirst("test/".count)) \(value("rated_quantity")) \(value("free_quantity")) \(value("rollover_quantity")) \(value("billable_quantity")) \(value("billable_before")) \(value("base_charge")) \(value("modifiers")) \(value("charge"))"
    }
    let rejected = folder.rows(in: "rejected").map { line in
      let fields = fields(line)
      return "\(fields["record_id"] ?? "") rejected \(fields["reason"] ?? "")"
    }
    let late = folder.rows(in: "late").map { "\(fields($0)["record_id"] ?? "") late" }
    return (rated + rejected + late).sorted()
  }

  @Test func theModelAgrees_onAHundredThousandRecords_throughKillsAndRescaling() throws {
    let folder = try TestFolder()
    let shape = ["--accounts", "1000", "--seed", "5"]
    let generated = try WeirProcess.run(
      [
        "generate", "--rows", "\(Self.rows)", "--records-per-second", "0.015", "--late", "0.02", "--duplicates", "0.01",
        "--output", folder.path + "/usage.json",
      ] + shape)
    #expect(generated.status == 0, "\(generated.errors)")
    #expect(
      try WeirProcess.run(["generate", "--kind", "accounts", "--output", folder.path + "/accounts.csv"] + shape).status
        == 0)
    try folder.write("catalog.yaml", Self.catalog)
    let file = try folder.write("t.yaml", Self.topology(folder))
    var random = SplitMix(7)
    var kills = 0
    for round in 0..<6 {
      let point = ["snapshot-taken", "state-durable", "manifest-durable", "part-durable"][round % 4]
      let killed = try WeirProcess.run(
        ["run", "--quiet", file, "--set", "parallelism=\(1 + random.below(4))"],
        environment: ["WEIR_CRASH_POINT": "\(point):\(1 + random.below(3))"])
      kills += killed.status == 128 + SIGKILL ? 1 : 0
    }
    #expect(kills >= 4, "the runs were over before they could be killed")
    let result = try WeirProcess.run(["run", file, "--set", "parallelism=3", "--set", "sources.usage.rate=10000000"])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("every record is accounted for"), "\(result.errors)")
    let (expected, actual) = (try Self.expected(folder), Self.actual(folder))
    #expect(expected.count == Self.rows && actual.count == Self.rows)
    let differing = zip(expected, actual).filter { $0 != $1 }
    #expect(differing.isEmpty, "\(differing.count) differ, such as \(differing.prefix(3))")
    #expect(expected.count { $0.contains(" late") } > 10 && expected.count { $0.contains(" rejected ") } > 1000)
  }
}
