import Operators
import StreamModel

/// Checks `window:`.
struct WindowChecker {
  let item: Item
  let input: StreamShape?

  private static let kinds = ["tumble", "hop", "cumulate", "session"]
  private static let units = ["day", "week", "month"]
  /// The most windows that one row may fall into.
  private static let maxWindowsPerRow: Int64 = 100_000
  private static let example = "{tumble: 1h}, {hop: 1h, every: 5m}, {cumulate: 1d, every: 1h} or {session: 30m}"

  /// The window; nil, with faults, where it is faulty.
  func check() -> WindowSpec? {
    let keys = WindowChecker.kinds + ["every", "offset", "timezone", "cycle_day"]
    guard let section = item.section(keys, expected: WindowChecker.example) else { return nil }
    let found = section.items.filter { WindowChecker.kinds.contains($0.name) }
    guard let (kind, size) = found.first else {
      // A kind with a slip in its name is reported as the key that it is.
      if section.items.contains(where: { NearestName.nearest(to: $0.name, among: WindowChecker.kinds) != nil }) {
        return nil
      }
      item.keyFault("names no kind of window", "write \(WindowChecker.example)")
      return nil
    }
    guard found.count == 1 else {
      for (name, item) in found.dropFirst() {
        item.keyFault("is a second kind of window beside `\(kind)`", "remove `\(name)` or `\(kind)`")
      }
      return nil
    }
    switch kind {
    case "session": return session(section, size)
    case "tumble": return calendarUnit(size).map { calendar(section, size, $0) } ?? tumble(section, size)
    default: return stepped(section, kind, size)
    }
  }

  /// Reports keys that do not go with the kind; whether there was none.
  private func reject(_ keys: [String], in section: Section, _ kind: String, _ mend: [String: String] = [:]) -> Bool {
    let found = keys.compactMap { key in section[key].map { (key, $0) } }
    for (key, item) in found { item.keyFault("does not go with \(kind)", mend[key] ?? "remove it") }
    return found.isEmpty
  }

  private static let calendarMend = [
    "timezone": "use a calendar window: tumble: day, week or month",
    "cycle_day": "use a calendar window: tumble: month",
  ]

  private func session(_ section: Section, _ size: Item) -> WindowSpec? {
    let isClean = reject(["every", "offset", "timezone", "cycle_day"], in: section, "a session window")
    guard let gap = size.duration(atLeast: 1), isClean else { return nil }
    return .session(gap: gap)
  }

  private func tumble(_ section: Section, _ size: Item) -> WindowSpec? {
    let isClean = reject(
      ["every", "timezone", "cycle_day"], in: section, "a tumbling window of fixed length",
      WindowChecker.calendarMend.merging(["every": "use hop or cumulate"]) { first, _ in first })
    if case .scalar(let scalar) = size.node.content, !scalar.isUnresolved, !scalar.text.contains(where: \.isNumber),
      !scalar.isNull
    {
      let nearest = NearestName.nearest(to: scalar.text, among: WindowChecker.units).map { "did you mean `\($0)`?" }
      size.fault(
        "`\(scalar.shown)` is no length of a window", nearest ?? "write a duration such as 1h, or day, week or month")
      return nil
    }
    let offset = section["offset"].map { $0.signedDuration() }
    guard let size = size.duration(atLeast: 1), let offset = offset ?? 0, isClean else { return nil }
    return .tumble(size: size, offset: WindowChecker.modulo(offset, size))
  }

  /// `hop` and `cumulate`.
  private func stepped(_ section: Section, _ kind: String, _ item: Item) -> WindowSpec? {
    let isClean = reject(["timezone", "cycle_day"], in: section, "a \(kind) window", WindowChecker.calendarMend)
    if calendarUnit(item) != nil {
      item.fault("a \(kind) window has a fixed length", "write a duration such as 1d, or use tumble")
      return nil
    }
    let offset = section["offset"].map { $0.signedDuration() }
    let size = item.duration(atLeast: 1)
    let every = section.required("every", "the step: every: 5m")
    guard let every, let step = every.duration(atLeast: 1), let size, checkStep(kind, size, step, every),
      let offset = offset ?? 0, isClean
    else { return nil }
    let start = WindowChecker.modulo(offset, size)
    return kind == "hop"
      ? .hop(size: size, every: step, offset: start) : .cumulate(size: size, every: step, offset: start)
  }

  private func checkStep(_ kind: String, _ size: Int64, _ step: Int64, _ every: Item) -> Bool {
    let (whole, part) = (Durations.format(size), Durations.format(step))
    guard step <= size else {
      every.fault(
        "\(part) is longer than the window of \(whole): rows between windows would be lost",
        "use \(whole) or a divisor of it")
      return false
    }
    guard size % step == 0 else {
      let near = Durations.divisors(of: size, near: step).map(Durations.format)
      every.fault("\(part) does not divide \(whole)", "use \(Shown.alternatives(near)), or a session window")
      return false
    }
    guard size / step <= WindowChecker.maxWindowsPerRow else {
      every.fault("\(part) would put each row into \(size / step) windows of \(whole)", "use a longer step")
      return false
    }
    return true
  }

  private static func modulo(_ offset: Int64, _ size: Int64) -> Int64 { ((offset % size) + size) % size }

  // MARK: Calendar

  private func calendarUnit(_ item: Item) -> WindowSpec.CalendarUnit? {
    guard case .scalar(let scalar) = item.node.content else { return nil }
    return WindowSpec.CalendarUnit(rawValue: scalar.text)
  }

  private func calendar(_ section: Section, _ item: Item, _ unit: WindowSpec.CalendarUnit) -> WindowSpec? {
    var rejected = ["every", "offset"]
    if unit != .month { rejected.append("cycle_day") }
    let isClean = reject(
      rejected, in: section, "a calendar window of a \(unit.rawValue)",
      [
        "offset": "use cycle_day with month, or a window of fixed length",
        "cycle_day": "use tumble: month, or remove it",
      ])
    let timezone = section["timezone"].map(readTimezone) ?? .constant("UTC")
    let cycleDay = unit == .month ? section["cycle_day"].map(readCycleDay) ?? .constant(1) : .constant(1)
    guard let timezone, let cycleDay, isClean else { return nil }
    return .calendar(unit, timezone: timezone, cycleDay: cycleDay)
  }

  func readTimezone(_ item: Item) -> WindowSpec.Setting<String>? {
    guard let scalar = item.scalar("a time zone such as Africa/Casablanca, or a column") else { return nil }
    if let input, let column = input.schema.index(of: scalar.text) {
      if input.schema[column].type == .string { return .column(column) }
      item.fault(
        "the column `\(scalar.shown)` is \(input.schema[column].type), not a time zone's name", "use a string column")
      return nil
    }
    if TimeZoneNames.exists(scalar.text) { return .constant(scalar.text) }
    // A column that is not known because of a fault elsewhere is no fault here.
    guard let input, !input.opaque.contains(scalar.text) else { return nil }
    let near = NearestName.nearest(to: scalar.text, among: input.columnNames + TimeZoneNames.common)
    item.fault(
      "`\(scalar.shown)` is neither a time zone nor a column",
      near.map { "did you mean `\($0)`?" } ?? "write a name such as Europe/Dublin")
    return nil
  }

  func readCycleDay(_ item: Item) -> WindowSpec.Setting<Int>? {
    guard let scalar = item.scalar("a day of the month, 1 to 31, or a column") else { return nil }
    if Int64(scalar.text) != nil { return item.integer(in: 1...31).map { .constant(Int($0)) } }
    guard let input else { return nil }
    guard let column = input.column(item) else { return nil }
    if input.schema[column].type == .int64 { return .column(column) }
    item.fault("the column `\(scalar.shown)` is \(input.schema[column].type), not a day", "use an int64 column")
    return nil
  }
}
