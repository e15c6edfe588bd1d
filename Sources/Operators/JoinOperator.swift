import State
import StreamModel

/// `join`: an interval join. A left row at `l` and a right row at `r` with equal keys are joined when
/// `l + lower ≤ r ≤ l + upper`; the result's event time is the later of the two. A null in a key equals nothing.
///
/// **Rows that are behind.** A left row is *done* at a watermark of `l + upper`, a right row at `r − lower`: from there on
/// nothing that is not itself behind can be joined with it. A row that comes behind a watermark finds only rows that are
/// not done at that watermark — its own stamp. So two rows are joined if and only if, beside their times, neither's
/// stamp has reached the point at which the other is done; which of them comes first, how late the operator hears of
/// the watermark and how rows are cut into batches changes nothing. A row is *late* when this leaves nothing that it could
/// be joined with, matched or not: when its stamp is at or past its event time by `upper − lower` or more. It goes
/// to port `late`, with the columns of its own side.
///
/// **Left join.** A left row that has found nothing goes out, with nulls, as soon as it is done, with its own event time.
///
/// **Watermark.** What comes out lies at most `hold` before the watermark, and so much is the watermark held back.
///
/// **State.** Each side's rows lie in spans of event time (`JoinBucket`), which go whole. What memory has let go of is read back
/// for the keys that rows of the other side ask for; left rows that wait are found by their time.
package final class JoinOperator: StreamOperator {
  private var keyedState: OperatorState?
  private let kind: JoinSpec.Kind
  private let sides: [JoinSide]
  private let hold: Int64
  private var watermark = EventTimes.minimum
  private let results: JoinedRows

  /// `dueRows`: how many left rows are read back at a time to go out alone.
  package init(_ spec: JoinSpec, dueRows: Int = 4096) {
    precondition(spec.lowerMilliseconds <= spec.upperMilliseconds, "a checked topology has no empty interval")
    let (lower, upper) = (spec.lowerMilliseconds, spec.upperMilliseconds)
    kind = spec.kind
    let leftCount = spec.outputSchema.count - spec.rightColumns.count
    let types = spec.outputSchema.fields.map(\.type)
    sides = [
      JoinSide(
        from: lower, to: upper, key: spec.leftKey, columns: Array(0..<leftCount), types: Array(types[..<leftCount]),
        table: JoinStateKey.leftRows, waiting: kind == .left ? WaitingRows(rowsAtATime: dueRows) : nil),
      JoinSide(
        from: -upper, to: -lower, key: spec.rightKey, columns: spec.rightColumns, types: Array(types[leftCount...]),
        table: JoinStateKey.rightRows, waiting: nil),
    ]
    hold = JoinOperator.hold(kind, lower, upper)
    results = JoinedRows(schema: spec.outputSchema, sides: sides)
  }

  /// How far before the watermark a result can lie.
  ///
  /// A right row behind `w` is joined with left rows after `w − upper`, a left row with right rows after `w + lower`, and
  /// both lie within the interval of each other; a left row without partner lies after `w − upper` where it waited, after
  /// `w − (upper − lower)` where it came behind.
  private static func hold(_ kind: JoinSpec.Kind, _ lower: Int64, _ upper: Int64) -> Int64 {
    let span = upper - lower
    switch kind {
    case .inner: return max(0, min(upper, span), min(-lower, span))
    case .left: return max(upper, span)
    }
  }

  package func process(_ batch: RecordBatch, input: Int, to output: any OperatorOutput) throws(OperatorError) {
    let side = sides[input]
    side.encoder.encode(batch)
    let rows = sorted(batch, side)
    var isMatched = [Bool](repeating: false, count: batch.count)
    do { try loadPartners(rows.joinable, batch, side, sides[1 - input]) } catch { throw OperatorError(error) }
    results.begin(batch, input: input)
    probe(batch, rows.joinable, side, sides[1 - input], &isMatched, output)
    results.end(to: output)
    let (open, alone) = split(rows.joinable, batch, side, isMatched)
    side.insert(batch, open, isMatched: isMatched)
    if input == 0 && kind == .left { results.emitAlone(batch, (rows.withNullKey + alone).sorted(), to: output) }
    output.divert(batch, rows.late, to: .late)
  }

  private struct SortedRows {
    var joinable: [Int32] = []
    var withNullKey: [Int32] = []
    var late: [Int32] = []
  }

  private func sorted(_ batch: RecordBatch, _ side: JoinSide) -> SortedRows {
    var rows = SortedRows()
    rows.joinable.reserveCapacity(batch.count)
    let nullKeys = side.nullKeys(batch)
    for row in 0..<batch.count {
      let position = Int32(truncatingIfNeeded: row)
      if batch.stamps != nil, side.isLate(batch.eventTimes.int64s[row], batch.stampIfBehind(row)) {
        rows.late.append(position)
      } else if let nullKeys, nullKeys[row] {
        rows.withNullKey.append(position)
      } else {
        rows.joinable.append(position)
      }
    }
    return rows
  }

  /// The rows that may still find partners, and of the others those that have found none.
  private func split(
    _ rows: [Int32], _ batch: RecordBatch, _ side: JoinSide, _ isMatched: [Bool]
  ) -> (open: [Int32], alone: [Int32]) {
    let times = batch.eventTimes.int64s
    let hashes = side.encoder.hashes
    var open: [Int32] = []
    var alone: [Int32] = []
    open.reserveCapacity(rows.count)
    for row in rows {
      if !side.isDone(times[Int(row)], hash: hashes[Int(row)]) {
        open.append(row)
      } else if !isMatched[Int(row)] {
        alone.append(row)
      }
    }
    return (open, alone)
  }

  private func probe(
    _ batch: RecordBatch, _ rows: [Int32], _ side: JoinSide, _ other: JoinSide, _ isMatched: inout [Bool],
    _ output: any OperatorOutput
  ) {
    let times = batch.eventTimes.int64s
    let stamps = batch.stamps?.int64s
    let hashes = side.encoder.hashes
    let keys = side.encoder.encodedKeys
    let results = results
    let waits = other.waiting != nil
    var spans: Range<Int64> = 0..<0
    var lookups: [StoredRowLookup] = []
    for position in rows {
      let row = Int(position)
      var stamp = EventTimes.minimum
      if let stamps, times[row] <= stamps[row] { stamp = stamps[row] }
      let range = PartnerRange(side, times[row], stamp)
      let needed = other.spans(range)
      if needed != spans {
        spans = needed
        lookups = other.lookups(needed)
      }
      for lookup in lookups {
        var partner = lookup.first(keys.bytes(row), hash: hashes[row])
        while let found = partner {
          if range.holds(found.time, found.stamp) {
            if found.match(), waits { other.noteRematched(found) }
            isMatched[row] = true
            results.add(position, found, to: output)
          }
          partner = lookup.next(found)
        }
      }
    }
  }

  /// Reads back the rows of `other` that `rows` may be joined with.
  private func loadPartners(
    _ rows: [Int32], _ batch: RecordBatch, _ side: JoinSide, _ other: JoinSide
  ) throws(StateError) {
    guard other.hasSpilled else { return }
    let hashes = side.encoder.hashes
    let keys = side.encoder.encodedKeys
    var spans: Range<Int64> = 0..<0
    var spilled: [JoinBucket] = []
    var wanted: [Int64: GroupTable] = [:]
    for position in rows {
      let row = Int(position)
      let needed = other.spans(PartnerRange(side, batch.eventTimes.int64s[row], batch.stampIfBehind(row)))
      if needed != spans {
        spans = needed
        spilled = needed.compactMap { other.buckets.find($0) }.filter(\.hasSpilled)
        for bucket in spilled where wanted[bucket.span] == nil { wanted[bucket.span] = GroupTable() }
      }
      for bucket in spilled where !bucket.holdsAll(keys.bytes(row), hash: hashes[row]) {
        _ = wanted[bucket.span]?.insert(keys.bytes(row), hash: hashes[row])
      }
    }
    for (span, keys) in wanted where keys.count > 0 { try other.load(keys, into: other.bucket(span)) }
  }

  package func advance(to watermark: Watermark, output: any OperatorOutput) throws(OperatorError) {
    self.watermark = watermark.time
    do {
      try sides[0].advance(to: watermark.time) { row in
        results.addAlone(row, to: output)
      } endOfRows: {
        results.flushAlone(to: output)
      }
      try sides[1].advance(to: watermark.time, unmatched: { _ in }, endOfRows: {})
    } catch {
      throw OperatorError(error)
    }
  }

  package func outputWatermark(for input: Watermark) -> Watermark {
    input == .maximum ? input : Watermark(input.time.addingSaturated(0 - hold))
  }

  package var stateSizeBytes: Int { sides.reduce(0) { $0 + $1.sizeBytes } }
}

extension JoinOperator {
  package func attach(_ state: OperatorState, watermark: EventTime) throws(OperatorError) {
    keyedState = state
    self.watermark = watermark
    do {
      for side in sides { try side.attach(state, watermark: watermark) }
    } catch {
      throw OperatorError(error)
    }
  }

  package func snapshot() throws(OperatorError) -> EventTime {
    do { try writeChanges() } catch { throw OperatorError(error) }
    return watermark
  }

  package func spill() throws(OperatorError) {
    guard keyedState != nil else { return }
    do { try writeChanges() } catch { throw OperatorError(error) }
    for side in sides { side.letGo() }
  }

  /// Adds the rows that the state lacks, in the order of tables.
  private func writeChanges() throws(StateError) {
    guard let keyedState else { return }
    let changes = sides.map { $0.changes() }
    let waiting = sides[0].waiting
    let isWaitedFor = !changes[0].isEmpty || sides[0].buckets.all.contains(where: \.isPersisted)
    let marks = waiting?.marks(keyedState, areNeeded: isWaitedFor) ?? []
    if !changes.allSatisfy(\.isEmpty) || !marks.isEmpty {
      try keyedState.addRun { (run) throws(StateError) in
        for (side, changed) in zip(sides, changes) {
          for change in changed { try side.write(change, to: run) }
        }
        if let waiting { for change in changes[0] { try waiting.write(change, to: run) } }
        for mark in marks { try run.put(mark.key, mark.value) }
      }
    }
    for side in sides { side.settle() }
  }
}
