import Operators
import StreamModel
import TestSupport

/// The aggregates computed the obvious way: from all rows of a group, kept.
struct AggregateModel {
  let spec: AggregateTestSpec

  /// What one row brings.
  struct Item {
    let values: [Value]
    let time: EventTime
    let order: Int
  }

  func column(_ name: String, _ item: Item) -> Value {
    AggregateTestSpec.schema.index(of: name).map { item.values[$0] } ?? .null
  }

  func key(_ row: TestRow) -> [Value] { spec.keyPositions.map { row.values[$0] } }

  /// The value of `text`, one aggregate call over plain columns, for rows in order of arrival.
  func value(_ text: String, _ items: [Item]) -> Value {
    let parts = text.split(separator: " filter (where ")
    let rows = parts.count == 1 ? items : items.filter { column(String(parts[1].dropLast()), $0) == .boolean(true) }
    let call = parts[0]
    let name = String(call.prefix { $0 != "(" })
    let argument = String(call.dropFirst(name.count + 1).dropLast())
    if argument == "*" { return .int64(Int64(rows.count)) }
    let isDistinct = argument.hasPrefix("distinct ")
    let source = isDistinct ? String(argument.dropFirst(9)) : argument
    let held = rows.filter { column(source, $0) != .null }
    if name == "count" {
      return .int64(Int64(isDistinct ? Set(held.map { column(source, $0) }).count : held.count))
    }
    guard !held.isEmpty else { return .null }
    let inOrder = held.sorted { ($0.time, $0.order) < ($1.time, $1.order) }
    switch name {
    case "first": return column(source, inOrder[0])
    case "last": return column(source, inOrder[inOrder.count - 1])
    case "min": return held.map { column(source, $0) }.min(by: Self.isLess) ?? .null
    case "max": return held.map { column(source, $0) }.max(by: Self.isLess) ?? .null
    default: return Self.number(name, held.map { column(source, $0) })
    }
  }

  private static func isLess(_ left: Value, _ right: Value) -> Bool {
    switch (left, right) {
    case (.int64(let left), .int64(let right)): left < right
    case (.double(let left), .double(let right)): left < right
    case (.decimal(let left, _), .decimal(let right, _)): left < right
    case (.string(let left), .string(let right)): Array(left.utf8).lexicographicallyPrecedes(Array(right.utf8))
    case (.boolean(let left), .boolean(let right)): !left && right
    default: false
    }
  }

  private static func number(_ name: String, _ values: [Value]) -> Value {
    let doubles = values.map(double)
    if name == "stddev_pop" {
      let mean = doubles.reduce(0, +) / Double(doubles.count)
      return .double((doubles.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(doubles.count)).squareRoot())
    }
    switch values[0] {
    case .int64:
      let sum = values.reduce(Int128(0)) { if case .int64(let value) = $1 { $0 + Int128(value) } else { $0 } }
      return name == "sum" ? .int64(Int64(sum)) : .decimal(average(sum, 6, values.count), scale: 6)
    case .decimal(_, let scale):
      let sum = values.reduce(Int128(0)) { if case .decimal(let value, _) = $1 { $0 + value } else { $0 } }
      if name == "sum" { return .decimal(sum, scale: scale) }
      return .decimal(average(sum, max(6, scale) - scale, values.count), scale: max(6, scale))
    default:
      let sum = doubles.reduce(0, +)
      return .double(name == "sum" ? sum : sum / Double(values.count))
    }
  }

  private static func average(_ sum: Int128, _ digits: Int, _ count: Int) -> Int128 {
    var dividend = sum
    for _ in 0..<digits { dividend *= 10 }
    let doubled = dividend.magnitude * 2 + UInt128(count)
    let rounded = Int128(doubled / UInt128(2 * count))
    return sum < 0 ? -rounded : rounded
  }

  private static func double(_ value: Value) -> Double {
    switch value {
    case .int64(let value): Double(value)
    case .double(let value): value
    case .decimal(let value, let scale): (0..<scale).reduce(Double(value)) { quotient, _ in quotient / 10 }
    default: .nan
    }
  }

  /// The output row for a group.
  func result(
    _ key: [Value], _ start: EventTime, _ end: EventTime, _ items: [Item], _ label: String, stamp: EventTime? = nil
  ) -> CapturedRow {
    var values = key + [.timestamp(start), .timestamp(end)]
    values += spec.values.map { value($0.text, items) }
    if spec.hasPane { values.append(.string(label)) }
    return CapturedRow(at: end - 1, stamp: label == "late" ? stamp : nil, values)
  }
}

extension AggregateModel {
  /// A window with a row in it.
  struct Window: Hashable {
    let start: EventTime
    let end: EventTime
  }

  private struct Group {
    var items: [Item] = []
    var isReported = false
    var lateStamp: EventTime?
  }

  /// All results of a stream over windows that `windows` gives for each row, record at a time: with allowed lateness
  /// a row that comes after the close reports what was there before, once, and then what it has made of it.
  func rows(_ script: OperatorScript, windows: (TestRow) -> [Window]) -> [CapturedRow] {
    var groups: [[Value]: [Window: Group]] = [:]
    var output: [CapturedRow] = []
    for (order, (row, _)) in script.rows.enumerated() {
      let item = Item(values: row.values, time: row.eventTime, order: order)
      let stamp = row.isBehind ? row.stamp : nil
      let open = windows(row).filter { window in stamp.map { window.end - 1 + spec.lateness > $0 } ?? true }
      if open.isEmpty {
        output.append(CapturedRow(port: .late, at: row.eventTime, stamp: stamp, row.values))
      }
      let key = key(row)
      for window in open {
        var group = groups[key, default: [:]][window] ?? Group()
        let isLate = stamp.map { window.end - 1 <= $0 } ?? false
        if isLate, !group.isReported {
          if !group.items.isEmpty { output.append(result(key, window.start, window.end, group.items, "on_time")) }
          group.isReported = true
        }
        group.items.append(item)
        if isLate { output.append(result(key, window.start, window.end, group.items, "late", stamp: stamp)) }
        groups[key, default: [:]][window] = group
      }
    }
    for (key, windows) in groups {
      for (window, group) in windows where !group.isReported {
        output.append(result(key, window.start, window.end, group.items, "on_time"))
      }
    }
    return output
  }
}

extension AggregateModel {
  private struct Session {
    var start: EventTime
    var end: EventTime
    var items: [Item]
    var isChanged = true
    var isLate = false
    var stamp: EventTime?
  }

  /// All results of a stream over sessions, record at a time: before each row that is behind, the key's sessions are closed
  /// as its partition's watermark has it.
  func sessionRows(_ script: OperatorScript, gap: Int64) -> [CapturedRow] {
    var sessions: [[Value]: [Session]] = [:]
    var output: [CapturedRow] = []
    func report(_ key: [Value], _ session: inout Session) {
      guard session.isChanged else { return }
      output.append(
        result(
          key, session.start, session.end, session.items, session.isLate ? "late" : "on_time", stamp: session.stamp))
      session.isChanged = false
    }
    for (order, (row, _)) in script.rows.enumerated() {
      let key = key(row)
      var held = sessions[key] ?? []
      if row.isBehind, let stamp = row.stamp {
        for index in held.indices where held[index].end <= stamp { report(key, &held[index]) }
        held.removeAll { $0.end + spec.lateness <= stamp }
      }
      let item = Item(values: row.values, time: row.eventTime, order: order)
      var session = Session(start: row.eventTime, end: row.eventTime + gap, items: [item])
      let touched = held.filter { $0.start <= session.end && session.start <= $0.end }
      held.removeAll { $0.start <= session.end && session.start <= $0.end }
      session.start = touched.map(\.start).reduce(session.start, min)
      session.end = touched.map(\.end).reduce(session.end, max)
      session.items = (touched.flatMap(\.items) + [item]).sorted { $0.order < $1.order }
      if row.isBehind, let stamp = row.stamp {
        if touched.isEmpty, session.end + spec.lateness <= stamp {
          output.append(CapturedRow(port: .late, at: row.eventTime, stamp: stamp, row.values))
          sessions[key] = held
          continue
        }
        session.isLate = session.end <= stamp
        session.stamp = stamp
        if session.isLate { report(key, &session) }
      }
      sessions[key] = held + [session]
    }
    for (key, held) in sessions {
      for var session in held { report(key, &session) }
    }
    return output
  }
}
