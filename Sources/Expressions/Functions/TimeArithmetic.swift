import StreamModel

/// Arithmetic on times in the UTC calendar, a column at a time. Dates are taken as their first millisecond.
enum TimeArithmetic {
  static func isInRange(_ time: EventTime) -> Bool {
    time >= EventTimes.earliestRecord && time <= EventTimes.latestRecord
  }

  /// `time` plus whole months, the day cut to the month's last; nil outside years 1 to 9999.
  static func addMonths(_ months: Int64, to time: EventTime) -> EventTime? {
    guard months.magnitude < 200_000, isInRange(time) else { return nil }
    let (day, millisecond) = CivilTime.split(time)
    let date = CivilTime.date(ofDay: day)
    let month = Int64(date.year) * 12 + Int64(date.month - 1) + months
    let (year, monthOfYear) = (Int(month / 12), Int(month % 12) + 1)
    guard month >= 12, year <= 9999 else { return nil }
    let last = CivilTime.daysInMonth(year: year, month: monthOfYear)
    return CivilTime.days(year: year, month: monthOfYear, day: min(date.day, last)) * CivilTime.millisecondsPerDay
      + millisecond
  }

  /// `time` plus `interval`: first its months, then its milliseconds.
  static func add(_ interval: Interval, to time: EventTime) -> EventTime? {
    let moved = interval.months == 0 ? time : addMonths(interval.months, to: time)
    guard let (sum, overflow) = moved?.addingReportingOverflow(interval.milliseconds), !overflow, isInRange(sum) else {
      return nil
    }
    return sum
  }

  /// The first argument of every row plus `interval`.
  static func shift(_ invocation: Invocation, by interval: Interval) -> Operand {
    let times = invocation.operands[0]
    let cells = times.cells(Int64.self)
    let unit = invocation.type == .date ? CivilTime.millisecondsPerDay : 1
    return invocation.map(Int64.self) { row in
      guard let time = add(interval, to: cells[row] * unit) else {
        return invocation.failure(row, "\(times.shown(row)) plus the interval is outside the years 1 to 9999")
      }
      return unit == 1 ? time : CivilTime.split(time).day
    }
  }

  /// `timestamp_add(unit, count, time)`: arguments count and time.
  static func add(_ invocation: Invocation, _ unit: TimeUnit) -> Operand {
    let counts = invocation.operands[0].cells(Int64.self)
    let times = invocation.operands[1]
    let cells = times.cells(Int64.self)
    let scale = invocation.type == .date ? CivilTime.millisecondsPerDay : 1
    return invocation.map(Int64.self) { row in
      guard let interval = interval(counts[row], unit), let time = add(interval, to: cells[row] * scale) else {
        return invocation.failure(
          row, "\(times.shown(row)) plus \(counts[row]) \(unit.rawValue)s is outside the years 1 to 9999")
      }
      return scale == 1 ? time : CivilTime.split(time).day
    }
  }

  private static func interval(_ count: Int64, _ unit: TimeUnit) -> Interval? {
    let (length, overflow) = count.multipliedReportingOverflow(by: unit.milliseconds ?? unit.months ?? 0)
    if overflow { return nil }
    return unit.milliseconds == nil ? Interval(months: length) : Interval(milliseconds: length)
  }

  /// Whole units from one time to another, toward zero. Of months, the most that can be added to the earlier time without
  /// passing the later.
  static func difference(_ unit: TimeUnit, _ from: EventTime, _ to: EventTime) -> Int64 {
    if let length = unit.milliseconds { return (to - from) / length }
    let (earlier, later) = from <= to ? (from, to) : (to, from)
    let (first, last) = (
      CivilTime.date(ofDay: CivilTime.split(earlier).day), CivilTime.date(ofDay: CivilTime.split(later).day)
    )
    var months = Int64(last.year - first.year) * 12 + Int64(last.month - first.month)
    if let reached = addMonths(months, to: earlier), reached > later { months -= 1 }
    months /= unit.months ?? 1
    return from <= to ? months : -months
  }

  /// The start of the unit in which `time` lies.
  static func truncate(_ time: EventTime, _ unit: TimeUnit) -> EventTime {
    let (day, millisecond) = CivilTime.split(time)
    switch unit {
    case .millisecond, .second, .minute, .hour: return time - millisecond % (unit.milliseconds ?? 1)
    case .week: return (day - Int64(isoWeekday(day) - 1)) * CivilTime.millisecondsPerDay
    case .month, .quarter, .year:
      let date = CivilTime.date(ofDay: day)
      let month = unit == .year ? 1 : unit == .quarter ? (date.month - 1) / 3 * 3 + 1 : date.month
      return CivilTime.days(year: date.year, month: month, day: 1) * CivilTime.millisecondsPerDay
    default: return day * CivilTime.millisecondsPerDay
    }
  }

  /// 1 (Monday) to 7 (Sunday).
  static func isoWeekday(_ day: Int64) -> Int { Int(((day + 3) % 7 + 7) % 7) + 1 }

  /// The ISO 8601 week of a day, and the year it belongs to: that of its Thursday.
  static func isoWeek(_ day: Int64) -> (year: Int, week: Int) {
    let thursday = day + 4 - Int64(isoWeekday(day))
    let year = CivilTime.date(ofDay: thursday).year
    return (year, Int(thursday - CivilTime.days(year: year, month: 1, day: 1)) / 7 + 1)
  }

  /// A field of a time, as a whole number.
  static func field(_ unit: TimeUnit, of time: EventTime) -> Int64 {
    let (day, millisecond) = CivilTime.split(time)
    switch unit {
    case .millisecond: return millisecond % 1000
    case .second: return millisecond / 1000 % 60
    case .minute: return millisecond / 60_000 % 60
    case .hour: return millisecond / 3_600_000
    case .dayOfWeek: return Int64(isoWeekday(day) % 7 + 1)
    case .isoDayOfWeek: return Int64(isoWeekday(day))
    case .week: return Int64(isoWeek(day).week)
    case .isoYear: return Int64(isoWeek(day).year)
    case .epoch: return (time - (millisecond % 1000)) / 1000
    case .day, .month, .quarter, .year, .dayOfYear:
      let date = CivilTime.date(ofDay: day)
      switch unit {
      case .day: return Int64(date.day)
      case .month: return Int64(date.month)
      case .quarter: return Int64((date.month + 2) / 3)
      case .year: return Int64(date.year)
      default: return day - CivilTime.days(year: date.year, month: 1, day: 1) + 1
      }
    }
  }

  /// `time at time zone zone`: what the zone's clocks show.
  static func atTimeZone(_ invocation: Invocation) -> Operand {
    let cells = invocation.operands[0].cells(Int64.self)
    var zones = ZoneCache(invocation.operands[1])
    return invocation.map(Int64.self) { row in
      guard let zone = zones.zone(row) else { return invocation.failure(row, zones.reason(row)) }
      let local = cells[row] + zone.offsetMilliseconds(atUTC: cells[row])
      return isInRange(local)
        ? local
        : invocation.failure(row, "\(invocation.operands[0].shown(row)) in \(zone.name) is outside the years 1 to 9999")
    }
  }
}

/// The time zones that a column names; the last one is kept at hand.
struct ZoneCache {
  private let names: Operand
  /// The zone that all rows name.
  private let only: ZoneRules?
  private var last: (name: [UInt8], zone: ZoneRules?)?

  init(_ names: Operand) {
    self.names = names
    only = names.isConstant && names.isValid(0) ? ZoneRules.named(names.string(0)) : nil
  }

  /// The zone that row `row` names, or nil when there is none.
  mutating func zone(_ row: Int) -> ZoneRules? {
    if let only { return only }
    let name = names.bytes(row)
    if let last, last.name.count == name.count, last.name.elementsEqual(name) { return last.zone }
    let zone = ZoneRules.named(String(decoding: name, as: UTF8.self))
    last = (Array(name), zone)
    return zone
  }

  func reason(_ row: Int) -> String { "no time zone \(names.shown(row))" }
}
