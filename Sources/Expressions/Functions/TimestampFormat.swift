import StreamModel

/// A compiled strftime format by which texts are read as timestamps.
///
/// Numbers may lack their leading zeros, except the four-digit year; a blank in the format stands for any number of blanks.
/// Names of months and days are English. Without `%z` or `%Z` the time is of the zone that the call names, or UTC.
struct TimestampFormat: Sendable {
  /// What is wrong with a format's text.
  struct Fault: Error {
    let message: String
    let mend: String
  }

  private enum Item: Hashable, Sendable {
    case year, shortYear, month, monthName, day, dayOfYear, weekdayName
    case hour, halfDayHour, minute, second, fraction, halfDay
    case offset, zoneName, epochSeconds
    case blank
    case byte(UInt8)
  }

  private let text: String
  private let items: [Item]

  private static let directives: [Character: [Item]] = [
    "Y": [.year], "y": [.shortYear], "m": [.month], "b": [.monthName], "B": [.monthName], "h": [.monthName],
    "d": [.day],
    "e": [.blank, .day], "j": [.dayOfYear], "a": [.weekdayName], "A": [.weekdayName], "H": [.hour],
    "k": [.blank, .hour],
    "I": [.halfDayHour], "l": [.blank, .halfDayHour], "M": [.minute], "S": [.second], "f": [.fraction], "p": [.halfDay],
    "z": [.offset], "Z": [.zoneName], "s": [.epochSeconds], "n": [.blank], "t": [.blank], "%": [.byte(37)],
    "T": [.hour, .byte(58), .minute, .byte(58), .second], "R": [.hour, .byte(58), .minute],
    "F": [.year, .byte(45), .month, .byte(45), .day], "D": [.month, .byte(47), .day, .byte(47), .shortYear],
  ]

  init(_ text: String) throws(Fault) {
    self.text = text
    var items: [Item] = []
    var isDirective = false
    for character in text {
      if isDirective {
        guard let directive = TimestampFormat.directives[character] else {
          throw Fault(
            message: "%\(character) is no field of a format",
            mend: "fields are %Y %y %m %d %e %j %b %B %a %A %H %I %M %S %f %p %z %Z %s %T %R %F %D %%")
        }
        items += directive
        isDirective = false
      } else if character == "%" {
        isDirective = true
      } else {
        items += character.isWhitespace ? [.blank] : character.utf8.map { .byte($0) }
      }
    }
    if isDirective {
      throw Fault(message: "the format ends in the middle of a field", mend: "write %% for a percent sign")
    }
    self.items = items
    try checkFields()
  }

  private func checkFields() throws(Fault) {
    let fields = Set(items)
    if fields.isDisjoint(with: [.year, .shortYear, .epochSeconds]) {
      throw Fault(message: "the format '\(text)' has no year", mend: "write %Y or %y, or %s for seconds since 1970")
    }
    if fields.contains(.halfDayHour) != fields.contains(.halfDay) {
      throw Fault(
        message: "%I (hours to 12) and %p (AM or PM) need each other", mend: "write %I with %p, or %H for hours to 23")
    }
  }

  // MARK: Reading

  private static let months = [
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
  ]
  .map { Array($0.utf8) }
  private static let weekdays = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"].map {
    Array($0.utf8)
  }

  /// The fields read so far.
  private struct Fields {
    var year = 1970
    var month = 1
    var day = 1
    var dayOfYear: Int?
    var hour = 0
    var isAfternoon: Bool?
    var minute = 0
    var second = 0
    var millisecond = 0
    var epochSeconds: Int64?
    var offset: Int64?
    var zone: ZoneRules?
  }

  /// Reads the first argument of every row, in the zone of the second where there is one.
  func parse(_ invocation: Invocation, givesNull: Bool) -> Operand {
    let texts = invocation.operands[0]
    var zones = invocation.operands.count > 1 ? ZoneCache(invocation.operands[1]) : nil
    return invocation.map(Int64.self) { row in
      guard let zone = zones == nil ? ZoneRules.utc : zones?.zone(row) else {
        return givesNull ? nil : invocation.failure(row, zones?.reason(row) ?? "")
      }
      if let time = parse(texts.bytes(row), in: zone) { return time }
      return givesNull ? nil : invocation.failure(row, "\(texts.shown(row)) is no timestamp in the format '\(text)'")
    }
  }

  /// The time that `text` writes; nil when it is not of this format or there is no such time.
  func parse(_ text: UnsafeBufferPointer<UInt8>, in zone: ZoneRules) -> EventTime? {
    var fields = Fields()
    var cursor = 0
    for item in items { guard read(item, text, &cursor, &fields) else { return nil } }
    guard cursor == text.count else { return nil }
    return time(fields, zone).flatMap { TimeArithmetic.isInRange($0) ? $0 : nil }
  }

  private func time(_ fields: Fields, _ zone: ZoneRules) -> EventTime? {
    if let seconds = fields.epochSeconds { return seconds * 1000 + Int64(fields.millisecond) }
    var day: Int64
    if let dayOfYear = fields.dayOfYear {
      guard dayOfYear <= (CivilTime.isLeap(fields.year) ? 366 : 365) else { return nil }
      day = CivilTime.days(year: fields.year, month: 1, day: 1) + Int64(dayOfYear - 1)
    } else {
      guard fields.day <= CivilTime.daysInMonth(year: fields.year, month: fields.month) else { return nil }
      day = CivilTime.days(year: fields.year, month: fields.month, day: fields.day)
    }
    var hour = fields.hour
    if let isAfternoon = fields.isAfternoon { hour = hour % 12 + (isAfternoon ? 12 : 0) }
    let clock = Int64((hour * 60 + fields.minute) * 60 + fields.second) * 1000 + Int64(fields.millisecond)
    let local = day * CivilTime.millisecondsPerDay + clock
    return fields.offset.map { local - $0 } ?? (fields.zone ?? zone).utc(ofLocal: local)
  }

  private func read(_ item: Item, _ text: UnsafeBufferPointer<UInt8>, _ cursor: inout Int, _ fields: inout Fields)
    -> Bool
  {
    switch item {
    case .byte(let byte):
      guard cursor < text.count, text[cursor] == byte else { return false }
      cursor += 1
      return true
    case .blank:
      while cursor < text.count, text[cursor] == 0x20 || text[cursor] &- 9 < 5 { cursor += 1 }
      return true
    case .year: return number(text, &cursor, 4...4, 1...9999, &fields.year)
    case .shortYear:
      guard number(text, &cursor, 2...2, 0...99, &fields.year) else { return false }
      fields.year += fields.year < 69 ? 2000 : 1900
      return true
    case .month: return number(text, &cursor, 1...2, 1...12, &fields.month)
    case .day: return number(text, &cursor, 1...2, 1...31, &fields.day)
    case .hour: return number(text, &cursor, 1...2, 0...23, &fields.hour)
    case .halfDayHour: return number(text, &cursor, 1...2, 1...12, &fields.hour)
    case .minute: return number(text, &cursor, 1...2, 0...59, &fields.minute)
    case .second: return number(text, &cursor, 1...2, 0...59, &fields.second)
    case .dayOfYear:
      var day = 0
      defer { fields.dayOfYear = day }
      return number(text, &cursor, 1...3, 1...366, &day)
    default: return readRare(item, text, &cursor, &fields)
    }
  }

  private func readRare(_ item: Item, _ text: UnsafeBufferPointer<UInt8>, _ cursor: inout Int, _ fields: inout Fields)
    -> Bool
  {
    switch item {
    case .monthName:
      guard let index = name(TimestampFormat.months, text, &cursor) else { return false }
      fields.month = index + 1
      return true
    case .weekdayName: return name(TimestampFormat.weekdays, text, &cursor) != nil
    case .fraction: return fraction(text, &cursor, &fields.millisecond)
    case .halfDay:
      guard cursor + 2 <= text.count, text[cursor + 1] | 0x20 == UInt8(ascii: "m") else { return false }
      let half = text[cursor] | 0x20
      guard half == UInt8(ascii: "a") || half == UInt8(ascii: "p") else { return false }
      fields.isAfternoon = half == UInt8(ascii: "p")
      cursor += 2
      return true
    case .offset: return offset(text, &cursor, &fields.offset)
    case .zoneName:
      let start = cursor
      while cursor < text.count, TimestampFormat.isInZoneName(text[cursor]) { cursor += 1 }
      fields.zone = ZoneRules.named(String(decoding: text[start..<cursor], as: UTF8.self))
      return fields.zone != nil
    default:
      let isNegative = cursor < text.count && text[cursor] == UInt8(ascii: "-")
      if isNegative { cursor += 1 }
      var seconds = 0
      guard number(text, &cursor, 1...12, 0...Int.max, &seconds) else { return false }
      fields.epochSeconds = Int64(isNegative ? -seconds : seconds)
      return true
    }
  }

  private static func isInZoneName(_ byte: UInt8) -> Bool {
    (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte &- 48 < 10 || [43, 45, 47, 95].contains(byte)
  }

  @inline(__always) private func number(
    _ text: UnsafeBufferPointer<UInt8>, _ cursor: inout Int, _ digits: ClosedRange<Int>, _ range: ClosedRange<Int>,
    _ value: inout Int
  ) -> Bool {
    let start = cursor
    var number = 0
    while cursor < text.count, cursor - start < digits.upperBound, text[cursor] &- 48 <= 9 {
      number = number * 10 + Int(text[cursor] &- 48)
      cursor += 1
    }
    value = number
    return cursor - start >= digits.lowerBound && range.contains(number)
  }

  /// Digits after the point; those beyond milliseconds must be zero.
  private func fraction(_ text: UnsafeBufferPointer<UInt8>, _ cursor: inout Int, _ millisecond: inout Int) -> Bool {
    let start = cursor
    var value = 0
    while cursor < text.count, cursor - start < 9, text[cursor] &- 48 <= 9 {
      if cursor - start < 3 {
        value = value * 10 + Int(text[cursor] &- 48)
      } else if text[cursor] != 48 {
        return false
      }
      cursor += 1
    }
    for _ in 0..<max(0, 3 - (cursor - start)) { value *= 10 }
    millisecond = value
    return cursor > start
  }

  /// `Z`, `+01`, `+0130` or `+01:30`.
  private func offset(_ text: UnsafeBufferPointer<UInt8>, _ cursor: inout Int, _ offset: inout Int64?) -> Bool {
    guard cursor < text.count else { return false }
    let sign = text[cursor]
    cursor += 1
    if sign | 0x20 == UInt8(ascii: "z") {
      offset = 0
      return true
    }
    var (hours, minutes) = (0, 0)
    guard sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"), number(text, &cursor, 2...2, 0...23, &hours) else {
      return false
    }
    let hasColon = cursor < text.count && text[cursor] == UInt8(ascii: ":")
    if hasColon { cursor += 1 }
    if hasColon || (cursor < text.count && text[cursor] &- 48 <= 9) {
      guard number(text, &cursor, 2...2, 0...59, &minutes) else { return false }
    }
    offset = Int64(hours * 60 + minutes) * (sign == UInt8(ascii: "-") ? -60_000 : 60_000)
    return true
  }

  /// The index of the name at the cursor, whole or its first three letters.
  private func name(_ names: [[UInt8]], _ text: UnsafeBufferPointer<UInt8>, _ cursor: inout Int) -> Int? {
    for (index, name) in names.enumerated() {
      for length in [name.count, 3] where cursor + length <= text.count {
        if (0..<length).allSatisfy({ text[cursor + $0] | 0x20 == name[$0] }) {
          cursor += length
          return index
        }
      }
    }
    return nil
  }
}
