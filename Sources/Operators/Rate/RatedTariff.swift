import StreamModel

/// A version of a tariff as rating uses it: its numbers at the quantity's scale, its modifiers, and what records say of it.
///
/// One owner; remembers the combinations of modifiers it has met.
final class RatedTariff {
  let validFrom: EventTime
  let validTo: EventTime
  let free: Int64
  let rollover: Int64
  /// The view of the version's name.
  let version: UInt64
  let increment: Int64
  private let tiers: [Tier]
  private let modifiers: [RateModifier]
  private let tests: [ModifierTest]
  private let texts: TextPool
  /// `10^scale` that a base charge has beyond a charge.
  private let shift: Int128
  private let quantityScale: Int
  private var combinations: [UInt32: Combination] = [:]
  private var prices: [TierRange: UInt64] = [:]
  /// The last of them that was asked for.
  private var lastPrices: (range: TierRange, view: UInt64)?

  private struct Tier {
    let lower: Int64
    /// `Int64.max` for the last.
    let upper: Int64
    let price: Int64
  }

  /// Tiers that one record's units fell into, by number.
  struct TierRange: Hashable {
    let first: Int
    let last: Int
  }

  /// Modifiers that apply together: the product of their factors and what a record says of them.
  struct Combination {
    let numerator: Int128
    /// Times `shift`.
    let denominator: Int128
    /// Nil for no modifier.
    let label: UInt64?
    static let none = Combination(numerator: 1, denominator: 1, label: nil)
  }

  /// `scale`: the quantity's, at which the tariff's quantities are whole.
  init(_ tariff: TariffCatalog.Tariff, of catalog: TariffCatalog, scale: Int, texts: TextPool) {
    let divisor = Int64(Decimal.powersOfTen[TariffCatalog.quantityScale - scale])
    validFrom = tariff.validFrom
    validTo = tariff.validTo
    free = tariff.free / divisor
    rollover = tariff.rollover / divisor
    increment = tariff.increment / divisor
    version = texts.view(of: "\(catalog.name)/\(tariff.plan)/\(tariff.service)/\(tariff.version)")
    var lower: Int64 = 0
    tiers = tariff.tiers.map { tier in
      defer { lower = (tier.upTo ?? 0) / divisor }
      return Tier(lower: lower, upper: tier.upTo.map { $0 / divisor } ?? Int64.max, price: tier.price)
    }
    modifiers = catalog.modifiers.filter { $0.concerns(plan: tariff.plan, service: tariff.service) }
    tests = modifiers.map(\.test)
    precondition(modifiers.count <= RateModifier.maxCount, "a checked catalogue has no more modifiers for a tariff")
    shift = Decimal.powersOfTen[scale + TariffCatalog.priceScale - RateColumns.chargeScale]
    quantityScale = scale
    self.texts = texts
  }

  /// The price of a unit where all units have the same.
  var flatPrice: Int64? { tiers.count == 1 ? tiers[0].price : nil }

  /// What `quantity` billable units cost that come after `before` others, at the price's and the quantity's scale together.
  @inline(__always) func base(_ quantity: Int64, after before: Int64) -> (charge: Int128, tiers: TierRange) {
    let end = before + quantity
    var charge: Int128 = 0
    var first = -1
    var last = 0
    for (index, tier) in tiers.enumerated() where end > tier.lower && before < tier.upper {
      charge += Int128(min(end, tier.upper) - max(before, tier.lower)) * Int128(tier.price)
      if first < 0 { first = index }
      last = index
    }
    return (charge, TierRange(first: max(first, 0), last: last))
  }

  /// The modifiers that apply at a local day and minute.
  func combination(day: Int64, minute: Int32, isRoaming: Bool, isInternational: Bool) -> Combination {
    var mask: UInt32 = 0
    for index in tests.indices
    where tests[index].holds(day: day, minute: minute, isRoaming: isRoaming, isInternational: isInternational) {
      mask |= 1 << UInt32(index)
    }
    return combination(of: mask)
  }

  /// The minutes of a day around `minute`, from the first and before the second, in which the hours of no modifier begin or end.
  func segment(around minute: Int32) -> (start: Int32, end: Int32) {
    var segment: (start: Int32, end: Int32) = (0, 1440)
    for bound in tests.flatMap({ [$0.start, $0.end] }) {
      if bound <= minute { segment.start = max(segment.start, bound) } else { segment.end = min(segment.end, bound) }
    }
    return segment
  }

  /// What applies where no modifier does.
  var unmodified: Combination { combination(of: 0) }
  var hasModifiers: Bool { !modifiers.isEmpty }

  private func combination(of mask: UInt32) -> Combination {
    if let known = combinations[mask] { return known }
    var factor: (numerator: Int128, denominator: Int128) = (1, 1)
    var labels: [String] = []
    for (index, modifier) in modifiers.enumerated() where mask & (1 << UInt32(index)) != 0 {
      factor = RateModifier.lowestTerms(
        factor.numerator * modifier.numerator, factor.denominator * modifier.denominator)
      labels.append(modifier.label)
    }
    let combination = Combination(
      numerator: factor.numerator, denominator: factor.denominator * shift,
      label: labels.isEmpty ? nil : texts.view(of: labels.joined(separator: ", ")))
    combinations[mask] = combination
    return combination
  }

  /// The view of the prices of `range`: `0.05 to 1000, 0.1`.
  @inline(__always) func prices(of range: TierRange) -> UInt64 {
    if let lastPrices, lastPrices.range == range { return lastPrices.view }
    let view = prices[range] ?? describe(range)
    lastPrices = (range, view)
    return view
  }

  private func describe(_ range: TierRange) -> UInt64 {
    let parts = tiers[range.first...range.last].map { tier in
      let price = RatedTariff.short(Int128(tier.price), scale: TariffCatalog.priceScale)
      return tier.upper == .max ? price : "\(price) to \(RatedTariff.short(Int128(tier.upper), scale: quantityScale))"
    }
    let view = texts.view(of: parts.joined(separator: ", "))
    prices[range] = view
    return view
  }

  /// A number without zeros at the end.
  private static func short(_ unscaled: Int128, scale: Int) -> String {
    var (unscaled, scale) = (unscaled, scale)
    while scale > 0, unscaled % 10 == 0 {
      unscaled /= 10
      scale -= 1
    }
    return Decimal.format(unscaled, scale: scale)
  }
}
