import Foundation

/// A catalogue in the model's own terms.
package struct ModelCatalog: Sendable {
  package var plans: [(name: String, international: Bool)]
  package var tariffs: [ModelTariff]
  package var modifiers: [ModelModifier]

  package init(plans: [(name: String, international: Bool)], tariffs: [ModelTariff], modifiers: [ModelModifier] = []) {
    self.plans = plans
    self.tariffs = tariffs
    self.modifiers = modifiers
  }

  func tariff(_ plan: String?, _ service: String?, at time: Int64) -> ModelTariff? {
    tariffs.first { $0.plan == plan && $0.service == service && time >= $0.from && time < $0.to ?? .max }
  }
}

package struct ModelTariff: Sendable {
  package var plan: String
  package var service: String
  /// What a rated record calls it.
  package var version: String
  package var from: Int64
  package var to: Int64?
  package var increment: Decimal
  package var free: Decimal
  package var rollover: Decimal
  package var tiers: [(upTo: Decimal?, price: Decimal)]

  package init(
    plan: String, service: String, version: String, from: Int64, to: Int64? = nil, increment: Decimal = 1,
    free: Decimal = 0, rollover: Decimal = 0, tiers: [(upTo: Decimal?, price: Decimal)]
  ) {
    self.plan = plan
    self.service = service
    self.version = version
    self.from = from
    self.to = to
    self.increment = increment
    self.free = free
    self.rollover = rollover
    self.tiers = tiers
  }
}

package struct ModelModifier: Sendable {
  package var name: String
  package var percent: Decimal
  package var services: Set<String>?
  package var plans: Set<String>?
  package var roaming: Bool?
  package var international: Bool?
  /// Clock times `HH:MM`; over midnight the end is past `24:00`: `"22:00"..<"30:00"`.
  package var hours: Range<String>?
  /// 1 is Monday.
  package var weekdays: Set<Int>?
  /// Days since 1970-01-01.
  package var from: Int64?
  package var to: Int64?

  package init(_ name: String, _ percent: Decimal) {
    self.name = name
    self.percent = percent
  }
}

package struct ModelRecord: Sendable {
  package var account: String?
  package var plan: String?
  package var service: String?
  package var quantity: Decimal?
  package var isInternational = false
  package var isRoaming = false
  package var time: Int64
  /// Its partition's watermark before it.
  package var watermark: Int64?
  package var zone: String?
  package var cycleDay: Int?
  /// The day on which the account became a customer.
  package var joined: Int64?

  package init(time: Int64) { self.time = time }
}

package struct ModelCycle: Hashable, Sendable {
  package let start: Int64
  package let end: Int64
}

package struct ModelRating: Equatable, Sendable {
  package let cycle: ModelCycle
  package let version: String
  package let quantity: Decimal
  package let free: Decimal
  package let rolled: Decimal
  package let billable: Decimal
  package let before: Decimal
  package let base: Decimal
  package let modifiers: [String]
  package let charge: Decimal
}

package enum ModelOutcome: Equatable, Sendable {
  case rated(ModelRating)
  case rejected(String)
  case late
}
