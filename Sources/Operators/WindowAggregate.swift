import Expressions
import State
import StreamModel

/// `aggregate` over tumbling, hopping, cumulating and calendar windows.
///
/// Every row is aggregated once, in the one *pane* (`PaneKey`) of all rows that belong to the same windows; panes are
/// combined when a window closes. A pane is a table of groups of its own, so closing a window is one sweep and one
/// deallocation.
///
/// **What is late** is decided by the row's own stamp alone: with stamp `w` a window that ends at `e` is gone when
/// `e − 1 + lateness ≤ w`, and the row is late for it when `e − 1 ≤ w`. How far this operator's watermark has come plays no
/// part, since it is never past a stamp, so a window that is open for a row is always still here. When the watermark comes
/// later than the stamp, a window may hold rows that came after it closed; they lie in panes of their own, so the result
/// `on_time` is the same as if the watermark had come at once, and the result `late` follows it.
/// Rows without a stamp that lie behind this operator's watermark are late results of another step: they are judged by
/// the watermark, since there may be nothing left to add them to.
///
/// Steps of a batch: evaluate arguments and filters (rows that fail are dead letters), find each row's pane, aggregate pane
/// by pane a column at a time, give late results. Steps of a watermark: give the results of the windows that close, in the
/// order of their ends, and drop panes whose windows have all gone. Panes of cumulating windows that all open windows
/// contain are combined into one.
///
/// **State** (`WindowAggregate+State`). A snapshot writes the groups that changed. When memory runs short all groups are
/// written and let go of. Groups then begin anew, as another run, and runs are combined when a window closes
/// (`WindowAggregate+Sweep`): nothing is ever read for a row. Where results are given before or after the close, a group is
/// read back before a row is added to it (`WindowAggregate+Load`).
final class WindowAggregate: StreamOperator {
  let spec: AggregateSpec
  let plan: AggregatePlan
  let assigner: any WindowAssigner
  let results: AggregateResults
  let lateness: Int64
  let tracksEarly: Bool
  /// Panes in the order in which they were made.
  var panes: [WindowPane] = []
  var watermark = EventTimes.minimum
  /// The watermark at which there is something to do next.
  var nextDue = EventTimes.maximum
  var timer: EmitTimer?
  /// Nil only before `attach`.
  var keyedState: OperatorState?
  /// Whether groups that have left memory begin anew, as partial aggregates.
  let keepsPartials: Bool
  let codecs: (inTime: GroupCodec, late: GroupCodec)
  let encoder: KeyEncoder
  private let inputs: AggregateInputs
  let overflowGuard: AggregateOverflowGuard
  /// Positions in `panes` by key; a combined pane has none, rows no longer go to it.
  private var positions: [PaneKey: Int32] = [:]
  /// Per context the span that was used last.
  private var spans: [CachedSpan] = []
  private var spanGeneration = 0
  private let paneOfRow = Scratch<Int32>()
  private let sortedRows = Scratch<Int32>()

  private struct CachedSpan {
    var from = EventTimes.maximum
    var until = EventTimes.minimum
    var pane: Int32 = 0
  }

  /// In `paneOfRow`: the row fails, or is late.
  private static let failed: Int32 = -2
  private static let late: Int32 = -1

  init(_ spec: AggregateSpec, _ assigner: any WindowAssigner) {
    self.spec = spec
    self.assigner = assigner
    plan = AggregatePlan(spec.values)
    results = AggregateResults(spec, plan)
    lateness = spec.allowedLatenessMilliseconds
    timer = spec.earlyMilliseconds.map { EmitTimer(every: $0) }
    tracksEarly = timer != nil
    keepsPartials = spec.keepsPartials
    codecs = (GroupCodec(hasStamps: false), GroupCodec(hasStamps: true))
    encoder = KeyEncoder(keyColumns: spec.key)
    inputs = AggregateInputs(plan)
    overflowGuard = AggregateOverflowGuard(plan)
  }

  func process(_ batch: RecordBatch, input: Int, to output: any OperatorOutput) throws(OperatorError) {
    if let partials = batch.partials { return try take(partials, batch, to: output) }
    var failures = inputs.evaluate(batch)
    encoder.encode(batch)
    let paneOf = paneOfRow.reserve(batch.count)
    let isUniform = assign(batch, paneOf, &failures)
    if try admits(batch.count) {
      try aggregate(batch, KeyBatch(encoder), paneOf, isUniform: isUniform)
    } else {
      try aggregateOneByOne(batch, paneOf, &failures)
    }
    if !failures.isEmpty { output.fail(batch, failures) }
    if !isUniform { divertLate(batch, paneOf, to: output) }
    try giveLateResults(to: output)
  }

  /// Works on rows that `PartialAggregator` combined: none fails, none is behind, none can overflow a sum.
  private func take(
    _ partials: PartialAggregates, _ batch: RecordBatch, to output: any OperatorOutput
  ) throws(OperatorError) {
    let paneOf = paneOfRow.reserve(batch.count)
    var failures: [RowFailure] = []
    let isUniform = assign(batch, paneOf, &failures)
    precondition((0..<batch.count).allSatisfy { paneOf[$0] >= 0 }, "rows that fail or are behind are not combined")
    overflowGuard.note(partials, count: batch.count)
    try aggregate(batch, KeyBatch(partials.keys), paneOf, isUniform: isUniform)
    try giveLateResults(to: output)
  }

  /// Whether no row of the batch can overflow a sum. What is known of groups out of memory is a bound; before it decides, they
  /// are counted.
  private func admits(_ rows: Int) throws(OperatorError) -> Bool {
    let held = { [panes] in panes.map(\.store.accumulators) }
    if overflowGuard.admits(inputs, rows: rows, held: held) { return true }
    guard overflowGuard.spilled.contains(where: { $0 > 0 }) else { return false }
    overflowGuard.spilled = try spilledMagnitudes()
    overflowGuard.forget()
    return overflowGuard.admits(inputs, rows: rows, held: held)
  }

  /// Sets each row's pane. Returns whether all rows belong to one.
  private func assign(
    _ batch: RecordBatch, _ paneOf: UnsafeMutablePointer<Int32>, _ failures: inout [RowFailure]
  ) -> Bool {
    let contexts = assigner.contexts(batch)
    if assigner.generation != spanGeneration { spans.removeAll() }
    spanGeneration = assigner.generation
    while spans.count < assigner.contextCount { spans.append(CachedSpan()) }
    let isInTime = batch.stamps == nil && allLie(after: watermark, batch.eventTimes.int64s, batch.count)
    spans.withUnsafeMutableBufferPointer { spans in
      if isInTime {
        assignInTime(batch, paneOf, contexts, spans)
      } else {
        assignAny(batch, paneOf, contexts, spans)
      }
    }
    for failure in failures { paneOf[failure.row] = WindowAggregate.failed }
    return settle(batch, paneOf, contexts, &failures)
  }

  /// Sets the panes of rows none of which is behind.
  private func assignInTime(
    _ batch: RecordBatch, _ paneOf: UnsafeMutablePointer<Int32>, _ contexts: UnsafePointer<Int32>?,
    _ spans: UnsafeMutableBufferPointer<CachedSpan>
  ) {
    let times = batch.eventTimes.int64s
    guard let contexts else {
      var span = spans[0]
      for row in 0..<batch.count {
        if times[row] < span.from || times[row] >= span.until { span = findSpan(at: times[row], context: 0) }
        paneOf[row] = span.pane
      }
      spans[0] = span
      return
    }
    for row in 0..<batch.count {
      let context = Int(contexts[row])
      if times[row] < spans[context].from || times[row] >= spans[context].until {
        spans[context] = findSpan(at: times[row], context: contexts[row])
      }
      paneOf[row] = spans[context].pane
    }
  }

  /// Sets the panes of rows some of which may be behind.
  private func assignAny(
    _ batch: RecordBatch, _ paneOf: UnsafeMutablePointer<Int32>, _ contexts: UnsafePointer<Int32>?,
    _ spans: UnsafeMutableBufferPointer<CachedSpan>
  ) {
    let times = batch.eventTimes.int64s
    let stamps = batch.stamps?.int64s
    for row in 0..<batch.count {
      let context = contexts?[row] ?? 0
      let behind = max(stamps?[row] ?? watermark, watermark)
      if times[row] <= behind {
        paneOf[row] = pane(at: times[row], behind: behind, context: context)
        continue
      }
      let span = spans[Int(context)]
      if times[row] < span.from || times[row] >= span.until {
        spans[Int(context)] = findSpan(at: times[row], context: context)
      }
      paneOf[row] = spans[Int(context)].pane
    }
  }

  /// Turns rows whose context is at fault into failures. Returns whether all rows belong to one pane.
  private func settle(
    _ batch: RecordBatch, _ paneOf: UnsafeMutablePointer<Int32>, _ contexts: UnsafePointer<Int32>?,
    _ failures: inout [RowFailure]
  ) -> Bool {
    var differences: Int32 = 0
    var failed = 0
    for row in 0..<batch.count {
      differences |= paneOf[row] ^ paneOf[0]
      failed &+= paneOf[row] == WindowAggregate.failed ? 1 : 0
    }
    if failed > failures.count {
      let known = Set(failures.map(\.row))
      for row in 0..<batch.count where paneOf[row] == WindowAggregate.failed && !known.contains(row) {
        let reason = assigner.fault(ofContext: contexts?[row] ?? 0) ?? WindowRange.reason
        failures.append(RowFailure(row: row, reason: reason))
      }
      failures.sort { $0.row < $1.row }
    }
    return differences == 0 && paneOf[0] >= 0
  }

  private func allLie(after watermark: EventTime, _ times: UnsafePointer<Int64>, _ count: Int) -> Bool {
    var least = times[0]
    for row in 0..<count { least = min(least, times[row]) }
    return least > watermark
  }

  /// The pane of rows at `time` that are not behind, and the event times it holds for.
  private func findSpan(at time: EventTime, context: Int32) -> CachedSpan {
    if assigner.fault(ofContext: context) != nil {
      return CachedSpan(from: EventTimes.minimum, until: EventTimes.maximum, pane: WindowAggregate.failed)
    }
    guard let span = assigner.span(at: time, context: context) else {
      return CachedSpan(pane: WindowAggregate.late)
    }
    guard WindowRange.holds(span.key, of: assigner) else {
      return CachedSpan(from: span.from, until: span.until, pane: WindowAggregate.failed)
    }
    return CachedSpan(from: span.from, until: span.until, pane: position(of: span.key))
  }

  /// The pane of a row that is behind.
  private func pane(at time: EventTime, behind stamp: EventTime, context: Int32) -> Int32 {
    if assigner.fault(ofContext: context) != nil { return WindowAggregate.failed }
    let span = assigner.span(at: time, context: context)
    if let span, !WindowRange.holds(span.key, of: assigner) { return WindowAggregate.failed }
    guard let span,
      let key = assigner.pane(span.key, behind: stamp, lateness: lateness)
    else { return WindowAggregate.late }
    return position(of: key)
  }

  /// Where the pane `key` stands, made where there is none.
  func position(of key: PaneKey) -> Int32 {
    if let known = positions[key] { return known }
    panes.append(WindowPane(key, plan, suffix: nextSuffix()))
    nextDue = min(nextDue, due(key))
    positions[key] = Int32(panes.count - 1)
    return Int32(panes.count - 1)
  }

  /// Forgets where panes stand, after some have gone; `combined` takes no more rows.
  func renumber(combined: (WindowPane) -> Bool = { _ in false }) {
    spans.removeAll(keepingCapacity: true)
    positions.removeAll(keepingCapacity: true)
    for (index, pane) in panes.enumerated() where !combined(pane) { positions[pane.key] = Int32(index) }
  }

  /// Sorts rows by pane, keeping their order, and aggregates each pane's. `isUniform`: all belong to that of the first.
  private func aggregate(
    _ batch: RecordBatch, _ keys: KeyBatch, _ paneOf: UnsafeMutablePointer<Int32>, isUniform: Bool
  ) throws(OperatorError) {
    if isUniform {
      let rows = sortedRows.reserve(batch.count)
      for row in 0..<batch.count { rows[row] = Int32(truncatingIfNeeded: row) }
      return try aggregate(rows, count: batch.count, keys, panes[Int(paneOf[0])], batch)
    }
    var starts = [Int](repeating: 0, count: panes.count + 1)
    for row in 0..<batch.count where paneOf[row] >= 0 { starts[Int(paneOf[row]) + 1] += 1 }
    for pane in 0..<panes.count { starts[pane + 1] += starts[pane] }
    var cursors = starts
    let rows = sortedRows.reserve(batch.count)
    for row in 0..<batch.count where paneOf[row] >= 0 {
      let pane = Int(paneOf[row])
      rows[cursors[pane]] = Int32(truncatingIfNeeded: row)
      cursors[pane] += 1
    }
    for pane in panes.indices where starts[pane + 1] > starts[pane] {
      try aggregate(rows + starts[pane], count: starts[pane + 1] - starts[pane], keys, panes[pane], batch)
    }
  }

  private func aggregate(
    _ rows: UnsafePointer<Int32>, count: Int, _ keys: KeyBatch, _ pane: WindowPane, _ batch: RecordBatch
  ) throws(OperatorError) {
    if pane.hasSpilled, !keepsPartials { try load(rows, count: count, keys, into: pane) }
    let selection =
      if let partials = batch.partials {
        pane.store.merge(rows, count: count, keys, partials)
      } else {
        pane.store.update(rows, count: count, keys, inputs)
      }
    pane.dirty.mark(selection, below: pane.store.table.slotCount)
    if tracksEarly { pane.changed.mark(selection) }
    guard pane.isLate else { return }
    pane.lateChanged.mark(selection)
    for index in 0..<count {
      let stamp = batch.stamps?.int64s[Int(rows[index])] ?? watermark
      pane.note(stamp: max(stamp, watermark), selection.slots[index])
    }
  }

  /// Aggregates rows in order, but for those that would overflow a sum in any window they belong to.
  private func aggregateOneByOne(
    _ batch: RecordBatch, _ paneOf: UnsafeMutablePointer<Int32>, _ failures: inout [RowFailure]
  ) throws(OperatorError) {
    for row in 0..<batch.count where paneOf[row] >= 0 {
      let pane = panes[Int(paneOf[row])]
      if let reason = try overflow(row, pane) {
        failures.append(RowFailure(row: row, reason: reason))
        paneOf[row] = WindowAggregate.failed
      } else {
        var position = Int32(truncatingIfNeeded: row)
        try aggregate(&position, count: 1, KeyBatch(encoder), pane, batch)
      }
    }
    failures.sort { $0.row < $1.row }
  }

  private func overflow(_ row: Int, _ pane: WindowPane) throws(OperatorError) -> String? {
    let key = encoder.key(row)
    var end = pane.key.firstEnd
    while end <= pane.key.lastEnd {
      var partials: [(store: AccumulatorStore, slot: Int32)] = []
      for member in members(WindowBounds(end: end, start: assigner.start(ofWindowEndingAt: end, in: pane.key))) {
        let slot = member.store.table.slot(of: key, hash: encoder.hashes[row])
        if slot >= 0 { partials.append((member.store.accumulators, slot)) }
        if member.hasSpilled, keepsPartials || slot < 0, let spilled = try spilledGroup(key, member) {
          partials.append((spilled.accumulators, 0))
        }
      }
      if let reason = overflowGuard.overflow(inputs, row: row, partials, areParts: true) { return reason }
      end = assigner.end(after: end, in: pane.key)
    }
    return nil
  }

  private func divertLate(_ batch: RecordBatch, _ paneOf: UnsafeMutablePointer<Int32>, to output: any OperatorOutput) {
    var late: [Int32] = []
    for row in 0..<batch.count where paneOf[row] == WindowAggregate.late { late.append(Int32(row)) }
    output.divert(batch, late, to: .late)
  }
}
