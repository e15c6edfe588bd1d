import Expressions
import StreamModel

/// `match`: row patterns over the rows of each key, in order of event time. Columns out: the key, the measures, `match_start`,
/// `match_end` (not null timestamps).
package struct MatchSpec: Sendable {
  /// Where the search goes on behind a match. A variable is a position in `pattern.variables`; where it has no row, or its
  /// row is the match's first, the search goes on at the match's second row.
  package enum AfterMatch: Hashable, Sendable {
    case pastLastRow
    case toNextRow
    case toFirst(Int)
    case toLast(Int)
  }

  package struct Measure: Sendable {
    package let name: String
    /// Over `references`.
    package let expression: ScalarExpression
    package init(name: String, expression: ScalarExpression) {
      self.name = name
      self.expression = expression
    }
  }

  /// Key columns of the input; may be empty.
  package let key: [Int]
  package let patternText: String
  package let pattern: ParsedRowPattern
  /// One a variable, over `references`; nil: every row.
  package let conditions: [ScalarExpression?]
  package let references: [PatternReference]
  package let measures: [Measure]
  /// Rows of a match lie less than this apart; nil: however far.
  package let withinMilliseconds: Int64?
  package let afterMatch: AfterMatch
  package let inputSchema: Schema
  package let outputSchema: Schema
  /// The most ways in which the rows behind one first row may be matched at a time.
  package var maxPartialMatches = 1_000
  /// The most rows of a key that an undecided match may hold.
  package var maxRows = 100_000

  package init(
    key: [Int], patternText: String, pattern: ParsedRowPattern, conditions: [ScalarExpression?],
    references: [PatternReference], measures: [Measure], withinMilliseconds: Int64?, afterMatch: AfterMatch,
    inputSchema: Schema, outputSchema: Schema
  ) {
    self.key = key
    self.patternText = patternText
    self.pattern = pattern
    self.conditions = conditions
    self.references = references
    self.measures = measures
    self.withinMilliseconds = withinMilliseconds
    self.afterMatch = afterMatch
    self.inputSchema = inputSchema
    self.outputSchema = outputSchema
  }

  /// How many rows back `prev` looks at most.
  package var historyRows: Int {
    references.map { if case .previous(let offset) = $0.kind { offset } else { 0 } }.max() ?? 0
  }

  /// Columns of the input that are read.
  package var columns: Set<Int> { Set(key).union(references.flatMap { $0.argument?.columns ?? [] }) }
}
