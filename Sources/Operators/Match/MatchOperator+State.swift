import State
import StreamModel

/// In the state:
///
/// - Table 0: the rows of a key, by number; the value is whether the row was reported as a dead letter, and what `BufferedRowCodec`
///   writes. A row is written once.
/// - Table 1: an entry a key: the number of its first row, how many there are, where the attempt begins, and the start that table 2
///   knows.
/// - Table 2: undecided matches: the first hash of the key group, the match's start, the key. So what time ends is the front of
///   a key group's entries, and the oldest is known that holds the watermark back.
extension MatchOperator {
  private static let rows: [UInt8] = [0]
  private static let heads: [UInt8] = [1]
  private static let open: [UInt8] = [2]

  /// Entries of one run.
  private static let runEntries = 1 << 16

  package func attach(_ state: OperatorState, watermark: EventTime) throws(OperatorError) {
    keyedState = state
    restore(watermark: watermark, number: state.nextRowNumber())
    do throws(StateError) {
      let cursor = try state.makeCursor(prefix: MatchOperator.heads, isSweep: false)
      if cursor.isValid {
        _ = try head([UInt8](cursor.value))
        saved.letGo()
        let open = try state.makeCursor(prefix: MatchOperator.open, isSweep: false)
        for group in state.keyGroups {
          saved.set(EventTimes.minimum, group: group)
          _ = try scan(group, open, startedBy: nil)
        }
      }
      try cursor.check()
    } catch {
      throw OperatorError(error)
    }
  }

  // MARK: Reading

  private struct Head {
    let firstNumber: UInt64
    let count: Int
    let start: Int
    let open: EventTime?
  }

  private func head(_ value: [UInt8]) throws(StateError) -> Head {
    var reader = StateReader(value)
    let firstNumber = try reader.readUInt64()
    let count = try reader.readCount()
    let start = try reader.readCount()
    let open = try reader.readBool() ? try reader.readInt64() : nil
    guard reader.isAtEnd, count > 0, start <= count, (open != nil) == (start < count) else {
      throw .malformed("\(count) rows of a key from \(start) on")
    }
    return Head(firstNumber: firstNumber, count: count, start: start, open: open)
  }

  /// Reads the keys of `wanted`, none of which is in memory.
  func load(_ wanted: GroupTable) throws(OperatorError) {
    do { try loadKeys(wanted) } catch { throw OperatorError(error) }
  }

  private func loadKeys(_ wanted: GroupTable) throws(StateError) {
    guard let keyedState else { return }
    let places = wanted.stateKeys(MatchOperator.heads).filter { place in
      let key = wanted.key(place.slot)
      return !saved.isRemoved(key, hash: KeyEncoder.hash(key))
    }
    var loading = LoadedRows()
    for (place, value) in zip(places, try keyedState.get(places.map(\.key))) {
      guard let value else { continue }
      let head = try head(value)
      loading.begin(place.slot, count: head.count)
      let key = wanted.key(place.slot)
      let run = MatchRun(firstNumber: head.firstNumber)
      run.saved = MatchRun.Saved(
        rows: head.firstNumber..<head.firstNumber + UInt64(head.count), open: head.open)
      run.restart(at: head.start)
      loading.runs.append(run)
      if let open = head.open { saved.noteLoaded(open, group: KeyGroup.of(hash: KeyEncoder.hash(key))) }
    }
    try readRows(wanted, &loading)
    for (slot, run) in zip(loading.slots, loading.runs) { add(wanted.key(slot), run) }
  }

  /// Rows that are being read back: values with an origin and values without, which cannot be of one batch.
  private struct LoadedRows {
    struct Place {
      let run: Int
      let row: Int
      let isReported: Bool
    }
    /// By run: its key among the wanted, and its rows as they are found.
    var slots: [Int32] = []
    var runs: [MatchRun] = []
    var rows: [[MatchRowID?]] = []
    var values: [[[UInt8]]] = [[], []]
    var places: [[Place]] = [[], []]

    mutating func begin(_ slot: Int32, count: Int) {
      slots.append(slot)
      rows.append(Array(repeating: nil, count: count))
    }

    mutating func add(_ value: UnsafeRawBufferPointer, _ run: Int, _ row: Int) throws(StateError) {
      guard let first = value.first else { throw .malformed("a row of a key is empty") }
      let content = [UInt8](value[1...])
      let kind = BufferedRowCodec.hasOrigin(content) ? 0 : 1
      values[kind].append(content)
      places[kind].append(Place(run: run, row: row, isReported: first != 0))
    }
  }

  private func readRows(_ wanted: GroupTable, _ loading: inout LoadedRows) throws(StateError) {
    guard let keyedState, let first = loading.slots.first, let last = loading.slots.last else { return }
    func rowPrefix(_ slot: Int32) -> [UInt8] {
      StateKey.make(MatchOperator.rows, wanted.key(slot), hash: KeyEncoder.hash(wanted.key(slot)))
    }
    let cursor = try keyedState.makeCursor(
      from: rowPrefix(first), to: StateStore.successor(of: rowPrefix(last)), isSweep: false)
    for (index, slot) in loading.slots.enumerated() {
      let prefix = rowPrefix(slot)
      let numbers = loading.runs[index].saved.rows
      cursor.seek(prefix + StateKey.bytes(numbers.lowerBound))
      for row in loading.rows[index].indices {
        guard cursor.isValid, cursor.key.elementsEqual(prefix + StateKey.bytes(numbers.lowerBound + UInt64(row))) else {
          throw .malformed("a row of a key is not there")
        }
        try loading.add(cursor.value, index, row)
        cursor.next()
      }
    }
    try cursor.check()
    try decode(&loading)
  }

  private func decode(_ loading: inout LoadedRows) throws(StateError) {
    let codec = BufferedRowCodec(schema: spec.inputSchema)
    for kind in loading.values.indices {
      let batches: [RecordBatch]
      do { batches = try codec.decode(loading.values[kind]) } catch { throw .malformed("\(error)") }
      var next = 0
      for batch in batches {
        let block = sound(batch)
        let index = blocks.add(block)
        for row in 0..<Int32(batch.count) {
          let place = loading.places[kind][next]
          if place.isReported { _ = block.report(row) }
          loading.rows[place.run][place.row] = MatchRowID(block: index, row: row)
          next += 1
        }
      }
    }
    for (run, rows) in zip(loading.runs, loading.rows) {
      for row in rows { if let row { run.append(row, blocks) } }
    }
  }

  // MARK: Undecided matches

  /// Reads keys that are in the state only and whose matches started by `limit`, not too many. Returns whether there are more.
  func loadDue(startedBy limit: EventTime?) throws(OperatorError) -> Bool {
    guard saved.hasSpilled, let limit, let keyedState else { return false }
    let groups = saved.groups(startedBy: limit)
    guard !groups.isEmpty else { return false }
    let due = GroupTable()
    var isMore = false
    do throws(StateError) {
      let cursor = try keyedState.makeCursor(prefix: MatchOperator.open, isSweep: false)
      for group in groups where !isMore { isMore = try scan(group, cursor, startedBy: limit, into: due) }
      try cursor.check()
      try loadKeys(due)
    } catch {
      throw OperatorError(error)
    }
    return isMore
  }

  /// Goes through a key group's undecided matches of keys that are in the state only, puts the keys of those that started by `limit`
  /// into `due`, and notes where the next one started. Returns whether it stopped for want of room.
  private func scan(
    _ group: Int, _ cursor: any StateCursor, startedBy limit: EventTime?, into due: GroupTable = GroupTable()
  ) throws(StateError) -> Bool {
    let prefix = MatchOperator.open + StateKey.hashBytes(firstOfGroup: group)
    let end = StateStore.successor(of: prefix)
    cursor.seek(prefix + StateKey.bytes(saved.first(ofGroup: group)))
    while cursor.isValid, cursor.key.lexicographicallyPrecedes(end) {
      let bytes = cursor.key
      guard bytes.count >= prefix.count + 8 else { throw .malformed("an undecided match of \(bytes.count) bytes") }
      let start = StateKey.number(bytes, at: prefix.count)
      let key = UnsafeRawBufferPointer(rebasing: bytes[(prefix.count + 8)...])
      let hash = KeyEncoder.hash(key)
      if keys.slot(of: key, hash: hash) < 0, !saved.isRemoved(key, hash: hash) {
        guard let limit, start <= limit, due.count < dueKeys else {
          saved.set(start, group: group)
          return limit.map { start <= $0 } ?? false
        }
        _ = due.insert(key, hash: hash)
      }
      cursor.next()
    }
    saved.set(EventTimes.maximum, group: group)
    return false
  }

  /// Finds the oldest undecided match of the keys that are in the state only.
  func findOldestSaved() throws(OperatorError) {
    let stale = saved.staleGroups
    guard let keyedState, !stale.isEmpty else { return }
    do throws(StateError) {
      let cursor = try keyedState.makeCursor(prefix: MatchOperator.open, isSweep: false)
      for group in stale { _ = try scan(group, cursor, startedBy: nil) }
      try cursor.check()
    } catch {
      throw OperatorError(error)
    }
  }

  // MARK: Writing

  package func snapshot() throws(OperatorError) -> EventTime {
    do { try writeChanges() } catch { throw OperatorError(error) }
    return watermark
  }

  package func spill() throws(OperatorError) {
    guard keyedState != nil else { return }
    do { try writeChanges() } catch { throw OperatorError(error) }
    for (slot, run) in runs.enumerated() {
      guard let run, run.isOpen else { continue }
      saved.noteSpilled(startTime(run), group: KeyGroup.of(hash: KeyEncoder.hash(keys.key(Int32(slot)))))
    }
    guard keys.count > 0 else { return }
    letGo()
    saved.letGo()
  }

  /// Entries of a run that is put together; rows wait to be encoded, those of a block together.
  private struct Entries {
    var all: [(key: [UInt8], value: [UInt8]?)] = []
    /// By block: places among the entries, and rows.
    var rows: [Int32: (places: [Int], rows: [Int32])] = [:]

    mutating func put(_ key: [UInt8], _ value: [UInt8]) { all.append((key, value)) }
    mutating func delete(_ key: [UInt8]) { all.append((key, nil)) }

    mutating func put(_ key: [UInt8], _ id: MatchRowID) {
      rows[id.block, default: ([], [])].places.append(all.count)
      rows[id.block]?.rows.append(id.row)
      all.append((key, []))
    }
  }

  private func writeChanges() throws(StateError) {
    guard let keyedState else { return }
    var entries = Entries()
    for (slot, part) in saved.removedParts.enumerated() {
      remove(part, saved.removed.key(Int32(slot)), &entries)
      if entries.all.count >= MatchOperator.runEntries { try write(&entries, keyedState) }
    }
    // A run of its own: a key that has gone may have come back.
    try write(&entries, keyedState)
    for slot in saved.dirty.slots {
      guard Int(slot) < runs.count, let run = runs[Int(slot)] else { continue }
      add(run, keys.key(slot), &entries)
      if entries.all.count >= MatchOperator.runEntries { try write(&entries, keyedState) }
    }
    try write(&entries, keyedState)
    saved.settle()
  }

  private func remove(_ part: MatchRun.Saved, _ key: UnsafeRawBufferPointer, _ entries: inout Entries) {
    let hash = KeyEncoder.hash(key)
    for number in part.rows {
      entries.delete(StateKey.make(MatchOperator.rows, key, hash: hash, suffix: StateKey.bytes(number)))
    }
    entries.delete(StateKey.make(MatchOperator.heads, key, hash: hash))
    if let open = part.open { entries.delete(MatchOperator.openKey(open, key, hash)) }
  }

  private static func openKey(_ start: EventTime, _ key: UnsafeRawBufferPointer, _ hash: UInt64) -> [UInt8] {
    open + StateKey.hashBytes(firstOfGroup: KeyGroup.of(hash: hash)) + StateKey.bytes(start) + [UInt8](key)
  }

  /// Adds what the state lacks of a key, and what it has too much.
  private func add(_ run: MatchRun, _ key: UnsafeRawBufferPointer, _ entries: inout Entries) {
    let hash = KeyEncoder.hash(key)
    func rowKey(_ number: UInt64) -> [UInt8] {
      StateKey.make(MatchOperator.rows, key, hash: hash, suffix: StateKey.bytes(number))
    }
    let known = run.saved
    let numbers = run.numbers
    for number in known.rows where number < numbers.lowerBound { entries.delete(rowKey(number)) }
    let added = max(known.rows.upperBound, numbers.lowerBound)..<numbers.upperBound
    for number in Array(Set(known.changed).filter(numbers.contains)) + added {
      entries.put(rowKey(number), run[Int(number - numbers.lowerBound)])
    }
    let open = run.isOpen ? startTime(run) : nil
    if open != known.open {
      if let before = known.open { entries.delete(MatchOperator.openKey(before, key, hash)) }
      if let open { entries.put(MatchOperator.openKey(open, key, hash), []) }
    }
    var head = StateWriter()
    head.write(numbers.lowerBound)
    head.write(count: numbers.count)
    head.write(count: run.start)
    head.write(open != nil)
    if let open { head.write(open) }
    entries.put(StateKey.make(MatchOperator.heads, key, hash: hash), head.bytes)
    run.saved = MatchRun.Saved(rows: numbers, open: open)
  }

  private func write(_ entries: inout Entries, _ state: OperatorState) throws(StateError) {
    guard !entries.all.isEmpty else { return }
    let codec = BufferedRowCodec(schema: spec.inputSchema)
    for (index, (places, rows)) in entries.rows {
      let block = blocks[index]
      for ((place, row), value) in zip(zip(places, rows), codec.encode(block.batch, rows)) {
        entries.all[place].value = [block.reported.contains(row) ? 1 : 0] + value
      }
    }
    let sorted = entries.all.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    try state.addRun { (run) throws(StateError) in
      for entry in sorted {
        if let value = entry.value { try run.put(entry.key, value) } else { try run.delete(entry.key) }
      }
    }
    saved.isPersisted = true
    entries = Entries()
  }

  /// Removes all that the state has: nothing comes any more.
  func forgetSaved() {
    if saved.isPersisted {
      for table in [MatchOperator.rows, MatchOperator.heads, MatchOperator.open] {
        keyedState?.deleteAll(prefix: table)
      }
    }
    saved = SavedMatches()
  }
}
