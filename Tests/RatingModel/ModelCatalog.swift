import Foundation

/// A catalogue in the model's own terms.
public struct ModelCatalog: Sendable {
  public var plans: [(name: String, international: Bool)]
  public var tariffs: [ModelTariff]
  public var modifiers: [ModelModifier]

  public init(plans: [(name: String, international: Bool)], tariffs: [ModelTariff], modifiers: [ModelModifier] = []) {
    self.plans = plans
    self.tariffs = tariffs
    self.modifiers = modifiers
  }

  func tariff(_ plan: String?, _ service: String?, at time: Int64) -> ModelTariff? {
    tariffs.first { $0.plan == plan && $0.service == service && time >= $0.from && time < $0.to ?? .max }
  }
}

public struct ModelTariff: Sendable {
  public var plan: String
  public var service: String
  /// What a rated record calls it.
  public var version: String
  public var from: Int64
  public var to: Int64?
  public var increment: Decimal
  public var free: Decimal
  public var rollover: Decimal
  public var tiers: [(upTo: Decimal?, price: Decimal)]

  public init(
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

public struct ModelModifier: Sendable {
  public var name: String
  public var percent: Decimal
  public var services: Set<String>?
  public var plans: Set<String>?
  public var roaming: Bool?
  public var international: Bool?
  /// Clock times `HH:MM`; over midnight the end is past `24:00`: `"22:00"..<"30:00"`.
  public var hours: Range<String>?
  /// 1 is Monday.
  public var weekdays: Set<Int>?
  /// Days since 1970-01-01.
  public var from: Int64?
  public var to: Int64?

  public init(_ name: String, _ percent: Decimal) {
    self.name = name
    self.percent = percent
  }
}

public struct ModelRecord: Sendable {
  public var account: String?
  public var plan: String?
  public var service: String?
  public var quantity: Decimal?
  public var isInternational = false
  public var isRoaming = false
  public var time: Int64
  /// Its partition's watermark before it.
  public var watermark: Int64?
  public var zone: String?
  public var cycleDay: Int?
  /// The day on which the account became a customer.
  public var joined: Int64?

  public init(time: Int64) { self.time = time }
}

public struct ModelCycle: Hashable, Sendable {
  public let start: Int64
  public let end: Int64
}

public struct ModelRating: Equatable, Sendable {
  public let cycle: ModelCycle
  public let version: String
  public let quantity: Decimal
  public let free: Decimal
  public let rolled: Decimal
  public let billable: Decimal
  public let before: Decimal
  public let base: Decimal
  public let modifiers: [String]
  public let charge: Decimal
}

public enum ModelOutcome: Equatable, Sendable {
  case rated(ModelRating)
  case rejected(String)
  case late
}
