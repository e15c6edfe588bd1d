import Foundation

/// What rating must give, told as the rules tell it: one record after another, with pools of units that are taken from. It shares
/// nothing with the engine: numbers are Foundation's decimals, days and zones Foundation's.
package final class RatingModel {
  private let catalog: ModelCatalog
  private let closeAfter: Int64
  private let calendar = ModelCalendar()
  private var pools: [String: Pool] = [:]

  /// Free units of one account, service and cycle, and what was billed of it.
  private final class Pool {
    /// Free units by the tariff applied last; nil where none was.
    var allowance: Decimal?
    /// Units taken, by the cycle's own records and by those of the next.
    var taken: Decimal = 0
    /// Units taken from the cycle before.
    var takenBefore: Decimal = 0
    var billed: Decimal = 0
  }

  package init(_ catalog: ModelCatalog, closeAfterMilliseconds: Int64 = 0) {
    self.catalog = catalog
    closeAfter = closeAfterMilliseconds
  }

  /// Rates the next record.
  package func rate(_ record: ModelRecord) -> ModelOutcome {
    guard let plan = catalog.plans.first(where: { $0.name == record.plan }),
      let tariff = catalog.tariff(record.plan, record.service, at: record.time)
    else { return .rejected("no_tariff") }
    if record.isInternational && !plan.international { return .rejected("international_not_allowed") }
    guard let account = record.account else { return .rejected("no_account") }
    guard let quantity = record.quantity else { return .rejected("no_quantity") }
    if quantity < 0 { return .rejected("negative_quantity") }
    guard let zoneName = record.zone, let zone = calendar.zone(zoneName) else { return .rejected("unknown_timezone") }
    guard let day = record.cycleDay, (1...31).contains(day) else { return .rejected("bad_cycle_day") }
    let cycle = calendar.cycle(at: record.time, zone, day)
    if let watermark = record.watermark, watermark >= record.time, watermark >= cycle.end - 1 + closeAfter {
      return .late
    }
    return .rated(price(record, account, quantity, tariff, cycle, zone, day))
  }

  private func pool(_ account: String, _ service: String, _ cycle: ModelCycle) -> Pool {
    let name = "\(account)\u{0}\(service)\u{0}\(cycle.start)\u{0}\(cycle.end)"
    if let pool = pools[name] { return pool }
    let pool = Pool()
    pools[name] = pool
    return pool
  }

  private func price(
    _ record: ModelRecord, _ account: String, _ quantity: Decimal, _ tariff: ModelTariff, _ cycle: ModelCycle,
    _ zone: TimeZone, _ day: Int
  ) -> ModelRating {
    // Rule 2: whole increments.
    let rounded = (quantity / tariff.increment).rounded(scale: 0, .up) * tariff.increment
    // Rule 3: free units, then those left of the cycle before.
    let own = pool(account, tariff.service, cycle)
    let before = calendar.cycle(at: cycle.start - 1, zone, day)
    let previous = pool(account, tariff.service, before)
    let free = min(rounded, max(0, tariff.free - own.taken))
    var allowance = previous.allowance
    if allowance == nil, let joined = record.joined, joined < calendar.localDay(cycle.start, zone) {
      allowance = catalog.tariff(record.plan, record.service, at: cycle.start - 1)?.free
    }
    let left = (allowance ?? 0) - previous.taken
    let rolled = max(0, min(rounded - free, min(tariff.rollover - own.takenBefore, left)))
    // Rule 4: tiers.
    let billable = rounded - free - rolled
    let base = cost(own.billed + billable, tariff) - cost(own.billed, tariff)
    // Rule 5: modifiers, exactly; rounded once.
    let modifiers = catalog.modifiers.filter { applies($0, record, tariff, zone) }
    let charge = modifiers.reduce(base) { $0 * (100 + $1.percent) / 100 }.rounded(scale: 4, .bankers)
    let rating = ModelRating(
      cycle: cycle, version: "\(tariff.plan)/\(tariff.service)/\(tariff.version)", quantity: rounded, free: free,
      rolled: rolled, billable: billable,
      before: own.billed, base: base,
      modifiers: modifiers.map { "\($0.name) \($0.percent < 0 ? "" : "+")\($0.percent)%" }, charge: charge)
    own.taken += free
    previous.taken += rolled
    own.takenBefore += rolled
    own.billed += billable
    own.allowance = tariff.free
    return rating
  }

  /// What the first `units` billable units of a cycle cost.
  private func cost(_ units: Decimal, _ tariff: ModelTariff) -> Decimal {
    var total: Decimal = 0
    var counted: Decimal = 0
    for tier in tariff.tiers {
      let until = tier.upTo.map { min($0, units) } ?? units
      if until > counted {
        total += (until - counted) * tier.price
        counted = until
      }
    }
    return total
  }

  private func applies(
    _ modifier: ModelModifier, _ record: ModelRecord, _ tariff: ModelTariff, _ zone: TimeZone
  ) -> Bool {
    let local = calendar.wallClock(record.time, zone)
    let conditions: [Bool] = [
      modifier.services?.contains(tariff.service) ?? true,
      modifier.plans?.contains(tariff.plan) ?? true,
      modifier.roaming.map { $0 == record.isRoaming } ?? true,
      modifier.international.map { $0 == record.isInternational } ?? true,
      modifier.weekdays?.contains(local.weekday) ?? true,
      modifier.from.map { local.day >= $0 } ?? true,
      modifier.to.map { local.day < $0 } ?? true,
      modifier.hours.map { hours in
        let isOverMidnight = hours.upperBound > "24:00"
        let later = ModelCalendar.later(local.clock)
        return hours.contains(local.clock) || isOverMidnight && hours.contains(later)
      } ?? true,
    ]
    return !conditions.contains(false)
  }
}

extension Decimal {
  /// The number at `scale` digits after the point.
  package func rounded(scale: Int, _ mode: RoundingMode) -> Decimal {
    var (value, result) = (self, Decimal())
    NSDecimalRound(&result, &value, scale, mode)
    return result
  }
}
