import StreamModel

/// `aggregate`: every window keeps all its rows until the end, and its values are worked out of them once.
///
/// What is given is the final value of each key and window.
struct ReferenceAggregate {
  private struct Window: Hashable {
    let key: [Value]
    /// Both nil for a running aggregate.
    let start: EventTime?
    let end: EventTime?
  }

  private let step: TestAggregateStep
  private let calendars = ReferenceCalendars()
  private var groups: [Window: [ReferenceRow]] = [:]
  /// Of each sum of int64s, what it is so far.
  private var integerSums: [Window: [Int128]] = [:]
  private var result = StepResult(ports: [:])

  init(_ step: TestAggregateStep) { self.step = step }

  func work(_ input: [ReferenceRow]) -> StepResult {
    var model = self
    if step.window != nil { model.result.ports[.late] = [] }
    if case .session(let gap) = step.window { model.addSessions(input, gap) } else { model.addAll(input) }
    model.finish()
    return model.result
  }

  // MARK: Rows

  private mutating func addAll(_ input: [ReferenceRow]) {
    for row in input {
      guard canBeEvaluated(row), let windows = try? windows(of: row) else {
        result.failed.append(row)
        continue
      }
      let open = windows.filter { window in window.end.map { $0 - 1 + step.lateness > row.stamp } ?? true }
      if open.isEmpty {
        result.ports[.late]?.append(row)
      } else if !addToSums(row, open) {
        result.failed.append(row)
      } else {
        for window in open { groups[window, default: []].append(row) }
      }
    }
  }

  private func key(of row: ReferenceRow) -> [Value] { step.key.map { row.values[$0] } }

  private func windows(of row: ReferenceRow) throws -> [Window] {
    guard let window = step.window else { return [Window(key: key(of: row), start: nil, end: nil)] }
    return try window.spans(of: row, calendars).map { Window(key: key(of: row), start: $0.start, end: $0.end) }
  }

  private func canBeEvaluated(_ row: ReferenceRow) -> Bool {
    step.values.allSatisfy { value in value.calls.allSatisfy { (try? $0.input(row.values)) != nil } }
  }

  /// Adds a row to the int64 sums of its windows; false, and nothing is added, where it would overflow one.
  private mutating func addToSums(_ row: ReferenceRow, _ windows: [Window]) -> Bool {
    let calls = step.values.flatMap(\.calls).filter(\.isIntegerSum)
    let inputs = calls.map { call -> Int128 in
      if case .int64(let value)? = try? call.input(row.values) { return Int128(value) }
      return 0
    }
    let sums = windows.map { window in zip(integerSums[window] ?? inputs.map { _ in 0 }, inputs).map { $0 + $1 } }
    guard sums.joined().allSatisfy({ Int64(exactly: $0) != nil }) else { return false }
    for (window, sums) in zip(windows, sums) { integerSums[window] = sums }
    return true
  }

  // MARK: Sessions

  /// A session `[first, last + gap)` is gone when the row's own watermark has come to its end, and `allowed_lateness` more.
  private mutating func addSessions(_ input: [ReferenceRow], _ gap: Int64) {
    var sessions: [[Value]: [[ReferenceRow]]] = [:]
    for row in input {
      guard canBeEvaluated(row) else {
        result.failed.append(row)
        continue
      }
      let all = sessions[key(of: row)] ?? []
      func end(_ session: [ReferenceRow]) -> EventTime { session.map(\.time).reduce(.min, max) + gap }
      func start(_ session: [ReferenceRow]) -> EventTime { session.map(\.time).reduce(.max, min) }
      let met = all.filter { session in
        end(session) + step.lateness > row.stamp && row.time <= end(session) && row.time + gap >= start(session)
      }
      if met.isEmpty && row.time + gap + step.lateness <= row.stamp {
        result.ports[.late]?.append(row)
        continue
      }
      let others = all.filter { session in !met.contains { start($0) == start(session) && end($0) == end(session) } }
      sessions[key(of: row)] = others + [met.flatMap { $0 } + [row]]
    }
    for (key, all) in sessions {
      for rows in all {
        let times = rows.map(\.time)
        let window = Window(key: key, start: times.min(), end: times.max().map { $0 + gap })
        groups[window, default: []] += rows
      }
    }
  }

  // MARK: Results

  private mutating func finish() {
    for (window, rows) in groups {
      let inOrder = rows.inOrder().enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }
        .map(\.element.values)
      let bounds = [window.start, window.end].compactMap { $0.map { Value.timestamp($0) } }
      var row = ReferenceRow(values: window.key + bounds, time: window.end.map { $0 - 1 } ?? EventTimes.minimum)
      guard let values = try? step.values.map({ try $0.value(of: inOrder) }) else {
        result.failedResults.append(row)
        continue
      }
      row.values += values + (step.hasPane ? [.string("on_time")] : [])
      result.rows.append(row)
    }
  }
}
