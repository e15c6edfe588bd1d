import Expressions
import StreamModel
import TestSupport
import Testing

@testable import Operators

/// Laws of `lookup`, whatever its table.
@Suite struct LookupOperatorTests {
  static let stream = Schema([
    Field("id", .int64), Field("currency", .string), Field("market", .int64), Field("at", .timestamp),
  ])

  /// Rows with a currency, a market, and, where `versions`, from and to.
  static func layout(versioned: Bool, givesNulls: Bool) -> TableLayout {
    let key = [Field("base", .string, nullable: false), Field("market", .int64, nullable: false)]
    let bounds = versioned ? [Field("valid_from", .timestamp, nullable: false), Field("valid_to", .timestamp)] : []
    let taken = [Field("rate", .decimal(precision: 18, scale: 8)), Field("source", .string)]
    let schema = Schema(key + bounds + taken)
    return TableLayout(
      schema: schema, key: [0, 1], validity: versioned ? .init(from: 2, to: 3) : nil,
      taken: [schema.count - 2, schema.count - 1], givesNulls: givesNulls)
  }

  static func spec(versioned: Bool, missing: LookupSpec.Missing, maxAge: Int64? = nil) -> LookupSpec {
    let nullable = [Field("rate", .decimal(precision: 18, scale: 8)), Field("source", .string)]
    return LookupSpec(
      key: [1, 2], asOf: versioned ? .init(column: 3, maxAgeMilliseconds: maxAge) : nil,
      layout: layout(versioned: versioned, givesNulls: missing == .null),
      items: [.input(0), .input(1), .input(2), .input(3), .taken(0), .taken(1)], missing: missing,
      outputSchema: Schema(stream.fields + nullable))
  }

  /// A table that is in memory.
  final class MemoryTable: LookupTable {
    let counters = LookupCounters()
    let index: LookupIndex
    init(_ rows: TestRows, _ layout: TableLayout) throws { index = try LookupIndex(rows.batch(), layout) }
    func find(_ keys: LookupKeys) throws(OperatorError) -> LookupResult {
      LookupResult(rows: index.rows, slots: index.slots(of: keys))
    }
    func close() {}
  }

  struct Version {
    let base: String
    let market: Int64
    let from: Int64
    let to: Int64?
    let rate: Int64

    func row(versioned: Bool) -> [Value] {
      let bounds: [Value] = versioned ? [.timestamp(from), to.map { .timestamp($0) } ?? nil] : []
      return [.string(base), .int64(market)] + bounds + [.decimal(Int128(rate), scale: 8), .string("r\(rate)")]
    }
  }

  static func table(_ versions: [Version], _ layout: TableLayout) throws -> MemoryTable {
    let rows = versions.reduce(TestRows(layout.schema)) { $0.row(at: 0, $1.row(versioned: layout.validity != nil)) }
    return try MemoryTable(rows, layout)
  }

  /// Versions of keys with holes between some of them, in any order.
  static func versions(_ random: inout SeededRandom, onePerKey: Bool) -> [Version] {
    var versions: [Version] = []
    for base in ["EUR", "USD", "MAD", "a currency with a long name"] {
      for market in Int64(0)...3 where random.chance(0.8) {
        var time = random.int(0...200)
        for _ in 0..<(onePerKey ? 1 : random.int(1...6)) {
          let end = time + random.int(1...200)
          let isOpen = random.chance(0.1)
          versions.append(
            Version(base: base, market: market, from: time, to: isOpen ? nil : end, rate: random.int(1...1_000_000)))
          if isOpen { break }
          time = end + (random.chance(0.3) ? random.int(0...100) : 0)
        }
      }
    }
    return versions.shuffled(using: &random)
  }

  /// Rows with any key and time, and between them rows that meet one of `versions` as soon as it is valid.
  static func script(_ random: inout SeededRandom, meeting versions: [Version]) -> OperatorScript {
    var script = PartitionedScript([stream])
    script.rows = 200
    script.disorder = 100
    script.delay = 20
    return script.make(&random) { random, _, _, _ in
      if random.chance(0.2), let met = versions.randomElement(using: &random) {
        return [
          .int64(random.int(0...1_000_000)), .string(met.base), .int64(met.market), .timestamp(met.from),
        ]
      }
      return [
        .int64(random.int(0...1_000_000)),
        random.chance(0.1)
          ? nil : .string(["EUR", "USD", "MAD", "a currency with a long name", "XXX"][Int(random.int(0...4))]),
        random.chance(0.05) ? nil : .int64(random.int(0...4)),
        random.chance(0.05) ? nil : .timestamp(random.int(-10...1200)),
      ]
    }
  }

  /// The version for a row, looked for one by one.
  static func expected(_ row: TestRow, _ versions: [Version], versioned: Bool, maxAge: Int64?) -> Version? {
    guard case .string(let base) = row.values[1], case .int64(let market) = row.values[2] else { return nil }
    let own = versions.filter { $0.base == base && $0.market == market }
    guard versioned else { return own.first }
    guard case .timestamp(let time) = row.values[3] else { return nil }
    return own.first { version in
      version.from <= time && time < version.to ?? .max && maxAge.map { time - version.from <= $0 } ?? true
    }
  }

  @Test(arguments: [false, true], [LookupSpec.Missing.port, .null])
  func aRowIsGivenTheVersionOfItsKeyThatIsValidAtItsTime(versioned: Bool, missing: LookupSpec.Missing) throws {
    try TestSeeds.each(10) { random in
      let maxAge: Int64? = random.chance(0.5) ? random.int(10...300) : nil
      let spec = Self.spec(versioned: versioned, missing: missing, maxAge: maxAge)
      let versions = Self.versions(&random, onePerKey: !versioned)
      let table = try Self.table(versions, spec.layout)
      let script = Self.script(&random, meeting: versions)
      let output = try OperatorHarness(comparison: .rowsInOrder(ofKey: [])) { LookupOperator(spec, table: table) }
        .check(script, seed: random.next())
      let expected = script.rows.map { row, _ -> CapturedRow in
        let stamp = row.isBehind ? row.stamp : nil
        let version = Self.expected(row, versions, versioned: versioned, maxAge: maxAge)
        guard version != nil || missing == .null else {
          return CapturedRow(port: .missing, at: row.eventTime, stamp: stamp, row.values)
        }
        let taken: [Value] =
          version.map { [.decimal(Int128($0.rate), scale: 8), .string("r\($0.rate)")] } ?? [nil, nil]
        return CapturedRow(at: row.eventTime, stamp: stamp, row.values + taken)
      }
      try RowDifference.check("rows", expected: expected, actual: output.rows)
      #expect(expected.contains { $0.port == .missing || $0.values.last == .null })
      #expect(expected.contains { $0.port == nil && $0.values.last != .null })
    }
  }

  @Test func missingRowsAreOnlyCounted_whereNothingReadsThePort() throws {
    let spec = Self.spec(versioned: false, missing: .port)
    let table = try Self.table([Version(base: "EUR", market: 1, from: 0, to: nil, rate: 5)], spec.layout)
    let output = CapturedOutput(reading: [])
    let rows = TestRows(Self.stream).row(at: 1, [1, "EUR", 1, nil]).row(at: 2, [2, "USD", 1, nil]).row(
      at: 3, [3, "EUR", nil, nil])
    try LookupOperator(spec, table: table).process(rows.batch(), input: 0, to: output)
    #expect(output.main.map(\.eventTime) == [1] && output.counts == [.missing: 2] && output.violations.isEmpty)
  }

  @Test func missingFail_endsTheJobSayingWhy() throws {
    let spec = Self.spec(versioned: true, missing: .fail, maxAge: 10)
    let table = try Self.table([Version(base: "EUR", market: 1, from: 100, to: 200, rate: 5)], spec.layout)
    let cases: [([Value], String)] = [
      ([1, "USD", 1, .timestamp(105)], "the table has no row for it"),
      ([1, nil, 1, .timestamp(105)], "the key is null"),
      ([1, "EUR", 1, nil], "the time to look up at is null"),
      (
        [1, "EUR", 1, .timestamp(200)], "the table has no version of its row that is valid at 1970-01-01T00:00:00.200Z"
      ),
      (
        [1, "EUR", 1, .timestamp(111)],
        "the version that is valid at 1970-01-01T00:00:00.111Z is older than `max_age` allows"
      ),
    ]
    for (values, reason) in cases {
      let output = CapturedOutput()
      #expect(throws: OperatorError.row(reason)) {
        try LookupOperator(spec, table: table).process(
          TestRows(Self.stream).row(at: 1, values).batch(), input: 0, to: output)
      }
      #expect(output.rows.isEmpty)
    }
  }

  @Test func aTableWithTwoRowsForOneKeyOrVersionsThatOverlap_isRefused() {
    func fault(_ versions: [Version], versioned: Bool) -> String? {
      do {
        _ = try Self.table(versions, Self.layout(versioned: versioned, givesNulls: false))
        return nil
      } catch {
        return "\(error)"
      }
    }
    let first = Version(base: "EUR", market: 1, from: 100, to: 200, rate: 5)
    let other = Version(base: "EUR", market: 2, from: 100, to: 200, rate: 5)
    let next = Version(base: "EUR", market: 1, from: 200, to: nil, rate: 6)
    #expect(fault([first, other], versioned: false) == nil)
    #expect(
      fault([first, other, first], versioned: false)
        == "base EUR, market 1: rows 1 and 3 are both of this key — leave one, or tell versions apart with `as_of:`")
    #expect(fault([next, other, first], versioned: true) == nil)
    let overlapping = Version(base: "EUR", market: 1, from: 199, to: nil, rate: 6)
    #expect(
      fault([overlapping, first], versioned: true)
        == "base EUR, market 1: the versions [1970-01-01T00:00:00.100Z, 1970-01-01T00:00:00.200Z) and [1970-01-01T00:00:00.199Z, open) overlap — let each end where the next begins"
    )
    let behindOpen = Version(base: "EUR", market: 1, from: 300, to: 400, rate: 6)
    #expect(fault([next, behindOpen], versioned: true)?.contains("overlap") == true)
    let empty = Version(base: "EUR", market: 1, from: 200, to: 200, rate: 6)
    #expect(fault([empty], versioned: true)?.contains("ends before it begins") == true)
  }
}
