import StreamModel

/// Single values of catalogues.
enum CatalogValues {
  /// Bound on quantities and prices: twelve digits before the point.
  private static let maxWhole: Int128 = 1_000_000_000_000

  /// A number as an integer scaled by 10^`scale`, at least `lowest`.
  static func decimal(_ item: Item, scale: Int, atLeast lowest: Int64 = 0, _ expected: String) -> Int64? {
    guard let scalar = item.scalar(expected) else { return nil }
    switch Decimal.parse(scalar.text, precision: DataType.maxDecimalPrecision, scale: scale) {
    case .value(let value):
      if value >= Int128(lowest), value <= maxWhole * Decimal.powersOfTen[scale] { return Int64(value) }
      let isLow = value < Int128(lowest)
      let bound = isLow ? "at least \(Numbers.short(lowest, scale: scale))" : "at most \(maxWhole)"
      item.fault("\(scalar.shown) is out of range", "write \(bound)")
    case .malformed: item.fault("`\(scalar.shown)` is no number", "write \(expected)")
    case .losesDigits:
      item.fault("\(scalar.shown) has too many digits after the point", "write at most \(scale) of them")
    case .overflow: item.fault("\(scalar.shown) is out of range", "write at most \(maxWhole)")
    }
    return nil
  }

  /// A percentage, in ten-thousandths, and as it is written.
  static func percent(_ item: Item, in range: ClosedRange<Int64>) -> (text: String, tenThousandths: Int64)? {
    guard let scalar = item.scalar("a percentage such as 2.5") else { return nil }
    switch Decimal.parse(scalar.text, precision: DataType.maxDecimalPrecision, scale: 4) {
    case .value(let value):
      if value >= Int128(range.lowerBound) * 10_000, value <= Int128(range.upperBound) * 10_000 {
        return (scalar.text.hasPrefix("+") ? String(scalar.text.dropFirst()) : scalar.text, Int64(value))
      }
      item.fault("\(scalar.shown) % is out of range", "write \(range.lowerBound) to \(range.upperBound)")
    case .malformed:
      item.fault("`\(scalar.shown)` is no percentage", "write a number such as 2.5, without the sign %")
    case .losesDigits: item.fault("\(scalar.shown) has too many digits after the point", "write at most 4 of them")
    case .overflow: item.fault("\(scalar.shown) % is out of range", "write \(range.lowerBound) to \(range.upperBound)")
    }
    return nil
  }

  static func currency(_ item: Item) -> String? {
    guard let scalar = item.scalar("a currency such as EUR") else { return nil }
    if isCurrency(scalar.text) { return scalar.text }
    item.fault("`\(scalar.shown)` is no currency", "write its three capital letters, such as EUR")
    return nil
  }

  static func isCurrency(_ text: String) -> Bool {
    text.utf8.count == 3 && text.utf8.allSatisfy { $0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "Z") }
  }

  static func zone(_ item: Item) -> ZoneRules? {
    guard let scalar = item.scalar("a time zone such as Europe/Dublin") else { return nil }
    if let zone = ZoneRules.named(scalar.text) { return zone }
    let near = NearestName.nearest(to: scalar.text, among: TimeZoneNames.common)
    item.fault(
      "`\(scalar.shown)` is no time zone",
      near.map { "did you mean `\($0)`?" } ?? "write a name such as Europe/Dublin")
    return nil
  }

  /// A day, as days since 1970-01-01.
  static func day(_ item: Item) -> Int64? {
    guard let scalar = item.scalar("a day such as 2026-01-01") else { return nil }
    if let day = parseDay(scalar.text) { return day }
    item.fault("`\(scalar.shown)` is no day", "write year, month and day: 2026-01-01")
    return nil
  }

  private static func parseDay(_ text: String) -> Int64? {
    var text = text
    return text.withUTF8 { CivilTime.parseDate($0) }
  }

  /// Reports a span of time that ends before it begins.
  static func checkOrder(_ first: Int64?, _ end: Int64?, _ section: Section) {
    if let first, let end, end <= first {
      section["valid_to"]?.fault("is not after valid_from", "write the first day on which it holds no more")
    }
  }

  /// A day, which begins at midnight in `zone`, or a time with its zone.
  static func instant(_ item: Item, in zone: ZoneRules) -> EventTime? {
    guard let scalar = item.scalar("a day such as 2026-01-01") else { return nil }
    if let day = parseDay(scalar.text) { return zone.utc(ofLocal: day * CivilTime.millisecondsPerDay) }
    if let time = CivilTime.parseTimestamp(scalar.text) { return time }
    item.fault(
      "`\(scalar.shown)` is neither a day nor a time", "write 2026-01-01, or a time such as 2026-01-01T00:00:00Z")
    return nil
  }

  /// A plan's, service's or rule's name, which stands in records.
  static func checkName(_ name: String, _ item: Item) {
    let isName =
      !name.isEmpty && name.utf8.count <= Names.longest
      && name.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value != 0x7F && $0 != "/" && $0 != "," }
    if isName { return }
    item.keyFault(
      "`\(Shown.text(name))` is no name", "use at most \(Names.longest) characters, none of them a blank, `/` or `,`")
  }
}
