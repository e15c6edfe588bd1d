import State
import StreamModel

/// What the state has of a session aggregate and memory has not, and the other way round. One owner.
struct SavedSessions {
  /// Key slots of which the state knows nothing or something older.
  var dirty = DirtySlots()
  /// Key slots that the state has an entry of.
  private(set) var persisted = DirtySlots()
  /// Keys that have gone from memory and are still in the state.
  private(set) var removed = GroupTable()
  /// Whether the state has keys that are not in memory.
  private(set) var hasSpilled = false
  /// Per key group at or before the first timer in the state.
  private var firstTimers = [EventTime](repeating: EventTimes.maximum, count: KeyGroup.count)

  /// The key in `slot` goes from memory, its last session having gone.
  mutating func remove(_ slot: Int32, _ key: UnsafeRawBufferPointer) {
    dirty.clear(slot)
    guard persisted.contains(slot) else { return }
    persisted.clear(slot)
    _ = removed.insert(key, hash: KeyEncoder.hash(key))
  }

  /// The key in `slot` was written, or read.
  mutating func persist(_ slot: Int32) { persisted.mark(slot) }

  /// Everything that changed has been written.
  mutating func settle() {
    dirty.removeAll()
    removed = GroupTable()
  }

  /// Memory is empty; what there was is in the state.
  mutating func letGo() {
    settle()
    persisted = DirtySlots()
    hasSpilled = true
  }

  mutating func restore() { hasSpilled = true }

  /// The state has a timer at `due` in key group `group`.
  mutating func noteTimer(_ due: EventTime, group: Int) { firstTimers[group] = min(firstTimers[group], due) }

  /// Timers up to `watermark` have gone; where the next lies is not known.
  mutating func passTimers(_ watermark: EventTime, group: Int) {
    firstTimers[group] = watermark == EventTimes.maximum ? watermark : watermark + 1
  }

  /// The next timer of key group `group` is at `due`.
  mutating func setTimer(_ due: EventTime, group: Int) { firstTimers[group] = due }

  /// Key groups in which a timer may be due.
  func groups(dueAt watermark: EventTime) -> [Int] {
    (0..<KeyGroup.count).filter { firstTimers[$0] <= watermark && firstTimers[$0] != EventTimes.maximum }
  }
}
