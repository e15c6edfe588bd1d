import Foundation

/// Days, clocks and billing cycles, found by looking at instants one after another.
final class ModelCalendar {
  private var zones: [String: TimeZone?] = [:]
  private var cycles: [String: ModelCycle] = [:]
  private let utc: Calendar

  init() {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = TimeZone(secondsFromGMT: 0)!
    utc = calendar
  }

  func zone(_ name: String) -> TimeZone? {
    if let known = zones[name] { return known }
    let zone = name.contains("/") || name == "UTC" ? TimeZone(identifier: name) : nil
    zones[name] = zone
    return zone
  }

  private func localMinutes(_ time: Int64, _ zone: TimeZone) -> Int64 {
    let offset = zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(time) / 1000))
    return (time + Int64(offset) * 1000).flooring(60_000)
  }

  /// The local day of an instant, as days since 1970-01-01.
  func localDay(_ time: Int64, _ zone: TimeZone) -> Int64 { localMinutes(time, zone).flooring(1440) }

  /// The local day, the weekday (1 is Monday) and the clock as `HH:MM`.
  func wallClock(_ time: Int64, _ zone: TimeZone) -> (day: Int64, weekday: Int, clock: String) {
    let minutes = localMinutes(time, zone)
    let day = minutes.flooring(1440)
    let date = Date(timeIntervalSince1970: Double(day) * 86_400)
    // Foundation counts from Sunday.
    let weekday = (utc.component(.weekday, from: date) + 5) % 7 + 1
    return (day, weekday, ModelCalendar.clock(minutes - day * 1440))
  }

  private static func clock(_ minutes: Int64) -> String {
    String(repeating: "0", count: minutes < 600 ? 1 : 0) + "\(minutes / 60):"
      + String(repeating: "0", count: minutes % 60 < 10 ? 1 : 0) + "\(minutes % 60)"
  }

  /// `06:00` as `30:00`.
  static func later(_ clock: String) -> String { "\(Int(clock.prefix(2))! + 24)" + clock.dropFirst(2) }

  /// The monthly cycle that begins on day `day` of the month, or on the last of months that lack it.
  func cycle(at time: Int64, _ zone: TimeZone, _ day: Int) -> ModelCycle {
    let name = "\(zone.identifier) \(day) \(time.flooring(900_000))"
    if let known = cycles[name] { return known }
    let parts = utc.dateComponents([.year, .month], from: Date(timeIntervalSince1970: Double(time) / 1000))
    let starts = (-2...2).map { start(year: parts.year!, month: parts.month! + $0, day, zone) }
    let index = starts.lastIndex { $0 <= time }!
    let cycle = ModelCycle(start: starts[index], end: starts[index + 1])
    cycles[name] = cycle
    return cycle
  }

  private func start(year: Int, month: Int, _ day: Int, _ zone: TimeZone) -> Int64 {
    let first = utc.date(from: DateComponents(year: year, month: month, day: 1))!
    let length = utc.range(of: .day, in: .month, for: first)!.count
    let date = utc.date(byAdding: .day, value: min(day, length) - 1, to: first)!
    let dayNumber = Int64(date.timeIntervalSince1970) / 86_400
    // The first quarter of an hour whose local day is that one or a later one.
    var instant = dayNumber * 86_400_000 - 30 * 3_600_000
    while localDay(instant, zone) < dayNumber { instant += 900_000 }
    return instant
  }
}

extension Int64 {
  /// Divided, rounded down.
  fileprivate func flooring(_ divisor: Int64) -> Int64 {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? quotient - 1 : quotient
  }
}
