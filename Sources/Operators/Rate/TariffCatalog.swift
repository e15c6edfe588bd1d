import StreamModel

/// What usage costs: plans, versioned tariffs and the modifiers of their charges, as a checked catalogue says it.
///
/// Numbers are scaled integers, quantities by `quantityScale`, prices by `priceScale`. Versions of the tariff of one plan and
/// service neither overlap nor leave gaps; tiers ascend, and the last is open.
package struct TariffCatalog: Sendable {
  /// Digits after the point of quantities (increments, free units, tiers' bounds) and of prices.
  package static let quantityScale = 6
  package static let priceScale = 6

  package var name: String
  /// The currency of prices, ISO 4217.
  package var currency: String
  /// Services and the unit each is measured in, in the catalogue's order.
  package var services: [Service]
  package var plans: [Plan]
  package var tariffs: [Tariff]
  /// In the order in which they are named in a record; not more than `RateModifier.maxCount` apply to one tariff.
  package var modifiers: [RateModifier]
  package var invoices: InvoiceRules

  package init(
    name: String, currency: String, services: [Service], plans: [Plan], tariffs: [Tariff],
    modifiers: [RateModifier] = [], invoices: InvoiceRules = InvoiceRules()
  ) {
    self.name = name
    self.currency = currency
    self.services = services
    self.plans = plans
    self.tariffs = tariffs
    self.modifiers = modifiers
    self.invoices = invoices
  }

  package struct Service: Hashable, Sendable {
    package let name: String
    /// `second`, `message`, `megabyte`, …
    package let unit: String
    package init(name: String, unit: String) {
      self.name = name
      self.unit = unit
    }
  }

  package struct Plan: Hashable, Sendable {
    package let name: String
    package let allowsInternational: Bool
    package init(name: String, allowsInternational: Bool) {
      self.name = name
      self.allowsInternational = allowsInternational
    }
  }

  /// A price for units up to a bound of the cycle's billable quantity.
  package struct Tier: Hashable, Sendable {
    /// The billable quantity of the cycle at which the next tier begins; nil for the last.
    package let upTo: Int64?
    package let price: Int64
    package init(upTo: Int64?, price: Int64) {
      self.upTo = upTo
      self.price = price
    }
  }

  /// What a service costs on a plan while one version is in force.
  package struct Tariff: Hashable, Sendable {
    package let plan: String
    package let service: String
    /// Names the version in rated records: `valid_from` as the catalogue writes it.
    package let version: String
    /// In force at event times from `validFrom` and before `validTo`.
    package let validFrom: EventTime
    package let validTo: EventTime
    /// Quantities are rounded up to a multiple of this.
    package let increment: Int64
    /// Units of a cycle that cost nothing.
    package let free: Int64
    /// The most units that may come over from the cycle before.
    package let rollover: Int64
    package let tiers: [Tier]

    package init(
      plan: String, service: String, version: String, validFrom: EventTime, validTo: EventTime = EventTimes.maximum,
      increment: Int64, free: Int64 = 0, rollover: Int64 = 0, tiers: [Tier]
    ) {
      self.plan = plan
      self.service = service
      self.version = version
      self.validFrom = validFrom
      self.validTo = validTo
      self.increment = increment
      self.free = free
      self.rollover = rollover
      self.tiers = tiers
    }
  }

  /// Whether units of any tariff roll over into the next cycle.
  package var hasRollover: Bool { tariffs.contains { $0.rollover > 0 } }
}

/// A change of a charge by so many percent, under conditions; all that are given must hold.
package struct RateModifier: Hashable, Sendable {
  /// The most modifiers that may apply to one tariff.
  package static let maxCount = 32

  package var name: String
  /// The change as the catalogue writes it: `-2`, `50`.
  package var percentText: String
  /// `1 + percent / 100` in lowest terms; both positive, the numerator perhaps zero.
  package var numerator: Int128
  package var denominator: Int128
  /// Nil for all.
  package var services: Set<String>?
  package var plans: Set<String>?
  package var roaming: Bool?
  package var international: Bool?
  /// Minutes of the account's local day, from `start` and before `end`; over midnight where `end` is not after `start`.
  package var hours: Hours?
  /// Bit 0 is Monday.
  package var weekdays: UInt8 = 0x7F
  /// Local days on which it holds: from the first and before the second.
  package var firstDay: Int64?
  package var endDay: Int64?

  package struct Hours: Hashable, Sendable {
    package let start: Int
    package let end: Int
    package init(start: Int, end: Int) {
      self.start = start
      self.end = end
    }
  }

  /// `percent` is scaled by 10⁴ and at least −100 %.
  package init(name: String, percentText: String, percentTenThousandths percent: Int64) {
    self.name = name
    self.percentText = percentText
    (numerator, denominator) = RateModifier.lowestTerms(1_000_000 + Int128(percent), 1_000_000)
  }

  package static func lowestTerms(_ numerator: Int128, _ denominator: Int128) -> (Int128, Int128) {
    var (left, right) = (numerator, denominator)
    while right != 0 { (left, right) = (right, left % right) }
    return (numerator / left, denominator / left)
  }

  /// `morning -2%`, `roaming +50%`.
  package var label: String { "\(name) \(percentText.hasPrefix("-") ? "" : "+")\(percentText)%" }

  /// Whether it can apply to usage of `service` on `plan`.
  package func concerns(plan: String, service: String) -> Bool {
    services?.contains(service) ?? true && plans?.contains(plan) ?? true
  }

  /// What must hold of a row's own time and kind.
  var test: ModifierTest {
    ModifierTest(
      roaming: roaming.map { $0 ? 1 : 0 } ?? -1, international: international.map { $0 ? 1 : 0 } ?? -1,
      start: Int32(hours?.start ?? 0), end: Int32(hours?.end ?? 1440), weekdays: weekdays,
      firstDay: firstDay ?? .min, endDay: endDay ?? .max)
  }
}

/// The conditions of a modifier as plain numbers, for loops over rows.
struct ModifierTest: BitwiseCopyable {
  /// 1 for yes, 0 for no, −1 for either.
  let roaming: Int8
  let international: Int8
  let start: Int32
  let end: Int32
  let weekdays: UInt8
  let firstDay: Int64
  let endDay: Int64

  /// Whether they hold at a local day and minute of the day.
  @inline(__always) func holds(day: Int64, minute: Int32, isRoaming: Bool, isInternational: Bool) -> Bool {
    if roaming >= 0, (roaming == 1) != isRoaming { return false }
    if international >= 0, (international == 1) != isInternational { return false }
    let isInHours = start < end ? minute >= start && minute < end : minute >= start || minute < end
    if !isInHours || day < firstDay || day >= endDay { return false }
    if weekdays == 0x7F { return true }
    // 1970-01-01 was a Thursday.
    let weekday = ((day + 3) % 7 + 7) % 7
    return weekdays & (1 << UInt8(weekday)) != 0
  }
}
