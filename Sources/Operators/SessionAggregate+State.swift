import State
import StreamModel

/// In the state:
///
/// - Table 1: an entry a key, with all its sessions.
/// - Table 2: timers. The first hash of the key group, the watermark at which to look, the key. A session in the state has one
///   at or before the watermark at which something happens to it; one that fires early leads to another.
/// - Table 3: an entry for each key that owes an early result.
/// - Table 255: the bounds of the overflow guard.
///
/// A key that has left memory is read back, with all its sessions, when a row of it comes or a timer fires.
extension SessionAggregate {
  private static let sessions: [UInt8] = [1]
  private static let timers: [UInt8] = [2]
  private static let owing: [UInt8] = [3]
  static let bounds: [UInt8] = [255]

  func attach(_ state: OperatorState, watermark: EventTime) throws(OperatorError) {
    keyedState = state
    self.watermark = watermark
    sessions.nextSequence = Int64(state.nextRunNumber() << 16)
    do throws(StateError) {
      let cursor = try state.makeCursor(prefix: SessionAggregate.sessions, isSweep: false)
      if cursor.isValid { saved.restore() }
      try cursor.check()
      for group in state.keyGroups { try findTimer(group, after: watermark) }
      overflowGuard.forget()
      overflowGuard.spilled = try OverflowBounds.read(
        state, SessionAggregate.bounds, count: overflowGuard.spilled.count)
    } catch {
      throw OperatorError(error)
    }
    if tracksEarly, saved.hasSpilled { try loadOwing() }
  }

  // MARK: Reading

  /// Reads the sessions of the keys of `wanted`, none of which is in memory.
  func load(_ wanted: GroupTable) throws(OperatorError) {
    guard let keyedState else { return }
    let keys = wanted.stateKeys(SessionAggregate.sessions).filter { place in
      let key = wanted.key(place.slot)
      return saved.removed.slot(of: key, hash: KeyEncoder.hash(key)) < 0
    }
    do throws(StateError) {
      for (place, value) in zip(keys, try keyedState.get(keys.map(\.key))) {
        if let value { try insert(wanted.key(place.slot), value) }
      }
    } catch {
      throw OperatorError(error)
    }
  }

  private func insert(_ key: UnsafeRawBufferPointer, _ value: [UInt8]) throws(StateError) {
    let slot = keys.insert(key, hash: KeyEncoder.hash(key))
    sessions.growKeys(to: keys.slotCount)
    saved.persist(slot)
    var reader = StateReader(value)
    for _ in 0..<(try reader.readCount()) { try insertSession(slot, from: &reader) }
    guard reader.isAtEnd, sessions.head(ofKey: slot) >= 0 else { throw .malformed("the sessions of a key") }
  }

  private func insertSession(_ key: Int32, from reader: inout StateReader) throws(StateError) {
    let start = try reader.readInt64()
    let end = try reader.readInt64()
    let index = sessions.insert(key: key, start: start, end: end, sequence: try reader.readInt64())
    accumulators.grow(to: sessions.count)
    sessions[index].savedTimer = try reader.readInt64()
    let flags = Session.Flags(rawValue: UInt8(truncatingIfNeeded: try reader.readUInt64()))
    sessions[index].flags = flags.union(.live)
    if lateness > 0 { noteStamp(index, try reader.readInt64()) }
    try accumulators.decode(index, from: &reader)
    if tracksEarly, flags.contains(.owesEarly) { owingEarly.append(sessions.reference(index)) }
    sessions.arm(index, at: max(sessions[index].savedTimer, watermark))
  }

  /// Reads the sessions of a key group whose timers are due.
  func loadDue(_ group: Int) throws(OperatorError) {
    guard let keyedState, keyedState.keyGroups.contains(group) else { return }
    let due = GroupTable()
    do throws(StateError) {
      let prefix = SessionAggregate.timers + StateKey.hashBytes(firstOfGroup: group)
      let cursor = try keyedState.makeCursor(
        from: prefix, to: StateStore.successor(of: prefix + StateKey.bytes(watermark)), isSweep: false)
      while cursor.isValid {
        guard cursor.key.count >= prefix.count + 8 else { throw .malformed("a timer of \(cursor.key.count) bytes") }
        let key = UnsafeRawBufferPointer(rebasing: cursor.key[(prefix.count + 8)...])
        _ = due.insert(key, hash: KeyEncoder.hash(key))
        cursor.next()
      }
      try cursor.check()
      keyedState.deleteRange(from: prefix, to: StateStore.successor(of: prefix + StateKey.bytes(watermark)))
      try findTimer(group, after: watermark)
    } catch {
      throw OperatorError(error)
    }
    try load(keys.missing(due))
  }

  /// Finds the first timer of a key group behind `watermark`.
  private func findTimer(_ group: Int, after watermark: EventTime) throws(StateError) {
    guard let keyedState else { return }
    let prefix = SessionAggregate.timers + StateKey.hashBytes(firstOfGroup: group)
    let cursor = try keyedState.makeCursor(from: prefix, to: StateStore.successor(of: prefix), isSweep: false)
    saved.setTimer(EventTimes.maximum, group: group)
    if cursor.isValid, cursor.key.count >= prefix.count + 8 {
      saved.setTimer(StateKey.number(cursor.key, at: prefix.count), group: group)
    }
    try cursor.check()
  }

  private func loadOwing() throws(OperatorError) {
    guard let keyedState else { return }
    let owing = GroupTable()
    do throws(StateError) {
      let cursor = try keyedState.makeCursor(prefix: SessionAggregate.owing, isSweep: true)
      while cursor.isValid {
        let start = SessionAggregate.owing.count + StateKey.hashLength
        guard cursor.key.count >= start else { throw .malformed("a key of \(cursor.key.count) bytes owes a result") }
        let key = UnsafeRawBufferPointer(rebasing: cursor.key[start...])
        _ = owing.insert(key, hash: KeyEncoder.hash(key))
        cursor.next()
      }
      try cursor.check()
    } catch {
      throw OperatorError(error)
    }
    try load(keys.missing(owing))
  }

  // MARK: Writing

  func snapshot() throws(OperatorError) -> EventTime {
    do { try writeChanges() } catch { throw OperatorError(error) }
    return watermark
  }

  func spill() throws(OperatorError) {
    do { try writeChanges() } catch { throw OperatorError(error) }
    overflowGuard.noteSpill(accumulators)
    letGo()
    if tracksEarly { try loadOwing() }
  }

  /// One key in the run: its sessions, or that it has gone.
  private struct Change {
    let stateKey: [UInt8]
    /// Nil for a key that has gone.
    let slot: Int32?
  }

  private func writeChanges() throws(StateError) {
    guard let keyedState else { return }
    deletePassedTimers(keyedState)
    if tracksEarly { keyedState.deleteAll(prefix: SessionAggregate.owing) }
    let live = saved.dirty.slots.filter { keys.isLive($0) && sessions.head(ofKey: $0) >= 0 }
    let changes = changes(live)
    let owing = tracksEarly ? owingKeys() : GroupTable()
    defer { saved.settle() }
    guard !changes.isEmpty || owing.count > 0 else { return }
    try keyedState.addRun { (run) throws(StateError) in
      let timers = takeTimers(live)
      for change in changes {
        if let slot = change.slot {
          try run.put(change.stateKey, encoded(slot))
        } else {
          try run.delete(change.stateKey)
        }
      }
      for timer in timers { try run.put(timer, []) }
      for place in owing.stateKeys(SessionAggregate.owing) { try run.put(place.key, []) }
      guard watermark < EventTimes.maximum else { return }
      let bounds = zip(overflowGuard.spilled, overflowGuard.magnitudes(accumulators)).map { $0 + $1 }
      try OverflowBounds.put(bounds, keyedState, SessionAggregate.bounds, to: run)
    }
    for slot in live { saved.persist(slot) }
  }

  private func deletePassedTimers(_ state: OperatorState) {
    for group in saved.groups(dueAt: watermark) where state.keyGroups.contains(group) {
      let prefix = SessionAggregate.timers + StateKey.hashBytes(firstOfGroup: group)
      state.deleteRange(from: prefix, to: StateStore.successor(of: prefix + StateKey.bytes(watermark)))
      saved.passTimers(watermark, group: group)
    }
  }

  /// The keys that changed or have gone, in the order of their state keys.
  private func changes(_ live: [Int32]) -> [Change] {
    let gone = keys.missing(saved.removed)
    let changed = live.map { slot in
      let key = keys.key(slot)
      return Change(
        stateKey: StateKey.make(SessionAggregate.sessions, key, hash: KeyEncoder.hash(key)), slot: slot)
    }
    let removed = gone.stateKeys(SessionAggregate.sessions).map { Change(stateKey: $0.key, slot: nil) }
    return (changed + removed).sorted { $0.stateKey.lexicographicallyPrecedes($1.stateKey) }
  }

  /// The sessions of a key, by first row.
  private func encoded(_ key: Int32) -> [UInt8] {
    var writer = StateWriter()
    let indices = sessions.sessions(ofKey: key)
    writer.write(count: indices.count)
    for index in indices {
      let session = sessions[index]
      writer.write(session.start)
      writer.write(session.end)
      writer.write(session.sequence)
      writer.write(session.savedTimer)
      writer.write(UInt64(session.flags.rawValue))
      if lateness > 0 { writer.write(stamp(of: index)) }
      accumulators.encode(index, to: &writer)
    }
    return writer.bytes
  }

  /// State keys of the timers that the state lacks for the sessions of `live` keys, in order; the sessions note them.
  private func takeTimers(_ live: [Int32]) -> [[UInt8]] {
    var timers: [[UInt8]] = []
    for slot in live {
      let key = keys.key(slot)
      let group = KeyGroup.of(hash: KeyEncoder.hash(key))
      for index in sessions.sessions(ofKey: slot) {
        let session = sessions[index]
        let isPending = session.savedTimer > watermark && session.savedTimer != EventTimes.maximum
        if isPending, session.savedTimer <= session.timer { continue }
        // Behind the watermark: what lies before it is deleted as passed.
        let due = watermark < EventTimes.maximum ? max(session.timer, watermark + 1) : session.timer
        sessions[index].savedTimer = due
        saved.noteTimer(due, group: group)
        timers.append(
          SessionAggregate.timers + StateKey.hashBytes(firstOfGroup: group) + StateKey.bytes(due)
            + [UInt8](key))
      }
    }
    timers.sort { $0.lexicographicallyPrecedes($1) }
    // Sessions of one key may share a timer.
    return timers.enumerated().filter { $0.offset == 0 || timers[$0.offset - 1] != $0.element }.map(\.element)
  }

  private func owingKeys() -> GroupTable {
    let owing = GroupTable()
    for reference in owingEarly where sessions.holds(reference) {
      let key = keys.key(sessions[reference.index].key)
      _ = owing.insert(key, hash: KeyEncoder.hash(key))
    }
    return owing
  }

  var stateSizeBytes: Int { keys.sizeBytes + sessions.sizeBytes + accumulators.sizeBytes + stamps.capacity * 8 }
}
