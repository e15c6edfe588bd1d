import StreamModel

/// Why a row cannot be evaluated.
struct RowFault: Error {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}

/// An expression twice: as SQL for the topology, as a function for the reference model.
struct TestExpression {
  let sql: String
  let type: DataType
  let isNullable: Bool
  let evaluate: ([Value]) throws -> Value

  init(_ sql: String, _ type: DataType, nullable: Bool = true, _ evaluate: @escaping ([Value]) throws -> Value) {
    self.sql = sql
    self.type = type
    isNullable = nullable
    self.evaluate = evaluate
  }

  /// A column as it is.
  static func column(_ index: Int, _ fields: [Field]) -> TestExpression {
    TestExpression(fields[index].name, fields[index].type, nullable: fields[index].nullable) { $0[index] }
  }

  /// Null where an operand is null, else what `body` gives.
  static func strict(
    _ sql: String, _ type: DataType, _ operands: [TestExpression], _ body: @escaping ([Value]) throws -> Value
  ) -> TestExpression {
    TestExpression(sql, type, nullable: operands.contains(where: \.isNullable)) { row in
      let values = try operands.map { try $0.evaluate(row) }
      return values.contains(.null) ? .null : try body(values)
    }
  }
}

/// An aggregate twice: as SQL, and as calls whose results are put together.
struct TestAggregate {
  let name: String
  let sql: String
  let type: DataType
  let calls: [TestAggregateCall]
  var combine: ([Value]) throws -> Value = { $0[0] }

  /// The value of a group whose rows are in order of event time, ties in order of arrival.
  func value(of rows: [[Value]]) throws -> Value {
    try combine(calls.map { call in call.fold(try rows.map(call.input).filter { $0 != .null }) })
  }
}

struct TestAggregateCall {
  /// What a row gives the aggregate; null where it gives nothing.
  let input: ([Value]) throws -> Value
  /// Of what all rows gave, nulls left out.
  let fold: ([Value]) -> Value
  /// A sum of int64s, which can overflow.
  var isIntegerSum = false
}

/// Arithmetic on single values, exact or a fault.
enum ValueArithmetic {
  static func int(_ value: Value) -> Int64 {
    if case .int64(let value) = value { return value }
    preconditionFailure("\(value) is no int64")
  }

  static func double(_ value: Value) -> Double {
    if case .double(let value) = value { return value }
    preconditionFailure("\(value) is no double")
  }

  static func text(_ value: Value) -> String {
    if case .string(let value) = value { return value }
    preconditionFailure("\(value) is no string")
  }

  /// The value's digits at a scale that is not below its own.
  static func unscaled(_ value: Value, at scale: Int) throws -> Int128 {
    guard case .decimal(let digits, let own) = value else { preconditionFailure("\(value) is no decimal") }
    return try times(digits, power(scale - own))
  }

  static func power(_ exponent: Int) -> Int128 { (0..<exponent).reduce(1) { power, _ in power * 10 } }

  static func times(_ left: Int128, _ right: Int128) throws -> Int128 {
    let (product, overflows) = left.multipliedReportingOverflow(by: right)
    if overflows { throw RowFault("overflow") }
    return product
  }

  static func checked(_ result: (partialValue: Int64, overflow: Bool)) throws -> Value {
    if result.overflow { throw RowFault("overflow") }
    return .int64(result.partialValue)
  }

  /// A decimal of at most `precision` digits.
  static func decimal(_ digits: Int128, _ type: DataType) throws -> Value {
    guard case .decimal(let precision, let scale) = type else { preconditionFailure("\(type) is no decimal") }
    if digits.magnitude >= power(precision).magnitude { throw RowFault("overflow") }
    return .decimal(digits, scale: scale)
  }

  /// `left / right`, away from zero at a tie.
  static func rounded(_ left: Int128, _ right: Int128) throws -> Int128 {
    if right == 0 { throw RowFault("division by zero") }
    let (quotient, rest) = left.quotientAndRemainder(dividingBy: right)
    guard rest.magnitude >= right.magnitude - rest.magnitude else { return quotient }
    return (left < 0) == (right < 0) ? quotient + 1 : quotient - 1
  }

  /// Whether `left` comes before `right`, both of one type; texts by their bytes.
  static func isBefore(_ left: Value, _ right: Value) -> Bool {
    switch (left, right) {
    case (.int64(let left), .int64(let right)), (.timestamp(let left), .timestamp(let right)): left < right
    case (.double(let left), .double(let right)): left < right
    case (.decimal(let left, _), .decimal(let right, _)): left < right
    case (.string(let left), .string(let right)): Array(left.utf8).lexicographicallyPrecedes(Array(right.utf8))
    case (.boolean(let left), .boolean(let right)): !left && right
    default: preconditionFailure("\(left) and \(right) cannot be compared")
    }
  }
}
