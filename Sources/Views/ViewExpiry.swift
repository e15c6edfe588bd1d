import Formats
import State
import StreamModel

/// Finds rows whose time in a view is over: an index of keys by key group and stretch of event time, kept beside the rows.
///
/// A key is entered under the stretch of each of its rows; when a stretch is over, those of its keys that have no later row go.
/// Stretches are a sixty-fourth of `retain`, so a row stays that much longer at most.
/// One owner and thread.
struct ViewExpiry {
  static let stretchesPerRetention: Int64 = 64
  static let leastStretchMilliseconds: Int64 = 1000
  /// Most keys that one checkpoint looks at for each subtask; the rest waits for the next.
  static let maxKeysPerCheckpoint = 50_000

  let retainMilliseconds: Int64
  private let stretchMilliseconds: Int64
  private let encoder: KeyEncoder
  private let view: ViewDefinition
  private var watermark = EventTimes.minimum
  /// Stretches up to this one have been gone through.
  private var doneStretch = Int64.min
  private var isBehind = false

  init?(_ view: ViewDefinition) {
    guard let retain = view.retainMilliseconds else { return nil }
    self.view = view
    retainMilliseconds = retain
    stretchMilliseconds = max(ViewExpiry.leastStretchMilliseconds, retain / ViewExpiry.stretchesPerRetention)
    encoder = KeyEncoder(keyColumns: view.partitionKey)
  }

  /// At the end of input nothing grows old any more.
  mutating func advance(to watermark: EventTime) {
    if watermark != EventTimes.maximum { self.watermark = max(self.watermark, watermark) }
  }

  private func stretch(_ time: EventTime) -> Int64 {
    time >= 0 ? time / stretchMilliseconds : -((-time + stretchMilliseconds - 1) / stretchMilliseconds)
  }

  /// The last stretch that is over.
  private var overStretch: Int64? {
    guard watermark > EventTimes.earliestRecord else { return nil }
    return stretch(watermark - retainMilliseconds) - 1
  }

  /// Whether a row of event time `time` has had its time.
  func isOver(_ time: EventTime) -> Bool { overStretch.map { stretch(time) <= $0 } ?? false }

  // MARK: The index

  static let indexPrefix: UInt8 = 1
  private static let headLength = 10

  private static func head(_ group: Int, _ stretch: Int64, to bytes: inout ByteBuffer) {
    bytes.append(indexPrefix)
    bytes.append(UInt8(group))
    withUnsafeBytes(of: (stretch ^ Int64.min).bigEndian) { bytes.append($0.assumingMemoryBound(to: UInt8.self)) }
  }

  private static func head(_ group: Int, _ stretch: Int64) -> [UInt8] {
    var bytes = ByteBuffer(capacity: 64)
    head(group, stretch, to: &bytes)
    return [UInt8](bytes.bytes)
  }

  /// What the index needs of a batch.
  mutating func entries(of batch: RecordBatch) -> SortedRun {
    encoder.encode(
      RecordBatch(schema: batch.schema, columns: batch.columns, count: batch.count, eventTimes: batch.eventTimes))
    var bytes = ByteBuffer(capacity: batch.count * 40)
    var ends: [Int] = []
    for row in 0..<batch.count {
      let stretch = stretch(batch.eventTimes.int64s[row])
      if stretch <= doneStretch { isBehind = true }
      ViewExpiry.head(KeyGroup.of(hash: encoder.hashes[row]), stretch, to: &bytes)
      for column in view.key { ViewKey.append(batch.columns[column], row: row, to: &bytes) }
      ends.append(bytes.count)
    }
    let base = UnsafeRawPointer(bytes.base)
    func key(_ row: Int) -> UnsafeRawBufferPointer {
      let start = row == 0 ? 0 : ends[row - 1]
      return UnsafeRawBufferPointer(start: base + start, count: ends[row] - start)
    }
    let order = (0..<batch.count).sorted { compare(key($0), key($1)) < 0 }
    var builder = SortedRunBuilder(capacityBytes: bytes.count)
    for (position, row) in order.enumerated()
    where position == 0 || compare(key(order[position - 1]), key(row)) != 0 {
      builder.append(key(row), UnsafeRawBufferPointer(start: base, count: 0))
    }
    return builder.finish()
  }

  /// Goes through the stretches that are over and calls `visit` with each key entered there, and takes the entries out of the
  /// index.
  mutating func sweep(
    _ state: OperatorState, _ visit: ([UInt8]) throws(StateError) -> Void
  ) throws(StateError) {
    guard let over = overStretch, over > doneStretch || isBehind else { return }
    var left = ViewExpiry.maxKeysPerCheckpoint
    for group in state.keyGroups where left > 0 {
      let (from, to) = (ViewExpiry.head(group, .min), ViewExpiry.head(group, over + 1))
      let cursor = try state.makeCursor(from: from, to: to, isSweep: false)
      var last: [UInt8]?
      while cursor.isValid, left > 0 {
        let entry = [UInt8](cursor.key)
        try visit(Array(entry[ViewExpiry.headLength...]))
        last = entry
        left -= 1
        cursor.next()
      }
      try cursor.check()
      if let last { state.deleteRange(from: from, to: last + [0]) }
    }
    isBehind = left == 0
    doneStretch = over
  }
}
