import Expressions
import StreamModel

/// Which windows there can be: their bounds are timestamps, and those end with the year 9999. A row that belongs to a window
/// beyond fails as a whole, however many windows it belongs to.
enum WindowRange {
  static let reason =
    "a window of the row starts before 0001-01-01T00:00:00.000Z or ends after 9999-12-31T23:59:59.999Z, which no timestamp can say"

  /// Whether every window of `pane` lies within.
  static func holds(_ pane: PaneKey, of assigner: any WindowAssigner) -> Bool {
    pane.lastEnd <= EventTimes.latestRecord
      && assigner.start(ofWindowEndingAt: pane.firstEnd, in: pane) >= EventTimes.earliestRecord
  }

  /// Adds the rows whose own session would end beyond to `failures`, which are in order and stay so.
  static func addFailures(of batch: RecordBatch, sessionGap gap: Int64, to failures: inout [RowFailure]) {
    let times = batch.eventTimes.int64s
    let latest = EventTimes.latestRecord - gap
    var greatest = EventTimes.minimum
    for row in 0..<batch.count { greatest = max(greatest, times[row]) }
    guard greatest > latest else { return }
    let known = Set(failures.map(\.row))
    for row in 0..<batch.count where times[row] > latest && !known.contains(row) {
      failures.append(RowFailure(row: row, reason: reason))
    }
    failures.sort { $0.row < $1.row }
  }
}
