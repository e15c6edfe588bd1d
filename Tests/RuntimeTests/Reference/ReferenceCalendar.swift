import Foundation
import StreamModel

/// Local days of one time zone, found by looking at the clock every quarter of an hour.
///
/// Offsets come from Foundation, not from the engine's own reader of time zone files.
final class ReferenceCalendar {
  private let zone: TimeZone
  private var starts: [Int64: EventTime] = [:]
  private static let millisecondsPerDay: Int64 = 86_400_000
  private static let quarterHour: Int64 = 900_000

  private init(_ zone: TimeZone) { self.zone = zone }

  /// The zone of the IANA database called `name`.
  convenience init(named name: String) throws {
    guard TimeZone.knownTimeZoneIdentifiers.contains(name) || name == "UTC", let zone = TimeZone(identifier: name)
    else {
      throw RowFault("\(name) is no time zone")
    }
    self.init(zone)
  }

  private func localDay(_ time: EventTime) -> Int64 {
    let offset = zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(time) / 1000))
    return ReferenceCalendar.floor(time + Int64(offset) * 1000, ReferenceCalendar.millisecondsPerDay)
  }

  private static func floor(_ value: Int64, _ size: Int64) -> Int64 {
    value >= 0 ? value / size : -((-value + size - 1) / size)
  }

  /// The first instant of a local day: the first at which the clock shows it or a later one.
  private func start(ofDay day: Int64) -> EventTime {
    if let known = starts[day] { return known }
    var time = day * ReferenceCalendar.millisecondsPerDay - 15 * 3_600_000
    while localDay(time) < day { time += ReferenceCalendar.quarterHour }
    starts[day] = time
    return time
  }

  /// The span of consecutive days in `starts` (ascending) that holds `time`.
  private func span(of time: EventTime, between days: [Int64]) -> TestWindow.Span {
    let instants = days.map(start(ofDay:))
    for (start, end) in zip(instants, instants.dropFirst()) where start <= time && time < end { return (start, end) }
    preconditionFailure("\(time) is in none of the days \(days)")
  }

  func day(of time: EventTime) -> TestWindow.Span {
    let day = localDay(time)
    return span(of: time, between: Array(day - 2...day + 2))
  }

  /// Weeks begin on Monday; 1970-01-01 was a Thursday.
  func week(of time: EventTime) -> TestWindow.Span {
    let monday = ReferenceCalendar.floor(localDay(time) + 3, 7) * 7 - 3
    return span(of: time, between: [monday - 7, monday, monday + 7, monday + 14])
  }

  /// Months begin on `cycleDay`, or on their last day where they are shorter.
  func month(of time: EventTime, cycleDay: Int) -> TestWindow.Span {
    var days: [Int64] = []
    for month in -2...2 { days.append(ReferenceCalendar.cycleStart(near: localDay(time), month: month, cycleDay)) }
    return span(of: time, between: days)
  }

  /// The day on which the cycle begins, `month` months after the month of day `day`.
  private static func cycleStart(near day: Int64, month: Int, _ cycleDay: Int) -> Int64 {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = TimeZone(secondsFromGMT: 0) ?? .gmt
    var parts = calendar.dateComponents([.year, .month], from: Date(timeIntervalSince1970: Double(day) * 86_400))
    parts.day = 1
    parts.month = (parts.month ?? 1) + month
    guard let first = calendar.date(from: parts), let days = calendar.range(of: .day, in: .month, for: first) else {
      preconditionFailure("no month \(parts)")
    }
    return Int64(first.timeIntervalSince1970) / 86_400 + Int64(min(cycleDay, days.count)) - 1
  }
}

/// Calendars used so far, by the names of their zones.
final class ReferenceCalendars {
  private var known: [String: ReferenceCalendar] = [:]

  func named(_ name: String) throws -> ReferenceCalendar {
    if let calendar = known[name] { return calendar }
    let calendar = try ReferenceCalendar(named: name)
    known[name] = calendar
    return calendar
  }
}
