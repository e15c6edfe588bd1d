import StreamModel
import TestSupport

/// Makes random columns for `select` and `extend`: an expression, and a name that tells what later steps may do with it.
///
/// `i…` whole numbers that stay small, `big…` ones that may be near the limits, `d…` decimals, `x…` doubles whose sums are
/// exact, `inexact…` others, `kind…` and `code…` ASCII texts, `flag…` booleans, `at…` times.
struct ValueMaker {
  let fields: [Field]

  func columns(_ matches: (Field) -> Bool) -> [TestExpression] {
    fields.indices.filter { matches(fields[$0]) }.map { TestExpression.column($0, fields) }
  }

  func named(_ prefix: String) -> [TestExpression] { columns { $0.name.hasPrefix(prefix) } }

  /// A new column; its name is made of what it holds and `suffix`.
  func make(_ random: inout SeededRandom, suffix: String) -> ProjectedColumn {
    let makers: [(inout SeededRandom) -> (String, TestExpression)?] = [
      integer, decimal, quotient, double, text, cast, flag, time, choice,
    ]
    for _ in 0..<20 {
      if let (prefix, expression) = makers[Int(random.int(0...Int64(makers.count - 1)))](&random) {
        return ProjectedColumn(name: prefix + suffix, expression: expression)
      }
    }
    return ProjectedColumn(
      name: "i" + suffix, expression: TestExpression("7", .int64, nullable: false) { _ in .int64(7) })
  }

  private func pick(_ expressions: [TestExpression], _ random: inout SeededRandom) -> TestExpression? {
    expressions.randomElement(using: &random)
  }

  /// `+ - * %` with a literal, `abs`, `coalesce`; of big numbers an overflow.
  private func integer(_ random: inout SeededRandom) -> (String, TestExpression)? {
    if random.chance(0.3), let big = pick(named("big").filter { $0.type == .int64 }, &random) {
      let factor = random.int(2...4)
      return (
        "big",
        .strict("\(big.sql) * \(factor)", .int64, [big]) {
          try ValueArithmetic.checked(ValueArithmetic.int($0[0]).multipliedReportingOverflow(by: factor))
        }
      )
    }
    guard let column = pick(named("i").filter { $0.type == .int64 }, &random) else { return nil }
    let number = random.int(1...9)
    switch random.int(0...4) {
    case 0: return ("i", ValueMaker.plus(column, number))
    case 1:
      return (
        "i", .strict("\(column.sql) - \(number)", .int64, [column]) { .int64(ValueArithmetic.int($0[0]) - number) }
      )
    case 2:
      return (
        "i", .strict("\(column.sql) % \(number)", .int64, [column]) { .int64(ValueArithmetic.int($0[0]) % number) }
      )
    case 3: return ("i", .strict("abs(\(column.sql))", .int64, [column]) { .int64(abs(ValueArithmetic.int($0[0]))) })
    default:
      return (
        "i",
        TestExpression("coalesce(\(column.sql), \(number))", .int64, nullable: false) {
          let value = try column.evaluate($0)
          return value == .null ? .int64(number) : value
        }
      )
    }
  }

  static func plus(_ column: TestExpression, _ number: Int64) -> TestExpression {
    .strict("\(column.sql) + \(number)", .int64, [column]) { .int64(ValueArithmetic.int($0[0]) + number) }
  }

  // MARK: Decimals

  private var decimals: [TestExpression] {
    columns { field in
      if case .decimal(let precision, _) = field.type { return precision <= 18 }
      return false
    }
  }

  private func digits(_ type: DataType) -> (precision: Int, scale: Int) {
    if case .decimal(let precision, let scale) = type { return (precision, scale) }
    preconditionFailure("\(type) is no decimal")
  }

  /// Sums, differences, products: exact.
  private func decimal(_ random: inout SeededRandom) -> (String, TestExpression)? {
    guard let left = pick(decimals, &random), let right = pick(decimals, &random) else { return nil }
    let (first, second) = (digits(left.type), digits(right.type))
    if random.chance(0.4) {
      let type = DataType.decimal(
        precision: min(38, first.precision + second.precision + 1), scale: first.scale + second.scale)
      return (
        "d",
        .strict("\(left.sql) * \(right.sql)", type, [left, right]) { values in
          let (one, other) = (
            try ValueArithmetic.unscaled(values[0], at: first.scale),
            try ValueArithmetic.unscaled(values[1], at: second.scale)
          )
          return try ValueArithmetic.decimal(ValueArithmetic.times(one, other), type)
        }
      )
    }
    let scale = max(first.scale, second.scale)
    let whole = max(first.precision - first.scale, second.precision - second.scale)
    let type = DataType.decimal(precision: whole + scale + 1, scale: scale)
    let isSum = random.chance(0.5)
    return (
      "d",
      .strict("\(left.sql) \(isSum ? "+" : "-") \(right.sql)", type, [left, right]) { values in
        let (one, other) = (
          try ValueArithmetic.unscaled(values[0], at: scale), try ValueArithmetic.unscaled(values[1], at: scale)
        )
        return try ValueArithmetic.decimal(isSum ? one + other : one - other, type)
      }
    )
  }

  /// A quotient of decimals: by zero a fault.
  func quotient(_ random: inout SeededRandom) -> (String, TestExpression)? {
    guard let left = pick(decimals, &random), let right = pick(decimals, &random) else { return nil }
    return ("d", ValueMaker.quotient(left, right))
  }

  /// `left / right`, both decimals of at most 18 digits or sums of such: SQL's type, away from zero at a tie.
  static func quotient(_ left: TestExpression, _ right: TestExpression) -> TestExpression {
    guard case .decimal(let precision1, let scale1) = left.type, case .decimal(let precision2, let scale2) = right.type
    else { preconditionFailure("no decimals") }
    var scale = max(6, scale1 + precision2 + 1)
    var precision = precision1 - scale1 + scale2 + scale
    if precision > 38 {
      scale = max(38 - (precision - scale), min(scale, 6))
      precision = 38
    }
    let type = DataType.decimal(precision: precision, scale: scale)
    return .strict("\(left.sql) / \(right.sql)", type, [left, right]) { values in
      let dividend = try ValueArithmetic.unscaled(values[0], at: scale1)
      let divisor = try ValueArithmetic.unscaled(values[1], at: scale2)
      let shifted = try ValueArithmetic.times(dividend, ValueArithmetic.power(scale + scale2 - scale1))
      return try ValueArithmetic.decimal(ValueArithmetic.rounded(shifted, divisor), type)
    }
  }

  // MARK: Others

  private func double(_ random: inout SeededRandom) -> (String, TestExpression)? {
    let doubles = named("x").filter { $0.type == .double }
    guard let left = pick(doubles, &random), let right = pick(doubles, &random) else { return nil }
    if random.chance(0.5) {
      return (
        "x",
        .strict("\(left.sql) + \(right.sql)", .double, [left, right]) {
          .double(ValueArithmetic.double($0[0]) + ValueArithmetic.double($0[1]))
        }
      )
    }
    return (
      "inexact",
      .strict("\(left.sql) / \(right.sql)", .double, [left, right]) {
        if ValueArithmetic.double($0[1]) == 0 { throw RowFault("division by zero") }
        return .double(ValueArithmetic.double($0[0]) / ValueArithmetic.double($0[1]))
      }
    )
  }

  private func text(_ random: inout SeededRandom) -> (String, TestExpression)? {
    guard let column = pick(columns { $0.type == .string && ValueMaker.isPlain($0.name) }, &random) else { return nil }
    switch random.int(0...3) {
    case 0:
      return (
        "kind", .strict("\(column.sql) || '-x'", .string, [column]) { .string(ValueArithmetic.text($0[0]) + "-x") }
      )
    case 1:
      return (
        "kind", .strict("upper(\(column.sql))", .string, [column]) { .string(ValueArithmetic.text($0[0]).uppercased()) }
      )
    case 2:
      return (
        "kind",
        .strict("substring(\(column.sql), 2, 3)", .string, [column]) {
          .string(String(ValueArithmetic.text($0[0]).dropFirst().prefix(3)))
        }
      )
    default:
      return (
        "kind",
        TestExpression("coalesce(\(column.sql), 'none')", .string, nullable: false) {
          let value = try column.evaluate($0)
          return value == .null ? .string("none") : value
        }
      )
    }
  }

  private static func isPlain(_ name: String) -> Bool { name.hasPrefix("kind") || name.hasPrefix("code") }

  /// A cast of text to a number: of other text a fault.
  private func cast(_ random: inout SeededRandom) -> (String, TestExpression)? {
    guard let column = pick(named("code").filter { $0.type == .string }, &random) else { return nil }
    return (
      "i",
      .strict("cast(\(column.sql) as int64)", .int64, [column]) {
        guard let value = Int64(ValueArithmetic.text($0[0])) else { throw RowFault("no number") }
        return .int64(value)
      }
    )
  }

  private func flag(_ random: inout SeededRandom) -> (String, TestExpression)? {
    ("flag", ConditionMaker(fields: fields).make(&random))
  }

  private func time(_ random: inout SeededRandom) -> (String, TestExpression)? {
    guard let column = pick(columns { $0.type == .timestamp }, &random) else { return nil }
    let minutes = random.int(-90...90)
    return (
      "at",
      .strict("timestamp_add(minute, \(minutes), \(column.sql))", .timestamp, [column]) {
        guard case .timestamp(let time) = $0[0] else { throw RowFault("no time") }
        return .timestamp(time + minutes * 60_000)
      }
    )
  }

  private func choice(_ random: inout SeededRandom) -> (String, TestExpression)? {
    guard let column = pick(named("i").filter { $0.type == .int64 }, &random) else { return nil }
    let condition = ConditionMaker(fields: fields).make(&random, depth: 1)
    let sql = "case when \(condition.sql) then \(column.sql) else -1 end"
    return (
      "i",
      TestExpression(sql, .int64, nullable: column.isNullable) {
        try condition.evaluate($0) == .boolean(true) ? try column.evaluate($0) : .int64(-1)
      }
    )
  }
}
