import State
import StreamModel

/// The groups of the rows that belong to the same windows: those in memory, and what the state holds beyond them.
///
/// The state may hold entries of the *resident run*, older than what is in memory, and entries of earlier runs, which are not
/// in memory at all. A run is told from others by the suffix of its keys; where an operator loads a group before it goes on
/// with it there is but one.
final class WindowPane {
  let key: PaneKey
  /// What the pane's state keys begin with.
  let prefix: [UInt8]
  private(set) var store: GroupStore
  /// The suffix of the resident run's state keys.
  private(set) var suffix: [UInt8]
  /// Groups of which the state knows nothing or something older.
  var dirty = DirtySlots()
  /// Whether the state has entries of the resident run.
  var isPersisted = false
  /// Whether the state has groups, or parts of groups, that are not in memory.
  private(set) var hasSpilled = false
  /// Groups that changed since the last early results.
  var changed = ChangedSlots()
  /// Groups that late rows of this batch changed.
  var lateChanged = ChangedSlots()
  /// Per group the watermark that its last late row came behind.
  private(set) var stamps: [EventTime] = []

  init(_ key: PaneKey, _ plan: AggregatePlan, suffix: [UInt8], hasSpilled: Bool = false) {
    self.key = key
    self.suffix = suffix
    self.hasSpilled = hasSpilled
    prefix = PaneKeyCodec.prefix(key)
    store = GroupStore(plan)
  }

  /// Forgets what is in memory, all of which is in the state, but for groups that owe an early result; what comes next is
  /// another run, with `suffix`.
  func letGo(_ plan: AggregatePlan, suffix: [UInt8]) {
    let owing = changed.slots
    let rest = GroupStore(plan)
    rest.merge(store, slots: owing)
    rest.table.expect(min(store.count, WindowPane.expectedGroups))
    let stamps = owing.map { stamp(of: $0) }
    store = rest
    changed = ChangedSlots()
    lateChanged = ChangedSlots()
    dirty = DirtySlots()
    self.stamps = isLate ? stamps : []
    for slot in rest.allSlots { changed.mark(slot) }
    self.suffix = suffix
    hasSpilled = true
    isPersisted = false
  }

  /// Groups that room is made for at once when groups come after a spill, at most.
  private static let expectedGroups = 1 << 20

  /// Whether rows of the pane are late for some of its windows.
  var isLate: Bool { key.onTimeEnd > key.firstEnd }

  /// Whether rows of the pane belong to the window that ends at `end`.
  func contains(_ end: EventTime) -> Bool { key.firstEnd <= end && end <= key.lastEnd }

  /// Whether rows of the pane came in time for the window that ends at `end`.
  func isOnTime(for end: EventTime) -> Bool { key.onTimeEnd <= end }

  /// Notes that a row behind `stamp` changed `slot`.
  func note(stamp: EventTime, _ slot: Int32) {
    while stamps.count <= Int(slot) { stamps.append(EventTimes.minimum) }
    stamps[Int(slot)] = max(stamps[Int(slot)], stamp)
  }

  /// The watermark that the last late row of `key` came behind; the minimum where there was none.
  func stamp(of key: UnsafeRawBufferPointer, hash: UInt64) -> EventTime {
    let slot = Int(store.table.slot(of: key, hash: hash))
    return stamps.indices.contains(slot) ? stamps[slot] : EventTimes.minimum
  }

  func stamp(of slot: Int32) -> EventTime {
    stamps.indices.contains(Int(slot)) ? stamps[Int(slot)] : EventTimes.minimum
  }

  var sizeBytes: Int {
    store.sizeBytes + changed.sizeBytes + lateChanged.sizeBytes + stamps.capacity * 8 + dirty.sizeBytes
  }
}

/// A window that closes, ordered by end and then start.
struct WindowBounds: Hashable, Comparable {
  let end: EventTime
  let start: EventTime

  static func < (left: WindowBounds, right: WindowBounds) -> Bool { (left.end, left.start) < (right.end, right.start) }
}

/// What the keys of a pane's groups in the state begin with: the table, then the four times of the pane, the last end first,
/// so that they sort as panes do.
enum PaneKeyCodec {
  static let table: UInt8 = 0
  static let prefixBytes = 33

  static func prefix(_ pane: PaneKey) -> [UInt8] {
    [table] + [pane.lastEnd, pane.start, pane.firstEnd, pane.onTimeEnd].flatMap { StateKey.bytes($0) }
  }

  /// The pane that `bytes` begin with; nil where they are too short or of another table.
  static func decode(_ bytes: UnsafeRawBufferPointer) -> PaneKey? {
    guard bytes.count >= prefixBytes, bytes[0] == table else { return nil }
    let times = (0..<4).map { StateKey.number(bytes, at: 1 + $0 * 8) }
    return PaneKey(start: times[1], firstEnd: times[2], onTimeEnd: times[3], lastEnd: times[0])
  }
}
