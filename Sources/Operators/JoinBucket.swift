import StreamModel

#if canImport(Glibc)
  import Glibc
#endif

/// The rows of one side of a join in one span of event time: for each key a chain of rows, newest first.
///
/// It only grows; rows go with the whole bucket. One owner.
final class JoinBucket {
  /// For each key where its newest row lies.
  let heads = KeyedBucketTable()
  /// The latest event time of a row in it.
  private(set) var latest = EventTimes.minimum
  private var arena: UnsafeMutableRawPointer
  private var arenaCount = 0
  private var arenaCapacity = 1 << 12
  private var waiting: [Waiting] = []
  private var isWaitingSorted = true
  private var earliestWaiting = EventTimes.maximum

  /// A row that may have to go out alone.
  private struct Waiting {
    let time: EventTime
    let offset: Int
  }

  init() { arena = GrowingMemory.resized(nil, to: arenaCapacity) }

  deinit { free(arena) }

  var sizeBytes: Int { arenaCapacity + waiting.capacity * MemoryLayout<Waiting>.stride + heads.sizeBytes }

  /// The bucket as it is now, for loops of lookups; valid until the next `add` and while the bucket lives.
  var lookup: StoredRowLookup { StoredRowLookup(heads: heads.lookup, arena: arena) }

  /// The row at `offset`; valid until the next `add`.
  @inline(__always) func row(at offset: Int) -> StoredRow { StoredRow(base: arena + offset) }

  /// Makes room for a row of `length` bytes in the chain of `key`, whose bytes the caller writes; returns its offset.
  func add(
    _ key: UnsafeRawBufferPointer, hash: UInt64, time: EventTime, stamp: EventTime, isMatched: Bool, length: Int
  ) -> Int {
    let offset = arenaCount
    let bytes = (StoredRow.headerBytes + length + 7) & ~7
    if offset + bytes > arenaCapacity {
      arenaCapacity = max(arenaCapacity * 2, offset + bytes)
      arena = GrowingMemory.resized(arena, to: arenaCapacity)
    }
    arenaCount += bytes
    latest = max(latest, time)
    row(at: offset).initialize(
      next: link(key, hash, to: offset), time: time, stamp: stamp, isMatched: isMatched, length: length)
    return offset
  }

  /// Puts `offset` at the head of the key's chain; returns what was there, or -1.
  private func link(_ key: UnsafeRawBufferPointer, _ hash: UInt64, to offset: Int) -> Int64 {
    guard let head = heads.find(key, hash: hash) else {
      heads.insert(key, hash: hash, value: Int64(offset))
      return -1
    }
    defer { head.pointee = Int64(offset) }
    return head.pointee
  }

  /// Notes that the row at `offset` goes out alone if it is still unmatched when its time has come.
  func wait(_ time: EventTime, _ offset: Int) {
    if let last = waiting.last, last.time < time { isWaitingSorted = false }
    waiting.append(Waiting(time: time, offset: offset))
    earliestWaiting = min(earliestWaiting, time)
  }

  /// Takes out the waiting rows with event times up to `limit` that are unmatched, in order of event time.
  func takeUnmatched(upTo limit: EventTime, _ body: (StoredRow) -> Void) {
    guard earliestWaiting <= limit else { return }
    if !isWaitingSorted { waiting.sort { ($0.time, $0.offset) > ($1.time, $1.offset) } }
    isWaitingSorted = true
    while let last = waiting.last, last.time <= limit {
      let row = row(at: last.offset)
      if !row.isMatched { body(row) }
      waiting.removeLast()
    }
    earliestWaiting = waiting.last?.time ?? EventTimes.maximum
  }
}

/// A `JoinBucket` borrowed for lookups: nothing but pointers, so that a loop over it counts no references.
struct StoredRowLookup {
  private let heads: KeyLookup
  private let arena: UnsafeMutableRawPointer

  fileprivate init(heads: KeyLookup, arena: UnsafeMutableRawPointer) {
    self.heads = heads
    self.arena = arena
  }

  /// The newest row of `key`.
  @inline(__always) func first(_ key: UnsafeRawBufferPointer, hash: UInt64) -> StoredRow? {
    heads.find(key, hash: hash).map { StoredRow(base: arena + Int($0.pointee)) }
  }

  /// The row of the same key that came before `row`.
  @inline(__always) func next(_ row: StoredRow) -> StoredRow? {
    let offset = row.next
    return offset < 0 ? nil : StoredRow(base: arena + offset)
  }
}

/// A row in a join's memory, behind a header: the next older row of its key, its event time, the watermark it comes
/// behind (the minimum where it does not), whether it found a partner, and its length.
struct StoredRow {
  static let headerBytes = 32
  fileprivate let base: UnsafeMutableRawPointer

  @inline(__always) var next: Int { Int(base.load(as: Int64.self)) }
  @inline(__always) var time: EventTime { base.load(fromByteOffset: 8, as: Int64.self) }
  @inline(__always) var stamp: EventTime { base.load(fromByteOffset: 16, as: Int64.self) }
  @inline(__always) var isMatched: Bool { base.load(fromByteOffset: 24, as: UInt32.self) != 0 }
  @inline(__always) func match() { base.storeBytes(of: 1, toByteOffset: 24, as: UInt32.self) }
  @inline(__always) var content: UnsafeMutableRawPointer { base + StoredRow.headerBytes }
  var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: content, count: Int(base.load(fromByteOffset: 28, as: UInt32.self)))
  }

  fileprivate func initialize(next: Int64, time: EventTime, stamp: EventTime, isMatched: Bool, length: Int) {
    base.storeBytes(of: next, as: Int64.self)
    base.storeBytes(of: time, toByteOffset: 8, as: Int64.self)
    base.storeBytes(of: stamp, toByteOffset: 16, as: Int64.self)
    base.storeBytes(of: isMatched ? 1 : 0, toByteOffset: 24, as: UInt32.self)
    base.storeBytes(of: UInt32(truncatingIfNeeded: length), toByteOffset: 28, as: UInt32.self)
  }
}
