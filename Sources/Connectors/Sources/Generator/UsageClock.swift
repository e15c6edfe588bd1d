import StreamModel

/// When usage happens: the rate follows the hour of the day and the day of the week, its mean over a week being the one asked
/// for. Record *i* is at the point where *i* records' worth of rate have gone by since the start.
struct UsageClock {
  private static let hourMilliseconds = 3_600_000.0
  private static let weekMilliseconds = 604_800_000.0
  /// The Monday before 1970-01-01, a Thursday.
  private static let firstMonday: EventTime = -3 * CivilTime.millisecondsPerDay

  /// Usage of each hour of the day, relative to the others.
  private static let weekday: [Double] = [
    0.35, 0.22, 0.16, 0.13, 0.13, 0.20, 0.42, 0.78, 1.05, 1.20, 1.25, 1.30, 1.35, 1.30, 1.25, 1.25, 1.30, 1.42, 1.52,
    1.55, 1.50, 1.35, 1.00, 0.62,
  ]
  private static let weekend: [Double] = [
    0.55, 0.40, 0.30, 0.20, 0.15, 0.15, 0.20, 0.35, 0.60, 0.90, 1.10, 1.20, 1.25, 1.25, 1.20, 1.20, 1.20, 1.25, 1.30,
    1.35, 1.35, 1.25, 1.05, 0.80,
  ]

  private let millisecondsPerRecord: Double
  /// The Monday before the start.
  private let monday: EventTime
  /// Where the start lies in its week, in milliseconds at the mean rate.
  private let phase: Double
  /// Where each hour of the week begins, in milliseconds at the mean rate; 169 entries.
  private let hourStarts: [Double]
  /// Event time per time at the mean rate, hour by hour.
  private let stretch: [Double]
  private var hour = 0

  init(start: EventTime, recordsPerEventSecond: Double) {
    millisecondsPerRecord = 1000 / recordsPerEventSecond
    let shapes = (0..<7).map { $0 < 5 ? UsageClock.weekday : UsageClock.weekend.map { $0 * 0.92 } }.flatMap { $0 }
    let mean = shapes.reduce(0, +) / Double(shapes.count)
    var starts = [0.0]
    for shape in shapes { starts.append(starts[starts.count - 1] + UsageClock.hourMilliseconds * shape / mean) }
    hourStarts = starts
    stretch = shapes.map { mean / $0 }
    let week = Int64(UsageClock.weekMilliseconds)
    let sinceMonday = start - UsageClock.firstMonday
    let intoWeek = ((sinceMonday % week) + week) % week
    monday = start - intoWeek
    let hour = Int(intoWeek / 3_600_000)
    phase = starts[hour] + Double(intoWeek % 3_600_000) * shapes[hour] / mean
  }

  /// The event time of record `index`, rising with `index`.
  @inline(__always) mutating func time(ofRecord index: Int64) -> EventTime {
    let elapsed = phase + Double(index) * millisecondsPerRecord
    let week = (elapsed / hourStarts[168]).rounded(.down)
    let within = elapsed - week * hourStarts[168]
    if within < hourStarts[hour] { hour = 0 }
    while hour < 167 && within >= hourStarts[hour + 1] { hour += 1 }
    let intoHour = (within - hourStarts[hour]) * stretch[hour]
    return monday &+ Int64(week) &* 604_800_000 &+ Int64(hour) &* 3_600_000 &+ Int64(intoHour)
  }
}
