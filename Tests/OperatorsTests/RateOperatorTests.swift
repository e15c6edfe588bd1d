import Foundation
import Operators
import RatingModel
import StreamModel
import TestSupport
import Testing

/// The rules of rating, one after another.
@Suite struct RateOperatorTests {
  /// 2026-01-01T00:00:00Z, a Thursday.
  static let january: Int64 = 1_767_225_600_000
  static let hour: Int64 = 3_600_000
  static let day: Int64 = 86_400_000
  static let february = january + 31 * day

  static func tariff(
    _ plan: String = "standard", _ service: String = "voice", version: String = "2025-01-01", from: Int64 = 0,
    to: Int64? = nil, increment: Foundation.Decimal = 1, free: Foundation.Decimal = 0,
    rollover: Foundation.Decimal = 0, tiers: [(upTo: Foundation.Decimal?, price: Foundation.Decimal)] = [(nil, 1)]
  ) -> ModelTariff {
    ModelTariff(
      plan: plan, service: service, version: version, from: from, to: to, increment: increment, free: free,
      rollover: rollover, tiers: tiers)
  }

  static func number(_ text: String) -> Foundation.Decimal { Foundation.Decimal(string: text)! }

  /// Runs rows through the harness, compares with the model, and returns the rated ones by column.
  @discardableResult static func check(_ spec: RateTestSpec, _ script: OperatorScript) throws -> CapturedOutput {
    let output = try spec.harness.check(script)
    try RowDifference.check("the model", expected: spec.expected(script), actual: RateTestSpec.comparable(output.rows))
    return output
  }

  static func column(_ name: String, _ rows: [CapturedRow]) -> [String] {
    let names = RateColumns.fields(quantityScale: 3).map(\.name)
    let index = RateTestSpec.schema.count + names.firstIndex(of: name)!
    return rows.map { row in
      switch row.values[index] {
      case .decimal(let value, let scale): StreamModel.Decimal.format(value, scale: scale)
      case .string(let text): text
      case .timestamp(let time): CivilTime.formatTimestamp(time)
      case .null: "null"
      default: "\(row.values[index])"
      }
    }
  }

  static func reasons(_ output: CapturedOutput) -> [Value] { output.rows(on: .rejected).compactMap(\.values.last) }

  // MARK: Rule 1

  @Test func theTariffInForceAtTheRecordsTimeApplies_andThereMustBeOne() throws {
    var spec = RateTestSpec()
    spec.tariffs = [
      Self.tariff(version: "a", from: Self.january, to: Self.january + 1000, tiers: [(nil, 1)]),
      Self.tariff(version: "b", from: Self.january + 1000, to: Self.january + 2000, tiers: [(nil, 2)]),
    ]
    var script = OperatorScript(RateTestSpec.schema)
    for time in [-1, 0, 999, 1000, 1999, 2000] {
      script.row(at: Self.january + Int64(time), RateTestSpec.row(1000))
    }
    script.row(at: Self.january, RateTestSpec.row("a", "gold", "voice", 1000))
    script.row(at: Self.january, RateTestSpec.row("a", "standard", "fax", 1000))
    script.row(at: Self.january, RateTestSpec.row("a", nil, "voice", 1000))
    script.row(at: Self.january, RateTestSpec.row("a", "standard", nil, 1000))
    let output = try Self.check(spec, script)
    let versions = ["a", "a", "b", "b"].map { "test/standard/voice/\($0)" }
    #expect(Self.column("tariff_version", output.main) == versions)
    #expect(Self.column("charge", output.main) == ["1.0000", "1.0000", "2.0000", "2.0000"])
    #expect(Self.reasons(output) == [Value](repeating: "no_tariff", count: 6))
  }

  @Test func internationalUsageNeedsAPlanThatAllowsIt_nullIsNotInternational() throws {
    var spec = RateTestSpec()
    spec.tariffs = [Self.tariff(), Self.tariff("premium")]
    var script = OperatorScript(RateTestSpec.schema)
    script.row(at: Self.january, RateTestSpec.row("a", "standard", "voice", 1000, international: true))
    script.row(at: Self.january, RateTestSpec.row("a", "standard", "voice", 1000, international: nil))
    script.row(at: Self.january, RateTestSpec.row("b", "premium", "voice", 1000, international: true))
    let output = try Self.check(spec, script)
    #expect(output.main.count == 2)
    #expect(Self.reasons(output) == ["international_not_allowed"])
  }

  @Test func whatCannotBeRatedIsRejectedWithItsReason() throws {
    var spec = RateTestSpec()
    spec.tariffs = [Self.tariff(increment: 60)]
    var script = OperatorScript(RateTestSpec.schema)
    script.row(at: Self.january, RateTestSpec.row(nil, "standard", "voice", 1000))
    script.row(at: Self.january, RateTestSpec.row("a", "standard", "voice", nil))
    script.row(at: Self.january, RateTestSpec.row("a", "standard", "voice", -1))
    script.row(at: Self.january, RateTestSpec.row("a", "standard", "voice", 1, zone: "Mars/Base"))
    script.row(at: Self.january, RateTestSpec.row("a", "standard", "voice", 1, zone: nil))
    script.row(at: Self.january, RateTestSpec.row("a", "standard", "voice", 1, cycleDay: 0))
    script.row(at: Self.january, RateTestSpec.row("a", "standard", "voice", 1, cycleDay: nil))
    let output = try Self.check(spec, script)
    #expect(
      Self.reasons(output) == [
        "no_account", "no_quantity", "negative_quantity", "unknown_timezone", "unknown_timezone", "bad_cycle_day",
        "bad_cycle_day",
      ])
  }

  @Test func numbersThatDoNotFitAreRejected_andNothingIsUsedUp() throws {
    var spec = RateTestSpec()
    spec.tariffs = [Self.tariff(increment: 60, free: 10, tiers: [(nil, 1000)])]
    let most: Int64 = 999_999_999_999_999_999
    var script = OperatorScript(RateTestSpec.schema)
    script.row(at: Self.january, RateTestSpec.row(most))
    script.row(at: Self.january, RateTestSpec.row(900_000_000_000_000_000))
    script.row(at: Self.january, RateTestSpec.row(60_000))
    script.row(at: EventTimes.latestRecord, RateTestSpec.row(60_000))
    let output = try spec.harness.check(script)
    #expect(Self.reasons(output) == ["out_of_range", "out_of_range", "out_of_range"])
    #expect(Self.column("free_quantity", output.main) == ["10.000"])
    #expect(Self.column("billable_before", output.main) == ["0.000"])
  }

  // MARK: Rule 2

  @Test(arguments: [("60", "60.000"), ("60.001", "120.000"), ("0.001", "60.000"), ("0", "0.000")])
  func quantitiesAreRoundedUpToTheIncrement(_ quantity: String, _ rounded: String) throws {
    var spec = RateTestSpec()
    spec.tariffs = [Self.tariff(increment: 60)]
    var script = OperatorScript(RateTestSpec.schema)
    script.row(at: Self.january, RateTestSpec.row(RateTestSpec.scaled(Self.number(quantity), 3)))
    let output = try Self.check(spec, script)
    #expect(Self.column("rated_quantity", output.main) == [rounded])
  }

  // MARK: Rule 3

  @Test func freeUnitsAreUsedInTheOrderOfArrival_anewInEveryCycleAndForEveryService() throws {
    var spec = RateTestSpec()
    spec.tariffs = [Self.tariff(free: 100), Self.tariff("standard", "data", free: 5)]
    var script = OperatorScript(RateTestSpec.schema)
    script.row(at: Self.january + 5000, RateTestSpec.row(70_000))
    script.row(at: Self.january, RateTestSpec.row(70_000))
    script.row(at: Self.january, RateTestSpec.row("a", "standard", "data", 6000))
    script.row(at: Self.january, RateTestSpec.row("b", "standard", "voice", 101_000))
    script.row(at: Self.february, RateTestSpec.row(70_000))
    let output = try Self.check(spec, script)
    #expect(Self.column("free_quantity", output.main) == ["70.000", "30.000", "5.000", "100.000", "70.000"])
    #expect(Self.column("charge", output.main) == ["0.0000", "40.0000", "1.0000", "1.0000", "0.0000"])
    #expect(Self.column("cycle_end", output.main).last == "2026-03-01T00:00:00.000Z")
  }

  @Test func unitsLeftOverRollIntoTheNextCycle_upToTheLimit_behindItsOwnFreeUnits_andNoFurther() throws {
    var spec = RateTestSpec()
    spec.tariffs = [Self.tariff(free: 100, rollover: 50)]
    var script = OperatorScript(RateTestSpec.schema)
    script.row(at: Self.january, RateTestSpec.row(20_000))
    script.row(at: Self.february, RateTestSpec.row(120_000))
    script.row(at: Self.february, RateTestSpec.row(60_000))
    // Of February nothing is left; January's are no longer there.
    script.row(at: Self.february + 28 * Self.day, RateTestSpec.row(110_000))
    let output = try Self.check(spec, script)
    #expect(Self.column("free_quantity", output.main) == ["20.000", "100.000", "0.000", "100.000"])
    #expect(Self.column("rollover_quantity", output.main) == ["0.000", "20.000", "30.000", "0.000"])
    #expect(Self.column("billable_quantity", output.main) == ["0.000", "0.000", "30.000", "10.000"])
  }

  @Test func aUnitIsUsedOnce_whetherItsOwnCycleOrTheNextAsksFirst() throws {
    var spec = RateTestSpec()
    spec.tariffs = [Self.tariff(free: 100, rollover: 100)]
    spec.closeAfter = 10 * Self.day
    var script = OperatorScript(RateTestSpec.schema)
    script.row(at: Self.january, RateTestSpec.row(20_000))
    script.row(at: Self.february, RateTestSpec.row(170_000))
    // 70 of January's have gone to February: 10 are left.
    script.watermark(Self.february + Self.day)
    script.row(at: Self.january + 5000, stamp: Self.february + Self.day, RateTestSpec.row(30_000))
    script.row(at: Self.february + Self.day + 1, RateTestSpec.row(5_000))
    let output = try Self.check(spec, script)
    #expect(Self.column("free_quantity", output.main) == ["20.000", "100.000", "10.000", "0.000"])
    #expect(Self.column("rollover_quantity", output.main) == ["0.000", "70.000", "0.000", "0.000"])
    #expect(Self.column("billable_quantity", output.main) == ["0.000", "0.000", "20.000", "5.000"])
  }

  @Test func aCustomerWhoUsedNothingHasAllLeft_aNewOneNothing() throws {
    var spec = RateTestSpec()
    spec.tariffs = [Self.tariff(free: 100, rollover: 30)]
    spec.hasJoined = true
    let firstOfFebruary = Self.february / Self.day
    var script = OperatorScript(RateTestSpec.schema)
    script.row(at: Self.february, RateTestSpec.row("old", "standard", "voice", 200_000, joined: firstOfFebruary - 1))
    script.row(at: Self.february, RateTestSpec.row("new", "standard", "voice", 200_000, joined: firstOfFebruary))
    script.row(at: Self.february, RateTestSpec.row("unknown", "standard", "voice", 200_000))
    let output = try Self.check(spec, script)
    #expect(Self.column("rollover_quantity", output.main) == ["30.000", "0.000", "0.000"])
  }

  @Test func aChangeOfPlanGivesNoSecondAllowance() throws {
    var spec = RateTestSpec()
    spec.tariffs = [Self.tariff(free: 100), Self.tariff("premium", free: 150)]
    var script = OperatorScript(RateTestSpec.schema)
    script.row(at: Self.january, RateTestSpec.row("a", "standard", "voice", 80_000))
    script.row(at: Self.january + 1, RateTestSpec.row("a", "premium", "voice", 80_000))
    script.row(at: Self.january + 2, RateTestSpec.row("a", "standard", "voice", 1_000))
    let output = try Self.check(spec, script)
    #expect(Self.column("free_quantity", output.main) == ["80.000", "70.000", "0.000"])
  }

  // MARK: Rule 4

  @Test func tiersGoByTheCyclesBillableQuantity() throws {
    var spec = RateTestSpec()
    spec.tariffs = [
      Self.tariff(free: 10, tiers: [(100, Self.number("0.05")), (200, Self.number("0.1")), (nil, Self.number("0.2"))])
    ]
    var script = OperatorScript(RateTestSpec.schema)
    for quantity: Int64 in [110, 50, 100, 1, 0] { script.row(at: Self.january, RateTestSpec.row(quantity * 1000)) }
    let output = try Self.check(spec, script)
    #expect(Self.column("billable_before", output.main) == ["0.000", "100.000", "150.000", "250.000", "251.000"])
    #expect(Self.column("charge", output.main) == ["5.0000", "5.0000", "15.0000", "0.2000", "0.0000"])
    #expect(Self.column("prices", output.main) == ["0.05 to 100", "0.1 to 200", "0.1 to 200, 0.2", "0.2", "null"])
  }

  // MARK: Rule 5

  @Test func modifiersMultiplyExactly_andTheChargeIsRoundedHalfEvenOnce() throws {
    var spec = RateTestSpec()
    spec.tariffs = [Self.tariff(tiers: [(nil, Self.number("0.001"))])]
    spec.modifiers = [ModelModifier("half", -50), ModelModifier("more", Self.number("2.5"))]
    var script = OperatorScript(RateTestSpec.schema)
    script.row(at: Self.january, RateTestSpec.row(1000))
    // 0.0001 × 0.5 × 1.025 = 0.00005125; 0.0061 × 0.5125 = 0.00312625.
    script.row(at: Self.january, RateTestSpec.row("b", "standard", "voice", 6100))
    let output = try Self.check(spec, script)
    #expect(Self.column("base_charge", output.main) == ["0.001000000", "0.007000000"])
    #expect(Self.column("charge", output.main) == ["0.0005", "0.0036"])
    #expect(Self.column("modifiers", output.main) == ["half -50%, more +2.5%", "half -50%, more +2.5%"])
  }

  @Test(arguments: [("0.0001", "0.0000"), ("0.0003", "0.0002"), ("0.0005", "0.0002"), ("0.0007", "0.0004")])
  func tiesGoToTheEvenNeighbour(_ price: String, _ charge: String) throws {
    var spec = RateTestSpec()
    spec.tariffs = [Self.tariff(tiers: [(nil, Self.number(price))])]
    spec.modifiers = [ModelModifier("half", -50)]
    var script = OperatorScript(RateTestSpec.schema)
    script.row(at: Self.january, RateTestSpec.row(1000))
    #expect(Self.column("charge", try Self.check(spec, script).main) == [charge])
  }

  @Test func hoursWeekdaysAndDaysAreThoseOfTheAccountsOwnClock() throws {
    var spec = RateTestSpec()
    spec.tariffs = [Self.tariff()]
    var morning = ModelModifier("morning", -2)
    morning.hours = "08:00"..<"12:00"
    var night = ModelModifier("night", -20)
    night.hours = "22:00"..<"30:00"
    var friday = ModelModifier("friday", -3)
    friday.weekdays = [5]
    var promotion = ModelModifier("promotion", -10)
    (promotion.from, promotion.to) = (Self.january / Self.day + 1, Self.january / Self.day + 2)
    spec.modifiers = [morning, night, friday, promotion]
    var script = OperatorScript(RateTestSpec.schema)
    // Thursday, 22:30 in London and 17:30 in New York; Friday, 04:00 in Kolkata.
    let time = Self.january + 22 * Self.hour + Self.hour / 2
    for zone in ["Europe/London", "America/New_York", "Asia/Kolkata"] {
      script.row(at: time, RateTestSpec.row(zone, "standard", "voice", 1000, zone: zone))
    }
    for (account, minutes) in [("c", 479), ("d", 480), ("e", 719), ("f", 720)] {
      script.row(at: Self.january + Int64(minutes) * 60_000, RateTestSpec.row(account, "standard", "voice", 1000))
    }
    let output = try Self.check(spec, script)
    #expect(
      Self.column("modifiers", output.main) == [
        "night -20%", "null", "night -20%, friday -3%, promotion -10%", "null", "morning -2%", "morning -2%", "null",
      ])
  }

  @Test func modifiersAskForRoamingServicesAndPlans() throws {
    var spec = RateTestSpec()
    spec.tariffs = [Self.tariff(), Self.tariff("premium"), Self.tariff("standard", "data")]
    var roaming = ModelModifier("roaming", 50)
    roaming.roaming = true
    var voice = ModelModifier("voice", 1)
    voice.services = ["voice"]
    var premium = ModelModifier("premium", 2)
    premium.plans = ["premium"]
    var abroad = ModelModifier("abroad", 3)
    abroad.international = true
    spec.modifiers = [roaming, voice, premium, abroad]
    var script = OperatorScript(RateTestSpec.schema)
    script.row(at: Self.january, RateTestSpec.row("a", "standard", "data", 1000, roaming: true))
    script.row(at: Self.january, RateTestSpec.row("a", "standard", "voice", 1000, roaming: nil))
    script.row(at: Self.january, RateTestSpec.row("b", "premium", "voice", 1000, international: true))
    let output = try Self.check(spec, script)
    #expect(
      Self.column("modifiers", output.main) == ["roaming +50%", "voice +1%", "voice +1%, premium +2%, abroad +3%"])
  }

  // MARK: Cycles

  @Test func aCycleIsTheAccountsOwn_andALateRowOfAClosedOneIsNeverRated() throws {
    var spec = RateTestSpec()
    spec.tariffs = [Self.tariff()]
    var script = OperatorScript(RateTestSpec.schema)
    let row = RateTestSpec.row("a", "standard", "voice", 1000, zone: "America/New_York", cycleDay: 31)
    // The cycle that ends on 31 January begins on 31 December, at midnight in New York.
    let end = Self.january + 30 * Self.day + 5 * Self.hour
    script.row(at: end - 1, row)
    script.row(at: end, row)
    script.watermark(end - 2)
    script.row(at: end - 5, stamp: end - 2, row)
    script.watermark(end - 1)
    script.row(at: end - 5, stamp: end - 1, row)
    let output = try Self.check(spec, script)
    #expect(Self.column("cycle_end", output.main).first == "2026-01-31T05:00:00.000Z")
    #expect(Self.column("cycle_start", output.main)[1] == "2026-01-31T05:00:00.000Z")
    #expect(output.main.count == 3 && output.rows(on: .late).count == 1)
  }

  @Test func portsThatNothingReadsAreCounted() throws {
    var spec = RateTestSpec()
    spec.tariffs = [Self.tariff()]
    var harness = spec.harness
    harness.readPorts = []
    var script = OperatorScript(RateTestSpec.schema)
    script.row(at: Self.january, RateTestSpec.row("a", "gold", "voice", 1000))
    script.watermark(Self.february)
    script.row(at: Self.january, stamp: Self.february, RateTestSpec.row(1000))
    let output = try harness.check(script)
    #expect(output.counts == [.rejected: 1, .late: 1])
  }

  // MARK: State

  @Test func usageIsGivenUpWhenNothingNeedsIt() throws {
    for rollover: Foundation.Decimal in [0, 10] {
      var spec = RateTestSpec()
      spec.tariffs = [Self.tariff(free: 100, rollover: rollover)]
      let target = RateOperator(spec.spec)
      let state = TestState()
      try state.attach(target)
      let rows = (0..<5000).map { TestRow(at: Self.january, RateTestSpec.row("a\($0)", "standard", "voice", 1000)) }
      let output = CapturedOutput()
      try target.process(TestRows(RateTestSpec.schema, rows).batch(), input: 0, to: output)
      #expect(try state.entries(of: target).count == 5000)
      #expect(target.stateSizeBytes > 5000 * 32)
      try target.advance(to: Watermark(Self.february - 1), output: output)
      #expect(try state.entries(of: target).count == (rollover == 0 ? 0 : 5000))
      try target.advance(to: Watermark(Self.february + 35 * Self.day), output: output)
      #expect(try state.entries(of: target).isEmpty)
      #expect(target.stateSizeBytes == 0)
    }
  }

  @Test func whatIsNotUsageOfACycleIsRefused() throws {
    var spec = RateTestSpec()
    spec.tariffs = [Self.tariff(free: 100)]
    let target = RateOperator(spec.spec)
    let state = TestState()
    try state.attach(target)
    let row = TestRows(RateTestSpec.schema).row(at: Self.january, RateTestSpec.row(1000))
    try target.process(row.batch(), input: 0, to: CapturedOutput())
    let entry = try #require(try state.entries(of: target).first)
    var negative = entry.value
    negative[31] = 0xFF
    for value in [Array(entry.value.dropLast()), negative] {
      let damaged = RateOperator(spec.spec)
      try TestState.holding([(entry.key, value)]).attach(damaged)
      #expect(throws: OperatorError.self) {
        try damaged.process(row.batch(), input: 0, to: CapturedOutput())
      }
    }
    #expect(throws: OperatorError.self) {
      try TestState.holding([(Array(entry.key.prefix(10)), entry.value)]).attach(RateOperator(spec.spec))
    }
  }
}
