import State
import StreamModel

/// The groups of the rows that belong to the same windows.
final class WindowPane {
  let key: PaneKey
  let store: GroupStore
  /// Groups that changed since the last early results.
  var changed = ChangedSlots()
  /// Groups that late rows of this batch changed.
  var lateChanged = ChangedSlots()
  /// Per group the watermark that its last late row came behind.
  private(set) var stamps: [EventTime] = []

  init(_ key: PaneKey, _ plan: AggregatePlan) {
    self.key = key
    store = GroupStore(plan)
  }

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

  var sizeBytes: Int { store.sizeBytes + changed.sizeBytes + lateChanged.sizeBytes + stamps.capacity * 8 }
}

/// A window that closes, ordered by end and then start.
struct WindowBounds: Hashable, Comparable {
  let end: EventTime
  let start: EventTime

  static func < (left: WindowBounds, right: WindowBounds) -> Bool { (left.end, left.start) < (right.end, right.start) }
}

/// Keys of a pane's groups in the state: the four times of the pane, biased and big-endian so that they sort, the last end
/// first; then the encoded key.
enum PaneKeyCodec {
  static let prefixBytes = 32

  static func encode(_ pane: PaneKey, _ key: UnsafeRawBufferPointer) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(prefixBytes + key.count)
    for time in [pane.lastEnd, pane.start, pane.firstEnd, pane.onTimeEnd] {
      withUnsafeBytes(of: (UInt64(bitPattern: time) ^ 1 << 63).bigEndian) { bytes.append(contentsOf: $0) }
    }
    bytes.append(contentsOf: key)
    return bytes
  }

  /// The pane that `bytes` begin with; nil where they are too short.
  static func decode(_ bytes: [UInt8]) -> PaneKey? {
    guard bytes.count >= prefixBytes else { return nil }
    let times = bytes.withUnsafeBytes { bytes in
      (0..<4).map { index in
        let biased = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
        return Int64(bitPattern: biased ^ 1 << 63)
      }
    }
    return PaneKey(start: times[1], firstEnd: times[2], onTimeEnd: times[3], lastEnd: times[0])
  }
}
