import Foundation
import Operators
import RatingModel
import StreamModel
import TestSupport

/// Rules of invoices and rated records for tests of `invoice`, for the engine and for the model.
struct InvoiceTestSpec {
  static let schema = Schema([
    Field("account_id", .string), Field("currency", .string), Field("service", .string),
    Field("quantity", .decimal(precision: 18, scale: 3)), Field("amount", .decimal(precision: 18, scale: 4)),
    Field("charge", .decimal(precision: 18, scale: 4)), Field("cycle_start", .timestamp),
    Field("cycle_end", .timestamp), Field("plan", .string), Field("home_country", .string), Field("region", .string),
    Field("student", .boolean), Field("joined", .date), Field("timezone", .string),
  ])

  var model = InvoiceModel(services: ["voice", "sms", "data"], cap: 100, discounts: [], vat: [], fees: [])
  var closeAfter: Int64 = 0

  private static func tenThousandths(_ percent: Foundation.Decimal) -> Int64 { RateTestSpec.scaled(percent, 4) }

  private var rules: InvoiceRules {
    var rules = InvoiceRules()
    rules.capTenThousandths = Self.tenThousandths(model.cap)
    rules.discounts = model.discounts.map { discount in
      var condition = InvoiceRules.Condition()
      (condition.student, condition.regions, condition.plans) = (discount.student, discount.regions, discount.plans)
      (condition.firstDay, condition.endDay) = (discount.from, discount.to)
      let size: InvoiceRules.Discount.Size =
        switch discount.size {
        case .percent(let percent): .percent(Self.tenThousandths(percent))
        case .perYear(let percent, let most):
          .perYear(Self.tenThousandths(percent), atMost: Self.tenThousandths(most))
        case .thresholds(let thresholds, let service):
          .thresholds(
            thresholds.map {
              .init(from: RateTestSpec.scaled($0.from, 6), percent: Self.tenThousandths($0.percent))
            }, service: service)
        }
      return InvoiceRules.Discount(name: discount.name, condition: condition, size: size)
    }
    rules.vat = model.vat.map {
      InvoiceRules.VATRate(
        country: $0.country, percent: Self.tenThousandths($0.percent), firstDay: $0.from, endDay: $0.to)
    }
    rules.fees = model.fees.map { fee in
      var condition = InvoiceRules.Condition()
      condition.plans = fee.plans
      return InvoiceRules.Fee(
        name: fee.name, condition: condition, amounts: fee.amounts.mapValues { RateTestSpec.scaled($0, 2) })
    }
    return rules
  }

  var spec: InvoiceSpec {
    let catalog = TariffCatalog(
      name: "test", currency: "EUR", services: model.services.map { .init(name: $0, unit: "unit") }, plans: [],
      tariffs: [], invoices: rules)
    return InvoiceSpec(
      catalogPath: "/test.yaml", catalog: catalog, account: 0, currency: 1, service: 2, quantity: 3, amount: 4,
      charge: 5, cycleStart: 6, cycleEnd: 7, plan: 8, country: 9, region: 10, student: 11, joined: 12,
      timezone: .column(13), closeAfterMilliseconds: closeAfter, inputSchema: Self.schema)
  }

  var harness: OperatorHarness {
    let spec = spec
    return OperatorHarness(keys: [spec.key], comparison: .rowsInOrder(ofKey: [0, 1])) { InvoiceOperator(spec) }
  }

  /// Cycles of the tests: thirty days from the epoch on.
  static let cycleLength: Int64 = 30 * 86_400_000

  static func cycle(at time: EventTime) -> (start: EventTime, end: EventTime) {
    let start = time / cycleLength * cycleLength
    return (start, start + cycleLength)
  }

  /// A row of the cycle that `time` lies in; `amount` and `charge` in ten-thousandths.
  static func row(
    at time: EventTime, _ account: String? = "a", currency: String? = "EUR", service: String? = "voice",
    quantity: Int64? = 1000, amount: Int64?, charge: Int64? = 0, plan: String? = "standard", country: String? = "IE",
    region: String? = nil, student: Bool? = nil, joined: Int64? = nil, zone: String? = "UTC"
  ) -> [Value] {
    func text(_ text: String?) -> Value { text.map { .string($0) } ?? .null }
    func number(_ value: Int64?, _ scale: Int) -> Value { value.map { .decimal(Int128($0), scale: scale) } ?? .null }
    let cycle = cycle(at: time)
    return [
      text(account), text(currency), text(service), number(quantity, 3), number(amount, 4), number(charge, 4),
      .timestamp(cycle.start), .timestamp(cycle.end), text(plan), text(country), text(region),
      student.map { .boolean($0) } ?? .null, joined.map { .date($0) } ?? .null, text(zone),
    ]
  }

  /// What comes out for a script: lines of the model, late rows.
  func expected(_ script: OperatorScript) -> [CapturedRow] {
    var rows: [CapturedRow] = []
    var bills: [String: [TestRow]] = [:]
    for (row, _) in script.rows {
      let end = Self.cycle(at: row.eventTime).end
      if row.isBehind, let stamp = row.stamp, stamp >= end - 1 + closeAfter {
        rows.append(CapturedRow(port: .late, at: row.eventTime, stamp: stamp, row.values))
      } else {
        bills["\(row.values[0]) \(row.values[1]) \(end)", default: []].append(row)
      }
    }
    for bill in bills.values { rows += lines(of: bill) }
    return rows
  }

  private func lines(of bill: [TestRow]) -> [CapturedRow] {
    let latest = bill.max { $0.eventTime < $1.eventTime }!
    let cycle = Self.cycle(at: latest.eventTime)
    func text(_ row: TestRow, _ index: Int) -> String? {
      if case .string(let text) = row.values[index] { text } else { nil }
    }
    func number(_ row: TestRow, _ index: Int) -> Foundation.Decimal {
      guard case .decimal(let value, let scale) = row.values[index] else { return 0 }
      return Foundation.Decimal(Int64(value)) / pow(10, scale)
    }
    let records = bill.map {
      InvoiceModel.Record(
        service: text($0, 2) ?? "", quantity: number($0, 3), amount: number($0, 4), charge: number($0, 5))
    }
    var account = InvoiceModel.Account()
    (account.plan, account.country, account.region) = (text(latest, 8), text(latest, 9), text(latest, 10))
    if case .boolean(let student) = latest.values[11] { account.student = student }
    if case .date(let day) = latest.values[12] { account.joined = day }
    let (name, currency) = (text(latest, 0) ?? "", text(latest, 1) ?? "")
    let day = cycle.end / 86_400_000 - 1
    let invoice = "\(name)/\(CivilTime.formatDate(cycle.start / 86_400_000))/\(currency)"
    let (lines, _) = model.lines(records, account, currency: currency, day: day, scale: 4)
    return lines.enumerated().map { index, line in
      func scaled(_ value: Foundation.Decimal, _ scale: Int) -> Value {
        .decimal(Int128(RateTestSpec.scaled(value, scale)), scale: scale)
      }
      return CapturedRow(
        at: cycle.end - 1 + closeAfter,
        [
          .string(name), .string(currency), .timestamp(cycle.start), .timestamp(cycle.end), .string(invoice),
          .int64(Int64(index + 1)), .string(line.kind), .string(line.name),
          line.records.map { .int64(Int64($0)) } ?? .null, line.quantity.map { scaled($0, 3) } ?? .null,
          line.kind == "usage" ? "unit" : .null, line.percent.map { scaled($0, 4) } ?? .null, scaled(line.amount, 4),
        ])
    }
  }
}
