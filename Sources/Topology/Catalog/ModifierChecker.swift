import Operators
import StreamModel

/// Checks `modifiers:`.
struct ModifierChecker {
  let names: CatalogNames

  private static let keys = [
    "name", "percent", "services", "plans", "roaming", "international", "hours", "weekdays", "valid_from", "valid_to",
  ]
  private static let weekdays = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
  private static let example = "{name: evening, percent: 2, services: [voice], hours: \"18:00-23:00\"}"

  func check(_ item: Item) -> [RateModifier] {
    guard case .sequence = item.node.content else {
      if !item.isEmpty { item.fault("is no list", "write one modifier a line: - \(ModifierChecker.example)") }
      return []
    }
    var lines: [String: Int] = [:]
    return item.elements.compactMap { modifier($0, &lines) }
  }

  private func modifier(_ item: Item, _ lines: inout [String: Int]) -> RateModifier? {
    guard let section = item.section(ModifierChecker.keys, expected: ModifierChecker.example) else { return nil }
    let name = section.required("name", "a name, which stands in records: name: evening").flatMap {
      readName($0, &lines)
    }
    let percent = section.required("percent", "the change: percent: -2").flatMap {
      CatalogValues.percent($0, in: -100...1000)
    }
    guard
      var modifier = percent.map({
        RateModifier(name: name ?? "", percentText: $0.text, percentTenThousandths: $0.tenThousandths)
      })
    else { return nil }
    modifier.services = section["services"].map { names.set($0, names.service) }
    modifier.plans = section["plans"].map { names.set($0, names.plan) }
    modifier.roaming = section["roaming"]?.flag()
    modifier.international = section["international"]?.flag()
    modifier.hours = section["hours"].flatMap(readHours)
    if let weekdays = section["weekdays"] { modifier.weekdays = readWeekdays(weekdays) }
    modifier.firstDay = section["valid_from"].flatMap(CatalogValues.day)
    modifier.endDay = section["valid_to"].flatMap(CatalogValues.day)
    CatalogValues.checkOrder(modifier.firstDay, modifier.endDay, section)
    return name == nil ? nil : modifier
  }

  private func readName(_ item: Item, _ lines: inout [String: Int]) -> String? {
    guard let scalar = item.scalar("a name such as evening") else { return nil }
    CatalogValues.checkName(scalar.text, item)
    if let line = lines[scalar.text] {
      item.fault("`\(scalar.shown)` is the name of the modifier on line \(line) already", "choose another name")
      return nil
    }
    lines[scalar.text] = item.node.place.line
    return scalar.text
  }

  private func readHours(_ item: Item) -> RateModifier.Hours? {
    let expected = "two times of day such as \"18:00-23:00\""
    guard let scalar = item.scalar(expected) else { return nil }
    let parts = scalar.text.split(separator: "-", omittingEmptySubsequences: false).map(ModifierChecker.minute)
    guard parts.count == 2, let start = parts[0], let end = parts[1], start < 1440 else {
      item.fault("`\(scalar.shown)` is no span of hours", "write \(expected)")
      return nil
    }
    guard start != end else {
      item.fault("begins and ends at the same time", "remove it for all day, or write another end")
      return nil
    }
    return RateModifier.Hours(start: start, end: end)
  }

  /// `08:00` as minutes; `24:00` is the end of the day.
  private static func minute(_ text: Substring) -> Int? {
    let bytes = Array(text.utf8)
    guard bytes.count == 5, bytes[2] == UInt8(ascii: ":") else { return nil }
    let digits = [bytes[0], bytes[1], bytes[3], bytes[4]].map { Int($0) - 48 }
    guard digits.allSatisfy({ (0...9).contains($0) }) else { return nil }
    let (hour, minute) = (digits[0] * 10 + digits[1], digits[2] * 10 + digits[3])
    return minute < 60 && (hour < 24 || hour == 24 && minute == 0) ? hour * 60 + minute : nil
  }

  private func readWeekdays(_ item: Item) -> UInt8 {
    var mask: UInt8 = 0
    for element in item.elements {
      guard let day = element.choice(ModifierChecker.weekdays),
        let index = ModifierChecker.weekdays.firstIndex(of: day)
      else { continue }
      mask |= 1 << UInt8(index)
    }
    if mask == 0, item.faults.isEmpty { item.fault("names no day", "write days such as [saturday, sunday]") }
    return mask
  }

  // MARK: Together

  /// Bounds how many modifiers one tariff can have, and what they multiply to.
  static func checkCombinations(_ catalog: TariffCatalog, _ item: Item?) {
    for tariff in catalog.tariffs {
      let modifiers = catalog.modifiers.filter { $0.concerns(plan: tariff.plan, service: tariff.service) }
      var product: Int128 = Decimal.powersOfTen[TariffCatalog.quantityScale + TariffCatalog.priceScale]
      let fits = modifiers.allSatisfy { modifier in
        let factor = max(modifier.numerator, modifier.denominator)
        let (next, overflow) = product.multipliedReportingOverflow(by: factor)
        product = next
        return !overflow
      }
      if fits, modifiers.count <= RateModifier.maxCount { continue }
      item?.keyFault(
        "too many modifiers concern \(tariff.plan)/\(tariff.service) for an exact product",
        "use fewer, or percentages with fewer digits")
      return
    }
  }
}
