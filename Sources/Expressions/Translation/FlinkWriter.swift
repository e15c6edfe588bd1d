import StreamModel

/// Writes a checked expression's tree as Flink SQL.
///
/// Types decide what is written: a cast goes in where Flink would compute in another type, and a literal text that stands for a
/// time becomes that time.
struct FlinkWriter {
  let text: String
  let schema: Schema
  var place: Checker.Place
  private(set) var notes: [String] = []

  init(text: String, schema: Schema, place: Checker.Place) {
    self.text = text
    self.schema = schema
    self.place = place
  }

  mutating func note(_ note: String) {
    if !notes.contains(note) { notes.append(note) }
  }

  /// What the checker knows of a part.
  func typed(_ node: SyntaxNode) -> Typed {
    var checker = Checker(text: text, schema: schema, place: place)
    return checker.check(node)
  }

  /// The text of a part, for a note.
  func snippet(_ node: SyntaxNode) -> String {
    Checker(text: text, schema: schema, place: place).snippet(node.range)
  }

  mutating func write(_ node: SyntaxNode) -> String {
    switch node.kind {
    case .literal(let literal): return write(literal)
    case .name(let parts): return FlinkText.name(parts.last ?? "")
    case .negated(let operand): return "(- \(write(operand)))"
    case .not(let operand): return "(NOT \(write(operand)))"
    case .arithmetic(let operation, let left, let right): return arithmetic(operation, left, right, node)
    case .comparison(let operation, let left, let right):
      let sides = comparable([left, right])
      return "(\(sides[0]) \(operation.rawValue) \(sides[1]))"
    case .all(let operands): return "(" + operands.map { write($0) }.joined(separator: " AND ") + ")"
    case .any(let operands): return "(" + operands.map { write($0) }.joined(separator: " OR ") + ")"
    case .joinedText(let parts): return "(" + parts.map { write($0) }.joined(separator: " || ") + ")"
    case .test(let operand, let test, let negated):
      let words: [SyntaxNode.TruthTest: String] = [.null: "NULL", .isTrue: "TRUE", .isFalse: "FALSE"]
      return "(\(write(operand)) IS \(negated ? "NOT " : "")\(words[test] ?? "NULL"))"
    case .distinct(let left, let right, let negated):
      let sides = comparable([left, right])
      return "(\(sides[0]) IS \(negated ? "NOT " : "")DISTINCT FROM \(sides[1]))"
    case .between(let operand, let low, let high, let negated):
      let parts = comparable([operand, low, high])
      return "(\(parts[0]) \(negated ? "NOT " : "")BETWEEN \(parts[1]) AND \(parts[2]))"
    case .inList(let operand, let items, let negated):
      let parts = comparable([operand] + items)
      return "(\(parts[0]) \(negated ? "NOT " : "")IN (\(parts.dropFirst().joined(separator: ", "))))"
    case .like(let operand, let pattern, let escape, let negated):
      let rest = escape.map { " ESCAPE \(write($0))" } ?? ""
      return "(\(write(operand)) \(negated ? "NOT " : "")LIKE \(write(pattern))\(rest))"
    case .choice(let subject, let branches, let otherwise): return choice(subject, branches, otherwise)
    case .cast(let operand, _, let givesNull): return cast(operand, to: typed(node).type, givesNull)
    case .atTimeZone(let time, let zone):
      note("`\(snippet(node))`: Flink SQL has no operator that gives a timestamp's wall clock in a zone")
      return "CAST(CONVERT_TZ(CAST(\(write(time)) AS STRING), 'UTC', \(write(zone))) AS TIMESTAMP_LTZ(3))"
    case .call(let call): return self.call(call, node)
    }
  }

  // MARK: Values

  private func write(_ literal: SyntaxNode.Literal) -> String {
    switch literal {
    case .null: "NULL"
    case .boolean(let value): value ? "TRUE" : "FALSE"
    case .integer(let digits), .decimal(let digits): digits
    case .double(let digits): digits.uppercased()
    case .text(let value): FlinkText.literal(value)
    case .timestamp(let text): FlinkWriter.timestamp(text)
    case .date(let text): "DATE \(FlinkText.literal(text))"
    case .interval(let interval): FlinkWriter.write(interval)
    case .unit(let unit): FlinkWriter.name(of: unit)
    }
  }

  private static func timestamp(_ text: String) -> String {
    "TO_TIMESTAMP_LTZ(\(CivilTime.parseTimestamp(text, allowingBlank: true) ?? 0), 3)"
  }

  private static func write(_ interval: Interval) -> String {
    interval.months != 0
      ? "INTERVAL '\(interval.months)' MONTH(\(max(2, String(interval.months.magnitude).count)))"
      : FlinkText.interval(milliseconds: interval.milliseconds)
  }

  static func name(of unit: TimeUnit) -> String { unit.rawValue.uppercased() }

  /// Parts that are compared, literal texts as the times that they stand for among times.
  private mutating func comparable(_ nodes: [SyntaxNode]) -> [String] {
    let time = nodes.map { typed($0).type }.first { $0 == .timestamp || $0 == .date }
    return nodes.map { node in
      guard let time, case .literal(.text(let text)) = node.kind else { return write(node) }
      return time == .date ? "DATE \(FlinkText.literal(text))" : FlinkWriter.timestamp(text)
    }
  }

  // MARK: Arithmetic

  private mutating func arithmetic(
    _ operation: ArithmeticOperator, _ left: SyntaxNode, _ right: SyntaxNode, _ node: SyntaxNode
  ) -> String {
    let (leftTyped, rightTyped, result) = (typed(left), typed(right), typed(node))
    var sides = (write(left), write(right))
    if operation == .divide, leftTyped.type == .int64, rightTyped.type == .int64, leftTyped.isValue, rightTyped.isValue
    {
      // Exact here, a whole number there.
      sides.0 = "CAST(\(sides.0) AS DECIMAL(\(leftTyped.exactType?.precision ?? 19), 0))"
    }
    if operation == .multiply, let first = leftTyped.exactType, let second = rightTyped.exactType,
      case .decimal(_, let scale) = result.type
    {
      let precision = first.precision + second.precision + 1
      let kept = max(DataType.maxDecimalPrecision - (precision - scale), min(scale, 6))
      if precision > DataType.maxDecimalPrecision, kept < scale {
        note(
          "`\(snippet(node))`: exact to \(scale) digits after the point or a dead letter here; Flink SQL rounds to \(kept)"
        )
      }
    }
    return "(\(sides.0) \(operation.rawValue) \(sides.1))"
  }

  private mutating func choice(
    _ subject: SyntaxNode?, _ branches: [(when: SyntaxNode, then: SyntaxNode)], _ otherwise: SyntaxNode?
  ) -> String {
    var sql = "CASE"
    if let subject { sql += " " + write(subject) }
    for branch in branches { sql += " WHEN \(write(branch.when)) THEN \(write(branch.then))" }
    if let otherwise { sql += " ELSE \(write(otherwise))" }
    return sql + " END"
  }

  private mutating func cast(_ operand: SyntaxNode, to type: DataType, _ givesNull: Bool) -> String {
    let from = typed(operand).type
    let shown = snippet(operand)
    switch (from, type) {
    case (.string, .timestamp):
      note("a cast of `\(shown)` to timestamp: Flink SQL reads texts without `T` and zone, in the session's time zone")
    case (.timestamp, .string), (.boolean, .string), (.double, .string), (.bytes, .string), (.string, .bytes):
      note("a cast of `\(shown)` to \(type): Flink SQL writes a \(from) otherwise than JSON does")
    default: break
    }
    return "\(givesNull ? "TRY_CAST" : "CAST")(\(write(operand)) AS \(FlinkText.type(type)))"
  }
}
