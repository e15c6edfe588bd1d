import Formats
import Operators
import State
import StreamModel

/// Writes the rows that reach it into a view: readers see them at once as live, and as committed with their checkpoint.
///
/// What came since the last barrier lies in runs in memory; at a barrier they become one, which goes into the state. It never
/// reads but to find rows whose time is over, so it costs the stream the sorting of its rows and nothing that grows with the view.
package final class ViewOperator: StreamOperator {
  private let view: ViewDefinition
  private let store: ViewStore
  private let segment: ViewSegment
  private let codec: ViewRowCodec
  private var expiry: ViewExpiry?
  /// Entries of the expiry index that are not in the state yet.
  private let index: ViewSegment
  private var state: OperatorState?
  private var watermark = EventTimes.minimum

  static let rowPrefix: UInt8 = 0

  package init(_ store: ViewStore) {
    self.store = store
    view = store.view
    segment = store.makeSegment()
    codec = ViewRowCodec(store.view)
    expiry = ViewExpiry(store.view)
    index = ViewSegment(spillFolder: nil)
  }

  package func attach(_ state: OperatorState, watermark: EventTime) throws(OperatorError) {
    self.state = state
    self.watermark = watermark
    if view.hasEventTime { expiry?.advance(to: watermark) }
  }

  package func process(_ batch: RecordBatch, input: Int, to output: any OperatorOutput) throws(OperatorError) {
    let batch = view.hasEventTime ? batch : ViewOperator.arrived(batch)
    let run = codec.run(of: batch)
    if let entries = expiry?.entries(of: batch) { index.append(entries) }
    segment.append(run)
    store.noteLive(run)
  }

  /// The rows with the time of their arrival.
  private static func arrived(_ batch: RecordBatch) -> RecordBatch {
    RecordBatch(
      schema: batch.schema, columns: batch.columns, count: batch.count,
      eventTimes: .constant(.timestamp(Clock.wallMilliseconds()), .timestamp, count: batch.count))
  }

  package func advance(to watermark: Watermark, output: any OperatorOutput) throws(OperatorError) {
    self.watermark = watermark.time
    if view.hasEventTime { expiry?.advance(to: watermark.time) }
  }

  package func snapshot() throws(OperatorError) -> EventTime {
    guard let state else { return watermark }
    do {
      try expire(state)
      let id = state.openCheckpoint
      let rows = segment.seal(id)
      let entries = index.seal(id)
      if rows != nil || entries != nil { try write(rows, entries, to: state) }
      _ = index.take(upTo: id)
    } catch {
      throw OperatorError(error)
    }
    return watermark
  }

  private func write(_ rows: SortedRun?, _ entries: SortedRun?, to state: OperatorState) throws(StateError) {
    try state.addRun { (writer) throws(StateError) in
      if let rows {
        var key = ByteBuffer(capacity: 256)
        for index in 0..<rows.count {
          key.removeAll()
          key.append(ViewOperator.rowPrefix)
          key.append(rows.key(index).assumingMemoryBound(to: UInt8.self))
          if let value = rows.value(index) {
            try writer.put(UnsafeRawBufferPointer(key.bytes), value)
          } else {
            try writer.delete(UnsafeRawBufferPointer(key.bytes))
          }
        }
      }
      if let entries {
        for index in 0..<entries.count {
          guard let value = entries.value(index) else { continue }
          try writer.put(entries.key(index), value)
        }
      }
    }
  }

  /// Takes rows out whose time is over.
  private func expire(_ state: OperatorState) throws(StateError) {
    guard var expiry else { return }
    if !view.hasEventTime { expiry.advance(to: Clock.wallMilliseconds()) }
    defer { self.expiry = expiry }
    var candidates: Set<[UInt8]> = []
    try expiry.sweep(state) { (key) throws(StateError) in _ = candidates.insert(key) }
    guard !candidates.isEmpty else { return }
    let keys = candidates.sorted { left, right in
      left.withUnsafeBytes { left in right.withUnsafeBytes { compare(left, $0) < 0 } }
    }
    let stored = try state.get(keys.map { [ViewOperator.rowPrefix] + $0 })
    var builder = SortedRunBuilder()
    var goneCount = 0
    for (key, value) in zip(keys, stored) where isOver(key, stored: value, expiry) {
      key.withUnsafeBytes { builder.append($0, nil) }
      goneCount += 1
    }
    guard goneCount > 0 else { return }
    let run = builder.finish()
    segment.append(run)
    store.noteLive(run)
  }

  /// Whether the latest row of `key` has had its time.
  private func isOver(_ key: [UInt8], stored: [UInt8]?, _ expiry: ViewExpiry) -> Bool {
    if let (run, index) = key.withUnsafeBytes({ segment.open($0) }) {
      return run.value(index).map { expiry.isOver(ViewRowCodec.eventTime($0)) } ?? false
    }
    return stored?.withUnsafeBytes { expiry.isOver(ViewRowCodec.eventTime($0)) } ?? false
  }

  /// Runs that are large lie in files already, which the system can take back: there is nothing to let go of.
  package var stateSizeBytes: Int { segment.heapBytes + index.heapBytes }
}
