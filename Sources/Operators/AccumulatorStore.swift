import State
import StreamModel

#if canImport(Glibc)
  import Glibc
#endif

/// The accumulators of many groups, by slot.
///
/// A slot's record is all zeros, the empty aggregate, until its first row. What is new is
/// written only as slots are handed out, so that reserved memory costs nothing.
final class AccumulatorStore {
  private let plan: AggregatePlan
  private let accumulators: [any Accumulator]
  /// Those whose records refer to anything outside them.
  private let releasing: [any Accumulator]
  /// Whether a record refers to nothing outside itself, so that it can be moved as bytes.
  let isFlat: Bool
  private let latestTime: LatestTimeAccumulator?
  private var base: UnsafeMutableRawPointer
  private var capacity = 16
  /// Slots below this have a record.
  private(set) var slotCount = 0

  init(_ plan: AggregatePlan) {
    self.plan = plan
    accumulators = plan.makeAccumulators()
    releasing = accumulators.filter(\.needsRelease)
    isFlat = releasing.isEmpty
    latestTime = plan.latestTimeOffset.map { LatestTimeAccumulator(offset: $0) }
    base = GrowingMemory.resized(nil, to: 16 * plan.recordStride)
  }

  deinit { free(base) }

  private var all: [any Accumulator] {
    if let latestTime { accumulators + [latestTime] } else { accumulators }
  }

  var records: RecordArea { RecordArea(base: base, stride: plan.recordStride) }

  var sizeBytes: Int { all.reduce(capacity * plan.recordStride) { $0 + $1.auxiliarySizeBytes } }

  /// Makes empty records for slots up to `count`.
  func grow(to count: Int) {
    guard count > slotCount else { return }
    if count > capacity {
      capacity = max(count, capacity * 2)
      base = GrowingMemory.resized(base, to: capacity * plan.recordStride)
    }
    (base + slotCount * plan.recordStride).initializeMemory(
      as: UInt8.self, repeating: 0, count: (count - slotCount) * plan.recordStride)
    slotCount = count
  }

  /// Makes the record of `slot` empty again.
  func clear(_ slot: Int32) {
    for accumulator in releasing { accumulator.release(records, slot) }
    records.field(slot, 0).initializeMemory(as: UInt8.self, repeating: 0, count: plan.recordStride)
  }

  /// The bytes of the record in `slot`; valid until the store grows.
  func record(_ slot: Int32) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: records.field(slot, 0), count: plan.recordStride)
  }

  @inline(__always) func firstByte(_ slot: Int32) -> UInt8 { records.field(slot, 0).load(as: UInt8.self) }

  /// Makes `bytes`, a record of this plan, the record of `slot`. Returns whether they are as long as one.
  func load(_ bytes: UnsafeRawBufferPointer, into slot: Int32) -> Bool {
    guard bytes.count == plan.recordStride, let start = bytes.baseAddress else { return false }
    records.field(slot, 0).copyMemory(from: start, byteCount: bytes.count)
    return true
  }

  /// Aggregates the rows of `selection`, whose slots have records.
  func update(_ selection: RowSelection, _ inputs: AggregateInputs) {
    let records = records
    for index in accumulators.indices {
      let rows = inputs.rows(of: selection, inCall: index)
      if rows.count > 0 { accumulators[index].update(records, rows, inputs.input(ofCall: index)) }
    }
  }

  /// Notes the event times of `selection`, where the plan keeps the latest.
  func noteTimes(_ selection: RowSelection, _ batch: RecordBatch) {
    let input = AccumulatorInput(
      column: batch.eventTimes, eventTimes: batch.eventTimes.int64s, ties: nil, keys: nil)
    latestTime?.update(records, selection, input)
  }

  /// The latest event time of each slot.
  func latestTimes(_ slots: UnsafeBufferPointer<Int32>, into builder: ColumnBuilder) {
    _ = latestTime?.emit(records, slots, into: builder)
  }

  /// Combines slots of `other`, or of this store itself, into slots of this one.
  func merge(_ pairs: SlotPairs, from other: AccumulatorStore) {
    for (mine, theirs) in zip(all, other.all) { mine.merge(records, pairs, from: theirs, other.records) }
  }

  /// Combines records of this plan, which refer to nothing outside them, into slots of this store.
  func merge(_ pairs: SlotPairs, _ area: RecordArea) {
    for accumulator in all { accumulator.merge(records, pairs, from: accumulator, area) }
  }

  /// Forgets all records, which must be flat, keeping the memory.
  func removeAll() {
    precondition(isFlat, "records that refer to something are released one by one")
    slotCount = 0
  }

  func merge(_ source: Int32, into target: Int32) {
    withUnsafePointer(to: source) { source in
      withUnsafePointer(to: target) { merge(SlotPairs(targets: $0, sources: source, count: 1), from: self) }
    }
  }

  /// Appends the result of call `index` for each slot.
  func emit(_ index: Int, _ slots: UnsafeBufferPointer<Int32>, into builder: ColumnBuilder) -> [ResultFailure] {
    accumulators[index].emit(records, slots, into: builder)
  }

  func encode(_ slot: Int32, to writer: inout StateWriter) {
    for accumulator in all { accumulator.encode(records, slot, to: &writer) }
  }

  /// Reads what `encode` wrote into the empty record of `slot`.
  func decode(_ slot: Int32, from reader: inout StateReader) throws(StateError) {
    for accumulator in all { try accumulator.decode(records, slot, from: &reader) }
  }
}
