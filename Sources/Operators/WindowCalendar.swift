import StreamModel

/// One calendar: a zone's days, weeks from Monday, or months from the cycle's day.
struct WindowCalendar {
  let unit: WindowSpec.CalendarUnit
  let zone: ZoneRules
  /// The day of the month on which a cycle begins, 1 to 31; the last day of months that lack it.
  let cycleDay: Int

  /// The window that `time` lies in.
  ///
  /// A local day begins with its first instant. Where the clock is put back over midnight, the old day's last hour comes
  /// again after the new day has begun; those instants belong to the new day's window, since windows don't overlap.
  func window(at time: EventTime) -> (start: EventTime, end: EventTime) {
    let today = CivilTime.split(time + zone.offsetMilliseconds(atUTC: time)).day
    var first = firstDay(of: today)
    var next = firstDay(after: first)
    while instant(next) <= time {
      first = next
      next = firstDay(after: first)
    }
    while instant(first) > time {
      next = first
      first = firstDay(of: first - 1)
    }
    return (instant(first), instant(next))
  }

  /// The first instant of a local day.
  private func instant(_ day: Int64) -> EventTime { zone.utc(ofLocal: day * CivilTime.millisecondsPerDay) }

  /// The first day of the window that `day` lies in.
  private func firstDay(of day: Int64) -> Int64 {
    switch unit {
    case .day: return day
    case .week:
      let daysSinceMonday = (day + 3) % 7
      return day - (daysSinceMonday < 0 ? daysSinceMonday + 7 : daysSinceMonday)
    case .month:
      let date = CivilTime.date(ofDay: day)
      let begin = cycleStart(year: date.year, month: date.month)
      if begin <= day { return begin }
      return date.month == 1
        ? cycleStart(year: date.year - 1, month: 12) : cycleStart(year: date.year, month: date.month - 1)
    }
  }

  /// The first day of the window after the one that begins on `day`.
  private func firstDay(after day: Int64) -> Int64 {
    switch unit {
    case .day: return day + 1
    case .week: return day + 7
    case .month:
      let date = CivilTime.date(ofDay: day)
      return date.month == 12
        ? cycleStart(year: date.year + 1, month: 1) : cycleStart(year: date.year, month: date.month + 1)
    }
  }

  private func cycleStart(year: Int, month: Int) -> Int64 {
    CivilTime.days(year: year, month: month, day: min(cycleDay, CivilTime.daysInMonth(year: year, month: month)))
  }
}

/// Calendar windows whose zone and cycle day may be each row's own.
///
/// The pairs of zone and cycle day in use are numbered as they are seen. They are few; should a column be full of nonsense,
/// they are numbered anew when there are too many.
final class CalendarWindowAssigner: WindowAssigner {
  private enum Context {
    case calendar(WindowCalendar)
    case fault(String)
  }

  private let unit: WindowSpec.CalendarUnit
  private let timezone: WindowSpec.Setting<String>
  private let cycleDay: WindowSpec.Setting<Int>
  private let encoder: KeyEncoder?
  private var table = GroupTable()
  private let slots = Scratch<Int32>()
  private let identity = Scratch<Int32>()
  private var contexts: [Context] = []
  private(set) var generation = 0
  private static let maxContexts = 1 << 16

  let every: Int64 = 1
  var contextCount: Int { contexts.count }

  init(_ unit: WindowSpec.CalendarUnit, timezone: WindowSpec.Setting<String>, cycleDay: WindowSpec.Setting<Int>) {
    self.unit = unit
    self.timezone = timezone
    self.cycleDay = cycleDay
    var columns: [Int] = []
    if case .column(let column) = timezone { columns.append(column) }
    if case .column(let column) = cycleDay { columns.append(column) }
    encoder = columns.isEmpty ? nil : KeyEncoder(keyColumns: columns)
    if columns.isEmpty { contexts = [context(nil, row: 0)] }
  }

  func contexts(_ batch: RecordBatch) -> UnsafePointer<Int32>? {
    guard let encoder else { return nil }
    if contexts.count > CalendarWindowAssigner.maxContexts {
      table = GroupTable()
      contexts = []
      generation += 1
    }
    encoder.encode(batch)
    let rows = identity.reserve(batch.count)
    for row in 0..<batch.count { rows[row] = Int32(truncatingIfNeeded: row) }
    let slots = slots.reserve(batch.count)
    table.assign(KeyBatch(encoder), rows: rows, count: batch.count, slots: slots)
    if table.slotCount > contexts.count {
      for row in 0..<batch.count where Int(slots[row]) == contexts.count { contexts.append(context(batch, row: row)) }
    }
    return UnsafePointer(slots)
  }

  func fault(ofContext context: Int32) -> String? {
    if case .fault(let reason) = contexts[Int(context)] { reason } else { nil }
  }

  private func context(_ batch: RecordBatch?, row: Int) -> Context {
    let zone: Value
    switch timezone {
    case .constant(let name): zone = .string(name)
    case .column(let column): zone = batch?.columns[column].value(at: row) ?? .null
    }
    guard case .string(let name) = zone else { return .fault("the window's timezone is null") }
    guard let rules = ZoneRules.named(name) else { return .fault("there is no timezone \"\(name)\"") }
    switch cycleDay {
    case .constant(let day): return calendar(rules, Int64(day))
    case .column(let column):
      guard case .int64(let day)? = batch?.columns[column].value(at: row) else {
        return .fault("the window's cycle_day is null")
      }
      return calendar(rules, day)
    }
  }

  private func calendar(_ zone: ZoneRules, _ day: Int64) -> Context {
    guard (1...31).contains(day) else { return .fault("cycle_day is \(day), not a day from 1 to 31") }
    return .calendar(WindowCalendar(unit: unit, zone: zone, cycleDay: Int(day)))
  }

  func span(at time: EventTime, context: Int32) -> PaneSpan? {
    guard case .calendar(let calendar) = contexts[Int(context)] else { return nil }
    let window = calendar.window(at: time)
    let key = PaneKey(start: window.start, firstEnd: window.end, onTimeEnd: window.end, lastEnd: window.end)
    return PaneSpan(key: key, from: window.start, until: window.end)
  }

  func start(ofWindowEndingAt end: EventTime, in pane: PaneKey) -> EventTime { pane.start }
}
