import StreamModel

#if canImport(Glibc)
  import Glibc
#endif

extension FunctionRule {
  /// Functions of numbers.
  static let numeric: [String: FunctionRule] = [
    "abs": FunctionRule("abs(number)", 1...1) { checker, call, arguments, range in
      guard let value = checker.number(arguments[0], call) else { return .invalid(range) }
      let kernel = SignKernel(operand: value.kernel, type: value.type, isAbsolute: true)
      return checker.make(kernel, value.type, nullable: value.nullable, from: [value], range)
    },
    "sign": FunctionRule("sign(number)", 1...1) { checker, call, arguments, range in
      guard let value = checker.number(arguments[0], call) else { return .invalid(range) }
      if value.type == .double {
        return checker.function([value], .double, range) { invocation in
          let cells = invocation.operands[0].cells(Double.self)
          return invocation.map(Double.self) { cells[$0] > 0 ? 1 : cells[$0] < 0 ? -1 : 0 }
        }
      }
      return checker.function([value], .int64, range) { invocation in
        let operand = invocation.operands[0]
        return invocation.map(Int64.self) { Int64(operand.column.unscaled(at: operand.index($0)).signum()) }
      }
    },
    "mod": FunctionRule("mod(number, number)", 2...2) { checker, _, arguments, range in
      checker.arithmetic(.remainder, arguments[0], arguments[1], range)
    },
    "round": FunctionRule("round(number[, digits])", 1...2) { checker, call, arguments, range in
      var digits = 0
      if arguments.count == 2 {
        guard let literal = checker.literalInteger(arguments[1], "the number of digits", in: -38...38) else {
          return .invalid(range)
        }
        digits = literal
      }
      return checker.rounded(arguments[0], call, digits, .halfAwayFromZero, range)
    },
    // What Weir rounds itself is rounded so: unlike `round`, ties do not add up to one side.
    "round_half_even": FunctionRule("round_half_even(number, digits)", 2...2) { checker, call, arguments, range in
      guard let digits = checker.literalInteger(arguments[1], "the number of digits", in: -38...38) else {
        return .invalid(range)
      }
      guard arguments[0].type != .double || !arguments[0].isValue else {
        return checker.fault(
          arguments[0].range,
          "round_half_even takes an exact number, and `\(checker.snippet(arguments[0].range))` is double",
          "compute in decimals, or use round")
      }
      return checker.rounded(arguments[0], call, digits, .halfEven, range)
    },
    "truncate": FunctionRule("truncate(number[, digits])", 1...2) { checker, call, arguments, range in
      var digits = 0
      if arguments.count == 2 {
        guard let literal = checker.literalInteger(arguments[1], "the number of digits", in: -38...38) else {
          return .invalid(range)
        }
        digits = literal
      }
      return checker.rounded(arguments[0], call, digits, .towardZero, range)
    },
    "floor": FunctionRule("floor(number)", 1...1) { $0.rounded($2[0], $1, 0, .down, $3) },
    "ceil": FunctionRule("ceil(number)", 1...1) { $0.rounded($2[0], $1, 0, .up, $3) },
    "ceiling": FunctionRule("ceiling(number)", 1...1) { $0.rounded($2[0], $1, 0, .up, $3) },
    "power": double("power(x, y)", 2) { pow($0, $1) },
    "pow": double("pow(x, y)", 2) { pow($0, $1) },
    "sqrt": double("sqrt(x)", 1) { value, _ in value.squareRoot() },
    "exp": double("exp(x)", 1) { value, _ in exp(value) },
    "ln": double("ln(x)", 1) { value, _ in log(value) },
    "log10": double("log10(x)", 1) { value, _ in Glibc.log10(value) },
  ]

  /// A function of doubles; a result that is infinite or no number fails the row.
  private static func double(_ usage: String, _ count: Int, _ compute: @escaping @Sendable (Double, Double) -> Double)
    -> FunctionRule
  {
    FunctionRule(usage, count...count) { checker, call, arguments, range in
      guard let values = checker.take(arguments, call, as: [.double, .double]) else { return .invalid(range) }
      let name = call.name
      return checker.function(values, .double, range) { invocation in
        let operands = invocation.operands
        let first = operands[0].cells(Double.self)
        let second = operands[operands.count - 1].cells(Double.self)
        return invocation.map(Double.self) { row in
          let value = compute(first[row], second[row])
          if value.isFinite { return value }
          let shown = operands.map { $0.shown(row) }.joined(separator: ", ")
          return invocation.failure(row, "\(name)(\(shown)) is no finite double")
        }
      }
    }
  }
}

extension Checker {
  /// An argument that must be a number; nil after a fault.
  mutating func number(_ argument: Typed, _ call: SyntaxNode.Call) -> Typed? {
    if argument.isNull { return coerced(argument, to: .int64) }
    if argument.isValue, argument.type.isNumeric { return argument }
    let has = argument.isValue ? "\(argument.type)" : "no value"
    _ = fault(
      argument.range, "\(call.name) takes a number, and `\(snippet(argument.range))` is \(has)", castMend(argument))
    return nil
  }

  /// `argument` rounded to `digits` digits after the point, in the type Flink SQL gives it.
  mutating func rounded(
    _ argument: Typed, _ call: SyntaxNode.Call, _ digits: Int, _ rounding: Decimal.Rounding, _ range: TextRange
  ) -> Typed {
    guard let value = number(argument, call) else { return .invalid(range) }
    if value.type == .double { return function([value], .double, range) { Rounding.doubles($0, digits, rounding) } }
    guard let exact = ExactType(value.type), exact.scale > digits || digits < 0 else { return value }
    let isWhole = rounding == .down || rounding == .up
    let precision =
      isWhole ? exact.precision : min(DataType.maxDecimalPrecision, 1 + exact.precision - exact.scale + max(digits, 0))
    let type: DataType = value.type == .int64 ? .int64 : .decimal(precision: precision, scale: max(digits, 0))
    return function([value], type, range) { Rounding.exact($0, scale: exact.scale, digits: digits, rounding) }
  }
}

/// Rounding of columns.
enum Rounding {
  /// Drops the digits that `digits` after the point leave out of numbers of `scale`; before the point zeros take their place.
  static func exact(_ invocation: Invocation, scale: Int, digits: Int, _ rounding: Decimal.Rounding) -> Operand {
    switch (invocation.operands[0].column.type.layout, invocation.type.layout) {
    case (.int128, .int128): return exact(Int128.self, Int128.self, invocation, scale, digits, rounding)
    case (.int128, _): return exact(Int128.self, Int64.self, invocation, scale, digits, rounding)
    case (_, .int128): return exact(Int64.self, Int128.self, invocation, scale, digits, rounding)
    default: return exact(Int64.self, Int64.self, invocation, scale, digits, rounding)
    }
  }

  @inline(__always) private static func exact<From: FixedWidthInteger, Result: FixedWidthInteger>(
    _: From.Type, _: Result.Type, _ invocation: Invocation, _ scale: Int, _ digits: Int, _ rounding: Decimal.Rounding
  ) -> Operand {
    let cells = invocation.operands[0].cells(From.self)
    guard scale - digits <= 38 else { return invocation.map(Result.self) { _ in 0 } }
    let divisor = Decimal.powersOfTen[scale - digits]
    let fill = Decimal.powersOfTen[max(0, -digits)]
    let limit = invocation.type == .int64 ? Int128(Int64.max) : Decimal.powersOfTen[precision(invocation.type)] - 1
    return invocation.map(Result.self) { row in
      let value = WideArithmetic.rounded(Int128(cells[row]), by: divisor, rounding)
      if digits >= 0 {
        if value.magnitude <= limit.magnitude { return Result(truncatingIfNeeded: value) }
      } else {
        let (filled, overflow) = value.multipliedReportingOverflow(by: fill)
        if !overflow, filled.magnitude <= limit.magnitude { return Result(truncatingIfNeeded: filled) }
      }
      return fail(invocation, row, digits)
    }
  }

  @inline(never) private static func fail<Element>(_ invocation: Invocation, _ row: Int, _ digits: Int) -> Element? {
    invocation.failure(
      row, "\(invocation.operands[0].shown(row)) rounded to \(digits) digits does not fit \(invocation.type)")
  }

  private static func precision(_ type: DataType) -> Int {
    if case .decimal(let precision, _) = type { precision } else { DataType.maxInt64DecimalPrecision }
  }

  static func doubles(_ invocation: Invocation, _ digits: Int, _ rounding: Decimal.Rounding) -> Operand {
    let cells = invocation.operands[0].cells(Double.self)
    switch rounding {
    case .down: return invocation.map(Double.self) { cells[$0].rounded(.down) }
    case .up: return invocation.map(Double.self) { cells[$0].rounded(.up) }
    case .towardZero where digits == 0: return invocation.map(Double.self) { cells[$0].rounded(.towardZero) }
    default:
      return invocation.map(Double.self) { row in
        round(cells[row], digits, rounding).or {
          invocation.failure(row, "\(cells[row]) rounded to \(digits) digits is no finite double")
        }
      }
    }
  }

  /// Rounds the digits of a double's shortest text, as Flink SQL does.
  private static func round(_ value: Double, _ digits: Int, _ rounding: Decimal.Rounding) -> Double? {
    guard value.isFinite, let number = DecimalDigits(Array("\(value)".utf8)) else { return nil }
    let kept = number.pointPosition + digits
    if kept >= number.digits.count { return value }
    let rounded = rounding == .towardZero ? number.truncated(kept) : number.rounded(scale: digits) ?? 0
    let result = strtod("\(rounded)e\(-digits)", nil)
    return result.isFinite ? result : nil
  }
}

extension DecimalDigits {
  /// The first `kept` digits as a number.
  func truncated(_ kept: Int) -> Int128 {
    let value = digits.prefix(max(kept, 0)).reduce(Int128(0)) { $0 * 10 + Int128($1 - 48) }
    return isNegative ? -value : value
  }
}
