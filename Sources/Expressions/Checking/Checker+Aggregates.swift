import StreamModel

/// The aggregates: their names in the language and the types of their results.
enum AggregateRule {
  static let names: Set<String> = ["count", "sum", "min", "max", "avg", "first", "last", "stddev_pop"]

  /// The result's type for an argument of type `argument`; nil where it takes no such argument.
  static func result(_ function: AggregateFunction, _ argument: DataType) -> DataType? {
    switch function {
    case .countAll, .count, .countDistinct: return .int64
    case .min, .max, .first, .last: return argument
    case .stddevPop: return argument.isNumeric ? .double : nil
    case .sum:
      if case .decimal(_, let scale) = argument {
        return .decimal(precision: DataType.maxDecimalPrecision, scale: scale)
      }
      return argument.isNumeric ? argument : nil
    case .avg:
      if case .decimal(_, let scale) = argument {
        return .decimal(precision: DataType.maxDecimalPrecision, scale: max(6, scale))
      }
      if argument == .int64 { return .decimal(precision: DataType.maxDecimalPrecision, scale: 6) }
      return argument == .double ? .double : nil
    }
  }
}

/// The aggregates of an expression, each kept once.
struct CollectedCalls {
  private(set) var calls: [AggregateCall] = []
  private var positions: [String: Int] = [:]

  /// The position of the call that `key` spells, made by `call` when it is new.
  mutating func position(of key: String, _ call: AggregateCall) -> Int {
    if let known = positions[key] { return known }
    positions[key] = calls.count
    calls.append(call)
    return calls.count - 1
  }
}

extension Checker {
  mutating func aggregate(_ call: SyntaxNode.Call, _ range: TextRange) -> Typed {
    switch place {
    case .scalar:
      return fault(
        range, "`\(call.name)` is an aggregate, and here each row stands for itself",
        "aggregate in a step with `aggregate:` and use its column here")
    case .insideAggregate:
      return fault(range, "an aggregate inside an aggregate", "aggregate the inner one in a step of its own")
    case .aroundAggregates, .pattern, .insidePattern: break
    }
    guard let function = function(call, range) else { return .invalid(range) }
    if let variable = call.starVariable {
      return fault(range, "`\(variable).*` belongs to a row pattern", "write count(*)")
    }
    var argument: ScalarExpression?
    if let node = call.arguments.first {
      argument = scalar(node, as: function == .stddevPop ? .double : nil, "the argument of \(call.name)")
      if argument == nil { return filterFaults(call, range) }
    }
    var filter: ScalarExpression?
    if let node = call.filter {
      filter = scalar(node, as: .boolean, "an aggregate's filter")
      if filter == nil { return .invalid(range) }
    }
    guard let type = AggregateRule.result(function, argument?.type ?? .int64) else {
      let mend =
        argument?.type == .string ? "cast it: \(call.name)(cast(x as decimal(18,3)))" : "count it, or take a number"
      return fault(
        range, "\(call.name) takes numbers, and `\(snippet(call.arguments[0].range))` is \(argument?.type ?? .int64)",
        mend)
    }
    let aggregate = AggregateCall(function: function, argument: argument, filter: filter, type: type)
    let position = collected.position(of: key(range), aggregate)
    return Typed(ColumnKernel(index: position), type, nullable: !function.isCount, range)
  }

  /// Reports what is wrong with the filter too.
  private mutating func filterFaults(_ call: SyntaxNode.Call, _ range: TextRange) -> Typed {
    if let node = call.filter { _ = scalar(node, as: .boolean, "an aggregate's filter") }
    return .invalid(range)
  }

  private mutating func function(_ call: SyntaxNode.Call, _ range: TextRange) -> AggregateFunction? {
    if call.isStar { return .countAll }
    guard call.arguments.count == 1 else {
      let mend = call.name == "count" ? "write count(*), count(x) or count(distinct x)" : "write \(call.name)(x)"
      _ = fault(range, "\(call.name) takes 1 argument, not \(call.arguments.count)", mend)
      return nil
    }
    if call.isDistinct {
      if call.name == "count" { return .countDistinct }
      _ = fault(
        call.nameRange, "`distinct` is for count only", "write \(call.name)(x), or de-duplicate in a step before")
      return nil
    }
    return AggregateFunction(rawValue: call.name)
  }

  /// A part evaluated on each row before it is aggregated; nil after a fault.
  private mutating func scalar(_ node: SyntaxNode, as type: DataType?, _ what: String) -> ScalarExpression? {
    var inner = Checker(text: text, schema: schema, place: .insideAggregate)
    var typed = inner.check(node)
    if typed.isNull || (typed.isValue && type != nil) {
      let wanted = type ?? .int64
      if let coerced = inner.coerced(typed, to: wanted) {
        typed = coerced
      } else {
        typed = inner.fault(
          node.range, "\(what) must be \(wanted), and `\(snippet(node.range))` is \(typed.type)",
          wanted == .boolean ? "compare it" : "cast it")
      }
    } else if !typed.isValue, !typed.isInvalid {
      typed = inner.notAValue(typed)
    }
    take(inner)
    guard typed.isValue, inner.faults.isEmpty else { return nil }
    return ScalarExpression(
      text: part(node.range), type: typed.type, nullable: typed.nullable, columns: inner.columns.sorted(),
      kernel: typed.kernel)
  }

  /// The whole text of a part.
  private func part(_ range: TextRange) -> String {
    String(decoding: Array(text.utf8.dropFirst(range.offset).prefix(range.length)), as: UTF8.self)
  }

  /// What is the same for two calls that mean the same: the tokens, with words that name no column in lower case.
  private func key(_ range: TextRange) -> String {
    guard let tokens = try? Lexer.tokens(of: part(range)) else { return part(range) }
    let shown = tokens.map { token in
      switch token.kind {
      case .word: schema.index(of: token.value) != nil ? "\"\(token.value)\"" : token.value.lowercased()
      case .quotedName: "\"\(token.value)\""
      case .text: "'\(token.value)'"
      default: token.value
      }
    }
    return shown.joined(separator: " ")
  }
}

extension AggregateFunction {
  /// Whether it counts, and so is never null.
  var isCount: Bool { self == .countAll || self == .count || self == .countDistinct }
}
