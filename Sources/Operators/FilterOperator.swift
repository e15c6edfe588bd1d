import Expressions
import StreamModel

/// `filter`: hands on the rows for which its condition is true; the others go to port `rejected`.
///
/// A row for which the condition is null is rejected; one for which it has no value is a dead letter. Keeps no state.
package final class FilterOperator: StreamOperator {
  private let condition: ScalarExpression

  /// `condition` is boolean, over the input's schema.
  package init(_ condition: ScalarExpression) { self.condition = condition }

  package func process(_ batch: RecordBatch, input: Int, to output: any OperatorOutput) throws(OperatorError) {
    let (kept, failures) = condition.select(batch)
    if !failures.isEmpty { output.fail(batch, failures) }
    output.emit(batch, rows: kept)
    let rejected = batch.count - kept.count - failures.count
    guard rejected > 0 else { return }
    guard output.isRead(.rejected) else { return output.count(rejected, on: .rejected) }
    output.divert(batch, rowsBeside(kept, failures, count: batch.count), to: .rejected)
  }

  /// The rows that were neither kept nor failed.
  private func rowsBeside(_ kept: [Int32], _ failures: [RowFailure], count: Int) -> [Int32] {
    var isTaken = [Bool](repeating: false, count: count)
    for row in kept { isTaken[Int(row)] = true }
    for failure in failures { isTaken[failure.row] = true }
    return (0..<count).compactMap { isTaken[$0] ? nil : Int32(truncatingIfNeeded: $0) }
  }
}
