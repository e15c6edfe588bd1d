/// The rule at the end of a zone file for times after its last transition: a POSIX `TZ` string such as
/// `IST-1GMT0,M10.5.0,M3.5.0/1`. All offsets are in seconds east of Greenwich.
struct ZoneFooter: Equatable {
  let standardOffset: Int64
  let daylight: Daylight?

  struct Daylight: Equatable {
    let offset: Int64
    let start: Day
    let end: Day
  }

  /// A day of every year, and the second of that day's wall clock.
  struct Day: Equatable {
    enum Kind: Equatable {
      /// `Jn`: 1…365, February 29 is never counted.
      case julian(Int)
      /// `n`: 0…365, February 29 is counted.
      case ofYear(Int)
      /// `Mm.w.d`: weekday `d` (0 = Sunday) of week `w` (5 = last) of month `m`.
      case weekday(month: Int, week: Int, day: Int)
    }
    let kind: Kind
    let second: Int64

    /// Seconds since 1970-01-01T00:00:00 on the wall clock.
    func wallClock(in year: Int) -> Int64 {
      let newYear = CivilTime.days(year: year, month: 1, day: 1)
      switch kind {
      case .julian(let day):
        return (newYear + Int64(day - 1 + (CivilTime.isLeap(year) && day > 59 ? 1 : 0))) * 86_400 + second
      case .ofYear(let day): return (newYear + Int64(day)) * 86_400 + second
      case .weekday(let month, let week, let day):
        let first = CivilTime.days(year: year, month: month, day: 1)
        let weekdayOfFirst = Int(((first + 4) % 7 + 7) % 7)
        var date = (day - weekdayOfFirst + 7) % 7 + (week - 1) * 7
        while date >= CivilTime.daysInMonth(year: year, month: month) { date -= 7 }
        return (first + Int64(date)) * 86_400 + second
      }
    }
  }

  /// The year's changes of offset, in order; where both fall on one instant, the one to daylight time is the later.
  func changes(in year: Int) -> [(instant: Int64, offset: Int64)] {
    guard let daylight else { return [] }
    let toDaylight = (instant: daylight.start.wallClock(in: year) - standardOffset, offset: daylight.offset)
    let toStandard = (instant: daylight.end.wallClock(in: year) - daylight.offset, offset: standardOffset)
    return toDaylight.instant < toStandard.instant ? [toDaylight, toStandard] : [toStandard, toDaylight]
  }

  init?(_ text: some Sequence<UInt8>) {
    var reader = Reader(text: Array(text))
    guard reader.skipName(), let standard = reader.offset() else { return nil }
    standardOffset = -standard
    if reader.isAtEnd {
      daylight = nil
      return
    }
    guard reader.skipName() else { return nil }
    var offset = standardOffset + 3600
    if reader.peek != UInt8(ascii: ",") {
      guard let own = reader.offset() else { return nil }
      offset = -own
    }
    guard reader.take(UInt8(ascii: ",")), let start = reader.day(), reader.take(UInt8(ascii: ",")),
      let end = reader.day(),
      reader.isAtEnd
    else { return nil }
    daylight = Daylight(offset: offset, start: start, end: end)
  }

  /// Reads a `TZ` string from left to right.
  private struct Reader {
    let text: [UInt8]
    var cursor = 0

    var isAtEnd: Bool { cursor == text.count }
    var peek: UInt8? { isAtEnd ? nil : text[cursor] }

    mutating func take(_ byte: UInt8) -> Bool {
      guard peek == byte else { return false }
      cursor += 1
      return true
    }

    mutating func skipName() -> Bool {
      let start = cursor
      if take(UInt8(ascii: "<")) {
        while let byte = peek, byte != UInt8(ascii: ">") { _ = take(byte) }
        return take(UInt8(ascii: ">"))
      }
      while let byte = peek, byte | 0x20 >= UInt8(ascii: "a"), byte | 0x20 <= UInt8(ascii: "z") { _ = take(byte) }
      return cursor - start >= 3
    }

    mutating func number() -> Int? {
      let start = cursor
      var value = 0
      while let byte = peek, byte &- 48 <= 9, cursor - start < 5 {
        value = value * 10 + Int(byte - 48)
        cursor += 1
      }
      return cursor > start ? value : nil
    }

    /// `[+-]hh[:mm[:ss]]` in seconds.
    mutating func offset() -> Int64? {
      let isNegative = take(UInt8(ascii: "-"))
      if !isNegative { _ = take(UInt8(ascii: "+")) }
      guard let hours = number(), hours <= 167 else { return nil }
      var seconds = Int64(hours) * 3600
      for unit in [Int64(60), 1] where take(UInt8(ascii: ":")) {
        guard let part = number(), part < 60 else { return nil }
        seconds += Int64(part) * unit
      }
      return isNegative ? -seconds : seconds
    }

    mutating func day() -> Day? {
      guard let kind = dayKind() else { return nil }
      guard take(UInt8(ascii: "/")) else { return Day(kind: kind, second: 7200) }
      return offset().map { Day(kind: kind, second: $0) }
    }

    private mutating func dayKind() -> Day.Kind? {
      if take(UInt8(ascii: "J")) { return number().flatMap { (1...365).contains($0) ? .julian($0) : nil } }
      guard take(UInt8(ascii: "M")) else { return number().flatMap { (0...365).contains($0) ? .ofYear($0) : nil } }
      guard let month = number(), (1...12).contains(month), take(UInt8(ascii: ".")), let week = number(),
        (1...5).contains(week), take(UInt8(ascii: ".")), let day = number(), (0...6).contains(day)
      else { return nil }
      return .weekday(month: month, week: week, day: day)
    }
  }
}
