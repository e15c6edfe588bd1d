import StreamModel

/// Gives an expression's tree types and kernels, and collects everything that is wrong with it.
struct Checker {
  /// What plain columns and aggregates mean here.
  enum Place {
    case scalar
    /// Inside an aggregate's parentheses.
    case insideAggregate
    /// An aggregate expression outside its aggregates, whose calls are collected.
    case aroundAggregates
    /// A condition or measure of a row pattern, whose references are collected.
    case pattern
    /// Inside a call of such an expression: what is evaluated on each row.
    case insidePattern
  }

  let text: String
  let schema: Schema
  let place: Place
  private(set) var faults: [ExpressionFault] = []
  private(set) var columns: Set<Int> = []
  /// The aggregates met so far, in an aggregate expression.
  var collected = CollectedCalls()
  /// The pattern that the expression is of.
  var pattern: PatternScope?
  /// Inside a call of a pattern's expression: the variables that columns are qualified by, nil for none.
  private(set) var qualifiers: Set<String?> = []

  init(text: String, schema: Schema, place: Place) {
    self.text = text
    self.schema = schema
    self.place = place
  }

  // MARK: Faults

  /// Reports a fault; what it gives stands for the faulty part.
  mutating func fault(_ range: TextRange, _ message: String, _ mend: String) -> Typed {
    add(ExpressionFault(offset: range.offset, length: range.length, message: message, mend: mend))
    return .invalid(range)
  }

  mutating func add(_ fault: ExpressionFault) {
    if !faults.contains(fault) { faults.append(fault) }
  }

  mutating func take(_ other: Checker) { for fault in other.faults { add(fault) } }

  /// The text of a part, shortened for a message.
  func snippet(_ range: TextRange) -> String {
    let bytes = Array(text.utf8.dropFirst(range.offset).prefix(range.length))
    let part = String(decoding: bytes, as: UTF8.self)
    return part.count <= 40 ? part : part.prefix(37) + "…"
  }

  // MARK: Parts

  mutating func check(_ node: SyntaxNode) -> Typed {
    switch node.kind {
    case .literal(let literal): return check(literal, node.range)
    case .name(let parts): return column(parts, node.range)
    case .negated(let operand): return negated(check(operand), node.range)
    case .not(let operand): return not(operand, node.range)
    case .arithmetic(let operation, let left, let right):
      return arithmetic(operation, check(left), check(right), node.range)
    case .comparison(let operation, let left, let right):
      return compare(operation, check(left), check(right), node.range)
    case .all(let operands): return logic(operands, decisive: false, node.range)
    case .any(let operands): return logic(operands, decisive: true, node.range)
    case .joinedText(let parts): return joinedText(parts.map { check($0) }, node.range)
    case .test(let operand, let test, let negated): return self.test(operand, test, negated, node.range)
    case .distinct(let left, let right, let negated): return distinct(check(left), check(right), negated, node.range)
    case .between(let operand, let low, let high, let negated):
      return between(check(operand), check(low), check(high), negated, node.range)
    case .inList(let operand, let items, let negated):
      return membership(check(operand), items.map { check($0) }, negated, node.range)
    case .like(let operand, let pattern, let escape, let negated):
      return like(check(operand), check(pattern), escape.map { check($0) }, negated, node.range)
    case .choice(let subject, let branches, let otherwise): return choice(subject, branches, otherwise, node.range)
    case .cast(let operand, let type, let givesNull): return cast(check(operand), type, givesNull, node.range)
    case .atTimeZone(let operand, let zone): return atTimeZone(check(operand), check(zone), node.range)
    case .call(let call): return self.call(call, node.range)
    }
  }

  mutating func notePatternColumn(_ position: Int) { columns.insert(position) }

  private mutating func column(_ parts: [String], _ range: TextRange) -> Typed {
    if place == .pattern { return patternColumn(parts, range) }
    var parts = parts
    if place == .insidePattern {
      qualifiers.insert(parts.count > 1 ? parts[0] : nil)
      if parts.count == 2 { parts.removeFirst() }
    }
    guard parts.count == 1, let name = parts.first else {
      return fault(
        range, "`\(parts.joined(separator: "."))` is a qualified name, and there is nothing to qualify by here",
        "write \(parts.last ?? "") alone")
    }
    guard let index = schema.index(of: name) else {
      let known = schema.fields.map(\.name)
      let mend = Suggestion.mend(for: name, among: known) ?? "columns are \(known.joined(separator: ", "))"
      return fault(range, "no column \"\(name)\"", mend)
    }
    if place == .aroundAggregates {
      return fault(
        range, "column \(name) stands outside an aggregate", "write first(\(name)), or make it part of the key")
    }
    columns.insert(index)
    return Typed(ColumnKernel(index: index), schema[index].type, nullable: schema[index].nullable, range)
  }

  private mutating func check(_ literal: SyntaxNode.Literal, _ range: TextRange) -> Typed {
    switch literal {
    case .null: return Typed(.null, range)
    case .interval(let interval): return Typed(.interval(interval), range)
    case .unit(let unit): return Typed(.unit(unit), range)
    case .boolean(let value): return constant(.boolean(value), .boolean, range)
    case .text(let value): return constant(.string(value), .string, range)
    case .integer(let digits):
      if let value = Int64(digits) { return Typed(integerLiteral: constant(.int64(value), .int64, range)) }
      return decimalLiteral(digits, range)
    case .decimal(let digits): return decimalLiteral(digits, range)
    case .double(let digits):
      if let value = Double(digits), value.isFinite { return constant(.double(value), .double, range) }
      return fault(range, "`\(digits)` is too large for a double", "write a smaller number")
    case .timestamp(let text):
      if let time = CivilTime.parseTimestamp(text, allowingBlank: true) {
        return constant(.timestamp(time), .timestamp, range)
      }
      return fault(range, "'\(text)' is no timestamp", "write timestamp '2026-01-31T13:45:00Z', with a zone")
    case .date(let text):
      if let day = parsedDate(text) { return constant(.date(day), .date, range) }
      return fault(range, "'\(text)' is no date", "write date '2026-01-31'")
    }
  }

  func parsedDate(_ text: String) -> Int64? {
    var text = text
    return text.withUTF8 { CivilTime.parseDate($0) }
  }

  func constant(_ value: Value, _ type: DataType, _ range: TextRange) -> Typed {
    Typed(constant: Column.constant(value, type, count: 1), range)
  }

  private mutating func decimalLiteral(_ digits: String, _ range: TextRange) -> Typed {
    let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
    let scale = parts.count > 1 ? parts[1].count : 0
    let whole = parts[0].drop { $0 == "-" || $0 == "0" }.count
    let precision = max(whole + scale, 1)
    let number = digits.hasSuffix(".") ? String(digits.dropLast()) : digits
    guard precision <= DataType.maxDecimalPrecision,
      case .value(let value) = Decimal.parse(number, precision: precision, scale: scale)
    else {
      return fault(
        range, "`\(digits)` has more than \(DataType.maxDecimalPrecision) digits",
        "write it with an exponent, as a double: \(digits)e0")
    }
    return constant(.decimal(value, scale: scale), .decimal(precision: precision, scale: scale), range)
  }

  // MARK: Making

  /// A part computed by `kernel` from `arguments`; computed now where they are constants and it does not fail.
  func make(_ kernel: any Kernel, _ type: DataType, nullable: Bool, from arguments: [Typed], _ range: TextRange)
    -> Typed
  {
    guard !arguments.isEmpty, arguments.allSatisfy({ $0.constant != nil }) else {
      return Typed(kernel, type, nullable: nullable, range)
    }
    let frame = Frame(columns: [], count: 1)
    let value = kernel.evaluate(frame, nil)
    guard frame.failures.isEmpty else { return Typed(kernel, type, nullable: nullable, range) }
    return Typed(constant: Column(value.column, as: type), range)
  }

  /// A function of `arguments`, null where one of them is.
  func function(
    _ arguments: [Typed], _ type: DataType, nullable: Bool = false, _ range: TextRange,
    _ apply: @escaping @Sendable (Invocation) -> Operand
  ) -> Typed {
    let kernel = FunctionKernel(arguments: arguments.map(\.kernel), type: type, apply: apply)
    return make(kernel, type, nullable: nullable || arguments.contains { $0.nullable }, from: arguments, range)
  }
}
