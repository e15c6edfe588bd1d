import StreamModel
import TestSupport

/// Makes random conditions that never fail: comparisons of columns with literals, joined by `and`, `or` and `not`.
struct ConditionMaker {
  let fields: [Field]

  func make(_ random: inout SeededRandom, depth: Int = 2) -> TestExpression {
    guard depth > 0, random.chance(0.35) else { return predicate(&random) }
    let left = make(&random, depth: depth - 1)
    if random.chance(0.3) {
      return .strict("not (\(left.sql))", .boolean, [left]) { .boolean($0[0] == .boolean(false)) }
    }
    let right = make(&random, depth: depth - 1)
    return random.chance(0.5) ? both(left, right, decisive: false) : both(left, right, decisive: true)
  }

  /// `and` (false decides) or `or` (true decides), in three-valued logic.
  private func both(_ left: TestExpression, _ right: TestExpression, decisive: Bool) -> TestExpression {
    let sql = "(\(left.sql)) \(decisive ? "or" : "and") (\(right.sql))"
    return TestExpression(sql, .boolean, nullable: left.isNullable || right.isNullable) { row in
      let values = [try left.evaluate(row), try right.evaluate(row)]
      if values.contains(.boolean(decisive)) { return .boolean(decisive) }
      return values.contains(.null) ? .null : .boolean(!decisive)
    }
  }

  private func predicate(_ random: inout SeededRandom) -> TestExpression {
    let index = Int(random.int(0...Int64(fields.count - 1)))
    let column = TestExpression.column(index, fields)
    if random.chance(0.15) {
      let isNegated = random.chance(0.5)
      return TestExpression("\(column.sql) is \(isNegated ? "not " : "")null", .boolean, nullable: false) {
        .boolean((try column.evaluate($0) == .null) != isNegated)
      }
    }
    switch column.type {
    case .boolean: return column
    case .string: return textPredicate(column, &random)
    default: return comparison(column, &random)
    }
  }

  private func comparison(_ column: TestExpression, _ random: inout SeededRandom) -> TestExpression {
    let literal = Literal.random(column.type, &random)
    if random.chance(0.2) {
      let other = Literal.random(column.type, &random)
      return .strict("\(column.sql) between \(literal.sql) and \(other.sql)", .boolean, [column]) { values in
        .boolean(
          !ValueArithmetic.isBefore(values[0], literal.value) && !ValueArithmetic.isBefore(other.value, values[0]))
      }
    }
    return compare(column, literal, &random)
  }

  private func compare(_ column: TestExpression, _ literal: Literal, _ random: inout SeededRandom) -> TestExpression {
    let sign = ["=", "<>", "<", "<=", ">", ">="][Int(random.int(0...5))]
    return .strict("\(column.sql) \(sign) \(literal.sql)", .boolean, [column]) { values in
      let isLess = ValueArithmetic.isBefore(values[0], literal.value)
      let isGreater = ValueArithmetic.isBefore(literal.value, values[0])
      switch sign {
      case "=": return .boolean(!isLess && !isGreater)
      case "<>": return .boolean(isLess || isGreater)
      case "<": return .boolean(isLess)
      case "<=": return .boolean(!isGreater)
      case ">": return .boolean(isGreater)
      default: return .boolean(!isLess)
      }
    }
  }

  private func textPredicate(_ column: TestExpression, _ random: inout SeededRandom) -> TestExpression {
    switch random.int(0...2) {
    case 0: return compare(column, Literal.random(.string, &random), &random)
    case 1:
      let literals = (0..<random.int(1...3)).map { _ in Literal.random(.string, &random) }
      let list = literals.map(\.sql).joined(separator: ", ")
      return .strict("\(column.sql) in (\(list))", .boolean, [column]) { values in
        .boolean(literals.contains { $0.value == values[0] })
      }
    default:
      let start = ["v", "s", "da", "1", "a"][Int(random.int(0...4))]
      return .strict("\(column.sql) like '\(start)%'", .boolean, [column]) {
        .boolean(ValueArithmetic.text($0[0]).hasPrefix(start))
      }
    }
  }
}

/// A literal as SQL and as a value.
struct Literal {
  let sql: String
  let value: Value

  static let kinds = ["voice", "sms", "data"]

  static func random(_ type: DataType, _ random: inout SeededRandom) -> Literal {
    switch type {
    case .int64:
      let value = random.int(-20...40)
      return Literal(sql: "\(value)", value: .int64(value))
    case .decimal(_, let scale):
      let value = Int128(random.int(-20...60))
      return Literal(sql: "\(value)", value: .decimal(value * ValueArithmetic.power(scale), scale: scale))
    case .double:
      let value = random.int(-20...60)
      return Literal(sql: "\(value)e0", value: .double(Double(value)))
    case .timestamp:
      let value = TestTimes.base + random.int(-3...40) * 3_600_000
      return Literal(sql: "timestamp '\(TestTimes.text(value))'", value: .timestamp(value))
    case .boolean:
      let value = random.chance(0.5)
      return Literal(sql: "\(value)", value: .boolean(value))
    default:
      let value = random.chance(0.8) ? kinds[Int(random.int(0...2))] : "\(random.int(-3...20))"
      return Literal(sql: "'\(value)'", value: .string(value))
    }
  }
}
