import Expressions
import StreamModel
import Testing

/// Exact arithmetic against sums done as in school, for random types and values.
@Suite struct ArithmeticPropertyTests {
  private struct Exact {
    let type: DataType
    let precision: Int
    let scale: Int

    static func random(_ random: inout SeededGenerator) -> Exact {
      if Int.random(in: 0..<5, using: &random) == 0 { return Exact(type: .int64, precision: 19, scale: 0) }
      let precision = [Int.random(in: 1...38, using: &random), 18, 38, 19].randomElement(using: &random) ?? 18
      let scale = Int.random(in: 0...precision, using: &random)
      return Exact(type: .decimal(precision: precision, scale: scale), precision: precision, scale: scale)
    }

    func value(_ random: inout SeededGenerator) -> Value {
      if Int.random(in: 0..<8, using: &random) == 0 { return .null }
      if type == .int64 {
        return .int64(
          [
            Int64.min, .max, 0, -1, 1, Int64.random(in: -100...100, using: &random),
            Int64.random(in: .min ... .max, using: &random),
          ].randomElement(using: &random) ?? 0)
      }
      let digits = [Int.random(in: 0...precision, using: &random), precision, 1].randomElement(using: &random) ?? 1
      let bound = Decimal.powersOfTen[digits] - 1
      let value =
        [Int128.random(in: 0...bound, using: &random), bound, Decimal.powersOfTen[digits] / 2].randomElement(
          using: &random) ?? 0
      return .decimal(Bool.random(using: &random) ? -value : value, scale: scale)
    }
  }

  private static func number(_ value: Value) -> SchoolNumber? {
    switch value {
    case .int64(let value): SchoolNumber(Int128(value))
    case .decimal(let value, _): SchoolNumber(value)
    default: nil
    }
  }

  /// The result's type by the rules of the topology language; nil where there is none.
  private static func type(_ sign: String, _ left: Exact, _ right: Exact) -> Exact? {
    var (precision, scale) = (0, max(left.scale, right.scale))
    let (leftWhole, rightWhole) = (left.precision - left.scale, right.precision - right.scale)
    switch sign {
    case "+", "-": precision = max(leftWhole, rightWhole) + scale + 1
    case "*": (precision, scale) = (left.precision + right.precision + 1, left.scale + right.scale)
    case "%": precision = min(leftWhole, rightWhole) + scale
    default:
      scale = max(6, left.scale + right.precision + 1)
      precision = leftWhole + right.scale + scale
      if precision > 38 { scale = max(38 - leftWhole - right.scale, 6) }
    }
    if left.type == .int64, right.type == .int64, sign != "/" { return Exact(type: .int64, precision: 19, scale: 0) }
    if scale > 38 { return nil }
    precision = min(precision, 38)
    return Exact(type: .decimal(precision: precision, scale: scale), precision: precision, scale: scale)
  }

  /// The result at its type's scale; nil for division by zero.
  private static func result(
    _ sign: String, _ left: SchoolNumber, _ leftScale: Int, _ right: SchoolNumber, _ rightScale: Int, _ scale: Int
  ) -> SchoolNumber? {
    switch sign {
    case "+", "-":
      let second = right.shifted(scale - rightScale)
      return left.shifted(scale - leftScale) + (sign == "+" ? second : second.negated)
    case "*": return left * right
    case "%":
      return right.isZero
        ? nil : SchoolNumber.divide(left.shifted(scale - leftScale), right.shifted(scale - rightScale)).rest
    default:
      return right.isZero ? nil : SchoolNumber.rounded(left.shifted(scale + rightScale), by: right.shifted(leftScale))
    }
  }

  private static func fits(_ number: SchoolNumber, _ type: Exact) -> Bool {
    guard type.type == .int64 else { return number.digits.count <= type.precision }
    let bound = SchoolNumber(number.isNegative ? Int128(Int64.min) : Int128(Int64.max))
    return SchoolNumber.compareMagnitudes(number.digits, bound.digits) <= 0
  }

  @Test(arguments: ["+", "-", "*", "/", "%"]) func everyResult_isThatOfSchoolArithmetic(sign: String) throws {
    var random = SeededGenerator()
    for _ in 0..<150 {
      let (left, right) = (Exact.random(&random), Exact.random(&random))
      let schema = Schema([Field("a", left.type), Field("b", right.type)])
      let text = "a \(sign) b"
      guard let type = ArithmeticPropertyTests.type(sign, left, right) else {
        guard case .faults = ExpressionChecker.scalar(text, schema: schema) else {
          Issue.record("\(left.type) \(sign) \(right.type) is no fault")
          continue
        }
        continue
      }
      let expression = try valid(text, schema)
      #expect(expression.type == type.type, "\(left.type) \(sign) \(right.type)")
      let rows = (0..<40).map { _ in [left.value(&random), right.value(&random)] }
      let evaluation = expression.evaluate(Fixture.batch(schema, rows))
      let failed = Set(evaluation.failures.map(\.row))
      for (row, values) in rows.enumerated() {
        let what: Comment = "\(left.type) \(sign) \(right.type), row \(values), seed \(random.seed)"
        guard let first = ArithmeticPropertyTests.number(values[0]),
          let second = ArithmeticPropertyTests.number(values[1])
        else {
          #expect(evaluation.column.value(at: row) == .null && !failed.contains(row), what)
          continue
        }
        let expected = ArithmeticPropertyTests.result(sign, first, left.scale, second, right.scale, type.scale)
        let hasValue = expected.map { ArithmeticPropertyTests.fits($0, type) } ?? false
        #expect(failed.contains(row) != hasValue, what)
        if hasValue, let expected {
          #expect(shown(evaluation.column.value(at: row)) == expected.text(scale: type.scale), what)
        }
      }
    }
  }

  @Test func everyComparison_isThatOfTheDifference() throws {
    var random = SeededGenerator()
    for _ in 0..<200 {
      let (left, right) = (Exact.random(&random), Exact.random(&random))
      let schema = Schema([Field("a", left.type), Field("b", right.type)])
      let rows = (0..<20).map { _ in [left.value(&random), right.value(&random)] }
      let batch = Fixture.batch(schema, rows)
      let less = try valid("a < b", schema).evaluate(batch).column
      let equal = try valid("a = b", schema).evaluate(batch).column
      for (row, values) in rows.enumerated() {
        guard let first = ArithmeticPropertyTests.number(values[0]),
          let second = ArithmeticPropertyTests.number(values[1])
        else {
          #expect(less.value(at: row) == .null)
          continue
        }
        let difference = first.shifted(right.scale) + second.shifted(left.scale).negated
        #expect(less.value(at: row) == .boolean(difference.isNegative), "\(values), seed \(random.seed)")
        #expect(equal.value(at: row) == .boolean(difference.isZero), "\(values), seed \(random.seed)")
        guard row < 4 else { continue }
        let literal = shown(values[1])
        let againstConstant = try valid(
          "a < cast('\(literal)' as \(right.type)) or cast('\(literal)' as \(right.type)) > a", schema
        ).evaluate(batch).column
        #expect(
          againstConstant.value(at: row) == .boolean(difference.isNegative),
          "\(values) as a constant, seed \(random.seed)")
      }
    }
  }
}
