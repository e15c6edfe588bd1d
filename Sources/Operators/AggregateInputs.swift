import Expressions
import StreamModel

/// The arguments and filters of an aggregate, evaluated on one batch.
///
/// A row for which a filter, or an argument that its filter lets through, has no value fails as a whole. Rows that take part
/// in a call are those for which the filter is true and the argument is not null.
///
/// Among rows of one event time `first` and `last` go by the *tie-breaker*: partition and position for rows that were read
/// from a source, so that the order does not depend on how partitions interleave; nothing, and so arrival, for others.
final class AggregateInputs {
  private let plan: AggregatePlan
  private var inputs: [AccumulatorInput] = []
  /// Per call one byte a row, 1 where the row takes part; nil where all do.
  private var masks: [UnsafeMutablePointer<UInt8>?] = []
  private var columns: [Column] = []
  private let maskMemory: [Scratch<UInt8>]
  private let encoders: [KeyEncoder?]
  private let ties = Scratch<Int64>()
  private let chosenRows = Scratch<Int32>()
  private let chosenSlots = Scratch<Int32>()

  init(_ plan: AggregatePlan) {
    self.plan = plan
    maskMemory = plan.calls.map { _ in Scratch() }
    encoders = plan.calls.map { $0.call.function == .countDistinct ? KeyEncoder(keyColumns: [0]) : nil }
  }

  /// Evaluates everything on `batch`. Returns the rows that fail, in order, at most once each.
  func evaluate(_ batch: RecordBatch) -> [RowFailure] {
    let evaluations = plan.expressions.map { $0.evaluate(batch) }
    columns = evaluations.map(\.column)
    masks = plan.calls.enumerated().map { mask($1, evaluations, maskMemory[$0], batch.count) }
    let tiePointer = plan.needsTies ? batch.origin.map { tieBreakers($0, batch.count) } : nil
    inputs = plan.calls.enumerated().map { index, call in
      let column = call.argument.map { columns[$0] } ?? batch.eventTimes
      return AccumulatorInput(
        column: column, eventTimes: batch.eventTimes.int64s, ties: tiePointer, keys: encode(column, encoders[index]))
    }
    return failures(evaluations)
  }

  /// The argument of call `index`.
  func column(ofCall index: Int) -> Column { inputs[index].column }

  /// Whether row `row` takes part in call `index`.
  func takesPart(_ row: Int, inCall index: Int) -> Bool { masks[index].map { $0[row] != 0 } ?? true }

  /// What call `index` reads.
  func input(ofCall index: Int) -> AccumulatorInput { inputs[index] }

  /// The rows of `selection` that take part in call `index`; valid until the next use.
  func rows(of selection: RowSelection, inCall index: Int) -> RowSelection {
    guard let mask = masks[index] else { return selection }
    let rows = chosenRows.reserve(selection.count + 1)
    let slots = chosenSlots.reserve(selection.count + 1)
    var count = 0
    for position in 0..<selection.count {
      let row = selection.rows[position]
      rows[count] = row
      slots[count] = selection.slots[position]
      count &+= Int(mask[Int(row)])
    }
    return RowSelection(rows: rows, slots: slots, count: count)
  }

  private func mask(
    _ call: AggregatePlan.Call, _ evaluations: [Evaluation], _ memory: Scratch<UInt8>, _ count: Int
  ) -> UnsafeMutablePointer<UInt8>? {
    let argument = call.argument.map { evaluations[$0].column }
    let filter = call.filter.map { evaluations[$0].column }
    guard argument?.validity != nil || filter != nil else { return nil }
    let mask = memory.reserve(count)
    mask.update(repeating: 1, count: count)
    if let filter { mask.update(from: filter.booleans, count: count) }
    for column in [argument, filter] {
      guard let column, column.validity != nil else { continue }
      for row in 0..<count where !column.isValid(row) { mask[row] = 0 }
    }
    return mask
  }

  private func encode(_ column: Column, _ encoder: KeyEncoder?) -> KeyBatch? {
    guard let encoder else { return nil }
    let schema = Schema([Field("value", column.type)])
    encoder.encode(RecordBatch(schema: schema, columns: [column], count: column.count, eventTimes: column))
    return KeyBatch(encoder)
  }

  private func tieBreakers(_ origin: RecordOrigin, _ count: Int) -> UnsafePointer<Int64> {
    let ties = ties.reserve(count)
    for row in 0..<count {
      ties[row] = Int64(origin.chunk(at: row).partition.index) << 44 | origin.position(at: row)
    }
    return UnsafePointer(ties)
  }

  private func failures(_ evaluations: [Evaluation]) -> [RowFailure] {
    guard evaluations.contains(where: { !$0.failures.isEmpty }) else { return [] }
    var reasons: [Int: String] = [:]
    for call in plan.calls {
      let filter = call.filter.map { evaluations[$0] }
      for failure in filter?.failures ?? [] where reasons[failure.row] == nil {
        reasons[failure.row] = failure.reason
      }
      for failure in call.argument.map({ evaluations[$0].failures }) ?? [] where reasons[failure.row] == nil {
        if let filter, filter.column.value(at: failure.row) != .boolean(true) { continue }
        reasons[failure.row] = failure.reason
      }
    }
    return reasons.keys.sorted().map { RowFailure(row: $0, reason: reasons[$0] ?? "") }
  }
}
