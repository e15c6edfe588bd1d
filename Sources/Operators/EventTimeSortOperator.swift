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
/// logarithmic number of times, and a watermark only looks at the front of each run. Rows that memory has let go of are read back,
/// a stretch of each key group at a time, when the watermark comes to them (`EventTimeSortOperator+State.swift`).
package final class EventTimeSortOperator: StreamOperator {
  let schema: Schema
  let encoder: KeyEncoder
  var rows = BufferedRows()
  var runs: [SortedRun] = []
  private(set) var watermark = EventTimes.minimum
  var keyedState: OperatorState?
  var saved = SavedRows()

  /// Rows of a batch that goes out.
  private static let limit = 4096

  let rowsAhead: Int

  /// `key` is that of the step which follows; it says which key group a row's state belongs to. `rowsAhead`: how many rows are
  /// read back at a time, over all key groups.
  package init(schema: Schema, key: [Int], rowsAhead: Int = 1 << 15) {
    self.schema = schema
    self.rowsAhead = rowsAhead
    encoder = KeyEncoder(keyColumns: key)
  }

  struct SortedRun {
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
    add(batch, isSaved: false)
  }

  /// `isSaved`: the state has the rows.
  func add(_ batch: RecordBatch, isSaved: Bool) {
    runs.append(SortedRun(rows: rows.add(batch, isSaved: isSaved)))
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
    while try loadDue() < watermark.time { emit(upTo: saved.reach, to: output) }
    emit(upTo: watermark.time, to: output)
  }

  private func emit(upTo watermark: EventTime, to output: any OperatorOutput) {
    var ready = takeReady(watermark)
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

  package var stateSizeBytes: Int {
    runs.reduce(rows.sizeBytes) { $0 + $1.rows.capacity * MemoryLayout<BufferedRow>.stride }
  }

  /// The job was at `watermark` when it ended.
  func restore(watermark: EventTime) { self.watermark = watermark }
}
