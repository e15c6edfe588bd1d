import StreamModel

package enum AggregateFunction: String, Hashable, Sendable {
  case countAll, count, countDistinct, sum, min, max, avg, first, last
  case stddevPop = "stddev_pop"
}

/// One aggregate inside an aggregate expression: `sum(quantity) filter (where service = 'data')`.
package struct AggregateCall: Sendable {
  package let function: AggregateFunction
  /// Evaluated per input row; nil for `count(*)`. Rows where it is null are skipped.
  package let argument: ScalarExpression?
  /// Only rows where it is true are aggregated.
  package let filter: ScalarExpression?
  /// Type of the result: counts are `int64 not null`; everything else is nullable (null when no row was aggregated).
  package let type: DataType

  package init(function: AggregateFunction, argument: ScalarExpression?, filter: ScalarExpression?, type: DataType) {
    self.function = function
    self.argument = argument
    self.filter = filter
    self.type = type
  }
}

extension AggregateCall {
  var isOrderSensitive: Bool {
    switch function {
    case .first, .last: true
    case .sum, .avg, .stddevPop: argument?.type == .double
    case .countAll, .count, .countDistinct, .min, .max: false
    }
  }
}

/// A checked aggregate expression such as `sum(x) / count(*)`: calls, and a scalar expression over their results.
package struct AggregateExpression: Sendable {
  package let text: String
  package let calls: [AggregateCall]
  /// Evaluated on batches with one column per call, named `$0`, `$1`, …; nil when the expression is just `calls[0]`.
  package let result: ScalarExpression?
  package let type: DataType
  package let nullable: Bool
  /// Whether the value depends on the order of rows: `first`, `last`, and the last digits of what adds up doubles.
  package let isOrderSensitive: Bool

  package init(
    text: String, calls: [AggregateCall], result: ScalarExpression?, type: DataType, nullable: Bool,
    isOrderSensitive: Bool
  ) {
    self.text = text
    self.calls = calls
    self.result = result
    self.type = type
    self.nullable = nullable
    self.isOrderSensitive = isOrderSensitive
  }
}
