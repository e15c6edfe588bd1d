import Expressions
import StreamModel

/// How rows are kept in memory: in blocks of their own, each with a few thousand rows of many keys.
extension MatchOperator {
  /// Blocks are rewritten when they hold this many rows, and many times as many as are needed.
  private static let leastRewrittenRows = 1 << 16
  private static let surplus = 4

  /// Whether most rows of the blocks are needed no more.
  var hasSparseBlocks: Bool {
    blocks.rowCount > MatchOperator.leastRewrittenRows
      && blocks.rowCount > blocks.neededCount * MatchOperator.surplus
  }

  /// Gives the rows of a block that are still needed memory of their own: they must not keep the chunks alive that they came in.
  /// They stand last in the runs that had rows of the block.
  func keepNeeded(of block: MatchBlock, _ index: Int32) {
    guard blocks.neededCount(of: index) > 0 else { return }
    var rows: [Int32] = []
    rows.reserveCapacity(blocks.neededCount(of: index))
    for run in touchedRuns {
      var place = run.count - 1
      while place >= 0, run[place].block == index {
        let row = run[place].row
        run[place] = MatchRowID(block: index, row: Int32(truncatingIfNeeded: rows.count))
        rows.append(row)
        place -= 1
      }
    }
    blocks.replace(index, by: compacted(block, rows))
  }

  private func compacted(_ block: MatchBlock, _ rows: [Int32]) -> MatchBlock {
    rows.withUnsafeBufferPointer { rows in
      let gathered = block.batch.gather(rows, compact: true)
      let batch = RecordBatch(
        schema: gathered.schema, columns: gathered.columns, count: gathered.count, eventTimes: gathered.eventTimes,
        origin: gathered.origin?.compacted())
      let arguments = evaluator.arguments(of: batch) { reference in
        block.arguments[reference]?.gather(rows, compact: true) ?? batch.eventTimes
      }
      return MatchBlock.picked(rows.map { RowPick(batch: 0, row: $0) }, from: [block], batch: batch, arguments)
    }
  }

  /// Gathers the rows that are needed into blocks of their own, so that those which hold little else are freed.
  func rewriteBlocks() {
    var waiting: [(run: MatchRun, place: Int)] = []
    for run in runs.compactMap({ $0 }) {
      for place in 0..<run.count {
        waiting.append((run, place))
        if waiting.count == MatchOperator.leastRewrittenRows / 16 { rewrite(&waiting) }
      }
    }
    rewrite(&waiting)
  }

  private func rewrite(_ waiting: inout [(run: MatchRun, place: Int)]) {
    for hasOrigin in [true, false] {
      let rows = waiting.filter { (blocks[$0.run[$0.place].block].batch.origin != nil) == hasOrigin }
      if !rows.isEmpty { rewrite(rows) }
    }
    waiting = []
  }

  private func rewrite(_ rows: [(run: MatchRun, place: Int)]) {
    var known: [MatchBlock] = []
    var positions: [Int32: Int32] = [:]
    let picks = rows.map { run, place -> RowPick in
      let id = run[place]
      let position = positions[id.block] ?? Int32(known.count)
      if Int(position) == known.count {
        positions[id.block] = position
        known.append(blocks[id.block])
      }
      return RowPick(batch: position, row: id.row)
    }
    let picked = RecordBatch.picked(picks, from: known.map(\.batch))
    let whole = RecordBatch(
      schema: picked.schema, columns: picked.columns.map(\.compacted), count: picked.count,
      eventTimes: picked.eventTimes, origin: picked.origin?.compacted())
    let arguments = evaluator.arguments(of: whole) { reference in
      Column.picked(picks, from: known.compactMap { $0.arguments[reference] }).compacted
    }
    let index = blocks.add(MatchBlock.picked(picks, from: known, batch: whole, arguments))
    for (row, (run, place)) in rows.enumerated() {
      let before = run[place]
      run[place] = MatchRowID(block: index, row: Int32(row))
      blocks.need(run[place])
      blocks.release(before)
    }
  }

  /// A block of rows that have been evaluated before.
  func sound(_ batch: RecordBatch) -> MatchBlock { evaluator.evaluate(batch).block }
}

extension Column {
  /// The same values in memory of their own, text too.
  fileprivate var compacted: Column {
    guard type.layout == .view else { return self }
    return (0..<Int32(count)).map { $0 }.withUnsafeBufferPointer { gather($0, compact: true) }
  }
}
