import State
import StreamModel

/// What the state knows of a join's left rows that go out alone where they find no partner: when each is due, and by key group how
/// far they have gone out.
///
/// A job comes back at the least watermark of its subtasks, so some may have been further: what they have given must not be
/// given again. One owner.
final class WaitingRows {
  /// How many are read back at a time.
  let rowsAtATime: Int
  private var watermark = EventTimes.minimum
  /// By span and key group: at or before the event time of the first row in the state that has yet to go out.
  private var firstDue: [Int64: [EventTime]] = [:]
  /// By key group: the watermark up to which an earlier run gave rows.
  private var given = [EventTime](repeating: EventTimes.minimum, count: KeyGroup.count)
  /// Whether an earlier run gave rows of some key group beyond the watermark.
  private(set) var isAhead = false
  private var latestGiven = EventTimes.minimum
  /// The watermark that the state's marks are of; nil where there are none.
  private var marked: EventTime?

  init(rowsAtATime: Int) { self.rowsAtATime = rowsAtATime }

  /// The watermark up to which rows of a key group have gone out.
  func watermark(ofGroup group: Int) -> EventTime { max(watermark, given[group]) }

  func advance(to watermark: EventTime) {
    self.watermark = watermark
    isAhead = latestGiven > watermark
  }

  func attach(_ state: OperatorState, watermark: EventTime) throws(StateError) {
    let groups = Array(state.keyGroups)
    for (group, value) in zip(groups, try state.get(groups.map { WaitingRows.mark($0) })) {
      guard let value else { continue }
      guard value.count == 8 else { throw .malformed("the watermark of a key group has \(value.count) bytes") }
      given[group] = value.withUnsafeBytes { StateKey.number($0, at: 0) }
      latestGiven = max(latestGiven, given[group])
      marked = watermark
    }
    advance(to: watermark)
  }

  /// The state has rows of `span`.
  func restore(span: Int64, _ state: OperatorState) {
    var first = [EventTime](repeating: EventTimes.maximum, count: KeyGroup.count)
    for group in state.keyGroups { first[group] = EventTimes.minimum }
    firstDue[span] = first
  }

  /// Key groups with rows in the state that may be due up to `limit`.
  func groups(dueAt limit: EventTime, span: Int64) -> [Int] {
    guard let first = firstDue[span] else { return [] }
    return first.indices.filter { first[$0] <= limit && first[$0] != EventTimes.maximum }
  }

  // MARK: Reading

  private static func prefix(_ span: Int64, _ group: Int) -> [UInt8] {
    JoinStateKey.prefix(JoinStateKey.waiting, span: span) + StateKey.hashBytes(firstOfGroup: group)
  }

  /// A cursor over the waiting rows of a key group from event time `from` on.
  func makeCursor(
    _ state: OperatorState, _ span: Int64, _ group: Int, from: EventTime
  ) throws(StateError) -> any StateCursor {
    let prefix = WaitingRows.prefix(span, group)
    return try state.makeCursor(
      from: prefix + StateKey.bytes(from), to: StateStore.successor(of: prefix), isSweep: false)
  }

  /// The row at `cursor`, if its event time is not beyond `limit`; otherwise notes where the next one is due. The key is valid until
  /// the cursor moves.
  func next(
    _ cursor: any StateCursor, upTo limit: EventTime, span: Int64, _ group: Int
  ) throws(StateError) -> (time: EventTime, key: UnsafeRawBufferPointer, number: UInt64)? {
    guard cursor.isValid else {
      firstDue[span]?[group] = EventTimes.maximum
      return nil
    }
    let timeAt = JoinStateKey.prefixBytes + StateKey.hashLength
    let bytes = cursor.key
    guard bytes.count >= timeAt + 8 + JoinStateKey.numberBytes else {
      throw .malformed("a waiting row's key has \(bytes.count) bytes")
    }
    let time = StateKey.number(bytes, at: timeAt)
    if time > limit {
      firstDue[span]?[group] = time
      return nil
    }
    let key = UnsafeRawBufferPointer(rebasing: bytes[(timeAt + 8)..<(bytes.count - JoinStateKey.numberBytes)])
    return (time, key, StateKey.rowNumber(bytes))
  }

  // MARK: Writing

  private struct Entry {
    let group: Int
    let row: StoredRow
  }

  /// Puts into `run` when the rows of a change are due that have no partner.
  func write(_ change: JoinBucketChange, to run: any StateRunWriter) throws(StateError) {
    let bucket = change.bucket
    var entries: [Entry] = []
    for offset in change.rows {
      let row = bucket.row(at: offset)
      if row.isMatched { continue }
      entries.append(Entry(group: KeyGroup.of(hash: KeyEncoder.hash(bucket.key(of: row))), row: row))
    }
    entries.sort { left, right in
      if left.group != right.group { return left.group < right.group }
      return left.row.time == right.row.time ? bucket.isBefore(left.row, right.row) : left.row.time < right.row.time
    }
    var first = firstDue[bucket.span] ?? [EventTime](repeating: EventTimes.maximum, count: KeyGroup.count)
    var key: [UInt8] = []
    for entry in entries {
      first[entry.group] = min(first[entry.group], entry.row.time)
      key.removeAll(keepingCapacity: true)
      key.append(contentsOf: WaitingRows.prefix(bucket.span, entry.group))
      key.append(contentsOf: StateKey.bytes(entry.row.time))
      key.append(contentsOf: bucket.key(of: entry.row))
      key.append(contentsOf: StateKey.bytes(entry.row.number))
      try run.put(key, [])
    }
    firstDue[bucket.span] = first
  }

  private static func mark(_ group: Int) -> [UInt8] {
    [JoinStateKey.marks] + StateKey.hashBytes(firstOfGroup: group)
  }

  /// The marks that the state lacks, in order. `areNeeded`: the state has rows to which they matter; without, they go.
  func marks(_ state: OperatorState, areNeeded: Bool) -> [(key: [UInt8], value: [UInt8])] {
    guard areNeeded else {
      if marked != nil { state.deleteAll(prefix: [JoinStateKey.marks]) }
      marked = nil
      return []
    }
    guard watermark > EventTimes.minimum, marked != watermark else { return [] }
    marked = watermark
    return state.keyGroups.map { (WaitingRows.mark($0), StateKey.bytes(watermark(ofGroup: $0))) }
  }

  /// Removes what the state has of a span that goes.
  func forget(span: Int64, _ state: OperatorState) {
    state.deleteAll(prefix: JoinStateKey.prefix(JoinStateKey.waiting, span: span))
    firstDue[span] = nil
  }
}
