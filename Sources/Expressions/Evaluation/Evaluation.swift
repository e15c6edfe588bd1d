import StreamModel

/// A row for which an expression has no value: division by zero, overflow, a failed cast, an unknown time zone.
package struct RowFailure: Hashable, Sendable {
  /// Position in the batch.
  package let row: Int
  /// What went wrong, with the value, in words a person can act on.
  package let reason: String

  package init(row: Int, reason: String) {
    self.row = row
    self.reason = reason
  }
}

/// What an expression gave for a batch: a column of its type, one value a row.
package struct Evaluation: Sendable {
  package let column: Column
  /// Rows that could not be evaluated, in row order, at most one entry a row; their value in `column` is null.
  package let failures: [RowFailure]

  package init(column: Column, failures: [RowFailure] = []) {
    self.column = column
    self.failures = failures
  }
}
