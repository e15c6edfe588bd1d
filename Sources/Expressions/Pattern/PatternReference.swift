import StreamModel

/// What an expression of a row pattern reads: something of the rows that a match holds so far. Conditions and measures are
/// scalar expressions over such values, one column each.
package struct PatternReference: Sendable {
  package enum Kind: Hashable, Sendable {
    /// Of the row that is tried.
    case current
    /// Of the row that many rows before, whether the match holds that or not.
    case previous(Int)
    /// Of the variable's first row, or that many rows of it after.
    case first(offset: Int)
    /// Of the variable's last row, or that many rows of it before.
    case last(offset: Int)
    case aggregate(AggregateFunction)
  }

  package let kind: Kind
  /// Whose rows, by position among the pattern's variables; nil for all rows of the match. Of `previous` it is whose last
  /// row to count from.
  package let variable: Int?
  /// Evaluated on each row; nil for `count(*)`.
  package let argument: ScalarExpression?
  package let type: DataType
  package let nullable: Bool

  /// Whether it depends on the rows before the one that is tried, but not on how they were matched.
  package var isPhysical: Bool {
    switch kind {
    case .current: true
    case .previous: variable == nil
    case .first, .last, .aggregate: false
    }
  }
}

/// The references of all conditions and measures of a pattern, each kept once.
package struct PatternReferences: Sendable {
  package private(set) var all: [PatternReference] = []
  private var positions: [String: Int] = [:]

  package init() {}

  mutating func position(of key: String, _ make: () -> PatternReference) -> Int {
    if let known = positions[key] { return known }
    positions[key] = all.count
    all.append(make())
    return all.count - 1
  }
}

/// What names and calls mean inside a pattern's expressions.
struct PatternScope {
  let variables: [String]
  /// The variable whose condition it is; nil in a measure.
  let defines: Int?
  var references: PatternReferences
}

/// Checks the expressions of a row pattern.
package enum PatternExpressionChecker {
  /// A variable's condition: boolean.
  package static func condition(
    _ text: String, of variable: Int, variables: [String], schema: Schema, references: inout PatternReferences
  ) -> Checked<ScalarExpression> {
    check(text, PatternScope(variables: variables, defines: variable, references: references), schema, &references)
  }

  /// A measure, of a whole match.
  package static func measure(
    _ text: String, variables: [String], schema: Schema, references: inout PatternReferences
  ) -> Checked<ScalarExpression> {
    check(text, PatternScope(variables: variables, defines: nil, references: references), schema, &references)
  }

  private static func check(
    _ text: String, _ scope: PatternScope, _ schema: Schema, _ references: inout PatternReferences
  ) -> Checked<ScalarExpression> {
    let node: SyntaxNode
    do { node = try Parser.parse(text) } catch { return .faults([error]) }
    var checker = Checker(text: text, schema: schema, place: .pattern)
    checker.pattern = scope
    let typed = ExpressionChecker.typed(node, &checker)
    if scope.defines != nil, typed.isValue, typed.type != .boolean {
      _ = checker.fault(node.range, "the condition is \(typed.type), not boolean", "compare it with something")
    }
    guard checker.faults.isEmpty, let pattern = checker.pattern else {
      return .faults(ExpressionChecker.ordered(checker.faults))
    }
    references = pattern.references
    return .valid(
      ScalarExpression(
        text: text, type: typed.type, nullable: typed.nullable, columns: checker.columns.sorted(), kernel: typed.kernel)
    )
  }
}
