import Expressions
import StreamModel

/// What a pattern reads of single rows, evaluated a batch at a time.
final class MatchEvaluator {
  let spec: MatchSpec
  /// One field a reference.
  let referenceSchema: Schema
  /// By variable.
  private let kinds: [ConditionKind]
  private let firstVariables: [Int]
  private let verdictStride: Int
  /// By reference that is physical and not to the row itself: how many rows before.
  private let offsets: [Int: Int]
  private let nothing: [Column]

  /// How a variable's condition is decided.
  private enum ConditionKind {
    /// Every row is one of the variable.
    case always
    /// By the row alone.
    case row
    /// By the row and those before it in the stream.
    case physical
    /// By how the rows before it were matched.
    case matched
  }

  init(_ spec: MatchSpec) {
    self.spec = spec
    referenceSchema = Schema(
      spec.references.enumerated().map { Field("$\($0)", $1.type, nullable: $1.nullable) })
    kinds = spec.conditions.map { condition in
      guard let condition else { return .always }
      let references = condition.columns.map { spec.references[$0] }
      if references.allSatisfy({ $0.kind == .current }) { return .row }
      return references.allSatisfy(\.isPhysical) ? .physical : .matched
    }
    firstVariables = Matcher.firstVariables(spec)
    verdictStride = kinds.count + 1
    var offsets: [Int: Int] = [:]
    for (index, reference) in spec.references.enumerated() where reference.isPhysical && reference.kind != .current {
      offsets[index] = MatchRegister.distance(reference)
    }
    self.offsets = offsets
    nothing = spec.references.map { Column.constant(.null, $0.type, count: 1) }
  }

  /// Whether conditions read rows before the one that is tried.
  var readsBefore: Bool { !offsets.isEmpty }

  /// The rows of `batch` as a block, with the conditions that read the row alone decided, and the rows for which an argument or one
  /// of those conditions has no value.
  func evaluate(_ batch: RecordBatch) -> (block: MatchBlock, failures: [RowFailure]) {
    var failures: [Int: RowFailure] = [:]
    func note(_ found: [RowFailure]) {
      for failure in found where failures[failure.row] == nil { failures[failure.row] = failure }
    }
    let arguments = spec.references.map { reference -> Column? in
      guard let argument = reference.argument else { return nil }
      let evaluation = argument.evaluate(batch)
      note(evaluation.failures)
      return evaluation.column
    }
    let verdicts = Memory(capacityBytes: batch.count * verdictStride)
    let block = MatchBlock(batch, arguments, verdicts, verdictStride: verdictStride)
    let rows = rows(arguments, batch.count)
    for (variable, kind) in kinds.enumerated() {
      switch kind {
      case .always: fill(block, variable, MatchVerdict.yes)
      case .physical, .matched: fill(block, variable, MatchVerdict.open)
      case .row:
        fill(block, variable, MatchVerdict.no)
        guard let (selected, found) = spec.conditions[variable]?.select(rows) else { continue }
        note(found)
        for row in selected { block.set(Int(row), variable, MatchVerdict.yes) }
      }
    }
    decideBeginnings(block)
    return (block, failures.values.sorted { $0.row < $1.row })
  }

  private func fill(_ block: MatchBlock, _ variable: Int, _ verdict: UInt8) {
    let cells = block.verdicts.base.assumingMemoryBound(to: UInt8.self) + variable
    for row in 0..<block.batch.count { cells[row &* verdictStride] = verdict }
  }

  /// Notes for each row whether it may be of a variable that a match can begin with.
  private func decideBeginnings(_ block: MatchBlock) {
    let cells = block.verdicts.base.assumingMemoryBound(to: UInt8.self)
    for row in 0..<block.batch.count {
      var canBegin: UInt8 = 0
      for variable in firstVariables { canBegin |= cells[row &* verdictStride &+ variable] }
      cells[row &* verdictStride &+ verdictStride &- 1] = canBegin
    }
  }

  /// What conditions read of the rows themselves.
  private func rows(_ arguments: [Column?], _ count: Int, _ before: [Int: Column] = [:]) -> RecordBatch {
    let columns = arguments.enumerated().map { index, column -> Column in
      if let column = before[index] { return column }
      if spec.references[index].kind == .current, let column { return column }
      return .absent(spec.references[index].type, count: count)
    }
    return RecordBatch(
      schema: referenceSchema, columns: columns, count: count, eventTimes: .absent(.timestamp, count: count))
  }

  /// Decides the conditions that read rows before the one that is tried.
  ///
  /// A row for which one has no value is a dead letter only where it is tried.
  /// - Parameter previous: The row that stands so many before each of the block's; nil where there is none.
  func decide(_ block: MatchBlock, in blocks: MatchBlocks, previous: (_ offset: Int) -> [MatchRowID?]) {
    guard kinds.contains(.physical) else { return }
    var picks: [Int: [MatchRowID?]] = [:]
    var before: [Int: Column] = [:]
    for (reference, offset) in offsets {
      let rows = picks[offset] ?? previous(offset)
      picks[offset] = rows
      before[reference] = picked(rows, reference, blocks)
    }
    let rows = rows(block.arguments, block.batch.count, before)
    for (variable, kind) in kinds.enumerated() where kind == .physical {
      guard let (selected, failures) = spec.conditions[variable]?.select(rows) else { continue }
      fill(block, variable, MatchVerdict.no)
      for row in selected { block.set(Int(row), variable, MatchVerdict.yes) }
      for failure in failures { block.set(failure.row, variable, MatchVerdict.failed, failure.reason) }
    }
    decideBeginnings(block)
  }

  /// The argument of `reference` on rows of several blocks.
  private func picked(_ rows: [MatchRowID?], _ reference: Int, _ blocks: MatchBlocks) -> Column {
    var columns = [nothing[reference]]
    var places = [Int32](repeating: 0, count: blocks.all.count)
    let picks = rows.map { id -> RowPick in
      guard let id, let column = blocks[id.block].arguments[reference] else { return RowPick(batch: 0, row: 0) }
      if places[Int(id.block)] == 0 {
        places[Int(id.block)] = Int32(columns.count)
        columns.append(column)
      }
      return RowPick(batch: places[Int(id.block)], row: id.row)
    }
    return Column.picked(picks, from: columns)
  }

  /// The arguments on rows in memory of their own, whose columns are those of `batch`.
  /// - Parameter gathered: How the rows were gathered from where arguments have been evaluated.
  func arguments(of batch: RecordBatch, _ gathered: (_ reference: Int) -> Column) -> [Column?] {
    spec.references.enumerated().map { index, reference -> Column? in
      guard let argument = reference.argument else { return nil }
      return argument.inputColumn.map { batch.columns[$0] } ?? gathered(index)
    }
  }
}
