import Expressions
import StreamModel

/// Why a result is given: the value of column `pane`.
enum PaneLabel: String {
  /// The window is still open.
  case early
  /// The window has closed.
  case onTime = "on_time"
  /// Rows came after the window had closed, and were allowed to.
  case late
}

/// Gathers the results of groups, column by column, into batches of at most 4096 rows.
///
/// Results are those of the moment of `add`: the groups may change or go afterwards. `flush` hands on what is gathered. A
/// result that an expression has no value for, such as a division by a count of zero, is a dead letter.
///
/// Late results happened before the watermark that was handed on; they carry as stamp the watermark of the row that changed
/// them, which is the same however that row was batched. Those of a running aggregate carry the operator's own.
final class AggregateResults {
  /// When the groups of one `add` happened.
  enum Bounds {
    case window(start: EventTime, end: EventTime)
    /// Each group has its own.
    case windows([(start: EventTime, end: EventTime)])
    /// No windows: the latest event time of each group.
    case latestTimes
  }

  /// Groups to give results of: keys by `keySlots`, accumulators by `slots`.
  struct Groups {
    let table: GroupTable
    let keySlots: UnsafeBufferPointer<Int32>
    let accumulators: AccumulatorStore
    let slots: UnsafeBufferPointer<Int32>
  }

  static let batchRows = 4096

  private let spec: AggregateSpec
  private let plan: AggregatePlan
  private let keys: [ColumnBuilder]
  private let calls: [ColumnBuilder]
  private let starts = ColumnBuilder(.timestamp)
  private let ends = ColumnBuilder(.timestamp)
  private let eventTimes = ColumnBuilder(.timestamp)
  private let stamps = ColumnBuilder(.timestamp)
  private let panes = ColumnBuilder(.string)
  private let cursors = Scratch<UnsafeRawPointer>()
  private var hasStamps = false
  private var count = 0
  /// Per row of the batch that fails, why, by call.
  private var callFailures: [Int: [(row: Int, reason: String)]] = [:]

  init(_ spec: AggregateSpec, _ plan: AggregatePlan) {
    self.spec = spec
    self.plan = plan
    keys = spec.key.indices.map { ColumnBuilder(spec.outputSchema[$0].type) }
    calls = plan.calls.map { ColumnBuilder($0.call.type) }
  }

  /// Adds the results of all slots of `store` that are in `slots`, for one window.
  func add(
    _ store: GroupStore, _ slots: [Int32], _ bounds: Bounds, _ label: PaneLabel, stamps: [EventTime]? = nil,
    to output: any OperatorOutput
  ) {
    slots.withUnsafeBufferPointer {
      let groups = Groups(table: store.table, keySlots: $0, accumulators: store.accumulators, slots: $0)
      add(groups, bounds, label, stamps: stamps, to: output)
    }
  }

  func add(
    _ groups: Groups, _ bounds: Bounds, _ label: PaneLabel, stamps: [EventTime]? = nil, to output: any OperatorOutput
  ) {
    var start = 0
    while start < groups.slots.count {
      let end = min(groups.slots.count, start + AggregateResults.batchRows - count)
      append(groups, start..<end, bounds, label, stamps)
      start = end
      if count == AggregateResults.batchRows { flush(to: output) }
    }
  }

  private func append(
    _ groups: Groups, _ range: Range<Int>, _ bounds: Bounds, _ label: PaneLabel, _ stampOf: [EventTime]?
  ) {
    let slots = UnsafeBufferPointer(rebasing: groups.slots[range])
    decodeKeys(groups, range)
    for (index, builder) in calls.enumerated() {
      for failure in groups.accumulators.emit(index, slots, into: builder) {
        callFailures[index, default: []].append((count + failure.position, failure.reason))
      }
    }
    switch bounds {
    case .window(let start, let end): append(range.count) { _ in (start, end) }
    case .windows(let windows): append(range.count) { windows[range.lowerBound + $0] }
    case .latestTimes: groups.accumulators.latestTimes(slots, into: eventTimes)
    }
    if spec.hasPane { for _ in range { panes.append(string: label.rawValue) } }
    if carriesStamps { append(stampOf, range) }
    count += range.count
  }

  @inline(__always) private func append(_ count: Int, _ window: (Int) -> (start: EventTime, end: EventTime)) {
    let starts = starts.extend(by: count).assumingMemoryBound(to: Int64.self)
    let ends = ends.extend(by: count).assumingMemoryBound(to: Int64.self)
    let times = eventTimes.extend(by: count).assumingMemoryBound(to: Int64.self)
    for index in 0..<count {
      let window = window(index)
      starts[index] = window.start
      ends[index] = window.end
      times[index] = window.end - 1
    }
  }

  private func decodeKeys(_ groups: Groups, _ range: Range<Int>) {
    let cursors = cursors.reserve(range.count)
    for (index, slot) in groups.keySlots[range].enumerated() {
      cursors[index] = groups.table.keyStart(slot)
    }
    for builder in keys { KeyEncoder.decode(cursors, count: range.count, into: builder) }
  }

  private func append(_ stampOf: [EventTime]?, _ range: Range<Int>) {
    for index in range { stamps.append(int64: stampOf?[index] ?? EventTimes.minimum) }
    if stampOf != nil { hasStamps = true }
  }

  /// Whether results may come behind the watermark: late ones, and those of running aggregates.
  private var carriesStamps: Bool { spec.hasPane || spec.window == .none }

  /// Hands on what has been gathered.
  func flush(to output: any OperatorOutput) {
    guard count > 0 else { return }
    let times = eventTimes.finish()
    let callColumns = calls.map { $0.finish() }
    var failures: [Int: String] = [:]
    var columns = keys.map { $0.finish() }
    if spec.window != .none { columns += [starts.finish(), ends.finish()] }
    for value in plan.values { columns.append(evaluate(value, callColumns, times, &failures)) }
    if spec.hasPane { columns.append(panes.finish()) }
    let stampColumn = carriesStamps ? stamps.finish() : nil
    let batch = RecordBatch(
      schema: spec.outputSchema, columns: columns, count: count, eventTimes: times,
      stamps: hasStamps ? stampColumn : nil)
    count = 0
    hasStamps = false
    callFailures.removeAll()
    handOn(batch, failures, to: output)
  }

  /// The column of one value; rows that have none are added to `failures`.
  private func evaluate(
    _ value: AggregatePlan.Value, _ calls: [Column], _ times: Column, _ failures: inout [Int: String]
  ) -> Column {
    for call in value.calls {
      for failure in callFailures[call] ?? [] where failures[failure.row] == nil {
        failures[failure.row] = failure.reason
      }
    }
    guard let result = value.expression.result else { return calls[value.calls[0]] }
    let evaluation = result.evaluate(
      RecordBatch(
        schema: value.resultSchema, columns: value.calls.map { calls[$0] }, count: count, eventTimes: times))
    for failure in evaluation.failures where failures[failure.row] == nil { failures[failure.row] = failure.reason }
    return evaluation.column
  }

  private func handOn(_ batch: RecordBatch, _ failures: [Int: String], to output: any OperatorOutput) {
    guard !failures.isEmpty else { return output.emit(batch) }
    let failed = failures.keys.sorted()
    let rest = (0..<batch.count).filter { failures[$0] == nil }.map { Int32($0) }
    if !rest.isEmpty { output.emit(batch.gather(rest)) }
    output.failResults(
      batch.gather(failed.map { Int32($0) }),
      failed.enumerated().map { RowFailure(row: $0, reason: failures[$1] ?? "") })
  }
}
