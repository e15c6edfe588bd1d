import StreamModel

/// A function of the expression language: how it is called and how a call is checked.
struct FunctionRule: Sendable {
  /// `round(number[, digits])`.
  let usage: String
  let arity: ClosedRange<Int>
  let check: @Sendable (inout Checker, SyntaxNode.Call, [Typed], TextRange) -> Typed

  init(
    _ usage: String, _ arity: ClosedRange<Int>,
    _ check: @escaping @Sendable (inout Checker, SyntaxNode.Call, [Typed], TextRange) -> Typed
  ) {
    self.usage = usage
    self.arity = arity
    self.check = check
  }

  /// All functions by name.
  static let all: [String: FunctionRule] = numeric.merging(text) { $1 }.merging(time) { $1 }.merging(choice) { $1 }
}

extension Checker {
  mutating func call(_ call: SyntaxNode.Call, _ range: TextRange) -> Typed {
    if place == .pattern, call.name == "prev" || AggregateRule.names.contains(call.name) {
      return patternCall(call, range)
    }
    if place == .insidePattern, call.name == "prev" || AggregateRule.names.contains(call.name) {
      return fault(range, "`\(call.name)` inside another call", "take it out, and combine the results")
    }
    if AggregateRule.names.contains(call.name) { return aggregate(call, range) }
    guard let rule = FunctionRule.all[call.name] else {
      for argument in call.arguments { _ = check(argument) }
      let names = Set(FunctionRule.all.keys).union(AggregateRule.names)
      let mend =
        Suggestion.mend(for: call.name, among: names.sorted()) ?? "see the list of functions of the topology language"
      return fault(call.nameRange, "no function `\(call.name)`", mend)
    }
    if call.isDistinct || call.filter != nil {
      let what = call.isDistinct ? "`distinct`" : "`filter`"
      return fault(call.nameRange, "\(what) belongs to aggregates, and \(call.name) is none", "take it out")
    }
    let arguments = call.arguments.map { check($0) }
    guard rule.arity.contains(arguments.count) else {
      return fault(range, "\(call.name) takes \(rule.arity.shown), not \(arguments.count)", "write \(rule.usage)")
    }
    if arguments.contains(where: \.isInvalid) { return .invalid(range) }
    return rule.check(&self, call, arguments, range)
  }

  /// `arguments` as values of `types`, one each; nil after a fault.
  mutating func take(_ arguments: [Typed], _ call: SyntaxNode.Call, as types: [DataType]) -> [Typed]? {
    var taken: [Typed] = []
    for (argument, type) in zip(arguments, types) {
      guard let value = coerced(argument, to: type) else {
        let has = argument.isValue ? "\(argument.type)" : "no value"
        let usage = FunctionRule.all[call.name]?.usage ?? call.name
        let mend =
          argument.isValue && Checker.canCast(argument.type, type)
          ? "write cast(\(snippet(argument.range)) as \(type))" : "write \(usage)"
        _ = fault(
          argument.range, "\(call.name) takes \(type.article) here, and `\(snippet(argument.range))` is \(has)", mend)
        continue
      }
      taken.append(value)
    }
    return taken.count == min(arguments.count, types.count) && !taken.contains(where: \.isInvalid) ? taken : nil
  }

  /// A literal whole number as an argument; nil after a fault.
  mutating func literalInteger(_ argument: Typed, _ what: String, in range: ClosedRange<Int64>) -> Int? {
    if case .int64(let value) = argument.constantValue, range.contains(value) { return Int(value) }
    _ = fault(
      argument.range, "\(what) must be a literal whole number, and here is `\(snippet(argument.range))`",
      "write a number from \(range.lowerBound) to \(range.upperBound)")
    return nil
  }

  mutating func unit(_ argument: Typed, _ call: SyntaxNode.Call, where condition: (TimeUnit) -> Bool) -> TimeUnit? {
    guard case .unit(let unit) = argument.form else {
      _ = fault(
        argument.range, "\(call.name) takes a unit of time first",
        "write \(FunctionRule.all[call.name]?.usage ?? call.name)")
      return nil
    }
    if condition(unit) { return unit }
    _ = fault(
      argument.range, "\(call.name) has no unit \(unit.rawValue)", "units are \(TimeUnit.names(where: condition))")
    return nil
  }
}

extension ClosedRange<Int> {
  fileprivate var shown: String {
    if lowerBound == upperBound { return lowerBound == 1 ? "1 argument" : "\(lowerBound) arguments" }
    return upperBound == .max ? "at least \(lowerBound) arguments" : "\(lowerBound) to \(upperBound) arguments"
  }
}

extension DataType {
  fileprivate var article: String {
    switch self {
    case .int64: "an int64"
    default: "a \(self)"
    }
  }
}
