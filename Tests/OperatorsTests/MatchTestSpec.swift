import Expressions
import Operators
import StreamModel
import TestSupport
import Testing

/// A `match` as a topology writes it, over rows of a key, a number and a time.
struct MatchTestSpec {
  static let input = Schema([Field("key", .string), Field("x", .int64), Field("at", .timestamp)])

  var pattern: String
  var define: [String: String] = [:]
  var measures: [(name: String, text: String)]
  var within: Int64?
  var afterMatch = "skip_past_last_row"
  var maxPartialMatches = 1_000_000
  var maxRows = 100_000

  func make() throws -> MatchSpec {
    let parsed = try valid(RowPatternParser.parse(pattern))
    var references = PatternReferences()
    let conditions = try parsed.variables.enumerated().map { variable, name -> ScalarExpression? in
      guard let text = define[name] else { return nil }
      return try valid(
        PatternExpressionChecker.condition(
          text, of: variable, variables: parsed.variables, schema: MatchTestSpec.input, references: &references))
    }
    var fields = [Field("key", .string)]
    let measures = try measures.map { name, text in
      let expression = try valid(
        PatternExpressionChecker.measure(
          text, variables: parsed.variables, schema: MatchTestSpec.input, references: &references))
      fields.append(Field(name, expression.type, nullable: expression.nullable))
      return MatchSpec.Measure(name: name, expression: expression)
    }
    fields += ["match_start", "match_end"].map { Field($0, .timestamp, nullable: false) }
    var spec = MatchSpec(
      key: [0], patternText: pattern, pattern: parsed, conditions: conditions, references: references.all,
      measures: measures, withinMilliseconds: within, afterMatch: try mode(parsed), inputSchema: MatchTestSpec.input,
      outputSchema: Schema(fields))
    spec.maxPartialMatches = maxPartialMatches
    spec.maxRows = maxRows
    return spec
  }

  func mode(_ parsed: ParsedRowPattern) throws -> MatchSpec.AfterMatch {
    let words = afterMatch.split(separator: " ").map(String.init)
    switch words[0] {
    case "skip_past_last_row": return .pastLastRow
    case "skip_to_next_row": return .toNextRow
    case "skip_to_first": return .toFirst(try #require(parsed.variables.firstIndex(of: words[1])))
    default: return .toLast(try #require(parsed.variables.firstIndex(of: words[1])))
    }
  }

  private func valid<Meaning>(_ checked: Checked<Meaning>) throws -> Meaning {
    switch checked {
    case .valid(let meaning): return meaning
    case .faults(let faults):
      throw HarnessFailure("\(faults.map { "\($0.offset): \($0.message) — \($0.mend)" })")
    }
  }

  /// Runs a script in every way that must not show.
  func run(_ script: OperatorScript, seed: UInt64 = 1) throws -> CapturedOutput {
    let spec = try make()
    return try OperatorHarness(keys: [[0]]) { MatchOperator(spec, dueKeys: 1) }.check(script, seed: seed)
  }

  /// Rows of one key, a second apart.
  static func script(_ values: [Int64?], from start: Int64 = 0, key: Value = "k") -> OperatorScript {
    var script = OperatorScript(input)
    for (index, x) in values.enumerated() {
      let time = start + Int64(index) * 1000
      script.row(at: time, [key, x.map(Value.int64) ?? .null, .timestamp(time)])
    }
    return script
  }
}
