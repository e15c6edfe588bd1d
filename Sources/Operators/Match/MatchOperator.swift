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
  let evaluator: MatchEvaluator
  private let matcher: Matcher
  let blocks = MatchBlocks()
  private(set) var keys = GroupTable()
  /// By slot.
  private(set) var runs: [MatchRun?] = []
  private var open = OpenMatches()
  private(set) var watermark = EventTimes.minimum
  var keyedState: OperatorState?
  var saved = SavedMatches()
  /// The number of the next row of a key that is new.
  private var nextNumber: UInt64 = 1
  private let results: MatchResults
  private let timedOut: MatchResults
  private var isTimedOutRead = false
  private var failures: [(row: RecordBatch, reason: String)] = []
  private let historyRows: Int

  // The batch that is worked on.
  private var round = 0
  private var touched: [Int32] = []
  private(set) var touchedRuns: [MatchRun] = []
  private let slots = Scratch<Int32>()
  private let identity = Scratch<Int32>()

  let dueKeys: Int

  /// `dueKeys`: how many keys are read back at a time because time ends their matches.
  package init(_ spec: MatchSpec, dueKeys: Int = 8192) {
    self.spec = spec
    self.dueKeys = dueKeys
    historyRows = spec.historyRows
    encoder = KeyEncoder(keyColumns: spec.key)
    evaluator = MatchEvaluator(spec)
    let layout = MatchLayout(spec)
    matcher = Matcher(spec, layout, blocks, evaluator)
    results = MatchResults(spec, layout, evaluator)
    timedOut = MatchResults(spec, layout, evaluator)
  }

  package func process(_ batch: RecordBatch, input: Int, to output: any OperatorOutput) throws(OperatorError) {
    isTimedOutRead = output.isRead(.timedOut)
    try take(onTime(batch, output), output)
    flush(to: output)
    if hasSparseBlocks { rewriteBlocks() }
  }

  /// The rows that are not behind; the others go to port `late`.
  private func onTime(_ batch: RecordBatch, _ output: any OperatorOutput) -> RecordBatch {
    guard batch.stamps != nil else { return batch }
    var kept: [Int32] = []
    var late: [Int32] = []
    for row in 0..<batch.count {
      if batch.isBehind(row) { late.append(Int32(row)) } else { kept.append(Int32(row)) }
    }
    output.divert(batch, late, to: .late)
    return late.isEmpty ? batch : batch.gather(kept)
  }

  private func take(_ batch: RecordBatch, _ output: any OperatorOutput) throws(OperatorError) {
    guard let block = block(batch, output) else { return }
    encoder.encode(block.batch)
    if saved.hasSpilled { try load(missing(block.batch.count)) }
    let index = blocks.add(block)
    blocks.hold(index)
    add(block, index)
    matcher.drive(touchedRuns, handle)
    for (slot, run) in zip(touched, touchedRuns) { settle(slot, run) }
    keepNeeded(of: block, index)
    blocks.hold(-1)
    touched.removeAll(keepingCapacity: true)
    touchedRuns.removeAll(keepingCapacity: true)
  }

  /// The keys of the rows last encoded that are not in memory.
  private func missing(_ count: Int) -> GroupTable {
    let missing = GroupTable()
    for row in 0..<count where keys.slot(of: encoder.key(row), hash: encoder.hashes[row]) < 0 {
      _ = missing.insert(encoder.key(row), hash: encoder.hashes[row])
    }
    return missing
  }

  /// The rows as a block, without those that cannot be evaluated, which are dead letters.
  private func block(_ batch: RecordBatch, _ output: any OperatorOutput) -> MatchBlock? {
    guard batch.count > 0 else { return nil }
    let (block, failures) = evaluator.evaluate(batch)
    guard !failures.isEmpty else { return block }
    output.fail(batch, failures)
    let failed = Set(failures.map(\.row))
    return self.block(batch.gather((0..<Int32(batch.count)).filter { !failed.contains(Int($0)) }), output)
  }

  // MARK: - Rows

  /// Adds the rows of a block to the runs of their keys.
  private func add(_ block: MatchBlock, _ index: Int32) {
    round += 1
    if historyRows == 0 { addBeginnings(block, index) } else { addAll(block, index) }
  }

  /// Adds the rows that may begin a match and those of keys which have a match that goes on: others change nothing.
  private func addBeginnings(_ block: MatchBlock, _ index: Int32) {
    let count = block.batch.count
    let slots = slots.reserve(count)
    keys.find(KeyBatch(encoder), count: count, slots: slots)
    let cells = blocks.cells[Int(index)]
    var isFirst = true
    for row in 0..<count {
      var slot = slots[row]
      if slot < 0 {
        if cells.canBegin(Int32(truncatingIfNeeded: row)) {
          slot = keys.insert(encoder.key(row), hash: encoder.hashes[row])
          isFirst = false
        } else if !isFirst {
          slot = keys.slot(of: encoder.key(row), hash: encoder.hashes[row])
        }
      }
      if slot >= 0 { _ = append(row, index, slot) }
    }
  }

  /// Adds all rows, each being one that `prev` may ask for, and decides what the conditions say that do ask.
  private func addAll(_ block: MatchBlock, _ index: Int32) {
    let count = block.batch.count
    let slots = slots.reserve(count)
    let rows = identity.reserve(count)
    for row in 0..<count { rows[row] = Int32(truncatingIfNeeded: row) }
    keys.assign(KeyBatch(encoder), rows: rows, count: count, slots: slots)
    guard evaluator.readsBefore else {
      for row in 0..<count { _ = append(row, index, slots[row]) }
      return
    }
    var places: [(run: MatchRun, place: Int)] = []
    places.reserveCapacity(count)
    for row in 0..<count {
      let run = append(row, index, slots[row])
      places.append((run, run.count - 1))
    }
    evaluator.decide(block, in: blocks) { offset in
      places.map { run, place in place >= offset ? run[place - offset] : nil }
    }
  }

  @inline(__always) private func append(_ row: Int, _ block: Int32, _ slot: Int32) -> MatchRun {
    let run = run(slot)
    run.append(MatchRowID(block: block, row: Int32(truncatingIfNeeded: row)), blocks)
    nextNumber += 1
    if run.round != round {
      run.round = round
      touched.append(slot)
      touchedRuns.append(run)
    }
    return run
  }

  private func run(_ slot: Int32) -> MatchRun {
    while runs.count <= Int(slot) { runs.append(nil) }
    if let known = runs[Int(slot)] { return known }
    let fresh = MatchRun(firstNumber: nextNumber)
    runs[Int(slot)] = fresh
    return fresh
  }

  // MARK: - Matching

  private func settle(_ slot: Int32, _ run: MatchRun) {
    saved.dirty.mark(slot)
    if run.count == 0 { return forget(slot, run) }
    guard run.isOpen else { return }
    let start = startTime(run)
    guard run.queuedStart != start else { return }
    run.queuedStart = start
    open.insert(start, slot)
  }

  private func forget(_ slot: Int32, _ run: MatchRun) {
    saved.remove(slot, keys.key(slot), run)
    runs[Int(slot)] = nil
    keys.remove(slot)
  }

  /// When the first row of a run's undecided match was.
  func startTime(_ run: MatchRun) -> EventTime { blocks.time(run[run.start]) }

  private func handle(_ event: Matcher.Event, _ run: MatchRun) {
    switch event {
    case .match(let match, let end): results.add(match, run, last: end - 1, blocks)
    case .timedOut(let threads):
      if isTimedOutRead { timedOut.add(threads, run, last: run.next - 1, blocks) } else { timedOut.count() }
    case .gaveUp(let end, let reason):
      for place in run.start..<end { report(place, of: run, "no match is looked for from this row: \(reason)") }
    case .failed(let reason): report(run.next, of: run, reason)
    }
  }

  /// A row is a dead letter once, however often it is tried.
  private func report(_ place: Int, of run: MatchRun, _ reason: String) {
    let id = run[place]
    let block = blocks[id.block]
    guard block.report(id.row) else { return }
    run.noteChanged(place)
    failures.append((block.batch.gather([id.row]), reason))
  }

  private func flush(to output: any OperatorOutput) {
    results.flush(to: output)
    timedOut.flush(to: output, on: .timedOut)
    for (row, reason) in failures { output.failResults(row, [RowFailure(row: 0, reason: reason)]) }
    failures = []
  }

  // MARK: - Time

  package func advance(to watermark: Watermark, output: any OperatorOutput) throws(OperatorError) {
    self.watermark = watermark.time
    isTimedOutRead = output.isRead(.timedOut)
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
      if Int(first.slot) < runs.count, let run = runs[Int(first.slot)], run.isOpen, startTime(run) == first.start {
        return first
      }
      open.removeFirst()
    }
    return nil
  }

  /// Ends a key's attempt: time has passed beyond what it may hold.
  private func end(_ slot: Int32) {
    guard let run = runs[Int(slot)], run.isOpen else { return }
    matcher.conclude(run, isTimeout: spec.withinMilliseconds != nil, handle)
    matcher.drive([run], handle)
    settle(slot, run)
  }

  /// Nothing comes any more: rows that are kept for `prev` go.
  private func endAll() {
    for slot in runs.indices {
      guard let run = runs[slot] else { continue }
      run.removeAll(blocks)
      forget(Int32(slot), run)
    }
    open.removeAll()
    forgetSaved()
  }

  package func outputWatermark(for input: Watermark) -> Watermark {
    let oldest = min(oldestOpen()?.start ?? EventTimes.maximum, saved.oldest)
    return oldest == EventTimes.maximum ? input : min(input, Watermark(oldest - 1))
  }

  package var stateSizeBytes: Int { blocks.sizeBytes + blocks.neededCount * 64 + keys.sizeBytes + saved.sizeBytes }

  /// The job was at `watermark` when it ended; rows of new keys are numbered from `number` on.
  func restore(watermark: EventTime, number: UInt64) {
    self.watermark = watermark
    nextNumber = number
  }

  /// Forgets what is in memory.
  func letGo() {
    for run in runs { run?.removeAll(blocks) }
    keys = GroupTable()
    runs = []
    open.removeAll()
  }

  /// Takes in a key's rows that were read back. The attempt follows from the rows; what it gave was given before.
  func add(_ key: UnsafeRawBufferPointer, _ run: MatchRun) {
    let slot = keys.insert(key, hash: KeyEncoder.hash(key))
    while runs.count <= Int(slot) { runs.append(nil) }
    runs[Int(slot)] = run
    matcher.drive([run]) { _, _ in }
    guard run.isOpen else { return }
    let start = startTime(run)
    run.queuedStart = start
    open.insert(start, slot)
  }
}
