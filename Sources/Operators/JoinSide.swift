import State
import StreamModel

/// One side of a join: its rows that may still find partners, and where these partners lie.
///
/// What it has in the state is in `JoinSide+State.swift`, and where rows wait to go out alone, in `WaitingRows`.
final class JoinSide {
  /// Partners of a row at `t` have event times in `[t + from, t + to]`.
  let from: Int64
  let to: Int64
  let layout: RowLayout
  /// Columns that are kept, as positions in the input.
  let columns: [Int]
  let encoder: KeyEncoder
  private let key: [Int]
  /// Its table in the state.
  let table: UInt8
  /// What the state has of rows that go out alone where they find no partner; nil where they do not.
  let waiting: WaitingRows?
  var buckets: TimeBuckets<JoinBucket>
  private(set) var watermark = EventTimes.minimum
  var keyedState: OperatorState?
  /// The number of the next row.
  var nextNumber: UInt64 = 1
  /// Whether there may be rows in the state only.
  var hasSpilled = false

  init(
    from: Int64, to: Int64, key: [Int], columns: [Int], types: [DataType], table: UInt8, waiting: WaitingRows?
  ) {
    self.from = from
    self.to = to
    self.columns = columns
    self.key = key
    self.table = table
    self.waiting = waiting
    layout = RowLayout(types)
    encoder = KeyEncoder(keyColumns: key)
    buckets = TimeBuckets(width: max((to - from) / 2 + 1, JoinSide.leastWidth))
  }

  /// Narrower spans would cost more in tables than they save in rows walked past.
  private static let leastWidth: Int64 = 1000

  /// Whether nothing can come any more that a row at `time` could be joined with.
  @inline(__always) func isDone(_ time: EventTime, at watermark: EventTime) -> Bool {
    time.addingSaturated(to) <= watermark
  }

  /// Whether a row at `time` whose key has this hash is done now. A job that came back may have done more than its watermark
  /// says: `WaitingRows` knows.
  @inline(__always) func isDone(_ time: EventTime, hash: UInt64) -> Bool {
    if isDone(time, at: watermark) { return true }
    guard let waiting, waiting.isAhead else { return false }
    return isDone(time, at: waiting.watermark(ofGroup: KeyGroup.of(hash: hash)))
  }

  /// Whether a row comes so far behind that whatever it could be joined with was done before it.
  @inline(__always) func isLate(_ time: EventTime, _ stamp: EventTime) -> Bool {
    time <= stamp && UInt64(bitPattern: stamp &- time) >= UInt64(to - from)
  }

  /// Which rows of `batch` have a null in their key; nil if none.
  func nullKeys(_ batch: RecordBatch) -> [Bool]? {
    let nullable = key.map { batch.columns[$0] }.filter { $0.validity != nil }
    guard !nullable.isEmpty else { return nil }
    return (0..<batch.count).map { row in nullable.contains { !$0.isValid(row) } }
  }

  /// The spans that hold stored rows in `range`, borrowed until rows are stored again.
  func lookups(_ range: Range<Int64>) -> [StoredRowLookup] {
    range.compactMap { buckets.find($0)?.lookup }
  }

  /// The indices of the spans that hold stored rows in `range`.
  @inline(__always) func spans(_ range: PartnerRange) -> Range<Int64> {
    let first = buckets.index(of: range.first)
    return first..<max(first, buckets.index(of: range.last)) &+ 1
  }

  /// Stores `rows` of the batch last encoded. `isMatched` goes by row of the batch.
  func insert(_ batch: RecordBatch, _ rows: [Int32], isMatched: [Bool]) {
    guard !rows.isEmpty else { return }
    let columns = columns.map { batch.columns[$0] }
    let sizes = layout.sizes(columns, rows)
    let times = batch.eventTimes.int64s
    var offsets = [Int](repeating: 0, count: rows.count)
    var runs: [(bucket: JoinBucket, end: Int)] = []
    var start = 0
    while start < rows.count {
      let index = buckets.index(of: times[Int(rows[start])])
      var end = start + 1
      while end < rows.count, buckets.index(of: times[Int(rows[end])]) == index { end += 1 }
      let bucket = bucket(index)
      add(batch, rows, start..<end, to: bucket, isMatched, sizes, &offsets)
      runs.append((bucket, end))
      start = end
    }
    layout.write(columns, rows, to: targets(runs, offsets))
  }

  func bucket(_ span: Int64) -> JoinBucket {
    buckets.findOrMake(span) { JoinBucket(span: span, prefix: JoinStateKey.prefix(table, span: span)) }
  }

  private func add(
    _ batch: RecordBatch, _ rows: [Int32], _ range: Range<Int>, to bucket: JoinBucket, _ isMatched: [Bool],
    _ sizes: [Int], _ offsets: inout [Int]
  ) {
    let times = batch.eventTimes.int64s
    let stamps = batch.stamps?.int64s
    let keys = encoder.encodedKeys
    let hashes = encoder.hashes
    let waits = waiting != nil
    for position in range {
      let row = Int(rows[position])
      var stamp = EventTimes.minimum
      if let stamps, times[row] <= stamps[row] { stamp = stamps[row] }
      let header = StoredRowHeader(
        time: times[row], stamp: stamp, flags: isMatched[row] ? .matched : [], length: sizes[position])
      let offset = bucket.add(keys.bytes(row), hash: hashes[row], header, number: nextNumber)
      nextNumber &+= 1
      if waits && !isMatched[row] { bucket.wait(times[row], offset) }
      offsets[position] = offset
    }
  }

  /// Where the rows lie now that no bucket grows any more.
  private func targets(_ runs: [(bucket: JoinBucket, end: Int)], _ offsets: [Int]) -> [UnsafeMutableRawPointer] {
    var targets: [UnsafeMutableRawPointer] = []
    targets.reserveCapacity(offsets.count)
    for run in runs {
      while targets.count < run.end { targets.append(run.bucket.row(at: offsets[targets.count]).content) }
    }
    return targets
  }

  /// Lets go of what is done at `watermark`; first gives `body` the rows that go out alone, those of a span in order of
  /// event time, where they are in memory, and the spans likewise. Rows are valid until `endOfRows`.
  func advance(
    to watermark: EventTime, unmatched body: (StoredRow) -> Void, endOfRows: () -> Void
  ) throws(StateError) {
    let limit = limit(at: watermark)
    for (index, bucket) in buckets.upTo(buckets.index(of: limit)) {
      try takeDue(bucket, upTo: limit, body, endOfRows)
      bucket.takeUnmatched(upTo: limit, body)
      endOfRows()
      if bucket.latest <= limit {
        forget(bucket)
        buckets.remove(index)
      }
    }
    self.watermark = watermark
    waiting?.advance(to: watermark)
  }

  /// Rows with event times up to this are done at `watermark`.
  func limit(at watermark: EventTime) -> EventTime {
    watermark == EventTimes.maximum ? watermark : watermark.addingSaturated(0 - to)
  }

  /// The job was at `watermark` when it ended.
  func restore(watermark: EventTime) { self.watermark = watermark }

  var sizeBytes: Int { buckets.all.reduce(0) { $0 + $1.sizeBytes } }
}

/// Which stored rows a row is joined with: those with event times from `first` to `last` that were not themselves behind
/// a watermark of `last` or more, by which this row was done.
struct PartnerRange {
  let first: EventTime
  let last: EventTime

  /// The partners of a row at `time` of `side`, behind `stamp` (the minimum where it is not behind).
  ///
  /// A stored row at `p` was done at a watermark of `p − from`: a row behind by that much finds it no more.
  @inline(__always) init(_ side: JoinSide, _ time: EventTime, _ stamp: EventTime) {
    let reached = stamp == EventTimes.minimum ? stamp : stamp.addingSaturated(side.from).addingSaturated(1)
    first = max(time.addingSaturated(side.from), reached)
    last = time.addingSaturated(side.to)
  }

  @inline(__always) func holds(_ time: EventTime, _ stamp: EventTime) -> Bool {
    time >= first && time <= last && stamp < last
  }
}

extension Int64 {
  /// The sum, or the end of the range it passes.
  @inline(__always) func addingSaturated(_ other: Int64) -> Int64 {
    let (sum, overflows) = addingReportingOverflow(other)
    return overflows ? (other < 0 ? .min : .max) : sum
  }
}

extension RecordBatch {
  /// The watermark that row `row` comes behind, or the minimum.
  @inline(__always) func stampIfBehind(_ row: Int) -> EventTime {
    guard let stamps, eventTimes.int64s[row] <= stamps.int64s[row] else { return EventTimes.minimum }
    return stamps.int64s[row]
  }
}
