import Expressions
import State
import StreamModel

/// `aggregate` without a window: the latest values of each key that changed, every `emit.every` and at the end of input.
///
/// The event time of a result is the latest event time of its key's rows; it may lie behind the watermark, and so carries
/// the operator's watermark as its stamp. No row is late, and a key is never forgotten.
final class RunningAggregate: StreamOperator {
  private let spec: AggregateSpec
  private let plan: AggregatePlan
  private let store: GroupStore
  private let results: AggregateResults
  private let encoder: KeyEncoder
  private let inputs: AggregateInputs
  private let overflowGuard: AggregateOverflowGuard
  private let rows = Scratch<Int32>()
  private var changed = ChangedSlots()
  private var timer: EmitTimer
  private var watermark = EventTimes.minimum
  private static let table: UInt8 = 2

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
      aggregate(rows, count: count, batch)
    } else {
      for index in 0..<count {
        if let reason = overflow(Int(rows[index])) {
          failures.append(RowFailure(row: Int(rows[index]), reason: reason))
        } else {
          aggregate(rows + index, count: 1, batch)
        }
      }
      failures.sort { $0.row < $1.row }
    }
    if !failures.isEmpty { output.fail(batch, failures) }
  }

  private func aggregate(_ rows: UnsafePointer<Int32>, count: Int, _ batch: RecordBatch) {
    guard count > 0 else { return }
    let selection = store.update(rows, count: count, KeyBatch(encoder), inputs)
    store.accumulators.noteTimes(selection, batch)
    changed.mark(selection)
  }

  private func overflow(_ row: Int) -> String? {
    let slot = store.table.slot(of: encoder.key(row), hash: encoder.hashes[row])
    return overflowGuard.overflow(inputs, row: row, slot < 0 ? [] : [(store.accumulators, slot)])
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

  /// One entry a key: whether an upsert is owed, and the accumulators.
  func snapshot() -> StateSnapshot {
    var snapshot = StateSnapshot(watermark: watermark)
    for slot in store.allSlots {
      let key = store.table.key(slot)
      var writer = StateWriter()
      writer.write(changed.contains(slot))
      store.accumulators.encode(slot, to: &writer)
      snapshot.add(
        keyGroup: KeyGroup.of(hash: KeyEncoder.hash(key)), table: RunningAggregate.table, key: [UInt8](key),
        value: writer.bytes)
    }
    return snapshot
  }

  func restore(_ snapshot: StateSnapshot) throws(OperatorError) {
    watermark = snapshot.watermark
    overflowGuard.forget()
    for entry in snapshot.entries {
      guard entry.table == RunningAggregate.table else {
        throw .state("a running aggregate has no table \(entry.table)")
      }
      do { try restore(entry) } catch { throw .state("a group of a running aggregate: \(error)") }
    }
  }

  private func restore(_ entry: StateEntry) throws(StateError) {
    let before = store.count
    let slot = entry.key.withUnsafeBytes { store.insert($0, hash: KeyEncoder.hash($0)) }
    guard store.count > before else { throw .malformed("a key is there twice") }
    var reader = StateReader(entry.value)
    if try reader.readBool() { changed.mark(slot) }
    try store.accumulators.decode(slot, from: &reader)
    guard reader.isAtEnd else { throw .malformed("a group goes on after its end") }
  }

  var stateSizeBytes: Int { store.sizeBytes + changed.sizeBytes }
}
