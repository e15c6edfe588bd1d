/// A unit of time.
enum TimeUnit: String, CaseIterable, Sendable {
  case millisecond, second, minute, hour, day, week, month, quarter, year
  case dayOfWeek = "dow"
  case isoDayOfWeek = "isodow"
  case dayOfYear = "doy"
  case isoYear = "isoyear"
  case epoch

  /// Reads a unit's name, in the singular or the plural.
  init?(name: String) {
    let name = name.lowercased()
    if let unit = TimeUnit(rawValue: name) ?? TimeUnit.synonyms[name] { self = unit; return }
    guard name.hasSuffix("s"), let unit = TimeUnit(rawValue: String(name.dropLast())), unit.isLength else { return nil }
    self = unit
  }

  private static let synonyms: [String: TimeUnit] = ["dayofweek": .dayOfWeek, "dayofyear": .dayOfYear]

  /// Whether it is a length of time, as opposed to a field of a date.
  var isLength: Bool {
    switch self {
    case .dayOfWeek, .isoDayOfWeek, .dayOfYear, .isoYear, .epoch: false
    default: true
    }
  }

  /// Its length, for units that always have the same.
  var milliseconds: Int64? {
    switch self {
    case .millisecond: 1
    case .second: 1000
    case .minute: 60_000
    case .hour: 3_600_000
    case .day: 86_400_000
    case .week: 604_800_000
    default: nil
    }
  }

  var months: Int64? {
    switch self {
    case .month: 1
    case .quarter: 3
    case .year: 12
    default: nil
    }
  }

  /// Names of the units that satisfy `condition`, for a message.
  static func names(where condition: (TimeUnit) -> Bool) -> String {
    allCases.filter(condition).map(\.rawValue).joined(separator: ", ")
  }
}

/// A length of time: whole months, and milliseconds.
struct Interval: Hashable, Sendable {
  var months: Int64 = 0
  var milliseconds: Int64 = 0

  /// Whether it is a whole number of days or months, so that a date plus it is a date.
  var isWholeDays: Bool { milliseconds % 86_400_000 == 0 }

  var negated: Interval { Interval(months: -months, milliseconds: -milliseconds) }

  /// The fields of a literal from `first` to `last`, each as many of the next as one of it: `interval '1:30' hour to minute`.
  private static let dayToSecond: [TimeUnit] = [.day, .hour, .minute, .second]
  private static let limit: Int64 = 1 << 52

  /// Reads what an interval literal quotes; nil when it does not fit the units.
  init?(_ text: String, from first: TimeUnit, to last: TimeUnit?) {
    var digits = Substring(text)
    let isNegative = digits.hasPrefix("-")
    if isNegative || digits.hasPrefix("+") { digits = digits.dropFirst() }
    if let last, last != first {
      self.init(fields: digits, from: first, to: last)
    } else {
      self.init(single: digits, of: first)
    }
    if isNegative { self = negated }
  }

  private init?(single digits: Substring, of unit: TimeUnit) {
    if let months = unit.months {
      guard let count = Interval.whole(digits), count <= Interval.limit / months / 1000 else { return nil }
      self.init(months: count * months)
    } else if unit == .second {
      guard let count = Interval.seconds(digits) else { return nil }
      self.init(milliseconds: count)
    } else {
      guard let length = unit.milliseconds, let count = Interval.whole(digits), count <= Interval.limit / length else {
        return nil
      }
      self.init(milliseconds: count * length)
    }
  }

  private init?(fields digits: Substring, from first: TimeUnit, to last: TimeUnit) {
    if first == .year && last == .month {
      let parts = digits.split(separator: "-", omittingEmptySubsequences: false)
      guard parts.count == 2, let years = Interval.whole(parts[0]), let months = Interval.whole(parts[1]),
        years < 1 << 32,
        months < 12
      else { return nil }
      self.init(months: years * 12 + months)
      return
    }
    guard let start = Interval.dayToSecond.firstIndex(of: first), let end = Interval.dayToSecond.firstIndex(of: last),
      start < end
    else { return nil }
    let units = Interval.dayToSecond[start...end]
    let parts = digits.split(omittingEmptySubsequences: false) { $0 == ":" || $0 == " " }
    guard parts.count == units.count, digits.contains(" ") == (first == .day) else { return nil }
    var total: Int64 = 0
    for (unit, part) in zip(units, parts) {
      guard let length = unit.milliseconds,
        let value = unit == .second ? Interval.seconds(part) : Interval.whole(part).map({ $0 * length }),
        unit == first || value < (unit == .hour ? 86_400_000 : length * 60), value <= Interval.limit
      else { return nil }
      total += value
    }
    self.init(milliseconds: total)
  }

  init(months: Int64 = 0, milliseconds: Int64 = 0) {
    self.months = months
    self.milliseconds = milliseconds
  }

  private static func whole(_ digits: Substring) -> Int64? {
    guard !digits.isEmpty, digits.utf8.count <= 10, digits.utf8.allSatisfy({ $0 &- 48 <= 9 }) else { return nil }
    return Int64(digits)
  }

  /// Seconds with at most three digits after the point, in ms.
  private static func seconds(_ digits: Substring) -> Int64? {
    let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count <= 2, let seconds = whole(parts[0]) else { return nil }
    guard parts.count == 2 else { return seconds * 1000 }
    guard parts[1].utf8.count <= 3, let fraction = whole(parts[1]) else { return nil }
    return seconds * 1000 + fraction * [100, 10, 1][parts[1].utf8.count - 1]
  }
}
