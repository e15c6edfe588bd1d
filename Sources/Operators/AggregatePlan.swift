import Expressions
import StreamModel

/// What an aggregate computes for each group: its calls without repetition, how they lie in a record, and which of them each
/// value is made of.
final class AggregatePlan {
  /// One call to compute. Calls with the same function, argument and filter are computed once.
  struct Call {
    let call: AggregateCall
    let field: AccumulatorField
    /// Positions in `expressions`; nil for `count(*)`, and without a filter.
    let argument: Int?
    let filter: Int?
  }

  /// One value of the result.
  struct Value {
    let expression: AggregateExpression
    /// Positions in `calls` of the expression's calls.
    let calls: [Int]
    /// The schema `$0`, `$1`, … that the result expression reads.
    let resultSchema: Schema
  }

  let calls: [Call]
  let values: [Value]
  /// Arguments and filters, each evaluated once a batch.
  let expressions: [ScalarExpression]
  let recordStride: Int
  /// Where the latest event time lies in a record, if it is kept.
  let latestTimeOffset: Int?

  init(_ values: [AggregateSpec.Value], keepsLatestTime: Bool = false) {
    var layout = RecordLayout()
    var builder = CallBuilder()
    self.values = values.map { value in
      let calls = value.expression.calls
      let fields = calls.enumerated().map { Field("$\($0)", $1.type) }
      return Value(
        expression: value.expression, calls: calls.map { builder.position(of: $0, &layout) },
        resultSchema: Schema(fields))
    }
    calls = builder.calls
    expressions = builder.expressions
    latestTimeOffset = keepsLatestTime ? layout.words(1) : nil
    recordStride = max(layout.stride, 8)
  }

  func makeAccumulators() -> [any Accumulator] { calls.map { $0.field.makeAccumulator() } }

  /// Whether the order of rows with one event time matters.
  var needsTies: Bool { calls.contains { $0.call.function == .first || $0.call.function == .last } }
}

/// Numbers calls and the expressions they read, equal ones alike.
private struct CallBuilder {
  var calls: [AggregatePlan.Call] = []
  var expressions: [ScalarExpression] = []
  private var callPositions: [[String]: Int] = [:]
  /// By type and text: an argument may have been cast without its text saying so.
  private var expressionPositions: [String: Int] = [:]

  mutating func position(of call: AggregateCall, _ layout: inout RecordLayout) -> Int {
    let name = [call.function.rawValue, "\(call.type)", call.argument?.text ?? "", call.filter?.text ?? ""]
    if let known = callPositions[name] { return known }
    let argument = call.argument.map { position(of: $0) }
    let filter = call.filter.map { position(of: $0) }
    calls.append(
      AggregatePlan.Call(call: call, field: AccumulatorField(call, &layout), argument: argument, filter: filter))
    callPositions[name] = calls.count - 1
    return calls.count - 1
  }

  private mutating func position(of expression: ScalarExpression) -> Int {
    let name = "\(expression.type) \(expression.text)"
    if let known = expressionPositions[name] { return known }
    expressions.append(expression)
    expressionPositions[name] = expressions.count - 1
    return expressions.count - 1
  }
}
