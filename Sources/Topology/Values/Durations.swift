/// Lengths of time as the language writes them: `250ms 10s 5m 1h 30d`.
enum Durations {
  /// The units, the largest first, in milliseconds.
  static let units: [(name: String, milliseconds: Int64)] = [
    ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
  ]
  /// A hundred years: more is a slip.
  static let longestMilliseconds: Int64 = 36_500 * 86_400_000

  static let example = "250ms, 10s, 5m, 1h or 30d"

  /// The milliseconds of `text`, or nil when it is no duration or longer than a hundred years.
  static func parse(_ text: String, signed: Bool = false) -> Int64? {
    var digits = text[...]
    let isNegative = signed && digits.first == "-"
    if isNegative { digits = digits.dropFirst() }
    let number = digits.prefix { $0.isASCII && $0.isNumber }
    let unit = digits.dropFirst(number.count)
    guard let count = Int64(number), let scale = units.first(where: { $0.name == unit })?.milliseconds else {
      return nil
    }
    let (product, overflow) = count.multipliedReportingOverflow(by: scale)
    guard !overflow, product <= longestMilliseconds else { return nil }
    return isNegative ? -product : product
  }

  /// Whether `text` is a duration in form but longer than a hundred years.
  static func isTooLong(_ text: String) -> Bool {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    return !digits.isEmpty && parse(text) == nil && units.contains { $0.name == text.dropFirst(digits.count) }
  }

  /// The shortest way to write a duration.
  static func format(_ milliseconds: Int64) -> String {
    guard milliseconds != 0 else { return "0s" }
    let unit = units.first { milliseconds % $0.milliseconds == 0 } ?? units[units.count - 1]
    return "\(milliseconds / unit.milliseconds)\(unit.name)"
  }

  /// Up to three divisors of `size` near `wanted`, in order: two below and one above.
  static func divisors(of size: Int64, near wanted: Int64) -> [Int64] {
    let unit = units.first { size % $0.milliseconds == 0 && wanted % $0.milliseconds == 0 }?.milliseconds ?? 1
    let (total, target) = (size / unit, wanted / unit)
    var found: [Int64] = []
    var candidate = min(target, total) - 1
    let lowest = max(1, candidate - 100_000)
    while candidate >= lowest, found.count < 2 {
      if total % candidate == 0 { found.insert(candidate * unit, at: 0) }
      candidate -= 1
    }
    candidate = target + 1
    let highest = min(total, target + 100_000)
    while candidate <= highest, found.count < 3 {
      if total % candidate == 0 {
        found.append(candidate * unit)
        break
      }
      candidate += 1
    }
    return found
  }
}

/// Sizes in memory as the language writes them: `64KB 256MB 2GB`, in powers of 1024.
enum Sizes {
  private static let units: [(name: String, shift: Int)] = [("KB", 10), ("MB", 20), ("GB", 30)]

  static func parse(_ text: String) -> Int? {
    let number = text.prefix { $0.isASCII && $0.isNumber }
    let unit = text.dropFirst(number.count)
    guard let count = Int(number), let shift = units.first(where: { $0.name == unit })?.shift else { return nil }
    let (product, overflow) = count.multipliedReportingOverflow(by: 1 << shift)
    return overflow ? nil : product
  }

  static func format(_ bytes: Int) -> String {
    guard let unit = units.last(where: { bytes > 0 && bytes % (1 << $0.shift) == 0 }) else { return "\(bytes) bytes" }
    return "\(bytes >> unit.shift)\(unit.name)"
  }
}
