import StreamModel

/// Which windows a row belongs to.
enum TestWindow {
  case tumble(size: Int64, offset: Int64)
  case hop(size: Int64, every: Int64, offset: Int64)
  case cumulate(size: Int64, every: Int64, offset: Int64)
  case session(gap: Int64)
  case day(TestZone)
  case week(TestZone)
  case month(TestZone, cycleDay: TestCycleDay)

  enum TestZone {
    case constant(String)
    case column(Int, name: String)
  }

  enum TestCycleDay {
    case constant(Int)
    case column(Int, name: String)
  }

  typealias Span = (start: EventTime, end: EventTime)

  /// The windows of a row; a session's own before it meets others.
  func spans(of row: ReferenceRow, _ calendars: ReferenceCalendars) throws -> [Span] {
    let time = row.time
    switch self {
    case .tumble(let size, let offset):
      let start = TestWindow.floor(time, size, offset)
      return [(start, start + size)]
    case .hop(let size, let every, let offset):
      let last = TestWindow.floor(time, every, offset)
      return (0..<size / every).map { last - $0 * every }.map { ($0, $0 + size) }.filter { time < $0.1 }
    case .cumulate(let size, let every, let offset):
      let start = TestWindow.floor(time, size, offset)
      return (1...size / every).map { (start, start + $0 * every) }.filter { time < $0.1 }
    case .session(let gap): return [(time, time + gap)]
    case .day(let zone): return [try zone.calendar(row, calendars).day(of: time)]
    case .week(let zone): return [try zone.calendar(row, calendars).week(of: time)]
    case .month(let zone, let cycleDay):
      return [try zone.calendar(row, calendars).month(of: time, cycleDay: cycleDay.value(row))]
    }
  }

  /// The last `offset + n * size` that is not after `time`.
  private static func floor(_ time: EventTime, _ size: Int64, _ offset: Int64) -> EventTime {
    let beyond = (time - offset) % size
    return time - (beyond < 0 ? beyond + size : beyond)
  }
}

extension TestWindow.TestZone {
  func calendar(_ row: ReferenceRow, _ calendars: ReferenceCalendars) throws -> ReferenceCalendar {
    switch self {
    case .constant(let name): return try calendars.named(name)
    case .column(let column, _):
      guard case .string(let name) = row.values[column] else { throw RowFault("no time zone") }
      return try calendars.named(name)
    }
  }
}

extension TestWindow.TestCycleDay {
  func value(_ row: ReferenceRow) -> Int {
    switch self {
    case .constant(let day): return day
    case .column(let column, _):
      if case .int64(let day) = row.values[column] { return Int(day) }
      return 1
    }
  }
}
