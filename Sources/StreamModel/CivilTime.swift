/// Dates and clock times in UTC, in the proleptic Gregorian calendar.
///
/// Day arithmetic follows Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
package enum CivilTime {
  package static let millisecondsPerDay: Int64 = 86_400_000

  /// Days since 1970-01-01 of a date.
  package static func days(year: Int, month: Int, day: Int) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return Int64(era * 146_097 + dayOfEra - 719_468)
  }

  /// The date of a day number.
  package static func date(ofDay day: Int64) -> (year: Int, month: Int, day: Int) {
    let shifted = Int(day) + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthIndex = (5 * dayOfYear + 2) / 153
    let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthIndex + 2) / 5 + 1)
  }

  package static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

  package static func daysInMonth(year: Int, month: Int) -> Int {
    switch month {
    case 2: isLeap(year) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  /// The day number and the millisecond of the day of a time.
  package static func split(_ time: EventTime) -> (day: Int64, millisecond: Int64) {
    let day = time >= 0 ? time / millisecondsPerDay : (time - millisecondsPerDay + 1) / millisecondsPerDay
    return (day, time - day * millisecondsPerDay)
  }

  /// Reads an RFC 3339 time (`2026-01-01T00:00:00.123+01:00`, `t`, `z`; a blank for the `T` where `allowingBlank`).
  /// Nil when malformed, without a zone, out of range, or with digits beyond milliseconds that are not zero.
  package static func parseTimestamp(_ text: UnsafeBufferPointer<UInt8>, allowingBlank: Bool = false) -> EventTime? {
    guard text.count >= 20, let day = parseDate(UnsafeBufferPointer(rebasing: text[0..<10])) else { return nil }
    let separator = text[10] | 0x20
    guard separator == UInt8(ascii: "t") || (allowingBlank && text[10] == 0x20) else { return nil }
    guard text[13] == UInt8(ascii: ":"), text[16] == UInt8(ascii: ":") else { return nil }
    guard let hour = number(text, 11, 2), let minute = number(text, 14, 2), let second = number(text, 17, 2),
      hour < 24, minute < 60, second < 60
    else { return nil }
    var cursor = 19
    guard let fraction = parseFraction(text, &cursor), let offset = parseOffset(text, cursor) else { return nil }
    let clock = Int64((hour * 60 + minute) * 60 + second) * 1000 + fraction
    let time = day * millisecondsPerDay + clock - offset
    return time >= EventTimes.earliestRecord && time <= EventTimes.latestRecord ? time : nil
  }

  package static func parseTimestamp(_ text: String, allowingBlank: Bool = false) -> EventTime? {
    var text = text
    return text.withUTF8 { parseTimestamp($0, allowingBlank: allowingBlank) }
  }

  private static func parseFraction(_ text: UnsafeBufferPointer<UInt8>, _ cursor: inout Int) -> Int64? {
    guard cursor < text.count, text[cursor] == UInt8(ascii: ".") else { return 0 }
    cursor += 1
    var value: Int64 = 0
    var digits = 0
    while cursor < text.count, text[cursor] &- 48 <= 9 {
      if digits < 3 {
        value = value * 10 + Int64(text[cursor] &- 48)
      } else if text[cursor] != 48 {
        return nil
      }
      digits += 1
      cursor += 1
    }
    guard digits > 0 else { return nil }
    for _ in 0..<max(0, 3 - digits) { value *= 10 }
    return value
  }

  private static func parseOffset(_ text: UnsafeBufferPointer<UInt8>, _ cursor: Int) -> Int64? {
    guard cursor < text.count else { return nil }
    let sign = text[cursor]
    if sign | 0x20 == UInt8(ascii: "z") { return cursor + 1 == text.count ? 0 : nil }
    guard sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"), cursor + 6 == text.count,
      text[cursor + 3] == UInt8(ascii: ":"), let hours = number(text, cursor + 1, 2),
      let minutes = number(text, cursor + 4, 2), hours < 24, minutes < 60
    else { return nil }
    let offset = Int64(hours * 60 + minutes) * 60_000
    return sign == UInt8(ascii: "-") ? -offset : offset
  }

  /// Reads `YYYY-MM-DD` as a day number; nil when malformed or no such day.
  package static func parseDate(_ text: UnsafeBufferPointer<UInt8>) -> Int64? {
    guard text.count == 10, text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"),
      let year = number(text, 0, 4), let month = number(text, 5, 2), let day = number(text, 8, 2),
      year >= 1, month >= 1, month <= 12, day >= 1, day <= daysInMonth(year: year, month: month)
    else { return nil }
    return days(year: year, month: month, day: day)
  }

  private static func number(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ length: Int) -> Int? {
    var value = 0
    for index in start..<start + length {
      let digit = text[index] &- 48
      guard digit <= 9 else { return nil }
      value = value * 10 + Int(digit)
    }
    return value
  }

  /// How many bytes `writeTimestamp` writes: `2026-01-01T00:00:00.000Z`.
  package static let timestampLength = 24

  /// Writes `time` as RFC 3339 with milliseconds in UTC: 24 bytes.
  package static func writeTimestamp(_ time: EventTime, to target: UnsafeMutablePointer<UInt8>) {
    let (day, millisecond) = split(time)
    writeDate(day, to: target)
    target[10] = UInt8(ascii: "T")
    let seconds = Int(millisecond / 1000)
    digits(seconds / 3600, 2, target + 11)
    target[13] = UInt8(ascii: ":")
    digits(seconds / 60 % 60, 2, target + 14)
    target[16] = UInt8(ascii: ":")
    digits(seconds % 60, 2, target + 17)
    target[19] = UInt8(ascii: ".")
    digits(Int(millisecond % 1000), 3, target + 20)
    target[23] = UInt8(ascii: "Z")
  }

  /// Writes a day number as `YYYY-MM-DD`: 10 bytes.
  package static func writeDate(_ day: Int64, to target: UnsafeMutablePointer<UInt8>) {
    let date = date(ofDay: day)
    digits(date.year, 4, target)
    target[4] = UInt8(ascii: "-")
    digits(date.month, 2, target + 5)
    target[7] = UInt8(ascii: "-")
    digits(date.day, 2, target + 8)
  }

  package static func formatTimestamp(_ time: EventTime) -> String {
    String(unsafeUninitializedCapacity: timestampLength) { buffer in
      writeTimestamp(time, to: buffer.baseAddress.unsafelyUnwrapped)
      return timestampLength
    }
  }

  package static func formatDate(_ day: Int64) -> String {
    String(unsafeUninitializedCapacity: 10) { buffer in
      writeDate(day, to: buffer.baseAddress.unsafelyUnwrapped)
      return 10
    }
  }

  @inline(__always) private static func digits(_ value: Int, _ count: Int, _ target: UnsafeMutablePointer<UInt8>) {
    var value = value
    for index in stride(from: count - 1, through: 0, by: -1) {
      target[index] = 48 + UInt8(truncatingIfNeeded: value % 10)
      value /= 10
    }
  }
}
