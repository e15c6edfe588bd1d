import Operators
import StreamModel

/// Checks what a catalogue says of invoices: `discounts:`, `vat:` and `fees:`.
struct InvoiceRulesChecker {
  let names: CatalogNames

  private static let conditions = ["plans", "regions", "student", "valid_from", "valid_to"]

  func check(_ root: Section) -> InvoiceRules {
    var rules = InvoiceRules()
    if let item = root["discounts"] { readDiscounts(item, &rules) }
    if let item = root["vat"] { rules.vat = VATChecker().check(item) }
    if let item = root["fees"] { rules.fees = list(item, "{name: line, amounts: {EUR: 9.99}}").compactMap(readFee) }
    return rules
  }

  private func list(_ item: Item, _ example: String) -> [Item] {
    if case .sequence = item.node.content { return item.elements }
    item.fault("is no list", "write one a line: - \(example)")
    return []
  }

  private func readName(_ section: Section, _ example: String) -> String? {
    guard let item = section.required("name", "a name, which stands on invoices: name: \(example)"),
      let scalar = item.scalar("a name such as \(example)")
    else { return nil }
    if Names.isColumnName(scalar.text) { return scalar.text }
    item.fault("`\(scalar.shown)` is no name", "use at most 128 characters on one line")
    return nil
  }

  private func readCondition(_ section: Section) -> InvoiceRules.Condition {
    var condition = InvoiceRules.Condition()
    condition.plans = section["plans"].map { names.set($0, names.plan) }
    condition.regions = section["regions"].map { item in
      Set(item.elements.compactMap { $0.scalar("a region such as urban")?.text })
    }
    condition.student = section["student"]?.flag()
    condition.firstDay = section["valid_from"].flatMap(CatalogValues.day)
    condition.endDay = section["valid_to"].flatMap(CatalogValues.day)
    CatalogValues.checkOrder(condition.firstDay, condition.endDay, section)
    return condition
  }

  // MARK: Discounts

  private func readDiscounts(_ item: Item, _ rules: inout InvoiceRules) {
    let expected = "{cap: 30, rules: [{name: student, percent: 15, student: true}]}"
    guard let section = item.section(["cap", "rules"], expected: expected) else { return }
    if let cap = section.required("cap", "the most that all of them take off together, in percent: cap: 30").flatMap({
      CatalogValues.percent($0, in: 0...100)
    }) {
      rules.capTenThousandths = cap.tenThousandths
    }
    guard let item = section.required("rules", "a list of discounts") else { return }
    rules.discounts = list(item, "{name: student, percent: 15, student: true}").compactMap(readDiscount)
  }

  private func readDiscount(_ item: Item) -> InvoiceRules.Discount? {
    let keys =
      ["name", "percent", "percent_per_year", "at_most", "thresholds", "of"] + InvoiceRulesChecker.conditions
    guard let section = item.section(keys, expected: "{name: student, percent: 15, student: true}") else { return nil }
    let name = readName(section, "student")
    let condition = readCondition(section)
    let size = readSize(section)
    guard let name, let size else { return nil }
    return InvoiceRules.Discount(name: name, condition: condition, size: size)
  }

  private func readSize(_ section: Section) -> InvoiceRules.Discount.Size? {
    let kinds = ["percent", "percent_per_year", "thresholds"]
    let found = kinds.filter { section[$0] != nil }
    guard let kind = found.first, found.count == 1 else {
      section.fault(
        found.isEmpty ? "has no size" : "has several sizes: \(found.joined(separator: ", "))",
        "write one of percent, percent_per_year and thresholds")
      return nil
    }
    reject(["at_most"], unless: kind == "percent_per_year", in: section, "percent_per_year")
    reject(["of"], unless: kind == "thresholds", in: section, "thresholds")
    func percent(_ item: Item) -> Int64? { CatalogValues.percent(item, in: 0...100)?.tenThousandths }
    switch kind {
    case "percent": return section["percent"].flatMap(percent).map { .percent($0) }
    case "percent_per_year":
      let most = section.required("at_most", "the most that all years take off: at_most: 10").flatMap(percent)
      guard let each = section["percent_per_year"].flatMap(percent), let most else { return nil }
      return .perYear(each, atMost: most)
    default:
      let of = section["of"].map(readVolume) ?? .some(nil)
      let thresholds = section["thresholds"].flatMap(readThresholds)
      guard let thresholds, let of else { return nil }
      return .thresholds(thresholds, service: of)
    }
  }

  private func reject(_ keys: [String], unless isFitting: Bool, in section: Section, _ kind: String) {
    if isFitting { return }
    for key in keys { section[key]?.keyFault("goes only with \(kind)", "remove it") }
  }

  /// `charges`, for which it gives no service, or a service; nil where it is faulty.
  private func readVolume(_ item: Item) -> String?? {
    if case .scalar(let scalar) = item.node.content, scalar.text == "charges" { return .some(nil) }
    return names.service(item).map { .some($0) }
  }

  private func readThresholds(_ item: Item) -> [InvoiceRules.Discount.Threshold]? {
    let items = list(item, "{from: 100, percent: 2}")
    if items.isEmpty, case .sequence = item.node.content {
      item.fault("names no threshold", "write [{from: 100, percent: 2}]")
    }
    var thresholds: [InvoiceRules.Discount.Threshold] = []
    for element in items {
      guard let section = element.section(["from", "percent"], expected: "{from: 100, percent: 2}") else { continue }
      let from = section.required("from", "where it begins: from: 100").flatMap {
        CatalogValues.decimal($0, scale: TariffCatalog.quantityScale, "a number such as 100")
      }
      let percent = section.required("percent", "what it takes off: percent: 2").flatMap {
        CatalogValues.percent($0, in: 0...100)
      }
      if let from, let last = thresholds.last, from <= last.from {
        section["from"]?.fault("is not above the threshold before", "let `from` rise from threshold to threshold")
      }
      guard let from, let percent else { continue }
      thresholds.append(InvoiceRules.Discount.Threshold(from: from, percent: percent.tenThousandths))
    }
    return thresholds.count == items.count && !items.isEmpty ? thresholds : nil
  }

  // MARK: Fees

  private func readFee(_ item: Item) -> InvoiceRules.Fee? {
    let keys = ["name", "amounts"] + InvoiceRulesChecker.conditions
    guard let section = item.section(keys, expected: "{name: line, amounts: {EUR: 9.99}}") else { return nil }
    let name = readName(section, "line")
    let condition = readCondition(section)
    let expected = "the amount in each currency: amounts: {EUR: 9.99}"
    guard let amounts = section.required("amounts", expected)?.openSection(expected: expected) else { return nil }
    if amounts.entries.isEmpty { amounts.fault("names no currency", "write {EUR: 9.99}") }
    var read: [String: Int64] = [:]
    for (currency, item) in amounts.items {
      if !CatalogValues.isCurrency(currency) {
        item.keyFault("`\(Shown.text(currency))` is no currency", "write its three capital letters, such as EUR")
      }
      read[currency] = CatalogValues.decimal(item, scale: InvoiceSpec.moneyScale, "an amount such as 9.99")
    }
    return name.map { InvoiceRules.Fee(name: $0, condition: condition, amounts: read) }
  }
}

/// Checks `vat:`: rates on their own, then those of each country against one another.
struct VATChecker {
  private struct Rate {
    let rate: InvoiceRules.VATRate
    let section: Section
  }

  func check(_ item: Item) -> [InvoiceRules.VATRate] {
    guard case .sequence = item.node.content else {
      item.fault("is no list", "write one rate a line: - {country: IE, percent: 23}")
      return []
    }
    let rates = item.elements.compactMap(read)
    for group in Dictionary(grouping: rates, by: { $0.rate.country ?? "" }).values { checkDates(group) }
    return rates.map(\.rate)
  }

  private func read(_ item: Item) -> Rate? {
    let keys = ["country", "percent", "valid_from", "valid_to"]
    guard let section = item.section(keys, expected: "{country: IE, percent: 23}") else { return nil }
    let country = section["country"].map(readCountry)
    let percent = section.required("percent", "the rate: percent: 23").flatMap {
      CatalogValues.percent($0, in: 0...100)
    }
    let first = section["valid_from"].flatMap(CatalogValues.day)
    let end = section["valid_to"].flatMap(CatalogValues.day)
    CatalogValues.checkOrder(first, end, section)
    guard let percent, country != .some(nil) else { return nil }
    let rate = InvoiceRules.VATRate(
      country: country ?? nil, percent: percent.tenThousandths, firstDay: first, endDay: end)
    return Rate(rate: rate, section: section)
  }

  private func readCountry(_ item: Item) -> String? {
    guard let scalar = item.scalar("a country such as IE") else { return nil }
    let isCountry =
      scalar.text.utf8.count == 2
      && scalar.text.utf8.allSatisfy { $0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "Z") }
    if isCountry { return scalar.text }
    item.fault("`\(scalar.shown)` is no country", "write its two capital letters, such as IE")
    return nil
  }

  private func checkDates(_ rates: [Rate]) {
    let sorted = rates.sorted {
      ($0.rate.firstDay ?? .min, $0.section.keyPlace.line) < ($1.rate.firstDay ?? .min, $1.section.keyPlace.line)
    }
    for (earlier, later) in zip(sorted, sorted.dropFirst()) {
      let first = later.rate.firstDay ?? .min
      let end = earlier.rate.endDay ?? .max
      let name = "the rate on line \(earlier.section.keyPlace.line)"
      if end > first {
        later.section.fault("overlaps \(name)", "end that one, with valid_to, when this one begins, with valid_from")
      } else if end < first {
        later.section.fault("leaves a gap behind \(name)", "let that one end when this one begins")
      }
    }
  }
}
