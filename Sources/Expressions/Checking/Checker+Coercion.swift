import StreamModel

extension Checker {
  /// `typed` as a value of `type`, where it may become one unasked: a bare null, a number as a wider one, a date as a
  /// timestamp, a literal text as a time. Nil where it may not.
  mutating func coerced(_ typed: Typed, to type: DataType) -> Typed? {
    if typed.isInvalid { return typed }
    if typed.isNull { return Typed(constant: Column.constant(.null, type, count: 1), typed.range) }
    guard typed.isValue else { return nil }
    if typed.type == type { return typed }
    switch (typed.type, type) {
    case (.int64, .double), (.decimal, .double), (.date, .timestamp): return converted(typed, to: type)
    case (.int64, .decimal), (.decimal, .decimal): return converted(typed, to: type)
    case (.string, .timestamp), (.string, .date): return timeLiteral(typed, type)
    default: return nil
    }
  }

  /// A cast that cannot be refused, only fail a row.
  func converted(_ typed: Typed, to type: DataType, givesNull: Bool = false, at range: TextRange? = nil) -> Typed {
    let range = range ?? typed.range
    if typed.type == type { return Typed(typed, at: range) }
    let kernel = CastKernel(operand: typed.kernel, from: typed.type, type: type, givesNull: givesNull)
    return make(kernel, type, nullable: typed.nullable || givesNull, from: [typed], range)
  }

  private mutating func timeLiteral(_ typed: Typed, _ type: DataType) -> Typed? {
    guard case .string(let text) = typed.constantValue else { return nil }
    let time =
      type == .date
      ? parsedDate(text)
      : CivilTime.parseTimestamp(text, allowingBlank: true)
        ?? parsedDate(text).map { $0 * CivilTime.millisecondsPerDay }
    guard let time else {
      let example = type == .date ? "2026-01-31" : "2026-01-31T13:45:00Z"
      return fault(typed.range, "'\(text)' is no \(type)", "write '\(example)'")
    }
    return constant(type == .date ? .date(time) : .timestamp(time), type, typed.range)
  }

  /// The type all of `parts` can have: nil where there is none, or where all are bare nulls.
  func commonType(_ parts: [Typed]) -> DataType? {
    var common: DataType?
    // Written whole numbers come last: they take little room beside a decimal.
    for part in parts.filter({ !$0.isIntegerLiteral }) + parts.filter(\.isIntegerLiteral) where part.isValue {
      guard let other = common else {
        common = part.type
        continue
      }
      guard let joined = Checker.commonType(other, part) ?? timeType(other, part, among: parts) else { return nil }
      common = joined
    }
    return common
  }

  static func commonType(_ left: DataType, _ part: Typed) -> DataType? {
    let right = part.type
    if left == right { return left }
    switch (left, right) {
    case (.date, .timestamp), (.timestamp, .date): return .timestamp
    default: break
    }
    guard left.isNumeric, right.isNumeric else { return nil }
    if left == .double || right == .double { return .double }
    guard let exactLeft = ExactType(left), let exactRight = part.exactType else { return nil }
    return exactLeft.common(with: exactRight).dataType
  }

  /// A time and literal texts make a time.
  private func timeType(_ common: DataType, _ part: Typed, among parts: [Typed]) -> DataType? {
    let areLiterals = parts.allSatisfy { !$0.isValue || $0.type != .string || $0.constantValue != nil }
    guard areLiterals else { return nil }
    switch (common, part.type) {
    case (.timestamp, .string), (.date, .string): return common
    case (.string, .timestamp), (.string, .date): return part.type
    default: return nil
    }
  }

  /// Brings `parts` to one type, for results that may come from any of them. Nil after a fault.
  mutating func unified(_ parts: [Typed], _ range: TextRange, _ what: String) -> (parts: [Typed], type: DataType)? {
    if parts.contains(where: \.isInvalid) { return nil }
    for part in parts where !part.isValue && !part.isNull {
      _ = fault(
        part.range, "`\(snippet(part.range))` is no value of a column's type",
        "add it to a timestamp, or use timestamp_add")
      return nil
    }
    guard let type = commonType(parts) else {
      let types = parts.filter(\.isValue).map { "\(snippet($0.range)) is \($0.type)" }
      _ =
        types.isEmpty
        ? fault(range, "\(what) are all null", "write cast(null as string), or the type that is meant")
        : fault(
          range, "\(what) have no type in common: \(types.joined(separator: ", "))",
          "cast them to one type: cast(x as string)")
      return nil
    }
    var result: [Typed] = []
    for part in parts {
      guard let coerced = coerced(part, to: type), !coerced.isInvalid else { return nil }
      result.append(coerced)
    }
    return (result, type)
  }

  /// `typed` as a boolean condition.
  mutating func condition(_ node: SyntaxNode, _ what: String) -> Typed {
    let typed = check(node)
    if let condition = coerced(typed, to: .boolean) { return condition }
    let type = typed.isValue ? "\(typed.type)" : "an interval"
    let mend =
      typed.isValue && typed.type == .string
      ? "compare it: \(snippet(node.range)) = '…'" : "compare it: \(snippet(node.range)) <> 0"
    return fault(node.range, "\(what) must be boolean, and `\(snippet(node.range))` is \(type)", mend)
  }
}
