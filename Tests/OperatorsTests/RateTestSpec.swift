import Foundation
import Operators
import RatingModel
import StreamModel
import TestSupport

/// A catalogue and a stream of usage for tests of `rate`, for the engine and for the model.
struct RateTestSpec {
  static let schema = Schema([
    Field("account_id", .string), Field("plan", .string), Field("service", .string),
    Field("quantity", .decimal(precision: 18, scale: 3)), Field("international", .boolean),
    Field("roaming", .boolean), Field("timezone", .string), Field("cycle_day", .int64), Field("joined", .date),
  ])

  var plans: [(name: String, international: Bool)] = [("standard", false), ("premium", true)]
  var tariffs: [ModelTariff] = []
  var modifiers: [ModelModifier] = []
  var closeAfter: Int64 = 0
  var hasJoined = false

  var model: RatingModel {
    RatingModel(ModelCatalog(plans: plans, tariffs: tariffs, modifiers: modifiers), closeAfterMilliseconds: closeAfter)
  }

  static func scaled(_ value: Foundation.Decimal, _ scale: Int) -> Int64 {
    NSDecimalNumber(decimal: value * pow(10, scale)).int64Value
  }

  var catalog: TariffCatalog {
    TariffCatalog(
      name: "test", currency: "EUR",
      services: ["voice", "sms", "data"].map { TariffCatalog.Service(name: $0, unit: "unit") },
      plans: plans.map { TariffCatalog.Plan(name: $0.name, allowsInternational: $0.international) },
      tariffs: tariffs.map { tariff in
        TariffCatalog.Tariff(
          plan: tariff.plan, service: tariff.service, version: tariff.version, validFrom: tariff.from,
          validTo: tariff.to ?? EventTimes.maximum, increment: Self.scaled(tariff.increment, 6),
          free: Self.scaled(tariff.free, 6), rollover: Self.scaled(tariff.rollover, 6),
          tiers: tariff.tiers.map {
            TariffCatalog.Tier(upTo: $0.upTo.map { Self.scaled($0, 6) }, price: Self.scaled($0.price, 6))
          })
      },
      modifiers: modifiers.map { modifier in
        var made = RateModifier(
          name: modifier.name, percentText: "\(modifier.percent)",
          percentTenThousandths: Self.scaled(modifier.percent, 4))
        (made.services, made.plans) = (modifier.services, modifier.plans)
        (made.roaming, made.international) = (modifier.roaming, modifier.international)
        (made.firstDay, made.endDay) = (modifier.from, modifier.to)
        made.hours = modifier.hours.map {
          RateModifier.Hours(start: Self.minute($0.lowerBound), end: Self.minute($0.upperBound) % 1440)
        }
        if let days = modifier.weekdays { made.weekdays = days.reduce(0) { $0 | 1 << UInt8($1 - 1) } }
        return made
      })
  }

  private static func minute(_ clock: String) -> Int { Int(clock.prefix(2))! * 60 + Int(clock.suffix(2))! }

  var spec: RateSpec {
    RateSpec(
      catalogPath: "/test.yaml", catalog: catalog, account: 0, plan: 1, service: 2, quantity: 3,
      international: .column(4), roaming: .column(5), joined: hasJoined ? 8 : nil, period: .month,
      timezone: .column(6), cycleDay: .column(7), closeAfterMilliseconds: closeAfter, inputSchema: Self.schema)
  }

  var harness: OperatorHarness {
    let spec = spec
    return OperatorHarness(keys: [spec.key], comparison: .rowsInOrder(ofKey: spec.key)) { RateOperator(spec) }
  }

  /// A row of account `a`, voice on the standard plan; `quantity` in thousandths.
  static func row(_ quantity: Int64) -> [Value] { row("a", "standard", "voice", quantity) }

  /// A row; `quantity` in thousandths.
  static func row(
    _ account: String?, _ plan: String?, _ service: String?, _ quantity: Int64?,
    international: Bool? = false, roaming: Bool? = false, zone: String? = "UTC", cycleDay: Int64? = 1,
    joined: Int64? = nil
  ) -> [Value] {
    [
      account.map { .string($0) } ?? .null, plan.map { .string($0) } ?? .null, service.map { .string($0) } ?? .null,
      quantity.map { .decimal(Int128($0), scale: 3) } ?? .null, international.map { .boolean($0) } ?? .null,
      roaming.map { .boolean($0) } ?? .null, zone.map { .string($0) } ?? .null, cycleDay.map { .int64($0) } ?? .null,
      joined.map { .date($0) } ?? .null,
    ]
  }

  /// The row in the model's terms.
  static func record(_ row: TestRow) -> ModelRecord {
    func text(_ index: Int) -> String? {
      if case .string(let text) = row.values[index] { return text }
      return nil
    }
    var record = ModelRecord(time: row.eventTime)
    (record.account, record.plan, record.service, record.zone) = (text(0), text(1), text(2), text(6))
    if case .decimal(let value, _) = row.values[3] { record.quantity = Foundation.Decimal(Int64(value)) / 1000 }
    record.isInternational = row.values[4] == true
    record.isRoaming = row.values[5] == true
    if case .int64(let day) = row.values[7] { record.cycleDay = Int(day) }
    if case .date(let day) = row.values[8] { record.joined = day }
    record.watermark = row.isBehind ? row.stamp : nil
    return record
  }

  /// What the model makes of a script's rows, as the engine would give it, but for the texts of prices.
  func expected(_ script: OperatorScript) -> [CapturedRow] {
    let model = model
    return script.rows.map { row, _ in
      let stamp = row.isBehind ? row.stamp : nil
      var record = Self.record(row)
      if !hasJoined { record.joined = nil }
      switch model.rate(record) {
      case .late: return CapturedRow(port: .late, at: row.eventTime, stamp: stamp, row.values)
      case .rejected(let reason):
        return CapturedRow(port: .rejected, at: row.eventTime, stamp: stamp, row.values + [.string(reason)])
      case .rated(let rating):
        return CapturedRow(at: row.eventTime, stamp: stamp, row.values + Self.values(rating))
      }
    }
  }

  private static func values(_ rating: ModelRating) -> [Value] {
    func quantity(_ value: Foundation.Decimal) -> Value { .decimal(Int128(scaled(value, 3)), scale: 3) }
    return [
      .timestamp(rating.cycle.start), .timestamp(rating.cycle.end), .string("test/\(rating.version)"),
      quantity(rating.quantity), quantity(rating.free), quantity(rating.rolled), quantity(rating.billable),
      quantity(rating.before), .decimal(Int128(scaled(rating.base, 9)), scale: 9),
      rating.modifiers.isEmpty ? .null : .string(rating.modifiers.joined(separator: ", ")),
      .decimal(Int128(scaled(rating.charge, 4)), scale: 4), "EUR",
    ]
  }

  /// Engine's rows without the column `prices`.
  static func comparable(_ rows: [CapturedRow]) -> [CapturedRow] {
    rows.map { row in
      guard row.port == nil, row.failure == nil else { return row }
      var values = row.values
      values.remove(at: schema.count + 8)
      return CapturedRow(at: row.eventTime, stamp: row.stamp, values)
    }
  }
}
