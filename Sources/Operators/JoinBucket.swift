import State
import StreamModel

#if canImport(Glibc)
  import Glibc
#endif

/// The rows of one side of a join in one span of event time: for each key a chain of rows, newest first; and what the state
/// holds beyond them.
///
/// In memory it only grows; rows go with the whole bucket, or when it lets go of them, all of which are in the state then. What
/// comes afterwards begins anew: a key's rows are read back when a row of the other side looks for them. One owner.
final class JoinBucket {
  let span: Int64
  /// What the state keys of its rows begin with.
  let prefix: [UInt8]
  /// For each key its `Head`.
  private(set) var heads = KeyedBucketTable()
  /// The latest event time of a row in it.
  private(set) var latest = EventTimes.minimum
  /// Whether the state has rows that are not in memory, or any at all.
  private(set) var hasSpilled = false
  private(set) var isPersisted = false
  /// Rows with this number or a greater one are in memory.
  private(set) var residentFrom: UInt64 = 0
  private var arena: UnsafeMutableRawPointer
  private(set) var arenaCount = 0
  private var arenaCapacity = JoinBucket.leastCapacity
  /// Rows before this place of the arena have been saved.
  private var written = 0
  /// Where rows lie that the state takes for unmatched and that are matched.
  private var rematched: [Int] = []
  private var waiting: [Waiting] = []
  private var isWaitingSorted = true
  private var earliestWaiting = EventTimes.maximum

  private static let leastCapacity = 1 << 9

  /// A row that may have to go out alone.
  private struct Waiting {
    let time: EventTime
    let offset: Int
  }

  /// What is known of a key: whether all of its rows in the state are in memory too, and where the newest row lies.
  struct Head {
    let rawValue: Int64
    /// As in `StoredRow.next`.
    @inline(__always) var word: UInt32 { UInt32(truncatingIfNeeded: rawValue &>> 1) }
    var isLoaded: Bool { rawValue & 1 != 0 }

    @inline(__always) init(rawValue: Int64) { self.rawValue = rawValue }
    @inline(__always) init(word: UInt32, isLoaded: Bool) { rawValue = Int64(word) << 1 | (isLoaded ? 1 : 0) }
  }

  /// `prefix`: what the state keys of its rows begin with.
  init(span: Int64, prefix: [UInt8]) {
    self.span = span
    self.prefix = prefix
    arena = GrowingMemory.resized(nil, to: arenaCapacity)
  }

  deinit { free(arena) }

  var sizeBytes: Int {
    arenaCapacity + waiting.capacity * MemoryLayout<Waiting>.stride + heads.sizeBytes + rematched.capacity * 8
  }

  /// The bucket as it is now, for loops of lookups; valid until the next `add` and while the bucket lives.
  var lookup: StoredRowLookup { StoredRowLookup(heads: heads.lookup, arena: arena) }

  /// The row at `offset`; valid until the next `add`.
  @inline(__always) func row(at offset: Int) -> StoredRow { StoredRow(base: arena + offset) }

  /// Makes room for a row in the chain of `key`, whose content the caller writes; returns its offset.
  func add(_ key: UnsafeRawBufferPointer, hash: UInt64, _ header: StoredRowHeader, number: UInt64) -> Int {
    let offset = makeRoom(header)
    let head = link(key, hash, to: UInt32(truncatingIfNeeded: offset / 8 + 1))
    row(at: offset).initialize(header, number: number, next: head.next, keyPlace: head.keyPlace)
    return offset
  }

  /// Makes room for a row that only waits: no key leads to it.
  func addAlone(_ header: StoredRowHeader) -> Int {
    let offset = makeRoom(header)
    row(at: offset).initialize(header, number: 0, next: 0, keyPlace: 0)
    return offset
  }

  private func makeRoom(_ header: StoredRowHeader) -> Int {
    let offset = arenaCount
    let bytes = JoinBucket.bytes(ofRow: header.length)
    if offset + bytes > arenaCapacity {
      arenaCapacity = max(arenaCapacity * 2, offset + bytes)
      precondition(arenaCapacity / 8 < Int(UInt32.max), "the rows of one span take at most 32 GiB")
      arena = GrowingMemory.resized(arena, to: arenaCapacity)
    }
    arenaCount += bytes
    latest = max(latest, header.time)
    return offset
  }

  private static func bytes(ofRow length: Int) -> Int { (StoredRow.headerBytes + length + 7) & ~7 }

  /// Puts the row at `word` at the head of the key's chain; returns what was there, and where the key lies.
  private func link(
    _ key: UnsafeRawBufferPointer, _ hash: UInt64, to word: UInt32
  ) -> (next: UInt32, keyPlace: UInt32) {
    guard let head = heads.find(key, hash: hash) else {
      let place = heads.end
      heads.insert(key, hash: hash, value: Head(word: word, isLoaded: false).rawValue)
      return (0, UInt32(truncatingIfNeeded: place / 8))
    }
    let before = Head(rawValue: head.pointee)
    head.pointee = Head(word: word, isLoaded: before.isLoaded).rawValue
    return (before.word, UInt32(truncatingIfNeeded: heads.place(of: head) / 8))
  }

  /// The key of a row that one leads to; valid until the next `add`.
  func key(of row: StoredRow) -> UnsafeRawBufferPointer { heads.entry(at: Int(row.keyPlace) * 8).key }

  // MARK: Rows that wait

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

  // MARK: Beyond memory

  /// Whether memory has all rows of `key`.
  func holdsAll(_ key: UnsafeRawBufferPointer, hash: UInt64) -> Bool {
    if !hasSpilled { return true }
    return heads.find(key, hash: hash).map { Head(rawValue: $0.pointee).isLoaded } ?? false
  }

  /// Memory has all rows of `key` from here on.
  func noteLoaded(_ key: UnsafeRawBufferPointer, hash: UInt64) {
    guard let head = heads.find(key, hash: hash) else {
      return heads.insert(key, hash: hash, value: Head(word: 0, isLoaded: true).rawValue)
    }
    head.pointee = Head(word: Head(rawValue: head.pointee).word, isLoaded: true).rawValue
  }

  /// Notes that `row`, which is in memory here, is matched and that the state takes it for unmatched.
  func noteRematched(_ row: StoredRow) { rematched.append(row.base - arena) }

  /// Where the rows lie that the state lacks, and those that it has otherwise.
  var unsaved: [Int] {
    var offsets = rematched
    var cursor = written
    while cursor < arenaCount {
      let row = row(at: cursor)
      if !row.flags.contains(.saved) { offsets.append(cursor) }
      cursor += JoinBucket.bytes(ofRow: row.length)
    }
    return offsets
  }

  /// The state has all that was `unsaved`.
  func settle() {
    for offset in unsaved { row(at: offset).set(row(at: offset).flags.union(.saved)) }
    written = arenaCount
    rematched = []
  }

  func notePersisted() { isPersisted = true }

  /// The state has rows of this span, of which none is in memory; those that come are numbered from `number` on.
  func restore(latest: EventTime, number: UInt64) {
    self.latest = latest
    isPersisted = true
    hasSpilled = true
    residentFrom = number
  }

  /// Forgets what is in memory, all of which is saved; rows that come are numbered from `number` on.
  func letGo(number: UInt64) {
    guard arenaCount > 0 || heads.count > 0 else { return }
    heads = KeyedBucketTable()
    arenaCapacity = JoinBucket.leastCapacity
    free(arena)
    arena = GrowingMemory.resized(nil, to: arenaCapacity)
    arenaCount = 0
    written = 0
    rematched = []
    waiting = []
    isWaitingSorted = true
    earliestWaiting = EventTimes.maximum
    hasSpilled = hasSpilled || isPersisted
    residentFrom = number
  }
}
