import Foundation
import Operators
import RatingModel
import StreamModel
import TestSupport
import Testing

@Suite struct InvoiceOperatorTests {
  private typealias Spec = InvoiceTestSpec
  private static let day: Int64 = 86_400_000
  /// Somewhere in 2026, at the start of a cycle of the tests.
  private static let start = 684 * InvoiceTestSpec.cycleLength

  private static func number(_ text: String) -> Foundation.Decimal { Foundation.Decimal(string: text)! }

  @discardableResult private static func check(
    _ spec: InvoiceTestSpec, _ script: OperatorScript
  ) throws -> CapturedOutput {
    let output = try spec.harness.check(script)
    try RowDifference.check("the model", expected: spec.expected(script), actual: output.rows)
    return output
  }

  /// Lines as `kind name amount`.
  private static func lines(_ output: CapturedOutput) -> [String] {
    output.main.map { row in
      guard case .string(let kind) = row.values[6], case .string(let name) = row.values[7],
        case .decimal(let amount, let scale) = row.values[12]
      else { return "" }
      return "\(kind) \(name) \(StreamModel.Decimal.format(amount, scale: scale))"
    }
  }

  @Test func linesAddUpToTheNet_theNetTaxAndFeesToTheTotal() throws {
    var spec = Spec()
    spec.model.discounts = [
      InvoiceModel.Discount("spring", .percent(Self.number("3.3"))), InvoiceModel.Discount("more", .percent(7)),
    ]
    spec.model.vat = [InvoiceModel.Rate("IE", 23), InvoiceModel.Rate(nil, 20)]
    spec.model.fees = [InvoiceModel.Fee("line", ["EUR": Self.number("9.99")])]
    var script = OperatorScript(Spec.schema)
    script.row(at: Self.start, Spec.row(at: Self.start, amount: 100_001))
    script.row(at: Self.start + 1, Spec.row(at: Self.start, service: "data", amount: 50))
    script.row(at: Self.start + 2, Spec.row(at: Self.start, amount: 33_333))
    let output = try Self.check(spec, script)
    #expect(
      Self.lines(output) == [
        "usage voice 13.3334", "usage data 0.0050", "discount spring -0.4402", "discount more -0.9337",
        "rounding rounding -0.0045", "net net 11.9600", "vat IE 2.7500", "fee line 9.9900", "total total 24.7000",
      ])
    #expect(output.main[0].eventTime == Self.start + Spec.cycleLength - 1)
    #expect(output.main[0].values[4] == "a/2026-03-08/EUR")
  }

  @Test func discountsTakeOffTheirCapAtMost_andTheCapIsALine() throws {
    var spec = Spec()
    spec.model.cap = 20
    var student = InvoiceModel.Discount("student", .percent(15))
    student.student = true
    var urban = InvoiceModel.Discount("urban", .percent(5))
    urban.regions = ["urban"]
    spec.model.discounts = [student, urban, InvoiceModel.Discount("loyalty", .perYear(2, atMost: 10))]
    var script = OperatorScript(Spec.schema)
    let joined = Self.start / Self.day - 7 * 365 - 3
    script.row(
      at: Self.start,
      Spec.row(at: Self.start, amount: 1_000_000, region: "urban", student: true, joined: joined))
    script.row(at: Self.start, Spec.row(at: Self.start, "b", amount: 1_000_000, student: false))
    script.row(at: Self.start, Spec.row(at: Self.start, "c", amount: 1_000_000))
    let output = try Self.check(spec, script)
    #expect(
      Self.lines(output) == [
        "usage voice 100.0000", "discount student -15.0000", "discount urban -5.0000", "discount loyalty -10.0000",
        "cap cap 10.0000", "net net 80.0000", "total total 80.0000",
        "usage voice 100.0000", "net net 100.0000", "total total 100.0000",
        "usage voice 100.0000", "net net 100.0000", "total total 100.0000",
      ])
  }

  /// 2026-04-06 is the last day of the cycle.
  @Test(arguments: [
    ("2025-04-07", "0"), ("2025-04-06", "2"), ("2022-04-07", "6"), ("2021-04-06", "10"), ("2001-01-01", "10"),
    ("2026-04-07", "0"), ("2024-02-29", "4"),
  ])
  func loyaltyCountsFullYearsUpToItsLimit(_ joined: String, _ percent: String) throws {
    var spec = Spec()
    spec.model.discounts = [InvoiceModel.Discount("loyalty", .perYear(2, atMost: 10))]
    var script = OperatorScript(Spec.schema)
    var text = joined
    let day = text.withUTF8 { CivilTime.parseDate($0) }
    #expect(day != nil)
    script.row(at: Self.start, Spec.row(at: Self.start, amount: 1_000_000, joined: day))
    let output = try Self.check(spec, script)
    let percents = output.main.filter { $0.values[6] == "discount" }.map { $0.values[11] }
    #expect(percents == (percent == "0" ? [] : [.decimal(Int128(percent)! * 10_000, scale: 4)]))
  }

  @Test func seasonsAndRatesAreThoseOfTheCyclesLastLocalDay() throws {
    var spec = Spec()
    let last = Self.start / Self.day + 29
    var season = InvoiceModel.Discount("season", .percent(10))
    (season.from, season.to) = (last, last + 1)
    var over = InvoiceModel.Discount("over", .percent(10))
    (over.from, over.to) = (last - 20, last)
    spec.model.discounts = [season, over]
    spec.model.vat = [InvoiceModel.Rate(nil, 10, to: last), InvoiceModel.Rate(nil, 20, from: last)]
    var script = OperatorScript(Spec.schema)
    script.row(at: Self.start, Spec.row(at: Self.start, amount: 1_000_000))
    let output = try Self.check(spec, script)
    #expect(
      Self.lines(output) == [
        "usage voice 100.0000", "discount season -10.0000", "net net 90.0000", "vat IE 18.0000", "total total 108.0000",
      ])
  }

  @Test(arguments: [(99, "0"), (100, "2"), (499, "2"), (500, "4")])
  func volumeGoesByTheHighestThresholdReached(_ volume: Int64, _ percent: String) throws {
    for service in [nil, "voice"] {
      var spec = Spec()
      spec.model.discounts = [
        InvoiceModel.Discount(
          "volume", .thresholds([(from: 100, percent: 2), (from: 500, percent: 4)], service: service))
      ]
      var script = OperatorScript(Spec.schema)
      let row = Spec.row(
        at: Self.start, quantity: service == nil ? 0 : volume * 1000, amount: 1_000_000,
        charge: service == nil ? volume * 10_000 : 0)
      script.row(at: Self.start, row)
      script.row(at: Self.start, Spec.row(at: Self.start, service: "sms", quantity: 900_000, amount: 0))
      let output = try Self.check(spec, script)
      let percents = output.main.filter { $0.values[6] == "discount" }.map { $0.values[11] }
      #expect(percents == (percent == "0" ? [] : [.decimal(Int128(percent)! * 10_000, scale: 4)]))
    }
  }

  @Test func netAndTaxAreRoundedHalfEven() throws {
    var spec = Spec()
    spec.model.vat = [InvoiceModel.Rate(nil, 50)]
    var script = OperatorScript(Spec.schema)
    for (index, amount) in [50, 150, 250, 10_050].enumerated() {
      script.row(at: Self.start, Spec.row(at: Self.start, "a\(index)", amount: Int64(amount)))
    }
    let output = try Self.check(spec, script)
    func amounts(_ kind: String) -> [Substring] {
      Self.lines(output).filter { $0.hasPrefix(kind) }.map { $0.split(separator: " ")[2] }.sorted()
    }
    #expect(amounts("net") == ["0.0000", "0.0200", "0.0200", "1.0000"])
    #expect(amounts("vat") == ["0.0000", "0.0100", "0.0100", "0.5000"])
  }

  @Test func whatThereIsNoRateOrAmountForIsNoInvoice_andSaysSo() throws {
    var spec = Spec()
    spec.model.vat = [InvoiceModel.Rate("IE", 23)]
    spec.model.fees = [InvoiceModel.Fee("line", ["EUR": 1])]
    var script = OperatorScript(Spec.schema)
    script.row(at: Self.start, Spec.row(at: Self.start, "a", amount: 1, country: "FR"))
    script.row(at: Self.start, Spec.row(at: Self.start, "b", amount: 1, country: nil))
    script.row(at: Self.start, Spec.row(at: Self.start, "c", currency: "GBP", amount: 1))
    let output = try spec.harness.check(script)
    #expect(output.main.isEmpty)
    #expect(
      output.failed.compactMap(\.failure).sorted() == [
        "invoice a/2026-03-08/EUR: there is no VAT rate for country `FR` on 2026-04-06",
        "invoice b/2026-03-08/EUR: there is no VAT rate for an account without a country on 2026-04-06",
        "invoice c/2026-03-08/GBP: the fee `line` has no amount in GBP",
      ])
  }

  @Test func rowsThatNameNoCycleOfTheirsAreNoPartOfAnInvoice() throws {
    let spec = Spec()
    var script = OperatorScript(Spec.schema)
    script.row(at: Self.start - 1, Spec.row(at: Self.start, amount: 1))
    script.row(at: Self.start, Spec.row(at: Self.start, nil, amount: 1))
    script.row(at: Self.start, Spec.row(at: Self.start, amount: nil))
    let output = try spec.harness.check(script)
    #expect(
      output.failed.map(\.failure) == [
        "its event time lies outside its billing cycle", "account_id is null", "amount is null",
      ])
  }

  @Test func anInvoiceIsMadeWhenItsCycleCloses_andWhatComesLaterIsLate() throws {
    var spec = Spec()
    spec.closeAfter = 2 * Self.day
    let close = Self.start + Spec.cycleLength + 2 * Self.day - 1
    var script = OperatorScript(Spec.schema)
    script.row(at: Self.start, Spec.row(at: Self.start, amount: 10_000))
    script.watermark(close - 1)
    script.row(at: Self.start, stamp: close - 1, Spec.row(at: Self.start, amount: 20_000))
    script.watermark(close)
    script.row(at: Self.start, stamp: close, Spec.row(at: Self.start, amount: 40_000))
    let output = try Self.check(spec, script)
    #expect(Self.lines(output) == ["usage voice 3.0000", "net net 3.0000", "total total 3.0000"])
    #expect(output.rows(on: .late).count == 1)
  }

  @Test func whatTheLatestRowSaysHolds_inWhateverOrderRowsCome() throws {
    var spec = Spec()
    spec.model.fees = [
      InvoiceModel.Fee("cheap", plans: ["standard"], ["EUR": 1]),
      InvoiceModel.Fee("dear", plans: ["premium"], ["EUR": 9]),
    ]
    var script = OperatorScript(Spec.schema)
    script.row(at: Self.start + 2, Spec.row(at: Self.start, amount: 10_000, plan: "premium"))
    script.row(at: Self.start + 1, Spec.row(at: Self.start, amount: 10_000, plan: "standard"))
    let output = try Self.check(spec, script)
    #expect(Self.lines(output).contains("fee dear 9.0000"))
  }

  @Test func randomRecords_giveTheInvoicesOfTheModel() throws {
    try TestSeeds.each(6) { random in
      let spec = Self.spec(&random)
      var stream = PartitionedScript([Spec.schema])
      stream.rows = 300
      stream.partitions = Int(random.int(1...3))
      stream.start = Self.start
      stream.step = Self.day / 2
      stream.disorder = 40 * Self.day
      stream.delay = Self.day * random.int(0...20)
      stream.lead = 3 * Self.day
      let script = stream.make(&random) { random, _, _, time in
        let account = random.int(0...5)
        // What is said of an account depends on the time alone, so that rows of one time agree.
        var traits = SeededRandom(seed: UInt64(account * 1_000_003 + time))
        return Spec.row(
          at: time, "account-\(account)", currency: account == 3 && traits.chance(0.5) ? "MAD" : "EUR",
          service: ["voice", "sms", "data"][Int(random.int(0...2))], quantity: random.int(0...5_000_000),
          amount: random.int(-5000...2_000_000), charge: random.int(0...2_000_000),
          plan: ["standard", "premium", nil][Int(traits.int(0...2))],
          country: ["IE", "MA", "FR"][Int(account % 3)], region: traits.chance(0.5) ? "urban" : nil,
          student: traits.chance(0.2) ? nil : traits.chance(0.5),
          joined: traits.chance(0.2) ? nil : Self.start / Self.day - traits.int(-10...4000))
      }
      let output = try spec.harness.check(script, seed: random.next())
      try RowDifference.check("the model", expected: spec.expected(script), actual: output.rows)
      #expect(output.main.count > 100)
    }
  }

  private static func spec(_ random: inout SeededRandom) -> InvoiceTestSpec {
    var spec = Spec()
    spec.closeAfter = random.int(0...10) * day
    spec.model.cap = Foundation.Decimal(random.int(0...50))
    func percent() -> Foundation.Decimal { Foundation.Decimal(random.int(0...300_000)) / 10_000 }
    var student = InvoiceModel.Discount("student", .percent(percent()))
    student.student = random.chance(0.7)
    var urban = InvoiceModel.Discount("urban", .percent(percent()))
    urban.regions = ["urban"]
    var season = InvoiceModel.Discount("season", .percent(percent()))
    (season.from, season.to) = (start / day + 30, start / day + 60)
    var plan = InvoiceModel.Discount("plan", .thresholds([(Foundation.Decimal(50), percent())], service: "data"))
    plan.plans = ["premium"]
    spec.model.discounts = [
      student, urban, season, plan, InvoiceModel.Discount("loyalty", .perYear(percent(), atMost: percent())),
      InvoiceModel.Discount(
        "volume",
        .thresholds([(Foundation.Decimal(10), percent()), (Foundation.Decimal(300), percent())], service: nil)),
    ]
    spec.model.vat = [
      InvoiceModel.Rate("IE", percent()), InvoiceModel.Rate(nil, percent(), to: start / day + 30),
      InvoiceModel.Rate(nil, percent(), from: start / day + 30),
    ]
    spec.model.fees = [InvoiceModel.Fee("line", plans: ["premium"], ["EUR": 5, "MAD": 50])]
    return spec
  }
}
