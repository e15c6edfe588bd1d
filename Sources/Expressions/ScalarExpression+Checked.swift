import StreamModel

/// A checked SQL scalar expression over the columns of one schema, evaluated a column at a time.
package final class ScalarExpression: Sendable {
  package let text: String
  package let type: DataType
  package let nullable: Bool
  /// Positions of the columns it reads, ascending.
  package let columns: [Int]

  /// The batch's value for every row.
  package func evaluate(_ batch: RecordBatch) -> Evaluation { preconditionFailure("being built") }

  init(text: String, type: DataType, nullable: Bool, columns: [Int]) {
    self.text = text
    self.type = type
    self.nullable = nullable
    self.columns = columns
  }
}

/// Checks texts of the expression language against a schema.
package enum ExpressionChecker {
  /// Checks a scalar expression such as `quantity * 2 > 10`.
  package static func scalar(_ text: String, schema: Schema) -> Checked<ScalarExpression> {
    preconditionFailure("being built")
  }

  /// Checks an aggregate expression such as `sum(quantity) / count(*)`.
  package static func aggregate(_ text: String, schema: Schema) -> Checked<AggregateExpression> {
    preconditionFailure("being built")
  }
}
