import Expressions
import StreamModel

/// `select` or `extend`: one output column each.
package struct ProjectSpec: Sendable {
  package enum Item: Sendable {
    /// An input column, as it is.
    case column(Int)
    case expression(ScalarExpression)
  }
  package let items: [Item]
  package let outputSchema: Schema

  package init(items: [Item], outputSchema: Schema) {
    self.items = items
    self.outputSchema = outputSchema
  }
}

/// `deduplicate`: the first row of a key within `withinMilliseconds` of event time.
package struct DeduplicateSpec: Sendable {
  /// Key columns of the input; not empty.
  package let key: [Int]
  package let withinMilliseconds: Int64

  package init(key: [Int], withinMilliseconds: Int64) {
    self.key = key
    self.withinMilliseconds = withinMilliseconds
  }
}

/// Which windows a row belongs to.
package enum WindowSpec: Hashable, Sendable {
  case tumble(size: Int64, offset: Int64)
  case hop(size: Int64, every: Int64, offset: Int64)
  case cumulate(size: Int64, every: Int64, offset: Int64)
  case session(gap: Int64)
  case calendar(CalendarUnit, timezone: Setting<String>, cycleDay: Setting<Int>)
  /// No window: a running aggregate.
  case none

  package enum CalendarUnit: String, Hashable, Sendable { case day, week, month }

  /// A value for all rows, or a column that holds each row's own.
  package enum Setting<Value: Hashable & Sendable>: Hashable, Sendable {
    case constant(Value)
    case column(Int)
  }
}

/// `aggregate`. Columns out: the key, `window_start`, `window_end` (not null timestamps; absent without a window), the
/// values, and `pane` (string) last where `hasPane`.
package struct AggregateSpec: Sendable {
  package struct Value: Sendable {
    package let name: String
    package let expression: AggregateExpression
    package init(name: String, expression: AggregateExpression) {
      self.name = name
      self.expression = expression
    }
  }
  /// Key columns of the input; may be empty (one group).
  package let key: [Int]
  package let window: WindowSpec
  package let values: [Value]
  package let allowedLatenessMilliseconds: Int64
  /// `emit.early`: wall-clock period of early results of windows; nil for none.
  package let earlyMilliseconds: Int64?
  /// `emit.every`: wall-clock period of a running aggregate's upserts.
  package let everyMilliseconds: Int64
  package let outputSchema: Schema

  package var hasPane: Bool { window != .none && (earlyMilliseconds != nil || allowedLatenessMilliseconds > 0) }

  package init(
    key: [Int], window: WindowSpec, values: [Value], allowedLatenessMilliseconds: Int64, earlyMilliseconds: Int64?,
    everyMilliseconds: Int64, outputSchema: Schema
  ) {
    self.key = key
    self.window = window
    self.values = values
    self.allowedLatenessMilliseconds = allowedLatenessMilliseconds
    self.earlyMilliseconds = earlyMilliseconds
    self.everyMilliseconds = everyMilliseconds
    self.outputSchema = outputSchema
  }
}

/// `join`: pairs of rows with equal keys whose event times satisfy `left + lower ≤ right ≤ left + upper`.
package struct JoinSpec: Sendable {
  package enum Kind: String, Sendable { case inner, left }
  package let kind: Kind
  /// Key columns of each side, in the same order.
  package let leftKey: [Int]
  package let rightKey: [Int]
  package let lowerMilliseconds: Int64
  package let upperMilliseconds: Int64
  /// Columns out: all of the left's, then these of the right's.
  package let rightColumns: [Int]
  package let outputSchema: Schema

  package init(
    kind: Kind, leftKey: [Int], rightKey: [Int], lowerMilliseconds: Int64, upperMilliseconds: Int64,
    rightColumns: [Int], outputSchema: Schema
  ) {
    self.kind = kind
    self.leftKey = leftKey
    self.rightKey = rightKey
    self.lowerMilliseconds = lowerMilliseconds
    self.upperMilliseconds = upperMilliseconds
    self.rightColumns = rightColumns
    self.outputSchema = outputSchema
  }
}

extension WindowSpec {
  /// Whether its results are given a window at a time.
  package var isSwept: Bool {
    switch self {
    case .session, .none: false
    default: true
    }
  }
}
