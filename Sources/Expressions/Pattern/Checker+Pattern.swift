import StreamModel

extension Checker {
  private static let maxOffset = 1000

  /// `x`, `V.x`: in a condition the row that is tried, of another variable its last row; in a measure the last row.
  mutating func patternColumn(_ parts: [String], _ range: TextRange) -> Typed {
    var kind = PatternReference.Kind.last(offset: 0)
    var variable: Int?
    if parts.count == 2 {
      guard let known = patternVariable(parts[0], range) else { return .invalid(range) }
      variable = known
    }
    if let defines = pattern?.defines, variable == nil || variable == defines {
      kind = .current
      variable = nil
    }
    guard let name = parts.last, parts.count <= 2 else {
      return fault(range, "`\(snippet(range))` has too many parts", "write VARIABLE.column")
    }
    guard let index = schema.index(of: name) else {
      let known = schema.fields.map(\.name)
      return fault(
        range, "no column \"\(name)\"",
        Suggestion.mend(for: name, among: known) ?? "columns are \(known.joined(separator: ", "))")
    }
    let argument = ScalarExpression(
      text: "\"\(name)\"", type: schema[index].type, nullable: schema[index].nullable, columns: [index],
      kernel: ColumnKernel(index: index))
    let nullable = kind == .current ? schema[index].nullable : true
    return reference(kind, variable, argument, schema[index].type, nullable: nullable, range)
  }

  private mutating func patternVariable(_ name: String, _ range: TextRange) -> Int? {
    let variables = pattern?.variables ?? []
    if let index = variables.firstIndex(of: name) { return index }
    let mend = Suggestion.mend(for: name, among: variables) ?? "variables are \(variables.joined(separator: ", "))"
    _ = fault(range, "the pattern has no variable `\(name)`", mend)
    return nil
  }

  private mutating func reference(
    _ kind: PatternReference.Kind, _ variable: Int?, _ argument: ScalarExpression?, _ type: DataType, nullable: Bool,
    _ range: TextRange
  ) -> Typed {
    let key = "\(kind) \(variable.map { "\($0)" } ?? "none") \(argument?.text ?? "*")"
    guard
      let position = pattern?.references.position(
        of: key,
        {
          PatternReference(kind: kind, variable: variable, argument: argument, type: type, nullable: nullable)
        })
    else { return .invalid(range) }
    notePatternColumn(position)
    return Typed(ColumnKernel(index: position), type, nullable: nullable, range)
  }

  /// `prev`, `first`, `last` and the aggregates.
  mutating func patternCall(_ call: SyntaxNode.Call, _ range: TextRange) -> Typed {
    if call.filter != nil {
      return fault(range, "`filter` inside a pattern", "say it in the variable's condition")
    }
    switch call.name {
    case "prev", "first", "last": return navigation(call, range)
    default: return patternAggregate(call, range)
    }
  }

  private mutating func navigation(_ call: SyntaxNode.Call, _ range: TextRange) -> Typed {
    guard (1...2).contains(call.arguments.count), !call.isDistinct else {
      return fault(
        range, "\(call.name) takes a value and perhaps a number of rows", "write \(call.name)(x) or \(call.name)(x, n)")
    }
    var offset = call.name == "prev" ? 1 : 0
    if call.arguments.count == 2 {
      var inner = Checker(text: text, schema: schema, place: .scalar)
      let number = inner.check(call.arguments[1])
      let literal = inner.literalInteger(number, "the number of rows", in: 0...Int64(Checker.maxOffset))
      take(inner)
      guard let literal else { return .invalid(range) }
      offset = literal
    }
    guard let (argument, variable) = patternArgument(call.arguments[0]) else { return .invalid(range) }
    if call.name == "prev" {
      let isOwn = variable == nil || variable == pattern?.defines
      if isOwn, offset == 0, pattern?.defines != nil {
        return reference(.current, nil, argument, argument.type, nullable: argument.nullable, range)
      }
      // In a measure it counts from the match's last row, as from that of a variable.
      return reference(
        .previous(offset), isOwn && pattern?.defines != nil ? nil : variable ?? Checker.wholeMatch, argument,
        argument.type, nullable: true, range)
    }
    let kind = call.name == "first" ? PatternReference.Kind.first(offset: offset) : .last(offset: offset)
    return reference(kind, variable, argument, argument.type, nullable: true, range)
  }

  /// Stands for the variable of which every row of a match is one.
  static let wholeMatch = -1

  private mutating func patternAggregate(_ call: SyntaxNode.Call, _ range: TextRange) -> Typed {
    if call.isStar {
      var variable: Int?
      if let name = call.starVariable {
        guard let known = patternVariable(name, range) else { return .invalid(range) }
        variable = known
      }
      return reference(.aggregate(.countAll), variable, nil, .int64, nullable: false, range)
    }
    guard call.arguments.count == 1 else {
      return fault(range, "\(call.name) takes 1 argument, not \(call.arguments.count)", "write \(call.name)(x)")
    }
    if call.isDistinct, call.name != "count" {
      return fault(call.nameRange, "`distinct` is for count only", "write \(call.name)(x)")
    }
    let named = call.isDistinct ? AggregateFunction.countDistinct : AggregateFunction(rawValue: call.name)
    guard let function = named,
      let (argument, variable) = patternArgument(call.arguments[0], as: function == .stddevPop ? .double : nil)
    else { return .invalid(range) }
    guard let type = AggregateRule.result(function, argument.type) else {
      return fault(
        range, "\(call.name) takes numbers, and `\(snippet(call.arguments[0].range))` is \(argument.type)",
        "count it, or take a number")
    }
    return reference(.aggregate(function), variable, argument, type, nullable: !function.isCount, range)
  }

  /// What is evaluated on each row, and of which variable the rows are: its columns are all of one variable or of none.
  private mutating func patternArgument(
    _ node: SyntaxNode, as type: DataType? = nil
  ) -> (argument: ScalarExpression, variable: Int?)? {
    var inner = Checker(text: text, schema: schema, place: .insidePattern)
    inner.pattern = pattern
    var typed = inner.check(node)
    if let type, typed.isValue, let coerced = inner.coerced(typed, to: type) { typed = coerced }
    if !typed.isValue, !typed.isInvalid { typed = inner.notAValue(typed) }
    let qualifiers = inner.qualifiers
    if qualifiers.count > 1 {
      _ = inner.fault(
        node.range, "`\(snippet(node.range))` mixes rows of different variables",
        "aggregate over one variable at a time")
    }
    take(inner)
    guard typed.isValue, inner.faults.isEmpty else { return nil }
    var variable: Int?
    if let name = qualifiers.first ?? nil {
      guard let known = patternVariable(name, node.range) else { return nil }
      variable = known
    }
    let argument = ScalarExpression(
      text: "\(snippetWhole(node.range)) as \(typed.type)", type: typed.type, nullable: typed.nullable,
      columns: inner.columns.sorted(), kernel: typed.kernel)
    return (argument, variable)
  }

  private func snippetWhole(_ range: TextRange) -> String {
    String(decoding: Array(text.utf8.dropFirst(range.offset).prefix(range.length)), as: UTF8.self)
  }
}
