import StreamModel
import TestSupport

/// Makes random aggregates.
struct AggregateMaker {
  let fields: [Field]
  /// Whether `first` and `last` have one answer.
  var allowsOrder: Bool
  /// Whether sums that may overflow have one answer, which is so where rows come in one order.
  var allowsOverflow: Bool
  /// Whether a group whose result cannot be computed can be told from one that never was.
  var allowsFailingResults: Bool

  private var values: ValueMaker { ValueMaker(fields: fields) }

  func make(_ random: inout SeededRandom, suffix: String) -> TestAggregate {
    let makers: [(inout SeededRandom) -> (String, TestAggregate)?] = [
      countAll, count, integerSum, decimalSum, doubleSum, extremum, average, deviation, firstOrLast, composite,
      quotient,
    ]
    for _ in 0..<20 {
      if let (prefix, made) = makers[Int(random.int(0...Int64(makers.count - 1)))](&random) {
        return TestAggregate(
          name: prefix + suffix, sql: made.sql, type: made.type, calls: made.calls, combine: made.combine)
      }
    }
    return TestAggregate(name: "i" + suffix, sql: "count(*)", type: .int64, calls: [AggregateMaker.all])
  }

  // MARK: Calls

  private static var all: TestAggregateCall {
    TestAggregateCall(input: { _ in .int64(1) }, fold: { .int64(Int64($0.count)) })
  }

  private func pick(_ expressions: [TestExpression], _ random: inout SeededRandom) -> TestExpression? {
    expressions.randomElement(using: &random)
  }

  /// One call with, sometimes, a filter.
  private func call(
    _ function: String, _ argument: TestExpression, _ type: DataType, _ random: inout SeededRandom,
    isIntegerSum: Bool = false, _ fold: @escaping ([Value]) -> Value
  ) -> TestAggregate {
    let sql = "\(function)\(argument.sql))"
    guard random.chance(0.25) else {
      let call = TestAggregateCall(input: argument.evaluate, fold: fold, isIntegerSum: isIntegerSum)
      return TestAggregate(name: "", sql: sql, type: type, calls: [call])
    }
    let condition = ConditionMaker(fields: fields).make(&random, depth: 1)
    let call = TestAggregateCall(
      input: { try condition.evaluate($0) == .boolean(true) ? argument.evaluate($0) : .null }, fold: fold,
      isIntegerSum: isIntegerSum)
    return TestAggregate(name: "", sql: "\(sql) filter (where \(condition.sql))", type: type, calls: [call])
  }

  private func countAll(_ random: inout SeededRandom) -> (String, TestAggregate)? {
    let one = TestExpression("*", .int64) { _ in .int64(1) }
    return ("i", call("count(", one, .int64, &random) { .int64(Int64($0.count)) })
  }

  private func count(_ random: inout SeededRandom) -> (String, TestAggregate)? {
    guard let column = pick(values.columns { $0.type != .double }, &random) else { return nil }
    if random.chance(0.5) { return ("i", call("count(", column, .int64, &random) { .int64(Int64($0.count)) }) }
    return ("i", call("count(distinct ", column, .int64, &random) { .int64(Int64(Set($0).count)) })
  }

  // MARK: Sums

  private func integerSum(_ random: inout SeededRandom) -> (String, TestAggregate)? {
    let fold: ([Value]) -> Value = { values in
      values.isEmpty ? .null : .int64(Int64(truncatingIfNeeded: AggregateMaker.digits(values)))
    }
    if allowsOverflow, random.chance(0.5), let big = pick(values.columns { $0.name == "big" }, &random) {
      return ("big", call("sum(", big, .int64, &random, isIntegerSum: true, fold))
    }
    guard let column = pick(smallIntegers, &random) else { return nil }
    let argument = random.chance(0.3) ? ValueMaker.plus(column, random.int(1...5)) : column
    return ("i", call("sum(", argument, .int64, &random, fold))
  }

  private var smallIntegers: [TestExpression] { values.named("i").filter { $0.type == .int64 } }

  private var decimals: [TestExpression] {
    values.columns { field in
      if case .decimal = field.type { return true }
      return false
    }
  }

  private static func scale(_ type: DataType) -> Int {
    if case .decimal(_, let scale) = type { return scale }
    return 0
  }

  private static func digits(_ values: [Value]) -> Int128 {
    values.reduce(0) { sum, value in
      switch value {
      case .decimal(let digits, _): sum + digits
      case .int64(let value): sum + Int128(value)
      default: sum
      }
    }
  }

  private func decimalSum(_ random: inout SeededRandom) -> (String, TestAggregate)? {
    if random.chance(0.2), let (_, quotient) = values.quotient(&random) {
      // A row whose argument fails is a dead letter; a filter would leave open whether it fails.
      let sum = AggregateMaker.decimalSum(quotient)
      return ("d", TestAggregate(name: "", sql: "sum(\(quotient.sql))", type: sum.type, calls: [sum.call]))
    }
    guard let column = pick(decimals, &random) else { return nil }
    let sum = AggregateMaker.decimalSum(column)
    return ("d", call("sum(", column, sum.type, &random, sum.call.fold))
  }

  private static func decimalSum(_ argument: TestExpression) -> (type: DataType, call: TestAggregateCall) {
    let scale = scale(argument.type)
    let call = TestAggregateCall(input: argument.evaluate) { values in
      values.isEmpty ? .null : .decimal(digits(values), scale: scale)
    }
    return (.decimal(precision: 38, scale: scale), call)
  }

  private func doubleSum(_ random: inout SeededRandom) -> (String, TestAggregate)? {
    guard let column = pick(exactDoubles, &random) else { return nil }
    return ("x", call("sum(", column, .double, &random) { $0.isEmpty ? .null : .double(AggregateMaker.total($0)) })
  }

  private var exactDoubles: [TestExpression] { values.named("x").filter { $0.type == .double } }

  private static func total(_ values: [Value]) -> Double { values.reduce(0) { $0 + ValueArithmetic.double($1) } }

  // MARK: Others

  private func extremum(_ random: inout SeededRandom) -> (String, TestAggregate)? {
    let usable = values.columns { $0.type != .boolean && !$0.name.hasPrefix("text") }
    guard let column = pick(usable, &random) else { return nil }
    let isMin = random.chance(0.5)
    let made = call(isMin ? "min(" : "max(", column, column.type, &random) { values in
      values.min { isMin ? ValueArithmetic.isBefore($0, $1) : ValueArithmetic.isBefore($1, $0) } ?? .null
    }
    return (AggregateMaker.prefix(column), made)
  }

  /// What a column is called that holds values of another.
  private static func prefix(_ column: TestExpression) -> String {
    for prefix in ["inexact", "deviation", "big", "kind", "code", "text", "flag", "at", "id"]
    where column.sql.hasPrefix(prefix) { return prefix }
    switch column.type {
    case .int64: return "i"
    case .double: return "x"
    case .decimal: return "d"
    default: return "v"
    }
  }

  private func average(_ random: inout SeededRandom) -> (String, TestAggregate)? {
    if random.chance(0.3), let column = pick(exactDoubles, &random) {
      return (
        "inexact",
        call("avg(", column, .double, &random) {
          $0.isEmpty ? .null : .double(AggregateMaker.total($0) / Double($0.count))
        }
      )
    }
    guard let column = pick(smallIntegers + decimals, &random) else { return nil }
    let own = AggregateMaker.scale(column.type)
    let scale = max(6, own)
    let fold: ([Value]) -> Value = { values in
      guard !values.isEmpty else { return .null }
      let sum = AggregateMaker.digits(values) * ValueArithmetic.power(scale - own)
      return (try? ValueArithmetic.rounded(sum, Int128(values.count))).map { .decimal($0, scale: scale) } ?? .null
    }
    return ("d", call("avg(", column, .decimal(precision: 38, scale: scale), &random, fold))
  }

  private func deviation(_ random: inout SeededRandom) -> (String, TestAggregate)? {
    guard let column = pick(exactDoubles, &random) else { return nil }
    return (
      "deviation",
      call("stddev_pop(", column, .double, &random) { values in
        guard !values.isEmpty else { return .null }
        let mean = AggregateMaker.total(values) / Double(values.count)
        let squares = values.map { (ValueArithmetic.double($0) - mean) * (ValueArithmetic.double($0) - mean) }
        return .double((squares.reduce(0, +) / Double(values.count)).squareRoot())
      }
    )
  }

  /// Nulls are skipped.
  private func firstOrLast(_ random: inout SeededRandom) -> (String, TestAggregate)? {
    guard allowsOrder, let column = pick(values.columns { _ in true }, &random) else { return nil }
    let isFirst = random.chance(0.5)
    let made = call(isFirst ? "first(" : "last(", column, column.type, &random) { values in
      (isFirst ? values.first : values.last) ?? .null
    }
    return (AggregateMaker.prefix(column), made)
  }

  /// An expression over aggregates.
  private func composite(_ random: inout SeededRandom) -> (String, TestAggregate)? {
    guard let column = pick(smallIntegers, &random) else { return nil }
    let fold: (Bool) -> ([Value]) -> Value = { isMax in
      { values in values.max { ValueArithmetic.isBefore($0, $1) == isMax } ?? .null }
    }
    let calls = [true, false].map { TestAggregateCall(input: column.evaluate, fold: fold($0)) }
    let made = TestAggregate(
      name: "", sql: "max(\(column.sql)) - min(\(column.sql)) + count(*)", type: .int64,
      calls: calls + [AggregateMaker.all]
    ) { values in
      if values.contains(.null) { return .null }
      let (highest, lowest, count) = (
        ValueArithmetic.int(values[0]), ValueArithmetic.int(values[1]), ValueArithmetic.int(values[2])
      )
      return .int64(highest - lowest + count)
    }
    return ("i", made)
  }

  /// A quotient of sums: a divisor of zero is a fault of the group's row.
  private func quotient(_ random: inout SeededRandom) -> (String, TestAggregate)? {
    let usable = values.columns {
      $0.type == .decimal(precision: 9, scale: 2) || $0.type == .decimal(precision: 18, scale: 3)
    }
    guard allowsFailingResults, let left = pick(usable, &random), let right = pick(usable, &random) else { return nil }
    let (dividend, divisor) = (AggregateMaker.decimalSum(left), AggregateMaker.decimalSum(right))
    let quotient = ValueMaker.quotient(
      TestExpression("sum(\(left.sql))", dividend.type) { $0[0] },
      TestExpression("sum(\(right.sql))", divisor.type) { $0[1] })
    return (
      "d",
      TestAggregate(
        name: "", sql: quotient.sql, type: quotient.type, calls: [dividend.call, divisor.call],
        combine: quotient.evaluate)
    )
  }
}
