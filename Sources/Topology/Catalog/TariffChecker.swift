import Operators
import StreamModel

/// Checks `tariffs:`: each on its own, then the versions of each plan and service against one another.
struct TariffChecker {
  let names: CatalogNames

  private typealias Tariff = TariffCatalog.Tariff

  private static let keys = [
    "plan", "service", "valid_from", "valid_to", "increment", "free", "rollover", "price", "tiers",
  ]
  private static let example = "{plan: standard, service: voice, valid_from: 2026-01-01, price: 0.01}"

  /// A version's dates, and where they stand.
  private struct Version {
    let plan: String
    let service: String
    let from: EventTime
    let fromText: String
    let to: EventTime?
    let item: Item
    let fromItem: Item
  }

  func check(_ item: Item) -> [TariffCatalog.Tariff] {
    guard case .sequence = item.node.content else {
      item.fault("is no list", "write one tariff a line: - \(TariffChecker.example)")
      return []
    }
    var versions: [Version] = []
    let tariffs = item.elements.compactMap { tariff($0, &versions) }
    checkVersions(versions)
    return tariffs
  }

  private func tariff(_ item: Item, _ versions: inout [Version]) -> TariffCatalog.Tariff? {
    guard let section = item.section(TariffChecker.keys, expected: TariffChecker.example) else { return nil }
    let plan = section.required("plan", "one of the plans").flatMap(names.plan)
    let service = section.required("service", "one of the services").flatMap(names.service)
    let fromItem = section.required("valid_from", "the day from which it holds: valid_from: 2026-01-01")
    let from = fromItem.flatMap { CatalogValues.instant($0, in: names.zone) }
    let to = section["valid_to"].map { CatalogValues.instant($0, in: names.zone) }
    CatalogValues.checkOrder(from, to ?? nil, section)
    let scale = TariffCatalog.quantityScale
    let increment =
      section["increment"].map { CatalogValues.decimal($0, scale: scale, atLeast: 1, "units such as 1 or 60") }
      ?? Int64(Decimal.powersOfTen[scale])
    let free = section["free"].map { CatalogValues.decimal($0, scale: scale, "units such as 120") } ?? 0
    let rollover = section["rollover"].map { CatalogValues.decimal($0, scale: scale, "units such as 60") } ?? 0
    let tiers = tiers(section)
    var version = ""
    if let fromItem, case .scalar(let scalar) = fromItem.node.content { version = scalar.text }
    guard let plan, let service, let fromItem, let from, to != .some(nil) else { return nil }
    versions.append(
      Version(
        plan: plan, service: service, from: from, fromText: version, to: to ?? nil, item: item, fromItem: fromItem))
    guard let increment, let free, let rollover, let tiers else { return nil }
    return Tariff(
      plan: plan, service: service, version: version, validFrom: from, validTo: (to ?? nil) ?? EventTimes.maximum,
      increment: increment, free: free, rollover: rollover, tiers: tiers)
  }

  // MARK: Prices

  private func tiers(_ section: Section) -> [TariffCatalog.Tier]? {
    switch (section["price"], section["tiers"]) {
    case (let price?, nil): return readPrice(price).map { [TariffCatalog.Tier(upTo: nil, price: $0)] }
    case (nil, let tiers?): return readTiers(tiers)
    case (_?, let tiers?):
      tiers.keyFault("stands beside `price`", "write one of them")
      return nil
    case (nil, nil):
      section.fault("has no price", "add price: 0.01, or tiers: [{up_to: 1000, price: 0.05}, {price: 0.1}]")
      return nil
    }
  }

  private func readPrice(_ item: Item) -> Int64? {
    CatalogValues.decimal(item, scale: TariffCatalog.priceScale, "a price a unit, such as 0.01")
  }

  private func readTiers(_ item: Item) -> [TariffCatalog.Tier]? {
    guard case .sequence(let nodes) = item.node.content, !nodes.isEmpty else {
      item.fault("is no list of tiers", "write [{up_to: 1000, price: 0.05}, {price: 0.1}]")
      return nil
    }
    let elements = item.elements
    var tiers: [TariffCatalog.Tier] = []
    var reached: Int64 = 0
    for (index, element) in elements.enumerated() {
      guard let section = element.section(["up_to", "price"], expected: "{up_to: 1000, price: 0.05}") else { continue }
      let price = section.required("price", "its price a unit").flatMap(readPrice)
      let isLast = index == elements.count - 1
      let upTo = bound(section, isLast: isLast, &reached)
      if let price, upTo != .some(nil) { tiers.append(TariffCatalog.Tier(upTo: upTo ?? nil, price: price)) }
    }
    return tiers.count == elements.count ? tiers : nil
  }

  /// The tier's bound: nil where it rightly has none, nil within where it is faulty.
  private func bound(_ section: Section, isLast: Bool, _ reached: inout Int64) -> Int64?? {
    guard let item = section["up_to"] else {
      if isLast { return nil }
      section.fault("has no bound, and more tiers follow", "add up_to, or move it to the end")
      return .some(nil)
    }
    if isLast {
      item.keyFault("bounds the last tier: what is beyond has no price", "remove it, or add a tier without up_to")
      return .some(nil)
    }
    let expected = "the billable units up to which it holds, such as 1000"
    guard let upTo = CatalogValues.decimal(item, scale: TariffCatalog.quantityScale, expected) else {
      return .some(nil)
    }
    guard upTo > reached else {
      item.fault("is not above the tier before", "let up_to rise from tier to tier, from above 0")
      return .some(nil)
    }
    reached = upTo
    return upTo
  }

  // MARK: Versions

  private func checkVersions(_ versions: [Version]) {
    for group in Dictionary(grouping: versions, by: { "\($0.plan)/\($0.service)" }).values {
      let sorted = group.sorted {
        ($0.from, $0.item.keyPlace.line, $0.item.keyPlace.column)
          < ($1.from, $1.item.keyPlace.line, $1.item.keyPlace.column)
      }
      for (earlier, later) in zip(sorted, sorted.dropFirst()) { check(earlier, later) }
    }
  }

  private func check(_ earlier: Version, _ later: Version) {
    let name = "\(earlier.plan)/\(earlier.service) valid from \(earlier.fromText) (line \(earlier.item.keyPlace.line))"
    if earlier.from == later.from {
      later.fromItem.fault("begins with \(name)", "keep one of them, or let one begin later")
    } else if earlier.to ?? EventTimes.maximum > later.from {
      later.fromItem.fault("overlaps \(name)", "end that one: valid_to: \(later.fromText)")
    } else if let to = earlier.to, to < later.from {
      later.fromItem.fault(
        "leaves a gap behind \(name)", "let that one end when this one begins: valid_to: \(later.fromText)")
    }
  }
}
