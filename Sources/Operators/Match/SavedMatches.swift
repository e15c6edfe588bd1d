import State
import StreamModel

/// What the state has of a `match` and memory has not, and the other way round. One owner.
struct SavedMatches {
  /// Slots of keys of which the state knows nothing or something older.
  var dirty = DirtySlots()
  /// Whether the state has keys that are not in memory, or any at all.
  private(set) var hasSpilled = false
  var isPersisted = false
  /// Keys that have gone from memory and are still in the state, and by their slot what it has of them.
  private(set) var removed = GroupTable()
  private(set) var removedParts: [MatchRun.Saved] = []
  /// By key group: at or before the start of the first undecided match of a key that is in the state only.
  private var firstOpen = [EventTime](repeating: EventTimes.maximum, count: KeyGroup.count)
  /// Key groups in which that may have become later.
  private var stale: Set<Int> = []

  var sizeBytes: Int { removed.sizeBytes + removedParts.capacity * MemoryLayout<MatchRun.Saved>.stride }

  /// The key in `slot` goes from memory for good.
  mutating func remove(_ slot: Int32, _ key: UnsafeRawBufferPointer, _ run: MatchRun) {
    dirty.clear(slot)
    guard !run.saved.rows.isEmpty else { return }
    let place = Int(removed.insert(key, hash: KeyEncoder.hash(key)))
    // Not yet in the state again since it was removed last: nothing was written in between.
    precondition(place == removedParts.count, "a key is removed from the state once")
    removedParts.append(run.saved)
  }

  func isRemoved(_ key: UnsafeRawBufferPointer, hash: UInt64) -> Bool { removed.slot(of: key, hash: hash) >= 0 }

  /// The state knows everything.
  mutating func settle() {
    dirty.removeAll()
    removed = GroupTable()
    removedParts = []
  }

  /// Memory is empty; all there is is in the state.
  mutating func letGo() {
    dirty = DirtySlots()
    hasSpilled = true
    isPersisted = true
  }

  // MARK: Undecided matches of keys in the state

  /// The start of the oldest; the end of time where there is none.
  var oldest: EventTime { hasSpilled ? firstOpen.min() ?? EventTimes.maximum : EventTimes.maximum }

  /// Key groups with some that may have started by `limit`.
  func groups(startedBy limit: EventTime) -> [Int] {
    firstOpen.indices.filter { firstOpen[$0] <= limit && firstOpen[$0] < EventTimes.maximum }
  }

  var staleGroups: [Int] { stale.sorted() }

  func first(ofGroup group: Int) -> EventTime { firstOpen[group] }

  /// The first of a key group started at `start`.
  mutating func set(_ start: EventTime, group: Int) {
    firstOpen[group] = start
    stale.remove(group)
  }

  /// A key with one that started at `start` is in the state only from now on.
  mutating func noteSpilled(_ start: EventTime, group: Int) { firstOpen[group] = min(firstOpen[group], start) }

  /// A key with one that started at `start` is in memory again.
  mutating func noteLoaded(_ start: EventTime, group: Int) { if start <= firstOpen[group] { stale.insert(group) } }
}
