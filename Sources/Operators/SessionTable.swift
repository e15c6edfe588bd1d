import StreamModel

/// One session of one key: the rows of its accumulators' slot.
struct Session {
  var start: EventTime
  /// The last row's event time and the gap.
  var end: EventTime
  /// Rank among all sessions by first row.
  var sequence: Int64
  /// The watermark at which its timer goes off.
  var timer = EventTimes.maximum
  /// The watermark at which the state has a timer for it; the maximum where it has none.
  var savedTimer = EventTimes.maximum
  /// Slot of its key.
  var key: Int32
  /// The next session of the key; −1 for none.
  var next: Int32
  /// Goes up whenever the place is used again.
  var generation: UInt32
  var flags: Flags

  struct Flags: OptionSet {
    let rawValue: UInt8
    static let live = Flags(rawValue: 1)
    /// It holds rows that no result has shown.
    static let changed = Flags(rawValue: 2)
    /// What it shows next comes after its close: it has been reported, or its first row came after that.
    static let closed = Flags(rawValue: 4)
    /// It holds rows that no early result has shown.
    static let owesEarly = Flags(rawValue: 8)
  }
}

/// A session as it is now; no longer valid once the session has gone, even if another takes its place.
struct SessionReference {
  let index: Int32
  let generation: UInt32
}

/// The sessions of all keys: per key a list, and per session a timer.
///
/// Indices of sessions are slots of their accumulators. Timers are lazy: a session that grows leaves its timer where it is,
/// and the timer is set anew when it goes off too early. One owner.
final class SessionTable {
  private(set) var base: UnsafeMutablePointer<Session>
  /// Sessions below this have existed.
  private(set) var count = 0
  private var capacity = 16
  private var free: [Int32] = []
  /// Per key slot its first session; −1 for none.
  private var heads: UnsafeMutablePointer<Int32>
  private var headCount = 0
  private var headCapacity = 16
  private var timers: TimeBuckets<SessionTimers>
  var nextSequence: Int64 = 0

  /// Sessions that live about `span` ms of event time.
  init(span: Int64) {
    timers = TimeBuckets(width: max(1, span / 64))
    base = .allocate(capacity: capacity)
    heads = .allocate(capacity: headCapacity)
  }

  deinit {
    base.deallocate()
    heads.deallocate()
  }

  var sizeBytes: Int {
    capacity * MemoryLayout<Session>.stride + headCapacity * 4 + free.capacity * 4
      + timers.all.reduce(0) { $0 + $1.entries.capacity * MemoryLayout<SessionTimer>.stride }
  }

  subscript(_ index: Int32) -> Session {
    @inline(__always) get { base[Int(index)] }
    @inline(__always) set { base[Int(index)] = newValue }
  }

  /// Whether the session still is.
  func holds(_ reference: SessionReference) -> Bool {
    let session = self[reference.index]
    return session.flags.contains(.live) && session.generation == reference.generation
  }

  func reference(_ index: Int32) -> SessionReference {
    SessionReference(index: index, generation: self[index].generation)
  }

  /// The first session of a key; −1 for none.
  @inline(__always) func head(ofKey key: Int32) -> Int32 { heads[Int(key)] }

  /// Makes empty lists for key slots up to `count`.
  func growKeys(to count: Int) {
    if count > headCapacity {
      headCapacity = max(count, headCapacity * 2)
      let larger = UnsafeMutablePointer<Int32>.allocate(capacity: headCapacity)
      larger.update(from: heads, count: headCount)
      heads.deallocate()
      heads = larger
    }
    while headCount < count {
      heads[headCount] = -1
      headCount += 1
    }
  }

  /// The live sessions, by first row.
  var live: [Int32] {
    (0..<Int32(count)).filter { self[$0].flags.contains(.live) }.sorted { self[$0].sequence < self[$1].sequence }
  }

  /// Makes a session, at the head of its key's list. It has no timer yet.
  func insert(key: Int32, start: EventTime, end: EventTime, sequence: Int64) -> Int32 {
    let index = takePlace()
    let generation = base[Int(index)].generation
    base[Int(index)] = Session(
      start: start, end: end, sequence: sequence, key: key, next: heads[Int(key)], generation: generation, flags: .live)
    heads[Int(key)] = index
    return index
  }

  private func takePlace() -> Int32 {
    if let index = free.popLast() { return index }
    if count == capacity {
      let larger = UnsafeMutablePointer<Session>.allocate(capacity: capacity * 2)
      larger.moveInitialize(from: base, count: count)
      base.deallocate()
      base = larger
      capacity *= 2
    }
    (base + count).initialize(
      to: Session(start: 0, end: 0, sequence: 0, key: 0, next: -1, generation: 0, flags: []))
    count += 1
    return Int32(count - 1)
  }

  /// Takes a session out of its key's list. Returns whether it was the key's last.
  func remove(_ index: Int32) -> Bool {
    let session = self[index]
    if heads[Int(session.key)] == index {
      heads[Int(session.key)] = session.next
    } else {
      var cursor = heads[Int(session.key)]
      while self[cursor].next != index { cursor = self[cursor].next }
      self[cursor].next = session.next
    }
    self[index].flags = []
    self[index].generation &+= 1
    free.append(index)
    return heads[Int(session.key)] < 0
  }

  /// The sessions of a key, by first row.
  func sessions(ofKey key: Int32) -> [Int32] {
    var sessions: [Int32] = []
    var cursor = heads[Int(key)]
    while cursor >= 0 {
      sessions.append(cursor)
      cursor = self[cursor].next
    }
    return sessions.sorted { self[$0].sequence < self[$1].sequence }
  }

  /// Sets the session's timer to `due`; an earlier one no longer counts.
  func arm(_ index: Int32, at due: EventTime) {
    self[index].timer = due
    let bucket = timers.findOrMake(timers.index(of: due)) { SessionTimers() }
    bucket.add(SessionTimer(due: due, session: reference(index)))
  }

  /// Takes out, once each, the sessions whose timers are at `watermark` or before, in the order of the timers' spans.
  func takeDue(_ watermark: EventTime) -> [Int32] {
    var due: [Int32] = []
    for (index, bucket) in timers.upTo(timers.index(of: watermark)) where bucket.least <= watermark {
      let timers = bucket.take(upTo: watermark)
      for timer in timers where holds(timer.session) && self[timer.session.index].timer == timer.due {
        self[timer.session.index].timer = EventTimes.maximum
        due.append(timer.session.index)
      }
      if bucket.entries.isEmpty { self.timers.remove(index) }
    }
    return due
  }
}

/// When to look at a session.
struct SessionTimer {
  let due: EventTime
  let session: SessionReference
}

/// The timers of one span of event time.
final class SessionTimers {
  private(set) var entries: [SessionTimer] = []
  private(set) var least = EventTimes.maximum

  func add(_ timer: SessionTimer) {
    entries.append(timer)
    least = min(least, timer.due)
  }

  /// Takes out what is due at `watermark`.
  func take(upTo watermark: EventTime) -> [SessionTimer] {
    let due = entries.filter { $0.due <= watermark }
    entries.removeAll { $0.due <= watermark }
    least = entries.reduce(EventTimes.maximum) { min($0, $1.due) }
    return due
  }
}
