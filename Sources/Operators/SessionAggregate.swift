import Expressions
import State
import StreamModel

/// `aggregate` over sessions: the rows of a key that lie no more than `gap` apart.
///
/// A row at `t` makes the session `[t, t + gap)`; sessions of a key that touch or overlap merge. A session closes when the
/// watermark reaches its end (a row at exactly the end still merges), is reported then, and is kept for
/// `allowed_lateness` more.
///
/// **What is closed** for a row is decided by the row's own stamp `w` alone, never by how far this operator's watermark has come:
///
/// - A session with `end + lateness ≤ w` is *sealed*: it has gone, even where this operator has yet to hear of the watermark.
///   A behind row never merges with it but makes or joins another session beside it, so a key may hold several sessions
///   that overlap. A row that is not behind cannot touch a sealed session: `t > w ≥ end`.
/// - A row that touches no other session, and whose own has `t + gap + lateness ≤ w`, is late.
/// - A session with `end ≤ w` has been reported; if this operator has not done so, it does so now, before the row changes it.
///   So the same results come out as if the watermark had come at once.
/// - What such a row leads to is a result `late` if the session still ends by `w`; if it has grown past `w` the session is
///   open again, and reported `on_time` when it closes.
///
/// A session reported `on_time` at its end happened one millisecond before; therefore the watermark that is handed on is held
/// back by one millisecond.
///
/// Rows are placed one by one, in order; their accumulation is put off and done a column at a time, until a merge or
/// a report needs it.
final class SessionAggregate: StreamOperator {
  let spec: AggregateSpec
  let plan: AggregatePlan
  let gap: Int64
  let lateness: Int64
  let results: AggregateResults
  private(set) var keys = GroupTable()
  private(set) var sessions: SessionTable
  private(set) var accumulators: AccumulatorStore
  let tracksEarly: Bool
  var watermark = EventTimes.minimum
  var timer: EmitTimer?
  /// Per session the watermark that its last late row came behind; empty without allowed lateness.
  var stamps: [EventTime] = []
  /// Sessions that owe an early result, in the order in which they came to.
  var owingEarly: [SessionReference] = []
  /// Sessions that late rows of this batch changed.
  var lateChanged: [SessionReference] = []
  /// What the state has and has not (`SessionAggregate+State`).
  var keyedState: OperatorState?
  var saved = SavedSessions()
  private let encoder: KeyEncoder
  private let inputs: AggregateInputs
  let overflowGuard: AggregateOverflowGuard
  private var judgesOverflow = false
  private let rows = Scratch<Int32>()
  private let keySlots = Scratch<Int32>()
  private let pendingRows = Scratch<Int32>()
  private let pendingSlots = Scratch<Int32>()
  private var pendingCount = 0

  /// What became of a row.
  private enum Placement {
    case session(Int32)
    case late
    case failure(String)
  }

  init(_ spec: AggregateSpec, gap: Int64) {
    precondition(gap > 0, "a checked topology has no gap of zero")
    self.spec = spec
    self.gap = gap
    lateness = spec.allowedLatenessMilliseconds
    plan = AggregatePlan(spec.values)
    results = AggregateResults(spec, plan)
    sessions = SessionTable(span: gap + spec.allowedLatenessMilliseconds)
    accumulators = AccumulatorStore(plan)
    timer = spec.earlyMilliseconds.map { EmitTimer(every: $0) }
    tracksEarly = timer != nil
    encoder = KeyEncoder(keyColumns: spec.key)
    inputs = AggregateInputs(plan)
    overflowGuard = AggregateOverflowGuard(plan)
  }

  func process(_ batch: RecordBatch, input: Int, to output: any OperatorOutput) throws(OperatorError) {
    var failures = inputs.evaluate(batch)
    WindowRange.addFailures(of: batch, sessionGap: gap, to: &failures)
    encoder.encode(batch)
    judgesOverflow = !overflowGuard.admits(inputs, rows: batch.count) { [accumulators] }
    let rows = rows.reserve(batch.count)
    let count = AggregateRows.write(batch.count, without: failures, to: rows)
    let keySlots = keySlots.reserve(batch.count)
    if saved.hasSpilled { try load(keys.missing(rows, count: count, KeyBatch(encoder))) }
    keys.assign(KeyBatch(encoder), rows: rows, count: count, slots: keySlots)
    sessions.growKeys(to: keys.slotCount)
    let selection = RowSelection(rows: UnsafePointer(rows), slots: UnsafePointer(keySlots), count: count)
    saved.dirty.mark(selection, below: keys.slotCount)
    let late = place(batch, rows, keySlots, count, &failures, to: output)
    update()
    if !late.isEmpty || judgesOverflow { removeEmptyKeys(keySlots, count) }
    failures.sort { $0.row < $1.row }
    if !failures.isEmpty { output.fail(batch, failures) }
    output.divert(batch, late, to: .late)
    giveLateResults(to: output)
  }

  /// Places rows in their sessions, in order. Returns those that are late.
  private func place(
    _ batch: RecordBatch, _ rows: UnsafePointer<Int32>, _ keySlots: UnsafePointer<Int32>, _ count: Int,
    _ failures: inout [RowFailure], to output: any OperatorOutput
  ) -> [Int32] {
    _ = pendingRows.reserve(count)
    _ = pendingSlots.reserve(count)
    pendingCount = 0
    var late: [Int32] = []
    let times = batch.eventTimes.int64s
    let stamps = batch.stamps?.int64s
    for index in 0..<count {
      let row = Int(rows[index])
      let time = times[row]
      let behind = max(stamps?[row] ?? watermark, watermark)
      let isBehind = time <= behind
      if !isBehind, !judgesOverflow, let session = placeSimply(time, key: keySlots[index]) {
        add(row, session)
        continue
      }
      switch place(row, time, behind: isBehind ? behind : nil, key: keySlots[index], to: output) {
      case .session(let session): add(row, session)
      case .late: late.append(Int32(truncatingIfNeeded: row))
      case .failure(let reason): failures.append(RowFailure(row: row, reason: reason))
      }
      if judgesOverflow { update() }
    }
    return late
  }

  /// Places a row that is not behind in the common case: its key has no session, or one that has not been reported.
  /// Nil where it is another.
  @inline(__always) private func placeSimply(_ time: EventTime, key: Int32) -> Int32? {
    var index = sessions.head(ofKey: key)
    let end = time &+ gap
    if index < 0 {
      index = begin(key: key, start: time, end: end)
    } else {
      let session = sessions.base + Int(index)
      guard session.pointee.next < 0, !session.pointee.flags.contains(.closed) else { return nil }
      if time > session.pointee.end || end < session.pointee.start {
        index = begin(key: key, start: time, end: end)
      } else {
        if end > session.pointee.end { session.pointee.end = end }
        if time < session.pointee.start { session.pointee.start = time }
      }
    }
    note(index)
    return index
  }

  /// Makes a session.
  private func begin(key: Int32, start: EventTime, end: EventTime) -> Int32 {
    let index = sessions.insert(key: key, start: start, end: end, sequence: sessions.nextSequence)
    sessions.nextSequence += 1
    accumulators.grow(to: sessions.count)
    sessions.arm(index, at: max(end, watermark))
    return index
  }

  /// Places a row that may begin a session, merge several, or come late. `behind` is its stamp, if it is behind.
  private func place(
    _ row: Int, _ time: EventTime, behind: EventTime?, key: Int32, to output: any OperatorOutput
  ) -> Placement {
    let touched = sessions.sessions(ofKey: key).filter { index in
      let session = sessions[index]
      return session.start <= time + gap && time <= session.end && (behind.map { session.end + lateness > $0 } ?? true)
    }
    if touched.isEmpty, let behind, time + gap + lateness <= behind { return .late }
    if judgesOverflow,
      let reason = overflowGuard.overflow(
        inputs, row: row, touched.map { (store: accumulators, slot: $0) }, areParts: false)
    {
      return .failure(reason)
    }
    let start = touched.reduce(time) { min($0, sessions[$1].start) }
    let end = touched.reduce(time + gap) { max($0, sessions[$1].end) }
    if let behind { reportClosed(touched, behind, start, end, to: output) }
    let index = merge(touched, key: key, start: start, end: end)
    sessions[index].flags.remove(.closed)
    if let behind, end <= behind { sessions[index].flags.insert(.closed) }
    note(index)
    if let behind, lateness > 0 { noteLate(index, behind) }
    return .session(index)
  }

  /// Reports sessions that closed before a row behind `behind` came, and that it is about to change.
  private func reportClosed(
    _ touched: [Int32], _ behind: EventTime, _ start: EventTime, _ end: EventTime, to output: any OperatorOutput
  ) {
    for index in touched {
      let session = sessions[index]
      guard session.end <= behind, session.flags.contains(.changed) else { continue }
      if session.flags.contains(.closed), session.start == start, session.end == end { continue }
      update()
      report([index], to: output)
    }
  }

  /// Makes one session of those touched; a new one where there is none.
  private func merge(_ touched: [Int32], key: Int32, start: EventTime, end: EventTime) -> Int32 {
    guard let target = touched.first else { return begin(key: key, start: start, end: end) }
    if touched.count > 1 { update() }
    for other in touched.dropFirst() {
      accumulators.merge(other, into: target)
      if lateness > 0 { noteStamp(target, stamp(of: other)) }
      release(other)
    }
    sessions[target].start = start
    sessions[target].end = end
    if sessions[target].timer > end { sessions.arm(target, at: end) }
    return target
  }

  /// Frees a session that has gone.
  func release(_ index: Int32) {
    let key = sessions[index].key
    if sessions.remove(index) {
      saved.remove(key, keys.key(key))
      keys.remove(key)
    } else {
      saved.dirty.mark(key)
    }
    accumulators.clear(index)
    if Int(index) < stamps.count { stamps[Int(index)] = EventTimes.minimum }
  }

  @inline(__always) private func add(_ row: Int, _ session: Int32) {
    pendingRows.base[pendingCount] = Int32(truncatingIfNeeded: row)
    pendingSlots.base[pendingCount] = session
    pendingCount &+= 1
  }

  /// Aggregates the rows that were placed since the last time.
  private func update() {
    guard pendingCount > 0 else { return }
    accumulators.update(
      RowSelection(rows: pendingRows.base, slots: pendingSlots.base, count: pendingCount), inputs)
    pendingCount = 0
  }

  @inline(__always) private func note(_ index: Int32) {
    let session = sessions.base + Int(index)
    session.pointee.flags.insert(.changed)
    if tracksEarly, !session.pointee.flags.contains(.owesEarly) {
      session.pointee.flags.insert(.owesEarly)
      owingEarly.append(sessions.reference(index))
    }
  }

  private func noteLate(_ index: Int32, _ behind: EventTime) {
    noteStamp(index, behind)
    lateChanged.append(sessions.reference(index))
  }

  func noteStamp(_ index: Int32, _ stamp: EventTime) {
    while stamps.count <= Int(index) { stamps.append(EventTimes.minimum) }
    stamps[Int(index)] = max(stamps[Int(index)], stamp)
  }

  func stamp(of index: Int32) -> EventTime {
    stamps.indices.contains(Int(index)) ? stamps[Int(index)] : EventTimes.minimum
  }

  /// Forgets the keys of rows that made no session.
  private func removeEmptyKeys(_ keySlots: UnsafePointer<Int32>, _ count: Int) {
    for index in 0..<count where sessions.head(ofKey: keySlots[index]) < 0 && keys.isLive(keySlots[index]) {
      saved.dirty.clear(keySlots[index])
      keys.remove(keySlots[index])
    }
  }

  /// Forgets everything in memory, all of which is in the state.
  func letGo() {
    let sequence = sessions.nextSequence
    keys = GroupTable()
    sessions = SessionTable(span: gap + lateness)
    sessions.nextSequence = sequence
    accumulators = AccumulatorStore(plan)
    stamps = []
    owingEarly = []
    saved.letGo()
  }
}
