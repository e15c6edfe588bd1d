import State
import StreamModel

/// Puts rows in order of event time, so that a step for which order matters gets the same order however several partitions
/// happen to be interleaved.
///
/// A row waits until all rows that go before it are known: until the watermark has reached its event time or, where it is
/// behind, has passed its stamp. Rows go out by that watermark, then by event time, then as
/// `BufferedRows` orders ties. Every row goes out before a watermark that it would be behind is handed on.
///
/// Rows wait in sorted runs of at least doubling length, as in a log-structured merge tree: each row is moved a
/// logarithmic number of times, and a watermark only looks at the front of each run.
package final class EventTimeSortOperator: WholeStateOperator {
  package var keyedState: OperatorState?
  private let schema: Schema
  private let encoder: KeyEncoder
  private let rows = BufferedRows()
  private var runs: [SortedRun] = []
  private var watermark = EventTimes.minimum

  /// Rows of a batch that goes out.
  private static let limit = 4096

  /// `key` is that of the step which follows; it says which key group a row's state belongs to.
  package init(schema: Schema, key: [Int]) {
    self.schema = schema
    encoder = KeyEncoder(keyColumns: key)
  }

  private struct SortedRun {
    var rows: [BufferedRow]
    var head = 0
    var count: Int { rows.count - head }

    /// Gives up memory of rows that have gone, once they are most of it.
    mutating func advance(to head: Int) {
      self.head = head
      guard head * 2 > rows.count else { return }
      rows.removeFirst(head)
      self.head = 0
    }
  }

  package func process(_ batch: RecordBatch, input: Int, to output: any OperatorOutput) throws(OperatorError) {
    add(batch)
  }

  private func add(_ batch: RecordBatch) {
    runs.append(SortedRun(rows: rows.add(batch)))
    while runs.count > 1, runs[runs.count - 1].count * 2 >= runs[runs.count - 2].count {
      let last = runs.removeLast()
      let previous = runs.removeLast()
      runs.append(merged(previous, last))
    }
  }

  private func merged(_ left: SortedRun, _ right: SortedRun) -> SortedRun {
    var merged: [BufferedRow] = []
    merged.reserveCapacity(left.count + right.count)
    var (one, other) = (left.head, right.head)
    while one < left.rows.count, other < right.rows.count {
      if rows.isBefore(right.rows[other], left.rows[one]) {
        merged.append(right.rows[other])
        other += 1
      } else {
        merged.append(left.rows[one])
        one += 1
      }
    }
    merged.append(contentsOf: left.rows[one...])
    merged.append(contentsOf: right.rows[other...])
    return SortedRun(rows: merged)
  }

  package func advance(to watermark: Watermark, output: any OperatorOutput) throws(OperatorError) {
    self.watermark = watermark.time
    var ready = takeReady(watermark.time)
    rows.sort(&ready)
    var start = 0
    while start < ready.count {
      let end = endOfBatch(ready, start)
      output.emit(gathered(ready[start..<end]))
      rows.release(ready[start..<end])
      start = end
    }
  }

  /// Takes the rows that go out at `watermark` from the front of each run.
  private func takeReady(_ watermark: EventTime) -> [BufferedRow] {
    var ready: [BufferedRow] = []
    for index in runs.indices {
      let run = runs[index]
      var end = run.head
      while end < run.rows.count, run.rows[end].release <= watermark { end += 1 }
      ready.append(contentsOf: run.rows[run.head..<end])
      if end > run.head { runs[index].advance(to: end) }
    }
    runs.removeAll { $0.count == 0 }
    return ready
  }

  /// A batch's rows all have an origin or none has.
  private func endOfBatch(_ ready: [BufferedRow], _ start: Int) -> Int {
    let hasOrigin = rows.batch(ready[start].pick.batch).origin != nil
    var end = start + 1
    while end < ready.count, end - start < EventTimeSortOperator.limit,
      (rows.batch(ready[end].pick.batch).origin != nil) == hasOrigin
    {
      end += 1
    }
    return end
  }

  private func gathered(_ ready: ArraySlice<BufferedRow>) -> RecordBatch {
    var batches: [RecordBatch] = []
    var places: [Int32: Int32] = [:]
    var picks: [RowPick] = []
    picks.reserveCapacity(ready.count)
    var recent: (slot: Int32, place: Int32) = (-1, -1)
    for row in ready {
      let slot = row.pick.batch
      if slot != recent.slot {
        if places[slot] == nil {
          places[slot] = Int32(batches.count)
          batches.append(rows.batch(slot))
        }
        recent = (slot, places[slot] ?? 0)
      }
      picks.append(RowPick(batch: recent.place, row: row.pick.row))
    }
    let isWhole = batches.count == 1 && picks.count == batches[0].count
    if isWhole, picks.indices.allSatisfy({ picks[$0].row == $0 }) { return batches[0] }
    return RecordBatch.picked(picks, from: batches)
  }

  package var stateSizeBytes: Int { rows.sizeBytes }
}

extension EventTimeSortOperator {
  /// One entry a waiting row: the key is its release, a number that tells rows of one release apart, and the encoded
  /// key of the step that follows; the value is what `BufferedRowCodec` writes.
  package func wholeState() -> StateSnapshot {
    var snapshot = StateSnapshot(watermark: watermark)
    let codec = BufferedRowCodec(schema: schema)
    var ordinal: Int64 = 0
    var perBatch: [Int32: [BufferedRow]] = [:]
    for run in runs {
      for row in run.rows[run.head...] { perBatch[row.pick.batch, default: []].append(row) }
    }
    for (slot, waiting) in perBatch {
      let batch = rows.batch(slot)
      encoder.encode(batch)
      let values = codec.encode(batch, waiting.map(\.pick.row))
      for (row, value) in zip(waiting, values) {
        let group = KeyGroup.of(hash: encoder.hashes[Int(row.pick.row)])
        let tail = TimedKey.encode(ordinal, encoder.key(Int(row.pick.row)))
        let key = tail.withUnsafeBytes { TimedKey.encode(row.release, $0) }
        snapshot.add(keyGroup: group, table: 0, key: key, value: value)
        ordinal += 1
      }
    }
    return snapshot
  }

  package func restoreWhole(_ snapshot: StateSnapshot) throws(OperatorError) {
    watermark = snapshot.watermark
    for batch in try BufferedRowCodec(schema: schema).decode(snapshot.entries.map(\.value)) { add(batch) }
  }
}
