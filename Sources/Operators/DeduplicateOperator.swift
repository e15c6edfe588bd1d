import State
import StreamModel

/// `deduplicate`: hands on the first row of a key; those that come within `within` of a kept row's event time, before or
/// after, go to port `duplicates`.
///
/// Arrival decides which row is the first. A row that comes behind its own partition's watermark by more than `within` is
/// on port `late`. Nothing depends on batches or on how late the watermark comes: a kept time `k` is forgotten at a
/// watermark of `k + 2·within` or later, and then every row that it could make a duplicate is late.
///
/// Kept rows of a key lie at least `within` apart, so in a span of event time of that width there is at most one: state
/// is a table of key → kept time for each span, and a row is judged by its own span and the two beside it (`KeptRows`).
package final class DeduplicateOperator: StreamOperator {
  private let within: Int64
  private let encoder: KeyEncoder
  private var buckets: TimeBuckets<KeptRows>
  private var keyedState: OperatorState?
  private var watermark = EventTimes.minimum
  private var rows = DeduplicatedRows()

  package init(_ spec: DeduplicateSpec) {
    precondition(spec.withinMilliseconds > 0, "a checked topology has no `within` of zero")
    within = spec.withinMilliseconds
    encoder = KeyEncoder(keyColumns: spec.key)
    buckets = TimeBuckets(width: within)
  }

  package func process(_ batch: RecordBatch, input: Int, to output: any OperatorOutput) throws(OperatorError) {
    encoder.encode(batch)
    rows.begin(batch.count)
    let times = batch.eventTimes.int64s
    var start = 0
    while start < batch.count {
      let index = buckets.index(of: times[start])
      let end = endOfSpan(index, times, start, batch.count)
      do {
        try judge(start..<end, span: index, times, batch.stamps?.int64s)
      } catch {
        throw OperatorError(error)
      }
      start = end
    }
    output.emit(batch, rows: rows.kept)
    output.divert(batch, rows.duplicates, to: .duplicates)
    output.divert(batch, rows.late, to: .late)
  }

  /// The first row from `start` on that lies in another span.
  private func endOfSpan(_ index: Int64, _ times: UnsafePointer<Int64>, _ start: Int, _ count: Int) -> Int {
    let first = buckets.start(of: index)
    let width = UInt64(within)
    var end = start + 1
    while end < count, UInt64(bitPattern: times[end] &- first) < width { end += 1 }
    return end
  }

  /// Judges rows that all lie in one span.
  private func judge(
    _ range: Range<Int>, span: Int64, _ times: UnsafePointer<Int64>, _ stamps: UnsafePointer<Int64>?
  ) throws(StateError) {
    let own = bucket(span)
    let bucketBefore = buckets.find(span &- 1)
    let bucketAfter = buckets.find(span &+ 1)
    let hashes = encoder.hashes
    let keys = encoder.encodedKeys
    for bucket in [own, bucketBefore, bucketAfter] {
      bucket?.table.touch(hashes, range)
      if let bucket, bucket.hasSpilled, let keyedState { try bucket.read(range, encoder, from: keyedState) }
    }
    let before = bucketBefore?.lookups
    let after = bucketAfter?.lookups
    let read = own.readLookup
    var rows = rows
    for row in range {
      let time = times[row]
      if let stamps, isLate(time, stamps[row]) { rows.addLate(row); continue }
      let key = keys.bytes(row)
      let hash = hashes[row]
      var isDuplicate = own.table.find(key, hash: hash) != nil
      if !isDuplicate, let read { isDuplicate = read.find(key, hash: hash) != nil }
      if !isDuplicate, let kept = before?.find(key, hash: hash) { isDuplicate = time &- kept < within }
      if !isDuplicate, let kept = after?.find(key, hash: hash) { isDuplicate = kept &- time < within }
      if isDuplicate { rows.addDuplicate(row); continue }
      own.table.insert(key, hash: hash, value: time)
      rows.addKept(row)
    }
    self.rows = rows
  }

  private func bucket(_ span: Int64) -> KeptRows { buckets.findOrMake(span) { KeptRows(span: span) } }

  @inline(__always) private func isLate(_ time: EventTime, _ stamp: EventTime) -> Bool {
    time <= stamp && UInt64(bitPattern: stamp &- time) > UInt64(within)
  }

  package func advance(to watermark: Watermark, output: any OperatorOutput) throws(OperatorError) {
    self.watermark = watermark.time
    let last = watermark < .maximum ? buckets.index(of: watermark.time &+ 1) &- 3 : Int64.max
    for (index, bucket) in buckets.upTo(last) {
      if bucket.isPersisted { keyedState?.deleteAll(prefix: bucket.prefix) }
      buckets.remove(index)
    }
  }

  package var stateSizeBytes: Int { buckets.all.reduce(0) { $0 + $1.table.sizeBytes } }
}

/// In the state: a kept row is an entry under its span's prefix; the value is its event time.
extension DeduplicateOperator {
  package func attach(_ state: OperatorState, watermark: EventTime) throws(OperatorError) {
    keyedState = state
    self.watermark = watermark
    do {
      try restoreSpans(state)
    } catch {
      throw OperatorError(error)
    }
  }

  /// Finds the spans of which the state has kept rows of this subtask, going from one to the next.
  private func restoreSpans(_ state: OperatorState) throws(StateError) {
    let end = StateStore.successor(of: [KeptRows.stateTable])
    let cursor = try state.makeCursor(from: [KeptRows.stateTable], to: end, isSweep: false)
    while cursor.isValid {
      guard let span = KeptRows.span(cursor.key) else {
        throw .malformed("a kept row with a key of \(cursor.key.count) bytes")
      }
      let prefix = KeptRows.prefix(span: span)
      let own = state.range(prefix: prefix)
      cursor.seek(own.from)
      if cursor.isValid, cursor.key.lexicographicallyPrecedes(own.to) {
        guard let time = KeptRows.time(cursor.value), buckets.index(of: time) == span else {
          throw .malformed("a kept row does not lie in its span of \(within) ms")
        }
        bucket(span).restore()
      }
      cursor.seek(StateStore.successor(of: prefix))
    }
    try cursor.check()
  }

  package func snapshot() throws(OperatorError) -> EventTime {
    do { try writeChanges() } catch { throw OperatorError(error) }
    return watermark
  }

  package func spill() throws(OperatorError) {
    do { try writeChanges() } catch { throw OperatorError(error) }
    for bucket in buckets.all where bucket.table.count > 0 { bucket.letGo() }
  }

  private func writeChanges() throws(StateError) {
    guard let keyedState else { return }
    let changed = buckets.all.filter(\.hasChanges).sorted { $0.span < $1.span }
    guard !changed.isEmpty else { return }
    try keyedState.addRun { (run) throws(StateError) in for bucket in changed { try bucket.write(to: run) } }
  }
}

/// What became of the rows of one batch: positions, each list ascending. Scratch that is used again for the next batch.
private struct DeduplicatedRows {
  private var memory: Memory
  private var base: UnsafeMutablePointer<Int32>
  private var capacity = 0
  private var keptCount = 0
  private var duplicateCount = 0
  private var lateCount = 0

  init() {
    memory = Memory(capacityBytes: 0)
    base = memory.base.assumingMemoryBound(to: Int32.self)
  }

  mutating func begin(_ count: Int) {
    if count > capacity {
      capacity = count
      memory = Memory(capacityBytes: 3 * count * 4)
      base = memory.base.assumingMemoryBound(to: Int32.self)
    }
    keptCount = 0
    duplicateCount = 0
    lateCount = 0
  }

  @inline(__always) mutating func addKept(_ row: Int) {
    base[keptCount] = Int32(truncatingIfNeeded: row)
    keptCount &+= 1
  }

  @inline(__always) mutating func addDuplicate(_ row: Int) {
    base[capacity &+ duplicateCount] = Int32(truncatingIfNeeded: row)
    duplicateCount &+= 1
  }

  @inline(__always) mutating func addLate(_ row: Int) {
    base[2 &* capacity &+ lateCount] = Int32(truncatingIfNeeded: row)
    lateCount &+= 1
  }

  var kept: UnsafeBufferPointer<Int32> { UnsafeBufferPointer(start: base, count: keptCount) }
  var duplicates: UnsafeBufferPointer<Int32> { UnsafeBufferPointer(start: base + capacity, count: duplicateCount) }
  var late: UnsafeBufferPointer<Int32> { UnsafeBufferPointer(start: base + 2 * capacity, count: lateCount) }
}
