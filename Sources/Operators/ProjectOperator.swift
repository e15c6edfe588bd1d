import Expressions
import StreamModel

/// `select` and `extend`: gives every row the columns of its output schema. Keeps no state.
///
/// A row for which any expression has no value is a dead letter, with the first reason in column order.
package final class ProjectOperator: StreamOperator {
  private let spec: ProjectSpec

  package init(_ spec: ProjectSpec) { self.spec = spec }

  package func process(_ batch: RecordBatch, input: Int, to output: any OperatorOutput) throws(OperatorError) {
    var columns: [Column] = []
    columns.reserveCapacity(spec.items.count)
    var failures: [Int: RowFailure] = [:]
    for item in spec.items {
      switch item {
      case .column(let index): columns.append(batch.columns[index])
      case .expression(let expression):
        let evaluation = expression.evaluate(batch)
        columns.append(evaluation.column)
        for failure in evaluation.failures where failures[failure.row] == nil { failures[failure.row] = failure }
      }
    }
    let projected = batch.with(schema: spec.outputSchema, columns: columns)
    guard !failures.isEmpty else { return output.emit(projected) }
    output.fail(batch, failures.values.sorted { $0.row < $1.row })
    let kept = (0..<batch.count).compactMap { failures[$0] == nil ? Int32(truncatingIfNeeded: $0) : nil }
    output.emit(projected, rows: kept)
  }
}
