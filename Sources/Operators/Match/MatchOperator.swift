import Expressions
import State
import StreamModel

/// `match`: finds row patterns in the rows of each key.
///
/// Rows come in the order of event time (an `EventTimeSortOperator` goes before it); a row that is behind its own
/// partition's watermark is on port `late`. A match is given when it is decided: nothing that could come is preferred to
/// it. Whether a row or the watermark decides it makes no difference, since a row of the time at which `within` ends a
/// match is no part of it.
///
/// What goes on holds the output's watermark back to before the first row of the oldest undecided match.
///
/// A key that has left memory is read back when a row of it comes or time ends its match (`MatchOperator+State.swift`).
package final class MatchOperator: StreamOperator {
  let spec: MatchSpec
  private let encoder: KeyEncoder
  private let evaluator: MatchEvaluator
  private var matcher: Matcher
  private(set) var keys = GroupTable()
  /// By slot.
  private(set) var runs: [MatchRun?] = []
  private var open = OpenMatches()
  private let ledger = MatchLedger()
  private var rowCount = 0
  private(set) var watermark = EventTimes.minimum
  var keyedState: OperatorState?
  var saved = SavedMatches()
  /// The number of the next row of a key that is new.
  private var nextNumber: UInt64 = 1
  private var results: MatchResults
  private var timedOut: MatchResults
  private var failures: [(row: MatchRow, reason: String)] = []

  /// Blocks are rewritten when they hold this many rows, and many times as many as are needed.
  private static let leastRewrittenRows = 1 << 16
  private static let surplus = 4

  let dueKeys: Int

  /// `dueKeys`: how many keys are read back at a time because time ends their matches.
  package init(_ spec: MatchSpec, dueKeys: Int = 8192) {
    self.spec = spec
    self.dueKeys = dueKeys
    encoder = KeyEncoder(keyColumns: spec.key)
    evaluator = MatchEvaluator(spec)
    matcher = Matcher(spec, evaluator)
    results = MatchResults(spec, evaluator)
    timedOut = MatchResults(spec, evaluator)
  }

  package func process(_ batch: RecordBatch, input: Int, to output: any OperatorOutput) throws(OperatorError) {
    var kept: [Int32] = []
    var late: [Int32] = []
    for row in 0..<batch.count {
      if batch.isBehind(row) { late.append(Int32(row)) } else { kept.append(Int32(row)) }
    }
    output.divert(batch, late, to: .late)
    if !kept.isEmpty { try take(late.isEmpty ? batch : batch.gather(kept), output) }
    flush(to: output)
    if ledger.rows > MatchOperator.leastRewrittenRows, ledger.rows > rowCount * MatchOperator.surplus {
      rewriteBlocks()
    }
  }

  private func take(_ batch: RecordBatch, _ output: any OperatorOutput) throws(OperatorError) {
    let block = block(batch, output)
    guard let block else { return }
    encoder.encode(block.batch)
    if saved.hasSpilled { try load(missing(block.batch.count)) }
    var touched: [Int32] = []
    var isTouched: Set<Int32> = []
    for row in 0..<block.batch.count {
      let slot = keys.insert(encoder.key(row), hash: encoder.hashes[row])
      run(slot).rows.append(MatchRow(block: block, row: row))
      rowCount += 1
      nextNumber += 1
      if isTouched.insert(slot).inserted { touched.append(slot) }
    }
    for slot in touched { drive(slot) }
  }

  /// The keys of the rows last encoded that are not in memory.
  private func missing(_ count: Int) -> GroupTable {
    let missing = GroupTable()
    for row in 0..<count where keys.slot(of: encoder.key(row), hash: encoder.hashes[row]) < 0 {
      _ = missing.insert(encoder.key(row), hash: encoder.hashes[row])
    }
    return missing
  }

  /// The rows as a block of their own memory, without those that cannot be evaluated, which are dead letters.
  private func block(_ batch: RecordBatch, _ output: any OperatorOutput) -> MatchBlock? {
    // What is kept must not keep the chunks alive that the rows came in.
    let copy = MatchOperator.compact(batch)
    let (arguments, truths, failures) = evaluator.evaluate(copy)
    guard !failures.isEmpty else { return MatchBlock(copy, arguments, truths, ledger) }
    output.fail(batch, failures)
    let failed = Set(failures.map(\.row))
    let sound = (0..<Int32(batch.count)).filter { !failed.contains(Int($0)) }
    return sound.isEmpty ? nil : block(batch.gather(sound), output)
  }

  /// The rows in memory of their own.
  private static func compact(_ batch: RecordBatch) -> RecordBatch {
    let rows = (0..<Int32(batch.count)).map { $0 }
    let copy = rows.withUnsafeBufferPointer { batch.gather($0, compact: true) }
    return RecordBatch(
      schema: copy.schema, columns: copy.columns, count: copy.count, eventTimes: copy.eventTimes,
      origin: copy.origin?.compacted())
  }

  private func run(_ slot: Int32) -> MatchRun {
    while runs.count <= Int(slot) { runs.append(nil) }
    if let known = runs[Int(slot)] { return known }
    let fresh = MatchRun(firstNumber: nextNumber)
    runs[Int(slot)] = fresh
    return fresh
  }

  // MARK: - Matching

  /// Lets a key's rows be matched, and settles what is left.
  private func drive(_ slot: Int32) {
    let run = run(slot)
    let before = run.rows.count
    matcher.drive(run) { handle($0, run) }
    settle(slot, run, before)
  }

  private func settle(_ slot: Int32, _ run: MatchRun, _ before: Int) {
    rowCount -= before - run.rows.count
    saved.dirty.mark(slot)
    if run.rows.isEmpty {
      forget(slot, run)
    } else if run.isOpen, run.queuedStart != run.startTime {
      run.queuedStart = run.startTime
      open.insert(run.startTime, slot)
    }
  }

  private func forget(_ slot: Int32, _ run: MatchRun) {
    saved.remove(slot, keys.key(slot), run)
    runs[Int(slot)] = nil
    keys.remove(slot)
  }

  private func handle(_ event: Matcher.Event, _ run: MatchRun) {
    switch event {
    case .match(let match):
      results.add(first: run.rows[run.start], last: run.rows[match.end - 1], match.thread)
    case .timedOut(let thread):
      timedOut.add(first: run.rows[run.start], last: run.rows[run.next - 1], thread)
    case .gaveUp(let end, let reason):
      for place in run.start..<end { report(place, of: run, "no match is looked for from this row: \(reason)") }
    case .failed(let reason): report(run.next, of: run, reason)
    }
  }

  /// A row is a dead letter once, however often it is tried.
  private func report(_ place: Int, of run: MatchRun, _ reason: String) {
    let row = run.rows[place]
    guard !row.block.isReported[row.row] else { return }
    row.block.isReported[row.row] = true
    run.noteChanged(place)
    failures.append((row, reason))
  }

  private func flush(to output: any OperatorOutput) {
    results.flush(to: output)
    timedOut.flush(to: output, on: .timedOut)
    for (row, reason) in failures {
      output.failResults(row.block.batch.gather([Int32(row.row)]), [RowFailure(row: 0, reason: reason)])
    }
    failures = []
  }

  // MARK: - Time

  package func advance(to watermark: Watermark, output: any OperatorOutput) throws(OperatorError) {
    self.watermark = watermark.time
    repeat {
      let isMore = try loadDue(startedBy: lastStart(endedBy: watermark.time))
      endDue(at: watermark.time)
      flush(to: output)
      guard isMore else { break }
      // So that memory holds a bounded number of keys.
      try spill()
    } while true
    if watermark == .maximum { endAll() }
    try findOldestSaved()
  }

  /// Matches that began by then hold nothing that comes at `watermark` or later.
  private func lastStart(endedBy watermark: EventTime) -> EventTime? {
    if watermark == EventTimes.maximum { return watermark }
    return spec.withinMilliseconds.map { watermark.addingSaturated(1 - $0) }
  }

  /// Ends what time has ended, of the keys in memory.
  private func endDue(at watermark: EventTime) {
    guard let limit = lastStart(endedBy: watermark) else { return }
    while let oldest = oldestOpen(), oldest.start <= limit { end(oldest.slot) }
  }

  /// The oldest undecided match; what the queue still holds of decided ones is let go.
  private func oldestOpen() -> OpenMatches.Entry? {
    while let first = open.first {
      if Int(first.slot) < runs.count, let run = runs[Int(first.slot)], run.isOpen, run.startTime == first.start {
        return first
      }
      open.removeFirst()
    }
    return nil
  }

  /// Ends a key's attempt: time has passed beyond what it may hold.
  private func end(_ slot: Int32) {
    guard let run = runs[Int(slot)], run.isOpen else { return }
    let before = run.rows.count
    matcher.conclude(run, isTimeout: spec.withinMilliseconds != nil) { handle($0, run) }
    matcher.drive(run) { handle($0, run) }
    settle(slot, run, before)
  }

  /// Nothing comes any more: rows that are kept for `prev` go.
  private func endAll() {
    for slot in runs.indices {
      guard let run = runs[slot] else { continue }
      rowCount -= run.rows.count
      forget(Int32(slot), run)
    }
    open.removeAll()
    forgetSaved()
  }

  package func outputWatermark(for input: Watermark) -> Watermark {
    let oldest = min(oldestOpen()?.start ?? EventTimes.maximum, saved.oldest)
    return oldest == EventTimes.maximum ? input : min(input, Watermark(oldest - 1))
  }

  package var stateSizeBytes: Int { ledger.sizeBytes + rowCount * 64 + keys.sizeBytes + saved.sizeBytes }

  /// The job was at `watermark` when it ended; rows of new keys are numbered from `number` on.
  func restore(watermark: EventTime, number: UInt64) {
    self.watermark = watermark
    nextNumber = number
  }

  /// Forgets what is in memory.
  func letGo() {
    keys = GroupTable()
    runs = []
    open.removeAll()
    rowCount = 0
  }

  /// Takes in a key's rows that were read back. The attempt follows from the rows; what it gave was given before.
  func add(_ key: UnsafeRawBufferPointer, _ run: MatchRun) {
    let slot = keys.insert(key, hash: KeyEncoder.hash(key))
    while runs.count <= Int(slot) { runs.append(nil) }
    runs[Int(slot)] = run
    rowCount += run.rows.count
    matcher.drive(run) { _ in }
    guard run.isOpen else { return }
    run.queuedStart = run.startTime
    open.insert(run.startTime, slot)
  }

  // MARK: - Memory

  /// Gathers the rows that are needed into blocks of their own, so that those which hold little else are freed.
  private func rewriteBlocks() {
    var waiting: [(run: MatchRun, place: Int)] = []
    for run in runs.compactMap({ $0 }) {
      for place in run.rows.indices {
        waiting.append((run, place))
        if waiting.count == MatchOperator.leastRewrittenRows / 16 { rewrite(&waiting) }
      }
    }
    rewrite(&waiting)
  }

  private func rewrite(_ waiting: inout [(run: MatchRun, place: Int)]) {
    for hasOrigin in [true, false] {
      let rows = waiting.filter { ($0.run.rows[$0.place].block.batch.origin != nil) == hasOrigin }
      guard !rows.isEmpty else { continue }
      var batches: [RecordBatch] = []
      var known: [ObjectIdentifier: Int32] = [:]
      let picks = rows.map { run, place -> RowPick in
        let row = run.rows[place]
        let batch = known[ObjectIdentifier(row.block)] ?? Int32(batches.count)
        if batch == batches.count {
          known[ObjectIdentifier(row.block)] = batch
          batches.append(row.block.batch)
        }
        return RowPick(batch: batch, row: Int32(row.row))
      }
      let whole = MatchOperator.compact(RecordBatch.picked(picks, from: batches))
      let block = sound(whole)
      for (index, (run, place)) in rows.enumerated() {
        block.isReported[index] = run.rows[place].block.isReported[run.rows[place].row]
        run.rows[place] = MatchRow(block: block, row: index)
      }
    }
    waiting = []
  }

  /// A block of rows that have been evaluated before.
  func sound(_ batch: RecordBatch) -> MatchBlock {
    let (arguments, truths, _) = evaluator.evaluate(batch)
    return MatchBlock(batch, arguments, truths, ledger)
  }
}
