import State
import StreamModel

/// In the state, a row that waits is one entry: a table byte, the first hash of its key group, the watermark at which it goes
/// out, its number; the value is what `BufferedRowCodec` writes. So what is due is the front of a key group's entries, and
/// goes by one range delete.
///
/// After a spill rows are in the state only. They are read back a stretch of each key group at a time, those first that are due
/// first, so that however many are due at once, memory holds a bounded number.
extension EventTimeSortOperator {
  private static let table: [UInt8] = [0]
  private static let releaseAt = 1 + StateKey.hashLength
  private static let keyBytes = releaseAt + 16

  /// Rows of one run.
  private static let runRows = 1 << 16

  private static func prefix(_ group: Int) -> [UInt8] { table + StateKey.hashBytes(firstOfGroup: group) }

  package func attach(_ state: OperatorState, watermark: EventTime) throws(OperatorError) {
    keyedState = state
    restore(watermark: watermark)
    saved.nextNumber = state.nextRowNumber()
    do throws(StateError) {
      let cursor = try state.makeCursor(prefix: EventTimeSortOperator.table, isSweep: false)
      if cursor.isValid {
        _ = try release(cursor.key)
        // What is damaged or of another layout is found before anything goes out.
        _ = try decoded([[UInt8](cursor.value)])
        saved.restore(state.keyGroups)
      }
      try cursor.check()
    } catch {
      throw OperatorError(error)
    }
  }

  private func release(_ key: UnsafeRawBufferPointer) throws(StateError) -> EventTime {
    guard key.count == EventTimeSortOperator.keyBytes else {
      throw .malformed("a waiting row's key has \(key.count) bytes")
    }
    return StateKey.number(key, at: EventTimeSortOperator.releaseAt)
  }

  private func decoded(_ values: [[UInt8]]) throws(StateError) -> [RecordBatch] {
    do { return try BufferedRowCodec(schema: schema).decode(values) } catch {
      throw .malformed("\(error)")
    }
  }

  // MARK: Reading

  /// Reads on, if need be, in the key groups that have come least far. Returns how far memory has all rows.
  func loadDue() throws(OperatorError) -> EventTime {
    guard let keyedState, saved.reach < watermark else { return saved.reach }
    do throws(StateError) {
      let most = max(1, rowsAhead / keyedState.keyGroups.count)
      let cursor = try keyedState.makeCursor(prefix: EventTimeSortOperator.table, isSweep: false)
      var values: [[UInt8]] = []
      for group in saved.groupsBehind() {
        try read(group, most, cursor, &values)
      }
      try cursor.check()
      for batch in try decoded(values) { add(batch, isSaved: true) }
    } catch {
      throw OperatorError(error)
    }
    return saved.reach
  }

  /// Reads the next rows of a key group, `most` or all of the last one's watermark.
  private func read(
    _ group: Int, _ most: Int, _ cursor: any StateCursor, _ values: inout [[UInt8]]
  ) throws(StateError) {
    let prefix = EventTimeSortOperator.prefix(group)
    let end = StateStore.successor(of: prefix)
    let before = saved.reach(of: group)
    cursor.seek(before == EventTimes.minimum ? prefix : prefix + StateKey.bytes(before.addingSaturated(1)))
    var count = 0
    var last = before
    while cursor.isValid, cursor.key.lexicographicallyPrecedes(end) {
      let release = try release(cursor.key)
      if count >= most, release > last { return saved.noteRead(group, upTo: last) }
      last = release
      if StateKey.rowNumber(cursor.key) < saved.residentFrom {
        values.append([UInt8](cursor.value))
        count += 1
      }
      cursor.next()
    }
    saved.noteRead(group, upTo: EventTimes.maximum)
  }

  // MARK: Writing

  package func snapshot() throws(OperatorError) -> EventTime {
    do { try writeChanges() } catch { throw OperatorError(error) }
    return watermark
  }

  package func spill() throws(OperatorError) {
    guard let keyedState else { return }
    do { try writeChanges() } catch { throw OperatorError(error) }
    guard !runs.isEmpty else { return }
    runs = []
    rows = BufferedRows()
    saved.letGo(keyedState.keyGroups, at: watermark)
  }

  private struct Entry {
    let key: [UInt8]
    let value: [UInt8]
  }

  /// Removes the rows that have gone out and adds those that the state lacks.
  private func writeChanges() throws(StateError) {
    guard let keyedState else { return }
    for group in saved.takeGroups(savedUpTo: watermark) {
      let prefix = EventTimeSortOperator.prefix(group)
      keyedState.deleteRange(from: prefix, to: StateStore.successor(of: prefix + StateKey.bytes(watermark)))
    }
    var entries: [Entry] = []
    for (slot, waiting) in unsaved() {
      try encode(slot, waiting, &entries)
      if entries.count >= EventTimeSortOperator.runRows { try put(&entries, keyedState) }
    }
    try put(&entries, keyedState)
    rows.noteSaved()
  }

  /// The rows that the state lacks, by batch.
  private func unsaved() -> [Int32: [Int32]] {
    var unsaved: [Int32: [Int32]] = [:]
    for run in runs {
      for row in run.rows[run.head...] where !rows.isSaved(row.pick.batch) {
        unsaved[row.pick.batch, default: []].append(row.pick.row)
      }
    }
    return unsaved
  }

  private func encode(_ slot: Int32, _ waiting: [Int32], _ entries: inout [Entry]) throws(StateError) {
    let batch = rows.batch(slot)
    encoder.encode(batch)
    for (row, value) in zip(waiting, BufferedRowCodec(schema: schema).encode(batch, waiting)) {
      let group = KeyGroup.of(hash: encoder.hashes[Int(row)])
      // A row that is due by now goes out with the next watermark.
      let release = max(BufferedRows.release(batch, Int(row)), watermark.addingSaturated(1))
      let key =
        EventTimeSortOperator.prefix(group) + StateKey.bytes(release) + StateKey.bytes(saved.takeNumber())
      entries.append(Entry(key: key, value: value))
      saved.noteSaved(group, release)
    }
  }

  private func put(_ entries: inout [Entry], _ state: OperatorState) throws(StateError) {
    guard !entries.isEmpty else { return }
    entries.sort { $0.key.lexicographicallyPrecedes($1.key) }
    try state.addRun { (run) throws(StateError) in
      for entry in entries { try run.put(entry.key, entry.value) }
    }
    entries.removeAll(keepingCapacity: true)
  }
}

/// What the state has of the rows that wait in an `EventTimeSortOperator`, by key group. One owner.
struct SavedRows {
  /// The number of the next row that is written.
  var nextNumber: UInt64 = 1
  /// Rows with this number or a greater one are in memory.
  private(set) var residentFrom: UInt64 = 0
  /// Memory has the rows that go out up to this watermark.
  private(set) var reach = EventTimes.maximum
  private var reaches = [EventTime](repeating: EventTimes.maximum, count: KeyGroup.count)
  /// At or before the first row in the state.
  private var first = [EventTime](repeating: EventTimes.maximum, count: KeyGroup.count)

  mutating func takeNumber() -> UInt64 {
    nextNumber += 1
    return nextNumber - 1
  }

  /// The state has rows, of which memory has none.
  mutating func restore(_ groups: Range<Int>) {
    for group in groups { first[group] = EventTimes.minimum }
    letGo(groups, at: EventTimes.minimum)
  }

  /// Memory is empty; what goes out beyond `watermark` is in the state.
  mutating func letGo(_ groups: Range<Int>, at watermark: EventTime) {
    residentFrom = nextNumber
    for group in groups { reaches[group] = first[group] == EventTimes.maximum ? EventTimes.maximum : watermark }
    reach = reaches.min() ?? EventTimes.maximum
  }

  /// How far memory has all rows of a key group.
  func reach(of group: Int) -> EventTime { reaches[group] }

  /// The key groups that have come least far: a quarter of those that the state has rows of beyond.
  func groupsBehind() -> [Int] {
    let open = reaches.filter { $0 < EventTimes.maximum }.sorted()
    guard !open.isEmpty else { return [] }
    let limit = open[open.count / 4]
    return reaches.indices.filter { reaches[$0] <= limit }
  }

  /// Memory has the rows of a key group that go out up to `release`.
  mutating func noteRead(_ group: Int, upTo release: EventTime) {
    reaches[group] = release
    reach = reaches.min() ?? EventTimes.maximum
  }

  /// The state has a row of a key group.
  mutating func noteSaved(_ group: Int, _ release: EventTime) { first[group] = min(first[group], release) }

  /// The key groups of which the state may have rows that have gone out by `watermark`, and has none any more.
  mutating func takeGroups(savedUpTo watermark: EventTime) -> [Int] {
    let groups = first.indices.filter { first[$0] <= watermark && first[$0] < EventTimes.maximum }
    for group in groups { first[group] = watermark.addingSaturated(1) }
    return groups
  }
}
