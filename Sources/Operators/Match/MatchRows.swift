import Expressions
import StreamModel

/// What a pattern reads of single rows, evaluated a batch at a time.
final class MatchEvaluator {
  let spec: MatchSpec
  /// One field a reference.
  let referenceSchema: Schema
  private let oneTime = Column.constant(.timestamp(0), .timestamp, count: 1)
  private let absent: [Column]
  /// By variable.
  let kinds: [ConditionKind]

  /// How a variable's condition is decided.
  enum ConditionKind {
    /// Every row is one of the variable.
    case always
    /// By the row alone: decided for whole batches.
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
    absent = spec.references.map { Column.absent($0.type, count: 1) }
    kinds = spec.conditions.map { condition in
      guard let condition else { return .always }
      let references = condition.columns.map { spec.references[$0] }
      if references.allSatisfy({ $0.kind == .current }) { return .row }
      return references.allSatisfy(\.isPhysical) ? .physical : .matched
    }
  }

  /// The references' arguments and the truth of conditions for `batch`, with rows for which one of them has no value.
  func evaluate(_ batch: RecordBatch) -> (arguments: [Column?], truths: [[UInt8]?], failures: [RowFailure]) {
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
    let columns = arguments.enumerated().map { index, column -> Column in
      let isCurrent = spec.references[index].kind == .current
      return isCurrent
        ? column ?? .absent(.int64, count: batch.count) : .absent(spec.references[index].type, count: batch.count)
    }
    let rows = RecordBatch(
      schema: referenceSchema, columns: columns, count: batch.count, eventTimes: batch.eventTimes)
    let truths = spec.conditions.enumerated().map { variable, condition -> [UInt8]? in
      guard let condition, case .row = kinds[variable] else { return nil }
      let (selected, found) = condition.select(rows)
      note(found)
      var truth = [UInt8](repeating: 0, count: batch.count)
      for row in selected { truth[Int(row)] = 1 }
      return truth
    }
    return (arguments, truths, failures.values.sorted { $0.row < $1.row })
  }

  /// The truth of a condition for one row, whose references `value` gives; nil, with the reason, where it has none.
  func holds(_ condition: ScalarExpression, value: (Int) -> Value?) -> (truth: Bool?, reason: String) {
    var columns = absent
    for index in condition.columns {
      guard let value = value(index) else { return (nil, "an aggregate of the match overflows") }
      let builder = ColumnBuilder(spec.references[index].type, capacity: 1)
      builder.append(value)
      columns[index] = builder.finish()
    }
    let row = RecordBatch(schema: referenceSchema, columns: columns, count: 1, eventTimes: oneTime)
    let evaluation = condition.evaluate(row)
    if let failure = evaluation.failures.first { return (nil, failure.reason) }
    return (evaluation.column.isValid(0) && evaluation.column.booleans[0] != 0, "")
  }
}

/// Rows that matches are made of, with what the pattern reads of them.
final class MatchBlock {
  let batch: RecordBatch
  let arguments: [Column?]
  let truths: [[UInt8]?]
  /// Rows already reported as dead letters.
  var isReported: [Bool]
  private let ledger: MatchLedger

  init(_ batch: RecordBatch, _ arguments: [Column?], _ truths: [[UInt8]?], _ ledger: MatchLedger) {
    self.batch = batch
    self.arguments = arguments
    self.truths = truths
    self.ledger = ledger
    isReported = Array(repeating: false, count: batch.count)
    ledger.rows += batch.count
    ledger.sizeBytes += batch.sizeBytes
  }

  deinit {
    ledger.rows -= batch.count
    ledger.sizeBytes -= batch.sizeBytes
  }
}

/// What the blocks that are still referred to hold together.
final class MatchLedger {
  var rows = 0
  var sizeBytes = 0
}

/// A row of a block.
struct MatchRow {
  let block: MatchBlock
  let row: Int

  var time: EventTime { block.batch.eventTimes.int64s[row] }

  @inline(__always) func argument(_ reference: Int) -> Value { block.arguments[reference]?.value(at: row) ?? .null }
}
