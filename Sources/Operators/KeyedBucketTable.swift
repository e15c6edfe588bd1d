import StreamModel

#if canImport(Glibc)
  import Glibc
#endif

/// A hash table from encoded keys to one 64-bit value each: the keyed state of one span of event time.
///
/// It only grows; what expires is dropped with the whole table. One owner.
///
/// Layout: open addressing over slots of eight bytes — 32 bits of the key's hash, and where its entry lies — and an arena of
/// entries, side by side: the value, the key's length, the key. A key that is not there, the common case, is
/// answered from one cache line of slots. A slot's place is given by the *upper* of its 32 hash bits, so that growing
/// writes the larger table in sequence.
final class KeyedBucketTable {
  private(set) var count = 0
  private var slots: UnsafeMutablePointer<UInt64>
  private var slotBits: UInt64
  private var arena: UnsafeMutableRawPointer
  private var arenaCount = 0
  private var arenaCapacity: Int
  private var sink: UInt64 = 0

  /// Bytes of an entry before its key: the value and the key's length.
  fileprivate static let headerBytes = 12

  init() {
    slotBits = 4
    slots = KeyedBucketTable.makeSlots(1 << 4)
    arenaCapacity = 1 << 9
    arena = GrowingMemory.resized(nil, to: arenaCapacity)
  }

  deinit {
    free(slots)
    free(arena)
  }

  var sizeBytes: Int { arenaCapacity + 8 << Int(slotBits) }

  private static func makeSlots(_ count: Int) -> UnsafeMutablePointer<UInt64> {
    guard let memory = calloc(count, 8) else { fatalError("out of memory: a key table of \(count) slots") }
    return memory.assumingMemoryBound(to: UInt64.self)
  }

  /// Brings the slots of these hashes into the cache: loads that don't wait for one another, before finds that do.
  func touch(_ hashes: UnsafePointer<UInt64>, _ rows: Range<Int>) {
    let lookup = lookup
    var seen: UInt64 = 0
    for row in rows { seen ^= slots[lookup.home(hashes[row])] }
    sink = seen
  }

  /// The table as it is now, for loops of lookups; valid until the next `insert` and while the table lives.
  @inline(__always) var lookup: KeyLookup { KeyLookup(slots: slots, slotBits: slotBits, arena: arena) }

  /// Where the value of `key` lies, or nil; valid until the next `insert`.
  @inline(__always) func find(_ key: UnsafeRawBufferPointer, hash: UInt64) -> UnsafeMutablePointer<Int64>? {
    lookup.find(key, hash: hash)
  }

  /// Adds `key`, which is not there yet.
  @inline(__always) func insert(_ key: UnsafeRawBufferPointer, hash: UInt64, value: Int64) {
    if count &* 10 >= 7 &<< Int(slotBits) { grow() }
    let bytes = (KeyedBucketTable.headerBytes &+ key.count &+ 7) & ~7
    if arenaCount &+ bytes > arenaCapacity { growArena(bytes) }
    let entry = arena + arenaCount
    entry.storeBytes(of: value, as: Int64.self)
    entry.storeBytes(of: UInt32(truncatingIfNeeded: key.count), toByteOffset: 8, as: UInt32.self)
    if let start = key.baseAddress { memcpy(entry + KeyedBucketTable.headerBytes, start, key.count) }
    place(hash << 32 | UInt64(truncatingIfNeeded: arenaCount / 8 &+ 1))
    arenaCount &+= bytes
    count &+= 1
  }

  @inline(__always) private func place(_ slot: UInt64) {
    let mask = (1 &<< Int(slotBits)) &- 1
    var index = lookup.home(slot &>> 32)
    while slots[index] != 0 { index = (index &+ 1) & mask }
    slots[index] = slot
  }

  private func grow() {
    let old = slots
    let oldCount = 1 << Int(slotBits)
    slotBits += 1
    slots = KeyedBucketTable.makeSlots(1 << Int(slotBits))
    for index in 0..<oldCount where old[index] != 0 { place(old[index]) }
    free(old)
  }

  private func growArena(_ needed: Int) {
    arenaCapacity = max(arenaCapacity * 2, arenaCount + needed)
    precondition(arenaCapacity / 8 < Int(UInt32.max), "a key table holds at most 32 GiB")
    arena = GrowingMemory.resized(arena, to: arenaCapacity)
  }

  /// The place of the entry whose value lies at `value`, which `find` gave.
  func place(of value: UnsafeMutablePointer<Int64>) -> Int { UnsafeMutableRawPointer(value) - arena }

  /// The place behind the last entry.
  var end: Int { arenaCount }

  /// The places of the entries from `start` on, in the order of insertion.
  func places(from start: Int) -> [Int] {
    var places: [Int] = []
    var cursor = start
    while cursor < arenaCount {
      places.append(cursor)
      let length = Int((arena + cursor).load(fromByteOffset: 8, as: UInt32.self))
      cursor += (KeyedBucketTable.headerBytes + length + 7) & ~7
    }
    return places
  }

  /// The entry at `place`; its key is valid until the next insertion.
  func entry(at place: Int) -> (key: UnsafeRawBufferPointer, value: Int64) {
    let entry = arena + place
    let length = Int(entry.load(fromByteOffset: 8, as: UInt32.self))
    return (
      UnsafeRawBufferPointer(start: entry + KeyedBucketTable.headerBytes, count: length), entry.load(as: Int64.self)
    )
  }
}

/// A `KeyedBucketTable` borrowed for lookups: nothing but pointers, so that a loop over it counts no references.
struct KeyLookup {
  fileprivate let slots: UnsafeMutablePointer<UInt64>
  fileprivate let slotBits: UInt64
  fileprivate let arena: UnsafeMutableRawPointer

  @inline(__always) fileprivate func home(_ hash: UInt64) -> Int {
    Int(truncatingIfNeeded: (hash & 0xFFFF_FFFF) &>> (32 &- slotBits))
  }

  /// Where the value of `key` lies, or nil.
  @inline(__always) func find(_ key: UnsafeRawBufferPointer, hash: UInt64) -> UnsafeMutablePointer<Int64>? {
    let mask = (1 &<< Int(slotBits)) &- 1
    var index = home(hash)
    while true {
      let slot = slots[index]
      if slot == 0 { return nil }
      if slot &>> 32 == hash & 0xFFFF_FFFF, let value = value(ofEntry: slot, ifKeyIs: key) { return value }
      index = (index &+ 1) & mask
    }
  }

  @inline(__always) private func value(
    ofEntry slot: UInt64, ifKeyIs key: UnsafeRawBufferPointer
  ) -> UnsafeMutablePointer<Int64>? {
    let entry = arena + (Int(truncatingIfNeeded: slot & 0xFFFF_FFFF) &- 1) &* 8
    guard entry.load(fromByteOffset: 8, as: UInt32.self) == UInt32(truncatingIfNeeded: key.count) else { return nil }
    if let start = key.baseAddress, memcmp(entry + KeyedBucketTable.headerBytes, start, key.count) != 0 { return nil }
    return entry.assumingMemoryBound(to: Int64.self)
  }
}
