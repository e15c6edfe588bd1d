import Operators
import StreamModel

/// Checks a whole catalogue, gathering every fault on the way.
struct CatalogChecker {
  let root: Section

  private static let keys = [
    "catalog", "name", "currency", "timezone", "services", "plans", "tariffs", "modifiers", "discounts", "vat",
    "fees",
  ]

  /// The catalogue; nil, with faults, where something of it is faulty.
  func check() -> TariffCatalog? {
    root.checkKeys(CatalogChecker.keys)
    checkVersion()
    let name = root.required("name", "the catalogue's name: name: consumer").flatMap(readName)
    let currency = root.required("currency", "the currency of its prices: currency: EUR").flatMap(
      CatalogValues.currency)
    let zone = root["timezone"].map(CatalogValues.zone) ?? .utc
    let services = readServices()
    let plans = readPlans()
    let names = CatalogNames(services: services.map(\.name), plans: plans.map(\.name), zone: zone ?? .utc)
    let tariffs = root.required("tariffs", "what usage costs: tariffs: [{plan, service, valid_from, price}]").map {
      TariffChecker(names: names).check($0)
    }
    let modifiers = root["modifiers"].map { ModifierChecker(names: names).check($0) } ?? []
    let invoices = InvoiceRulesChecker(names: names).check(root)
    guard root.faults.isEmpty, let name, let currency, let tariffs else { return nil }
    let catalog = TariffCatalog(
      name: name, currency: currency, services: services, plans: plans, tariffs: tariffs, modifiers: modifiers,
      invoices: invoices)
    ModifierChecker.checkCombinations(catalog, root["modifiers"])
    return root.faults.isEmpty ? catalog : nil
  }

  private func checkVersion() {
    guard let item = root.required("catalog", "the version of its language: catalog: 1"),
      let scalar = item.scalar("1"), scalar.text != "1"
    else { return }
    item.fault("version `\(scalar.shown)` is not known", "write catalog: 1")
  }

  private func readName(_ item: Item) -> String? {
    guard let scalar = item.scalar("a name such as consumer") else { return nil }
    if Names.isTopologyName(scalar.text) { return scalar.text }
    item.fault("`\(scalar.shown)` is no name", "use at most \(Names.longest) of a-z, 0-9 and -")
    return nil
  }

  private func readServices() -> [TariffCatalog.Service] {
    let expected = "services and their units: {voice: second, sms: message}"
    guard let section = root.required("services", expected)?.openSection(expected: expected) else { return [] }
    if section.entries.isEmpty { section.fault("names no service", "write \(expected)") }
    return section.items.map { name, item in
      CatalogValues.checkName(name, item)
      return TariffCatalog.Service(name: name, unit: item.scalar("the unit it is measured in")?.text ?? "")
    }
  }

  private func readPlans() -> [TariffCatalog.Plan] {
    let expected = "plans: {standard: {international: false}}"
    guard let section = root.required("plans", expected)?.openSection(expected: expected) else { return [] }
    if section.entries.isEmpty { section.fault("names no plan", "write \(expected)") }
    return section.items.map { name, item in
      CatalogValues.checkName(name, item)
      let settings = item.section(["international"], expected: "{international: true} or {international: false}")
      let international = settings?["international"].map { $0.flag() ?? false } ?? false
      return TariffCatalog.Plan(name: name, allowsInternational: international)
    }
  }
}

/// The names that a catalogue declares, and the zone in which its days begin.
struct CatalogNames {
  let services: [String]
  let plans: [String]
  let zone: ZoneRules

  func service(_ item: Item) -> String? { CatalogNames.find(item, among: services, "service") }
  func plan(_ item: Item) -> String? { CatalogNames.find(item, among: plans, "plan") }

  /// A list of names, or a single one.
  func set(_ item: Item, _ read: (Item) -> String?) -> Set<String> { Set(item.elements.compactMap(read)) }

  private static func find(_ item: Item, among names: [String], _ kind: String) -> String? {
    guard let scalar = item.scalar("a \(kind)") else { return nil }
    if names.contains(scalar.text) { return scalar.text }
    // Where no name could be read, that is the fault.
    if !names.isEmpty {
      let mend = NearestName.suggestion(for: scalar.text, among: names, otherwise: "")
      item.fault("there is no \(kind) `\(scalar.shown)`", mend)
    }
    return nil
  }
}
