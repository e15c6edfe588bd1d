import Expressions
import State
import StreamModel

/// `aggregate` without a window: the latest values of each key that changed, every `emit.every` and at the end of input.
///
/// The event time of a result is the latest event time of its key's rows; it may lie behind the watermark, and so carries
/// the operator's watermark as its stamp. No row is late, and a key is never forgotten.
///
/// In the state: an entry a group, and one for each key that owes an upsert. A group that has left memory is read back before a
/// row is added to it.
final class RunningAggregate: StreamOperator {
  private let spec: AggregateSpec
  private let plan: AggregatePlan
  private var store: GroupStore
  private let results: AggregateResults
  private let encoder: KeyEncoder
  private let inputs: AggregateInputs
  private let overflowGuard: AggregateOverflowGuard
  private let rows = Scratch<Int32>()
  private var changed = ChangedSlots()
  private var timer: EmitTimer
  private var watermark = EventTimes.minimum
  private var keyedState: OperatorState?
  /// Groups of which the state knows nothing or something older.
  private var dirty = DirtySlots()
  /// Whether the state has groups that are not in memory.
  private var hasSpilled = false
  private let codec = GroupCodec(hasStamps: false)

  private static let groups: [UInt8] = [2]
  private static let owing: [UInt8] = [3]
  private static let bounds: [UInt8] = [255]

  init(_ spec: AggregateSpec) {
    self.spec = spec
    plan = AggregatePlan(spec.values, keepsLatestTime: true)
    store = GroupStore(plan)
    results = AggregateResults(spec, plan)
    encoder = KeyEncoder(keyColumns: spec.key)
    inputs = AggregateInputs(plan)
    overflowGuard = AggregateOverflowGuard(plan)
    timer = EmitTimer(every: spec.everyMilliseconds)
  }

  func process(_ batch: RecordBatch, input: Int, to output: any OperatorOutput) throws(OperatorError) {
    var failures = inputs.evaluate(batch)
    encoder.encode(batch)
    let rows = rows.reserve(batch.count)
    let count = AggregateRows.write(batch.count, without: failures, to: rows)
    if overflowGuard.admits(inputs, rows: batch.count, held: { [store.accumulators] }) {
      try aggregate(rows, count: count, batch)
    } else {
      for index in 0..<count {
        if let reason = try overflow(Int(rows[index]), rows + index) {
          failures.append(RowFailure(row: Int(rows[index]), reason: reason))
        } else {
          try aggregate(rows + index, count: 1, batch)
        }
      }
      failures.sort { $0.row < $1.row }
    }
    if !failures.isEmpty { output.fail(batch, failures) }
  }

  private func aggregate(_ rows: UnsafePointer<Int32>, count: Int, _ batch: RecordBatch) throws(OperatorError) {
    guard count > 0 else { return }
    try load(rows, count: count)
    let selection = store.update(rows, count: count, KeyBatch(encoder), inputs)
    store.accumulators.noteTimes(selection, batch)
    changed.mark(selection)
    dirty.mark(selection, below: store.table.slotCount)
  }

  /// Reads the groups of `rows` that are not in memory.
  private func load(_ rows: UnsafePointer<Int32>, count: Int) throws(OperatorError) {
    guard hasSpilled, let keyedState else { return }
    do {
      let missing = store.table.missing(rows, count: count, KeyBatch(encoder))
      try store.load(missing, prefix: RunningAggregate.groups, from: keyedState, codec) { _, _ in }
    } catch {
      throw OperatorError(error)
    }
  }

  private func overflow(_ row: Int, _ position: UnsafePointer<Int32>) throws(OperatorError) -> String? {
    try load(position, count: 1)
    let slot = store.table.slot(of: encoder.key(row), hash: encoder.hashes[row])
    return overflowGuard.overflow(inputs, row: row, slot < 0 ? [] : [(store.accumulators, slot)], areParts: false)
  }

  func advance(to watermark: Watermark, output: any OperatorOutput) throws(OperatorError) {
    self.watermark = watermark.time
  }

  var nextTimer: Int64? { timer.due(hasChanges: !changed.isEmpty) }

  func onTimer(_ now: Int64, output: any OperatorOutput) throws(OperatorError) {
    if timer.fires(at: now) { giveChanged(to: output) }
  }

  func finish(output: any OperatorOutput) throws(OperatorError) { giveChanged(to: output) }

  private func giveChanged(to output: any OperatorOutput) {
    let stamps = changed.slots.map { _ in watermark }
    results.add(store, changed.slots, .latestTimes, .onTime, stamps: stamps, to: output)
    results.flush(to: output)
    changed.removeAll()
  }

  var stateSizeBytes: Int { store.sizeBytes + changed.sizeBytes + dirty.sizeBytes }
}

extension RunningAggregate {
  func attach(_ state: OperatorState, watermark: EventTime) throws(OperatorError) {
    keyedState = state
    self.watermark = watermark
    do throws(StateError) {
      let groups = try state.makeCursor(prefix: RunningAggregate.groups, isSweep: false)
      hasSpilled = groups.isValid
      try groups.check()
      try restoreOwing(state)
      try restoreBounds(state)
    } catch {
      throw OperatorError(error)
    }
  }

  private func restoreOwing(_ state: OperatorState) throws(StateError) {
    let owing = GroupTable()
    let cursor = try state.makeCursor(prefix: RunningAggregate.owing, isSweep: true)
    while cursor.isValid {
      let start = RunningAggregate.owing.count + StateKey.hashLength
      guard cursor.key.count >= start else { throw .malformed("a key of \(cursor.key.count) bytes owes an upsert") }
      let key = UnsafeRawBufferPointer(rebasing: cursor.key[start...])
      _ = owing.insert(key, hash: KeyEncoder.hash(key))
      cursor.next()
    }
    try cursor.check()
    var slots: [Int32] = []
    try store.load(owing, prefix: RunningAggregate.groups, from: state, codec) { slot, _ in slots.append(slot) }
    guard slots.count == owing.count else { throw .malformed("a key that owes an upsert has no group") }
    for slot in slots { changed.mark(slot) }
  }

  private func restoreBounds(_ state: OperatorState) throws(StateError) {
    overflowGuard.forget()
    overflowGuard.spilled = try OverflowBounds.read(state, RunningAggregate.bounds, count: overflowGuard.spilled.count)
  }

  func snapshot() throws(OperatorError) -> EventTime {
    do { try writeChanges() } catch { throw OperatorError(error) }
    return watermark
  }

  func spill() throws(OperatorError) {
    do { try writeChanges() } catch { throw OperatorError(error) }
    overflowGuard.noteSpill(store.accumulators)
    let rest = GroupStore(plan)
    rest.merge(store, slots: changed.slots)
    store = rest
    changed = ChangedSlots()
    for slot in rest.allSlots { changed.mark(slot) }
    dirty = DirtySlots()
    hasSpilled = true
  }

  private func writeChanges() throws(StateError) {
    guard let keyedState else { return }
    keyedState.deleteAll(prefix: RunningAggregate.owing)
    let (groups, owing) = (dirty.slots, changed.slots)
    guard !groups.isEmpty || !owing.isEmpty else { return }
    try keyedState.addRun { (run) throws(StateError) in
      try codec.put(store, groups, prefix: RunningAggregate.groups, suffix: [], to: run, header: nil)
      try codec.put(store, owing, prefix: RunningAggregate.owing, suffix: [], to: run, header: nil)
      let inMemory = overflowGuard.magnitudes(store.accumulators)
      let bounds = zip(overflowGuard.spilled, inMemory).map { $0 + $1 }
      try OverflowBounds.put(bounds, keyedState, RunningAggregate.bounds, to: run)
    }
    dirty.removeAll()
  }
}
