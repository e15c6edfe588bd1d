import State
import StreamModel

#if canImport(Glibc)
  import Glibc
#endif

/// State keys of a join:
///
/// - Tables 0 and 1, the left and the right rows: the span of event time, the hash, the key, the row's number. The value is what
///   `StoredRow` says.
/// - Table 2, left rows that wait: the span, the first hash of the key group, the row's event time, the key, its number. Lazy:
///   a row that finds a partner stays there.
/// - Table 3: by key group the watermark up to which left rows have gone out alone.
enum JoinStateKey {
  static let leftRows: UInt8 = 0
  static let rightRows: UInt8 = 1
  static let waiting: UInt8 = 2
  static let marks: UInt8 = 3
  static let prefixBytes = 9
  static let numberBytes = 8

  static func prefix(_ table: UInt8, span: Int64) -> [UInt8] { [table] + StateKey.bytes(span) }

  /// The span that the state key of a row begins with; nil where it is too short.
  static func span(_ key: UnsafeRawBufferPointer) -> Int64? {
    key.count >= prefixBytes + StateKey.hashLength + numberBytes ? StateKey.number(key, at: 1) : nil
  }

  /// Whether `key` begins with `prefix`.
  static func begins(_ key: UnsafeRawBufferPointer, with prefix: [UInt8]) -> Bool {
    guard key.count >= prefix.count, let start = key.baseAddress else { return false }
    return prefix.withUnsafeBytes { prefix in prefix.baseAddress.map { memcmp(start, $0, prefix.count) == 0 } ?? true }
  }
}

/// The rows of a bucket that the state lacks, by where they lie.
struct JoinBucketChange {
  let bucket: JoinBucket
  let rows: [Int]
}

extension JoinSide {
  /// Takes hold of `state`, which may hold rows of an earlier run that ended at `watermark`.
  func attach(_ state: OperatorState, watermark: EventTime) throws(StateError) {
    keyedState = state
    nextNumber = state.nextRowNumber()
    restore(watermark: watermark)
    try waiting?.attach(state, watermark: watermark)
    try restoreSpans(state)
  }

  /// Finds the spans of which the state has rows of this subtask, going from one to the next.
  private func restoreSpans(_ state: OperatorState) throws(StateError) {
    let cursor = try state.makeCursor(from: [table], to: StateStore.successor(of: [table]), isSweep: false)
    while cursor.isValid {
      guard let span = JoinStateKey.span(cursor.key) else {
        throw .malformed("a joined row's key has \(cursor.key.count) bytes")
      }
      let prefix = JoinStateKey.prefix(table, span: span)
      let own = state.range(prefix: prefix)
      cursor.seek(own.from)
      if cursor.isValid, cursor.key.lexicographicallyPrecedes(own.to) {
        guard buckets.index(of: try header(cursor.value).time) == span else {
          throw .malformed("a joined row does not lie in its span of \(buckets.width) ms")
        }
        bucket(span).restore(
          latest: buckets.start(of: span).addingSaturated(buckets.width - 1), number: nextNumber)
        waiting?.restore(span: span, state)
        hasSpilled = true
      }
      cursor.seek(StateStore.successor(of: prefix))
    }
    try cursor.check()
  }

  private func header(_ value: UnsafeRawBufferPointer) throws(StateError) -> StoredRowHeader {
    guard let header = StoredRowHeader(value: value),
      layout.isSound(UnsafeRawBufferPointer(rebasing: value[StoredRowHeader.valueBytes...]))
    else {
      throw .malformed("a joined row of \(value.count) bytes is no row of \(layout.columnCount) columns")
    }
    return header
  }

  // MARK: Reading

  /// Reads into `bucket` what the state has of the keys of `wanted`, whose rows memory may lack.
  func load(_ wanted: GroupTable, into bucket: JoinBucket) throws(StateError) {
    let keys = wanted.stateKeys(bucket.prefix)
    guard let keyedState, let first = keys.first, let last = keys.last else { return }
    let cursor = try keyedState.makeCursor(
      from: first.key, to: StateStore.successor(of: last.key), isSweep: false)
    for place in keys {
      let key = wanted.key(place.slot)
      let hash = KeyEncoder.hash(key)
      cursor.seek(place.key)
      while cursor.isValid, JoinStateKey.begins(cursor.key, with: place.key) {
        guard cursor.key.count == place.key.count + JoinStateKey.numberBytes else {
          throw .malformed("a joined row's key has \(cursor.key.count) bytes")
        }
        let number = StateKey.rowNumber(cursor.key)
        if number < bucket.residentFrom { try take(cursor.value, number, key, hash, into: bucket) }
        cursor.next()
      }
      bucket.noteLoaded(key, hash: hash)
    }
    try cursor.check()
  }

  private func take(
    _ value: UnsafeRawBufferPointer, _ number: UInt64, _ key: UnsafeRawBufferPointer, _ hash: UInt64,
    into bucket: JoinBucket
  ) throws(StateError) {
    let header = try header(value)
    if isDone(header.time, hash: hash) { return }
    let offset = bucket.add(key, hash: hash, header, number: number)
    bucket.row(at: offset).setContent(ofValue: value)
    if waiting != nil, !header.flags.contains(.matched) { bucket.wait(header.time, offset) }
  }

  /// Gives `body` the rows of `bucket` that are in the state only and go out alone up to `limit`, in order of event time for
  /// each key group; they are valid until `endOfRows`.
  func takeDue(
    _ bucket: JoinBucket, upTo limit: EventTime, _ body: (StoredRow) -> Void, _ endOfRows: () -> Void
  ) throws(StateError) {
    guard bucket.hasSpilled, let waiting, let keyedState else { return }
    var keys: [[UInt8]] = []
    for group in waiting.groups(dueAt: limit, span: bucket.span) {
      let before = max(watermark, waiting.watermark(ofGroup: group))
      let cursor = try waiting.makeCursor(keyedState, bucket.span, group, from: self.limit(at: before))
      while let due = try waiting.next(cursor, upTo: limit, span: bucket.span, group) {
        let hash = KeyEncoder.hash(due.key)
        let isHeld = due.number >= bucket.residentFrom || bucket.holdsAll(due.key, hash: hash)
        if !isHeld, !isDone(due.time, at: before) {
          keys.append(StateKey.make(bucket.prefix, due.key, hash: hash, suffix: StateKey.bytes(due.number)))
        }
        cursor.next()
        if keys.count == waiting.rowsAtATime { try give(&keys, keyedState, body, endOfRows) }
      }
      try cursor.check()
    }
    try give(&keys, keyedState, body, endOfRows)
  }

  /// Gives `body` the rows with these state keys that have found no partner.
  private func give(
    _ keys: inout [[UInt8]], _ state: OperatorState, _ body: (StoredRow) -> Void, _ endOfRows: () -> Void
  ) throws(StateError) {
    keys.sort { $0.lexicographicallyPrecedes($1) }
    let rows = JoinBucket(span: 0, prefix: [])
    for value in try state.get(keys) {
      guard let value else { throw .malformed("a waiting row is not there") }
      var failure: StateError?
      value.withUnsafeBytes { value in
        do throws(StateError) {
          let header = try header(value)
          if header.flags.contains(.matched) { return }
          let offset = rows.addAlone(header)
          rows.row(at: offset).setContent(ofValue: value)
          rows.wait(header.time, offset)
        } catch { failure = error }
      }
      if let failure { throw failure }
    }
    rows.takeUnmatched(upTo: EventTimes.maximum, body)
    endOfRows()
    keys.removeAll(keepingCapacity: true)
  }

  // MARK: Writing

  /// `row`, which is in memory, is matched, and the state takes it for unmatched.
  func noteRematched(_ row: StoredRow) { buckets.find(buckets.index(of: row.time))?.noteRematched(row) }

  /// The rows that the state lacks and that may still be needed, by span.
  func changes() -> [JoinBucketChange] {
    buckets.all.sorted { $0.span < $1.span }.compactMap { bucket in
      let rows = bucket.unsaved.filter { !isDone(bucket.row(at: $0).time, at: watermark) }
      return rows.isEmpty ? nil : JoinBucketChange(bucket: bucket, rows: rows)
    }
  }

  /// Puts a bucket's changes into `run`.
  func write(_ change: JoinBucketChange, to run: any StateRunWriter) throws(StateError) {
    let bucket = change.bucket
    var order = change.rows.enumerated().map { index, offset in
      UInt64(StateKey.order(ofHash: KeyEncoder.hash(bucket.key(of: bucket.row(at: offset))))) << 32 | UInt64(index)
    }
    HashOrder.sort(&order)
    HashOrder.breakTies(&order) { left, right in
      bucket.isBefore(bucket.row(at: change.rows[Int(left)]), bucket.row(at: change.rows[Int(right)]))
    }
    let buffer = StateKeyBuffer()
    buffer.setPrefix(bucket.prefix)
    for place in order {
      let row = bucket.row(at: change.rows[Int(place & 0xFFFF_FFFF)])
      var failure: StateError?
      withUnsafeBytes(of: row.number.bigEndian) { number in
        let key = buffer.make(HashOrder.order(place), bucket.key(of: row), suffix: number)
        do throws(StateError) { try run.put(key, row.value) } catch { failure = error }
      }
      if let failure { throw failure }
    }
    bucket.notePersisted()
  }

  /// The state has everything.
  func settle() { for bucket in buckets.all { bucket.settle() } }

  /// Lets go of what is in memory, all of which is in the state.
  func letGo() {
    for bucket in buckets.all { bucket.letGo(number: nextNumber) }
    hasSpilled = hasSpilled || !buckets.isEmpty
  }

  /// Removes what the state has of a bucket that goes.
  func forget(_ bucket: JoinBucket) {
    guard bucket.isPersisted, let keyedState else { return }
    keyedState.deleteAll(prefix: bucket.prefix)
    waiting?.forget(span: bucket.span, keyedState)
  }
}

extension JoinBucket {
  /// Whether a row's state key precedes another's with the same hash.
  func isBefore(_ left: StoredRow, _ right: StoredRow) -> Bool {
    if left.keyPlace == right.keyPlace { return left.number < right.number }
    return key(of: left).lexicographicallyPrecedes(key(of: right))
  }
}

extension StoredRow {
  /// Takes over the content of a row from its value in the state.
  func setContent(ofValue value: UnsafeRawBufferPointer) {
    content.copyMemory(from: value.baseAddress.unsafelyUnwrapped + StoredRowHeader.valueBytes, byteCount: length)
  }
}
