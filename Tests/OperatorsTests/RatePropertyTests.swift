import Foundation
import Operators
import RatingModel
import StreamModel
import TestSupport
import Testing

/// Random catalogues and usage: the engine and the model agree to the last digit, in every way of running.
@Suite struct RatePropertyTests {
  private static let zones = ["UTC", "Africa/Casablanca", "America/New_York", "Asia/Kolkata", "Australia/Sydney"]

  @Test func randomUsage_isRatedAsTheModelDoes() throws {
    try TestSeeds.each(4) { random in
      let spec = Self.spec(&random)
      let script = Self.script(&random, rows: 250)
      let output = try spec.harness.check(script, seed: random.next())
      try RowDifference.check(
        "the model", expected: spec.expected(script), actual: RateTestSpec.comparable(output.rows))
    }
  }

  @Test func fiveThousandRecordsOfOneRun_areRatedAsTheModelDoes() throws {
    var random = SeededRandom(seed: 77)
    let spec = Self.spec(&random)
    let script = Self.script(&random, rows: 5000)
    let output = try spec.harness.run(script, HarnessVariant(.random, .delayed, .rescale, spills: true), seed: 3)
    try RowDifference.check("the model", expected: spec.expected(script), actual: RateTestSpec.comparable(output.rows))
    #expect(output.main.count > 2500)
    #expect(output.rows(on: .late).count > 10 && output.rows(on: .rejected).count > 100)
  }

  private static func script(_ random: inout SeededRandom, rows: Int) -> OperatorScript {
    var stream = PartitionedScript([RateTestSpec.schema])
    stream.rows = rows
    stream.partitions = Int(random.int(1...3))
    stream.start = RateOperatorTests.january
    // Several cycles, and rows of a cycle long past.
    stream.step = 150 * RateOperatorTests.day / Int64(rows) * Int64(stream.partitions)
    stream.disorder = 40 * RateOperatorTests.day
    stream.delay = RateOperatorTests.day * random.int(0...20)
    stream.lead = 5 * RateOperatorTests.day
    return stream.make(&random) { random, _, _, _ in
      let account = random.int(0...6)
      let trait = Int(account)
      return RateTestSpec.row(
        random.chance(0.01) ? nil : "account-\(account)",
        random.chance(0.02) ? "gold" : account % 2 == 0 ? "standard" : "premium",
        ["voice", "sms", "data"][Int(random.int(0...2))],
        random.chance(0.01) ? nil : random.chance(0.1) ? random.int(-5...5) : random.int(0...90_000),
        international: random.chance(0.05) ? nil : random.chance(0.2), roaming: random.chance(0.2),
        zone: random.chance(0.005) ? "Nowhere/At_all" : zones[trait % zones.count],
        cycleDay: [1, 31, 13, 28, 5, 30, 29][trait],
        joined: RateOperatorTests.january / RateOperatorTests.day
          + random.int(-10...40))
    }
  }

  private static func spec(_ random: inout SeededRandom) -> RateTestSpec {
    var spec = RateTestSpec()
    spec.closeAfter = random.chance(0.5) ? 0 : random.int(0...30) * RateOperatorTests.day
    spec.hasJoined = random.chance(0.5)
    for plan in ["standard", "premium"] {
      for service in ["voice", "sms", "data"] where !random.chance(0.1) {
        let change = RateOperatorTests.january + random.int(1...150) * RateOperatorTests.day
        let end = random.chance(0.2) ? change + 30 * RateOperatorTests.day : nil
        spec.tariffs.append(tariff(&random, plan, service, "first", 0, change))
        spec.tariffs.append(tariff(&random, plan, service, "second", change, end))
      }
    }
    for index in 0..<random.int(0...6) { spec.modifiers.append(modifier(&random, Int(index))) }
    return spec
  }

  private static func tariff(
    _ random: inout SeededRandom, _ plan: String, _ service: String, _ version: String, _ from: Int64, _ to: Int64?
  ) -> ModelTariff {
    func thousandths(_ range: ClosedRange<Int64>) -> Foundation.Decimal { Foundation.Decimal(random.int(range)) / 1000 }
    func price() -> Foundation.Decimal { Foundation.Decimal(random.int(0...2_000_000)) / 1_000_000 }
    var tiers: [(upTo: Foundation.Decimal?, price: Foundation.Decimal)] = []
    var bound: Foundation.Decimal = 0
    for _ in 0..<random.int(0...3) {
      bound += thousandths(1...60_000)
      tiers.append((bound, price()))
    }
    tiers.append((nil, price()))
    return RateOperatorTests.tariff(
      plan, service, version: version, from: from, to: to,
      increment: random.chance(0.5) ? 1 : thousandths(1...60_000),
      free: random.chance(0.3) ? 0 : thousandths(0...300_000),
      rollover: random.chance(0.4) ? 0 : thousandths(0...200_000), tiers: tiers)
  }

  private static func modifier(_ random: inout SeededRandom, _ index: Int) -> ModelModifier {
    let digits: Int64 = random.chance(0.5) ? 1 : 100
    var modifier = ModelModifier(
      "m\(index)", Foundation.Decimal(random.int(-90 * digits...80 * digits)) / Foundation.Decimal(digits))
    if random.chance(0.4) { modifier.services = [["voice", "sms", "data"][Int(random.int(0...2))]] }
    if random.chance(0.3) { modifier.plans = ["premium"] }
    if random.chance(0.3) { modifier.roaming = random.chance(0.7) }
    if random.chance(0.2) { modifier.international = random.chance(0.7) }
    if random.chance(0.4) {
      let start = random.int(0...22)
      let end = start + random.int(1...20)
      func clock(_ hour: Int64) -> String { "\(hour < 10 ? "0" : "")\(hour):00" }
      modifier.hours = clock(start)..<clock(end)
    }
    if random.chance(0.3) { modifier.weekdays = [Int(random.int(1...7)), Int(random.int(1...7))] }
    if random.chance(0.3) {
      let first = RateOperatorTests.january / RateOperatorTests.day + random.int(0...100)
      (modifier.from, modifier.to) = (first, first + random.int(1...60))
    }
    return modifier
  }
}
