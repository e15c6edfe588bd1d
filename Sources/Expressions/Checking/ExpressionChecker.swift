import StreamModel

/// Checks texts of the expression language against a schema.
package enum ExpressionChecker {
  /// Checks a scalar expression such as `quantity * 2 > 10`.
  package static func scalar(_ text: String, schema: Schema) -> Checked<ScalarExpression> {
    let node: SyntaxNode
    do { node = try Parser.parse(text) } catch { return .faults([error]) }
    var checker = Checker(text: text, schema: schema, place: .scalar)
    let typed = typed(node, &checker)
    guard checker.faults.isEmpty else { return .faults(ordered(checker.faults)) }
    return .valid(
      ScalarExpression(
        text: text, type: typed.type, nullable: typed.nullable, columns: checker.columns.sorted(), kernel: typed.kernel)
    )
  }

  /// Checks an aggregate expression such as `sum(quantity) / count(*)`.
  package static func aggregate(_ text: String, schema: Schema) -> Checked<AggregateExpression> {
    let node: SyntaxNode
    do { node = try Parser.parse(text) } catch { return .faults([error]) }
    var checker = Checker(text: text, schema: schema, place: .aroundAggregates)
    let typed = typed(node, &checker)
    let calls = checker.collected.calls
    if checker.faults.isEmpty, calls.isEmpty {
      _ = checker.fault(node.range, "there is no aggregate in it", "write count(*), sum(x) or another aggregate")
    }
    guard checker.faults.isEmpty else { return .faults(ordered(checker.faults)) }
    var isOneCall = false
    if case .call(let call) = node.kind { isOneCall = AggregateRule.names.contains(call.name) }
    let result = ScalarExpression(
      text: text, type: typed.type, nullable: typed.nullable, columns: Array(calls.indices), kernel: typed.kernel)
    return .valid(
      AggregateExpression(
        text: text, calls: calls, result: isOneCall ? nil : result, type: typed.type, nullable: typed.nullable,
        isOrderSensitive: calls.contains(where: \.isOrderSensitive)))
  }

  /// The whole expression's value, which must have a type of its own.
  static func typed(_ node: SyntaxNode, _ checker: inout Checker) -> Typed {
    let typed = checker.check(node)
    if typed.isNull {
      return checker.fault(
        node.range, "null alone has no type", "write cast(null as string), or the type that is meant")
    }
    return typed.isValue || typed.isInvalid ? typed : checker.notAValue(typed)
  }

  static func ordered(_ faults: [ExpressionFault]) -> [ExpressionFault] {
    faults.enumerated().sorted { ($0.element.offset, $0.offset) < ($1.element.offset, $1.offset) }.map(\.element)
  }
}
