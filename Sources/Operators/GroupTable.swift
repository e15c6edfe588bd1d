#if canImport(Glibc)
  import Glibc
#endif
import StreamModel

/// Encoded keys of a batch, end to end, and their hashes: row `r` from `offsets[r]` to `offsets[r + 1]`.
struct KeyBatch {
  let bytes: UnsafeRawPointer
  let offsets: UnsafePointer<Int>
  let hashes: UnsafePointer<UInt64>

  init(bytes: UnsafeRawPointer, offsets: UnsafePointer<Int>, hashes: UnsafePointer<UInt64>) {
    self.bytes = bytes
    self.offsets = offsets
    self.hashes = hashes
  }

  /// The keys `encoder` holds; valid until its next `encode`.
  init(_ encoder: KeyEncoder) {
    self.init(bytes: encoder.bytes, offsets: encoder.offsets, hashes: encoder.hashes)
  }

  /// The keys of rows that were combined before they were exchanged; valid as long as `rows` is.
  init(_ rows: EncodedKeyRows) { self.init(bytes: rows.bytes, offsets: rows.offsets, hashes: rows.hashes) }

  @inline(__always) func key(_ row: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: bytes + offsets[row], count: offsets[row + 1] &- offsets[row])
  }

  /// Whether two keys are equal.
  @inline(__always) static func equal(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
    guard left.count == right.count else { return false }
    guard let first = left.baseAddress, let second = right.baseAddress else { return true }
    return equal(first, second, left.count)
  }

  /// Whether two keys of `count` bytes are equal.
  @inline(__always) static func equal(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ count: Int) -> Bool {
    if count < 8 { return equalShort(left, right, count) }
    var offset = 0
    while offset &+ 8 < count {
      if left.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        != right.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      {
        return false
      }
      offset &+= 8
    }
    return left.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
      == right.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
  }

  @inline(__always) private static func equalShort(
    _ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ count: Int
  ) -> Bool {
    if count >= 4 {
      return left.loadUnaligned(as: UInt32.self) == right.loadUnaligned(as: UInt32.self)
        && left.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)
          == right.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)
    }
    for offset in 0..<count
    where left.load(fromByteOffset: offset, as: UInt8.self) != right.load(fromByteOffset: offset, as: UInt8.self) {
      return false
    }
    return true
  }
}

/// A hash table from encoded keys to slots, dense numbers given out in the order in which keys are first seen.
///
/// Open addressing with linear probing over 8-byte buckets: the low half of the key's hash, which is both the home position
/// and the tag, and the slot plus one (0 = empty). Keys lie in an arena at 8-byte boundaries, padded with zeros; a slot knows
/// where its key starts and how long it is. About 15 bytes of buckets, 8 of location and the key, per group.
///
/// A batch is looked up in two loops: one that only reads buckets, so that the processor overlaps the cache misses, and one
/// that compares keys and takes the slow way for what is new or collides.
///
/// Slots of removed keys are given out again. One owner; no key pointer survives an insertion or a removal.
final class GroupTable {
  /// Keys held.
  private(set) var count = 0
  /// Slots are below this.
  private(set) var slotCount = 0
  private var buckets: UnsafeMutablePointer<UInt64>
  private var bucketCount: Int
  /// Per slot: start in 8-byte words (high half) and length in bytes (low half); all ones for a free slot.
  private var locations: UnsafeMutablePointer<UInt64>
  private var locationCapacity: Int
  private var arena: UnsafeMutableRawPointer
  private var arenaWords = 0
  private var arenaCapacityWords: Int
  private var garbageWords = 0
  private var freeSlots: [Int32] = []
  /// How many keys to make room for at once when so many come that the rest may be expected too; 0 for none.
  private var expectedCount = 0

  private static let freeLocation = UInt64.max

  init(capacity: Int = 16) {
    bucketCount = 32
    while bucketCount * 3 < capacity * 4 { bucketCount *= 2 }
    locationCapacity = max(16, capacity)
    arenaCapacityWords = locationCapacity * 3
    buckets = .allocate(capacity: bucketCount)
    buckets.initialize(repeating: 0, count: bucketCount)
    locations = GrowingMemory.resized(nil, to: locationCapacity * 8).assumingMemoryBound(to: UInt64.self)
    arena = GrowingMemory.resized(nil, to: arenaCapacityWords * 8)
  }

  deinit {
    buckets.deallocate()
    free(locations)
    free(arena)
  }

  /// Forgets all keys, keeping the memory.
  func removeAll() {
    if slotCount == 0 { return }
    buckets.update(repeating: 0, count: bucketCount)
    count = 0
    slotCount = 0
    arenaWords = 0
    garbageWords = 0
    freeSlots.removeAll(keepingCapacity: true)
  }

  var sizeBytes: Int { bucketCount * 8 + locationCapacity * 8 + arenaCapacityWords * 8 + freeSlots.count * 4 }

  /// The slot of each row's key, in `slots[i]` for row `rows[i]`; keys not seen before get one.
  func assign(
    _ keys: KeyBatch, rows: UnsafePointer<Int32>, count: Int, slots: UnsafeMutablePointer<Int32>
  ) {
    let buckets = buckets
    let mask = bucketCount &- 1
    for index in 0..<count {
      let tag = UInt32(truncatingIfNeeded: keys.hashes[Int(rows[index])])
      let bucket = buckets[Int(tag) & mask]
      let slot = Int32(truncatingIfNeeded: bucket) &- 1
      slots[index] = UInt32(truncatingIfNeeded: bucket >> 32) == tag ? slot : -1
    }
    for index in 0..<count {
      let slot = slots[index]
      let row = Int(rows[index])
      let key = keys.key(row)
      if slot >= 0, matches(Int(slot), key) { continue }
      slots[index] = insert(key, hash: keys.hashes[row])
    }
  }

  /// The slot of each of the first `count` keys, or −1. Only reads: several threads may ask a table that nobody changes.
  func find(_ keys: KeyBatch, count: Int, slots: UnsafeMutablePointer<Int32>) {
    let buckets = buckets
    let mask = bucketCount &- 1
    for row in 0..<count {
      let tag = UInt32(truncatingIfNeeded: keys.hashes[row])
      let bucket = buckets[Int(tag) & mask]
      slots[row] = UInt32(truncatingIfNeeded: bucket >> 32) == tag ? Int32(truncatingIfNeeded: bucket) &- 1 : -1
    }
    for row in 0..<count {
      let slot = slots[row]
      let key = keys.key(row)
      if slot >= 0, matches(Int(slot), key) { continue }
      slots[row] = self.slot(of: key, hash: keys.hashes[row])
    }
  }

  /// The slot of `key`, or −1.
  func slot(of key: UnsafeRawBufferPointer, hash: UInt64) -> Int32 {
    let bucket = buckets[position(of: key, tag: UInt32(truncatingIfNeeded: hash))]
    return Int32(truncatingIfNeeded: bucket) &- 1
  }

  /// The slot of `key`, new where it was not held.
  func insert(_ key: UnsafeRawBufferPointer, hash: UInt64) -> Int32 {
    let tag = UInt32(truncatingIfNeeded: hash)
    let position = position(of: key, tag: tag)
    if buckets[position] != 0 { return Int32(truncatingIfNeeded: buckets[position]) &- 1 }
    let slot = takeSlot()
    locations[Int(slot)] = store(key)
    buckets[position] = UInt64(tag) << 32 | UInt64(UInt32(bitPattern: slot &+ 1))
    count += 1
    if count * 4 > bucketCount * 3 { growBuckets() }
    return slot
  }

  /// The key in `slot`.
  @inline(__always) func key(_ slot: Int32) -> UnsafeRawBufferPointer {
    let location = locations[Int(slot)]
    return UnsafeRawBufferPointer(start: arena + Int(location >> 32) &* 8, count: Int(location & 0xFFFF_FFFF))
  }

  /// Where the key in `slot` starts.
  @inline(__always) func keyStart(_ slot: Int32) -> UnsafeRawPointer {
    UnsafeRawPointer(arena + Int(locations[Int(slot)] >> 32) &* 8)
  }

  /// Whether `slot` holds a key.
  @inline(__always) func isLive(_ slot: Int32) -> Bool { locations[Int(slot)] != GroupTable.freeLocation }

  /// Forgets the key in `slot`.
  func remove(_ slot: Int32) {
    let key = key(slot)
    close(hole: position(of: key, tag: UInt32(truncatingIfNeeded: KeyEncoder.hash(key))))
    garbageWords += (key.count + 7) / 8
    locations[Int(slot)] = GroupTable.freeLocation
    freeSlots.append(slot)
    count -= 1
    if garbageWords > 8192, garbageWords * 2 > arenaWords { compact() }
  }

  /// The bucket that holds `key`, or the empty one where it would go.
  @inline(__always) private func position(of key: UnsafeRawBufferPointer, tag: UInt32) -> Int {
    let mask = bucketCount &- 1
    var position = Int(tag) & mask
    while true {
      let bucket = buckets[position]
      if bucket == 0 { return position }
      if UInt32(truncatingIfNeeded: bucket >> 32) == tag,
        matches(Int(UInt32(truncatingIfNeeded: bucket)) &- 1, key)
      {
        return position
      }
      position = (position &+ 1) & mask
    }
  }

  @inline(__always) private func matches(_ slot: Int, _ key: UnsafeRawBufferPointer) -> Bool {
    let location = locations[slot]
    guard Int(location & 0xFFFF_FFFF) == key.count else { return false }
    guard let probe = key.baseAddress else { return true }
    return KeyBatch.equal(UnsafeRawPointer(arena + Int(location >> 32) &* 8), probe, key.count)
  }

  private func takeSlot() -> Int32 {
    if let slot = freeSlots.popLast() { return slot }
    if slotCount == locationCapacity { growLocations() }
    slotCount += 1
    return Int32(slotCount - 1)
  }

  private func growLocations() {
    locationCapacity *= 2
    locations = GrowingMemory.resized(locations, to: locationCapacity * 8).assumingMemoryBound(to: UInt64.self)
  }

  /// Copies `key` into the arena and returns its location.
  private func store(_ key: UnsafeRawBufferPointer) -> UInt64 {
    let words = (key.count + 7) / 8
    if arenaWords + words > arenaCapacityWords { growArena(words) }
    let target = arena + arenaWords * 8
    if words > 0 { target.storeBytes(of: 0, toByteOffset: words * 8 - 8, as: UInt64.self) }
    if let source = key.baseAddress { memcpy(target, source, key.count) }
    let location = UInt64(arenaWords) << 32 | UInt64(key.count)
    arenaWords += words
    return location
  }

  private func growArena(_ words: Int) {
    let capacity = arenaCapacityWords * 2 + words
    arena = GrowingMemory.resized(arena, to: capacity * 8)
    arenaCapacityWords = capacity
  }

  /// Makes room for `count` keys, so that the buckets need not grow on the way.
  func reserve(_ count: Int) {
    let needed = bucketCount(for: count)
    if needed > bucketCount { growBuckets(to: needed) }
  }

  /// About `count` keys may come, or none: the table stays small until a part of them has.
  func expect(_ count: Int) { expectedCount = count }

  private static let expectedFactor = 16

  private func bucketCount(for count: Int) -> Int {
    var needed = bucketCount
    while needed * 3 < count * 4 { needed *= 2 }
    return needed
  }

  private func growBuckets() {
    let isExpected = expectedCount > 0 && count * GroupTable.expectedFactor >= expectedCount
    growBuckets(to: max(bucketCount * 2, isExpected ? bucketCount(for: expectedCount) : 0))
    if isExpected { expectedCount = 0 }
  }

  private func growBuckets(to larger: Int) {
    let old = UnsafeBufferPointer(start: buckets, count: bucketCount)
    bucketCount = larger
    buckets = .allocate(capacity: bucketCount)
    buckets.initialize(repeating: 0, count: bucketCount)
    let mask = bucketCount &- 1
    for bucket in old where bucket != 0 {
      var position = Int(bucket >> 32) & mask
      while buckets[position] != 0 { position = (position &+ 1) & mask }
      buckets[position] = bucket
    }
    old.deallocate()
  }

  /// Empties bucket `hole`, moving back what was pushed past it.
  private func close(hole: Int) {
    let mask = bucketCount &- 1
    var hole = hole
    var next = (hole &+ 1) & mask
    while buckets[next] != 0 {
      let home = Int(buckets[next] >> 32) & mask
      if (next &- home) & mask >= (next &- hole) & mask {
        buckets[hole] = buckets[next]
        hole = next
      }
      next = (next &+ 1) & mask
    }
    buckets[hole] = 0
  }

  /// Copies the keys that are left into a new arena.
  private func compact() {
    let old = arena
    arenaCapacityWords = max(64, (arenaWords - garbageWords) * 2)
    arena = GrowingMemory.resized(nil, to: arenaCapacityWords * 8)
    arenaWords = 0
    garbageWords = 0
    for slot in 0..<slotCount where locations[slot] != GroupTable.freeLocation {
      let location = locations[slot]
      locations[slot] = store(
        UnsafeRawBufferPointer(start: old + Int(location >> 32) * 8, count: Int(location & 0xFFFF_FFFF)))
    }
    free(old)
  }
}
