import Expressions
import Operators
import StreamModel

/// Checks `match`.
struct MatchChecker {
  let item: Item
  let input: StreamShape?

  private static let keys = ["key", "pattern", "define", "measures", "within", "after_match"]

  func check() -> StepOutcome {
    guard let section = item.section(MatchChecker.keys, expected: "{key, pattern, define, measures}") else {
      return StepOutcome()
    }
    let within = section["within"].map { $0.duration(atLeast: 1) }
    let written = section.required("pattern", "a row pattern: pattern: \"A B+\"").flatMap(readPattern)
    let afterMatch = readAfterMatch(section["after_match"], written?.pattern.variables)
    let measuresItem = section.required("measures", "the columns to give: measures: {started: first(A.at)}")
    guard let input else { return StepOutcome() }
    if !input.hasEventTime {
      item.keyFault("the stream has no event time, by which rows are put in order", "give the source an event_time")
    }
    let key = section["key"].map(input.columns) ?? NamedColumns()
    guard let written else { return StepOutcome(ports: ports(input, nil)) }
    var references = PatternReferences()
    let conditions = readConditions(section["define"], written.pattern, input, &references)
    let measures = readMeasures(measuresItem, written.pattern, input, key.indices, &references)
    let fields =
      key.indices.map { input.schema[$0] } + measures.fields
      + ["match_start", "match_end"].map { Field($0, .timestamp, nullable: false) }
    let stream = StreamShape(
      schema: Schema(fields), opaque: measures.opaque.union(key.unknown), hasEventTime: true)
    var outcome = StepOutcome(stream: stream, ports: ports(input, stream))
    guard let conditions, measures.isComplete, key.isComplete, let afterMatch, within != .some(nil), input.hasEventTime
    else { return outcome }
    outcome.operation = .match(
      MatchSpec(
        key: key.indices, patternText: written.text, pattern: written.pattern, conditions: conditions,
        references: references.all, measures: measures.values, withinMilliseconds: within ?? nil,
        afterMatch: afterMatch, inputSchema: input.schema, outputSchema: stream.schema))
    return outcome
  }

  private func ports(_ input: StreamShape, _ output: StreamShape?) -> [SidePort: StreamShape] {
    var ports = [SidePort.late: input]
    ports[.timedOut] = output
    return ports
  }

  // MARK: The pattern

  private func readPattern(_ item: Item) -> (text: String, pattern: ParsedRowPattern)? {
    guard let scalar = item.scalar("a row pattern such as \"A B+ C?\"") else { return nil }
    switch RowPatternParser.parse(scalar.text) {
    case .valid(let pattern): return (scalar.text, pattern)
    case .faults(let faults):
      for fault in faults { ExpressionText.report(fault, scalar, item) }
      return nil
    }
  }

  private static let modes = ["skip_past_last_row", "skip_to_next_row", "skip_to_first", "skip_to_last"]

  private func readAfterMatch(_ item: Item?, _ variables: [String]?) -> MatchSpec.AfterMatch? {
    guard let item else { return .pastLastRow }
    let expected = "skip_past_last_row, skip_to_next_row, skip_to_first VARIABLE or skip_to_last VARIABLE"
    guard let scalar = item.scalar(expected) else { return nil }
    let words = scalar.text.split(separator: " ").map(String.init)
    switch (words.first, words.count) {
    case ("skip_past_last_row", 1): return .pastLastRow
    case ("skip_to_next_row", 1): return .toNextRow
    case ("skip_to_first", 2), ("skip_to_last", 2): break
    case ("skip_to_first", 1), ("skip_to_last", 1):
      item.fault("`\(scalar.shown)` names no variable", "write \(words[0]) and a variable of the pattern")
      return nil
    default:
      let nearest = words.first.flatMap { NearestName.nearest(to: $0, among: MatchChecker.modes) }
      item.fault("`\(scalar.shown)` is not known here", nearest.map { "did you mean `\($0)`?" } ?? "write \(expected)")
      return nil
    }
    guard let variables else { return nil }
    guard let variable = variables.firstIndex(of: words[1]) else {
      item.fault(
        "the pattern has no variable `\(Shown.text(words[1]))`",
        NearestName.suggestion(for: words[1], among: variables, otherwise: "name one of the pattern"))
      return nil
    }
    return words[0] == "skip_to_first" ? .toFirst(variable) : .toLast(variable)
  }

  // MARK: Expressions

  /// One a variable; nil after a fault.
  private func readConditions(
    _ item: Item?, _ pattern: ParsedRowPattern, _ input: StreamShape, _ references: inout PatternReferences
  ) -> [ScalarExpression?]? {
    var conditions: [ScalarExpression?] = pattern.variables.map { _ in nil }
    guard let item else { return conditions }
    guard let define = item.openSection(expected: "variables and their conditions, such as {A: quantity > 10}") else {
      return nil
    }
    var isComplete = true
    for (name, item) in define.items {
      guard let variable = pattern.variables.firstIndex(of: name) else {
        item.keyFault(
          "the pattern has no variable `\(Shown.text(name))`",
          NearestName.suggestion(for: name, among: pattern.variables, otherwise: "remove it"))
        isComplete = false
        continue
      }
      let condition = ExpressionText.settled(item, over: input) { text in
        PatternExpressionChecker.condition(
          text, of: variable, variables: pattern.variables, schema: input.schema, references: &references)
      }
      conditions[variable] = condition
      if condition == nil { isComplete = false }
    }
    return isComplete ? conditions : nil
  }

  private struct Measures {
    var values: [MatchSpec.Measure] = []
    var fields: [Field] = []
    var opaque: Set<String> = []
    var isComplete = true
  }

  private func readMeasures(
    _ item: Item?, _ pattern: ParsedRowPattern, _ input: StreamShape, _ key: [Int],
    _ references: inout PatternReferences
  ) -> Measures {
    var measures = Measures()
    guard let item, let section = item.openSection(expected: "columns and expressions, such as {started: first(A.at)}")
    else {
      measures.isComplete = false
      return measures
    }
    var taken = ["match_start": "a column that every match gives", "match_end": "a column that every match gives"]
    for column in key { taken[input.schema[column].name] = "a key column" }
    for (name, item) in section.items {
      if Names.checkColumn(name, item), let reason = taken[name] {
        item.keyFault("`\(Shown.text(name))` is the name of \(reason)", "choose another name")
      }
      let measure = ExpressionText.settled(item, over: input) { text in
        PatternExpressionChecker.measure(
          text, variables: pattern.variables, schema: input.schema, references: &references)
      }
      guard let measure else {
        measures.opaque.insert(name)
        measures.isComplete = false
        continue
      }
      measures.values.append(MatchSpec.Measure(name: name, expression: measure))
      measures.fields.append(Field(name, measure.type, nullable: measure.nullable))
    }
    return measures
  }
}
