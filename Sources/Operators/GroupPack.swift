import State
import StreamModel

/// Groups that lie together in one entry of the state: those of a pane and a run whose hashes begin with the same bits.
///
/// Groups that are only swept need no entry each, whose writing and reading costs more than the group does. The entry has the least
/// hash of its range in place of a key's, no name, and the suffix of its run; its value is `marker`, then each group's name and
/// value, with their lengths before them, in the order of their state keys.
enum GroupPack {
  /// The first byte of a pack; other values begin with flags that have not this one.
  static let marker: UInt8 = 2

  /// How many leading bits the hashes of a pack share: with ranges of a 4096th each, millions of groups that leave memory at once lie
  /// hundreds in an entry; and the parts of a range, of all runs together, fit into a processor's cache.
  private static let sharedBits: UInt32 = 12

  /// The least hash of the range that `order` lies in.
  @inline(__always) static func start(_ order: UInt32) -> UInt32 { order & ~(UInt32.max >> sharedBits) }

  /// The state keys under `prefix` in the range of `hash`: from the first up to, without it, the second.
  static func range(_ prefix: [UInt8], hash: UInt64) -> (from: [UInt8], to: [UInt8]) {
    let start = start(StateKey.order(ofHash: hash))
    let next = start &+ (UInt32.max >> sharedBits) &+ 1
    return (
      prefix + StateKey.bytes(start), next == 0 ? StateStore.successor(of: prefix) : prefix + StateKey.bytes(next)
    )
  }

  static func isPack(_ value: UnsafeRawBufferPointer) -> Bool { value.first == marker }

  /// Gives the name and the value of each group of a pack, in order.
  static func read(
    _ value: UnsafeRawBufferPointer,
    _ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(StateError) -> Void
  ) throws(StateError) {
    var cursor = 1
    while cursor < value.count {
      let name = try readBytes(value, &cursor)
      try body(name, try readBytes(value, &cursor))
    }
  }

  private static func readBytes(
    _ bytes: UnsafeRawBufferPointer, _ cursor: inout Int
  ) throws(StateError) -> UnsafeRawBufferPointer {
    var count = 0
    var shift = 0
    while true {
      guard cursor < bytes.count, shift < 35 else { throw .malformed("a pack of groups ends in a length") }
      let byte = bytes[cursor]
      cursor += 1
      count |= Int(byte & 0x7F) << shift
      if byte & 0x80 == 0 { break }
      shift += 7
    }
    guard count <= bytes.count - cursor else { throw .malformed("a pack of groups ends in a group") }
    defer { cursor += count }
    return UnsafeRawBufferPointer(rebasing: bytes[cursor..<cursor + count])
  }
}

/// The parts of groups that the runs of a pane have in one range of hashes, to be combined in the order of the runs. One owner.
///
/// In the state the packs of a range come before single groups, whatever their runs: so they are gathered first.
final class GroupParts {
  private struct Part {
    let run: UInt64
    let start: Int
    let nameEnd: Int
    let end: Int
  }

  private let suffixLength: Int
  /// What memory has is newer than the entries of its own run.
  private let resident: UInt64
  private var parts: [Part] = []
  private var hasPacks = false
  private var hasSingles = false
  private let bytes = Scratch<UInt8>(capacity: 1 << 16)
  private var count = 0

  /// `pane`: one whose runs have suffixes.
  init(_ pane: WindowPane) {
    suffixLength = pane.suffix.count
    resident = pane.suffix.withUnsafeBytes { StateKey.rowNumber($0) }
  }

  /// Adds an entry of the pane, unless it is of the resident run.
  func add(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
    let run = StateKey.rowNumber(key)
    guard run != resident else { return }
    let nameStart = PaneKeyCodec.prefixBytes + StateKey.hashLength
    let name = UnsafeRawBufferPointer(rebasing: key[nameStart..<key.count - suffixLength])
    let base = UnsafeMutableRawPointer(bytes.reserve(count + name.count + value.count, keeping: count)) + count
    UnsafeMutableRawBufferPointer(start: base, count: name.count).copyMemory(from: name)
    UnsafeMutableRawBufferPointer(start: base + name.count, count: value.count).copyMemory(from: value)
    let nameEnd = count + name.count
    parts.append(Part(run: run, start: count, nameEnd: nameEnd, end: nameEnd + value.count))
    count = nameEnd + value.count
    if GroupPack.isPack(value) { hasPacks = true } else { hasSingles = true }
  }

  /// Gives every group's name and value, those of a group in the order of their runs, and forgets them.
  func drain(
    _ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(StateError) -> Void
  ) throws(StateError) {
    // Of one kind, they came in this order.
    if hasPacks, hasSingles { parts.sort { $0.run < $1.run } }
    let base = UnsafeRawPointer(bytes.base)
    for part in parts {
      let value = UnsafeRawBufferPointer(start: base + part.nameEnd, count: part.end - part.nameEnd)
      if GroupPack.isPack(value) {
        try GroupPack.read(value, body)
      } else {
        try body(UnsafeRawBufferPointer(start: base + part.start, count: part.nameEnd - part.start), value)
      }
    }
    parts.removeAll(keepingCapacity: true)
    (count, hasPacks, hasSingles) = (0, false, false)
  }
}

/// A pack that is being put together, over and over. One owner.
final class PackBuffer {
  private let memory = Scratch<UInt8>(capacity: 1 << 14)
  private var count = 0

  /// What was put together; valid until the next change.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory.base, count: count) }

  func begin(_ marker: UInt8) {
    memory.base[0] = marker
    count = 1
  }

  /// Appends the length of `bytes`, in LEB128, and `bytes`.
  func append(_ bytes: UnsafeRawBufferPointer) {
    let base = memory.reserve(count + 10 + bytes.count, keeping: count)
    var rest = bytes.count
    while rest >= 0x80 {
      base[count] = UInt8(truncatingIfNeeded: rest) | 0x80
      count += 1
      rest >>= 7
    }
    base[count] = UInt8(truncatingIfNeeded: rest)
    count += 1
    if let start = bytes.baseAddress {
      UnsafeMutableRawPointer(base + count).copyMemory(from: start, byteCount: bytes.count)
    }
    count += bytes.count
  }
}
