import StreamModel

extension Checker {
  mutating func compare(_ operation: ComparisonOperator, _ left: Typed, _ right: Typed, _ range: TextRange) -> Typed {
    guard let parts = comparable([left, right], range) else { return .invalid(range) }
    let (left, right, comparison) = prepared(operation, parts[0], parts[1])
    let kernel = ComparisonKernel(left: left.kernel, right: right.kernel, comparison: comparison)
    return make(kernel, .boolean, nullable: left.nullable || right.nullable, from: [left, right], range)
  }

  mutating func distinct(_ left: Typed, _ right: Typed, _ negated: Bool, _ range: TextRange) -> Typed {
    guard let parts = comparable([left, right], range) else { return .invalid(range) }
    let (left, right, comparison) = prepared(.equal, parts[0], parts[1])
    let kernel = DistinctKernel(left: left.kernel, right: right.kernel, comparison: comparison, negated: negated)
    return make(kernel, .boolean, nullable: false, from: [left, right], range)
  }

  mutating func between(_ operand: Typed, _ low: Typed, _ high: Typed, _ negated: Bool, _ range: TextRange) -> Typed {
    guard let parts = comparable([operand, low, high], range) else { return .invalid(range) }
    let (_, low, atLeast) = prepared(.greaterOrEqual, parts[0], parts[1], keepsLeft: true)
    let (_, high, atMost) = prepared(.lessOrEqual, parts[0], parts[2], keepsLeft: true)
    let kernel = BetweenKernel(
      operand: parts[0].kernel, low: low.kernel, high: high.kernel, atLeast: atLeast, atMost: atMost)
    let result = make(kernel, .boolean, nullable: parts.contains(where: \.nullable), from: parts, range)
    return negated ? negation(of: result, range) : result
  }

  mutating func membership(_ operand: Typed, _ items: [Typed], _ negated: Bool, _ range: TextRange) -> Typed {
    guard let parts = comparable([operand] + items, range) else { return .invalid(range) }
    let result = make(
      membershipKernel(parts[0], Array(parts.dropFirst())), .boolean, nullable: parts.contains(where: \.nullable),
      from: parts, range)
    return negated ? negation(of: result, range) : result
  }

  private func membershipKernel(_ operand: Typed, _ items: [Typed]) -> any Kernel {
    let prepared = items.map { self.prepared(.equal, operand, $0, keepsLeft: true) }
    let constants = prepared.compactMap { $0.right.constant }.filter { $0.isValid(0) }
    if constants.count == items.count {
      if operand.type.layout == .view {
        return TextMembershipKernel(operand: operand.kernel, texts: constants.map { Array($0.bytes(at: 0)) })
      }
      let areIntegers = prepared.allSatisfy { if case .int64 = $0.comparison.form { true } else { false } }
      if areIntegers, operand.type.layout == .int64 {
        return IntegerMembershipKernel(operand: operand.kernel, items: constants.map { $0.int64s[0] })
      }
    }
    return MembershipKernel(operand: operand.kernel, items: prepared.map { ($0.right.kernel, $0.comparison) })
  }

  /// Brings `parts` to types that compare with each other; exact numbers keep their own. Nil after a fault.
  mutating func comparable(_ parts: [Typed], _ range: TextRange) -> [Typed]? {
    if parts.contains(where: \.isInvalid) { return nil }
    for part in parts where !part.isValue && !part.isNull {
      _ = notAValue(part)
      return nil
    }
    let type = parts.contains(where: \.isValue) ? commonType(parts) : .boolean
    guard let type else {
      let types = parts.filter(\.isValue).map { "`\(snippet($0.range))` is \($0.type)" }
      let numbers = parts.first { $0.isValue && $0.type != .string }
      let mend = numbers.map { "cast one of them: cast(x as \($0.type)), or quote a literal" } ?? "cast one of them"
      _ = fault(range, "values that do not compare: \(types.joined(separator: ", "))", mend)
      return nil
    }
    var result: [Typed] = []
    for part in parts {
      let keepsItsType = part.isValue && type.isNumeric && type != .double
      guard let coerced = keepsItsType ? part : coerced(part, to: type), !coerced.isInvalid else { return nil }
      result.append(coerced)
    }
    return result
  }

  /// How two comparable values are compared, and the values as the comparison wants them. A constant is brought to the
  /// other's scale here, so that no row has to be. With `keepsLeft` the left one stays as it is.
  func prepared(_ operation: ComparisonOperator, _ left: Typed, _ right: Typed, keepsLeft: Bool = false)
    -> (left: Typed, right: Typed, comparison: Comparison)
  {
    guard let leftType = ExactType(left.type), let rightType = ExactType(right.type) else {
      return (left, right, Comparison(comparison: operation, form: form(left.type)))
    }
    if let constant = rescaled(right, to: left.type, leftType) {
      return (left, constant, Comparison(comparison: operation, form: .int64))
    }
    if !keepsLeft, let constant = rescaled(left, to: right.type, rightType) {
      return (constant, right, Comparison(comparison: operation, form: .int64))
    }
    if leftType.scale == rightType.scale, left.type.layout == .int64, right.type.layout == .int64 {
      return (left, right, Comparison(comparison: operation, form: .int64))
    }
    let scale = max(leftType.scale, rightType.scale)
    let factors = (Decimal.powersOfTen[scale - leftType.scale], Decimal.powersOfTen[scale - rightType.scale])
    return (left, right, Comparison(comparison: operation, form: .scaled(factors.0, factors.1)))
  }

  private func form(_ type: DataType) -> Comparison.Form {
    switch type.layout {
    case .bool8: .boolean
    case .float64: .double
    case .view: .bytes
    case .int64, .int128: .int64
    }
  }

  /// An exact constant as the eight-byte integer that stands for it in `type`; nil where there is none.
  private func rescaled(_ typed: Typed, to type: DataType, _ exact: ExactType) -> Typed? {
    guard type.layout == .int64, let constant = typed.constant, constant.isValid(0), let own = ExactType(typed.type)
    else {
      return nil
    }
    var (value, scale) = (constant.unscaled(at: 0), own.scale)
    while scale > exact.scale, value % 10 == 0 { (value, scale) = (value / 10, scale - 1) }
    guard scale <= exact.scale, let shifted = Decimal.rescale(value, from: scale, to: exact.scale),
      let integer = Int64(exactly: shifted)
    else { return nil }
    return self.constant(.int64(integer), .int64, typed.range)
  }
}
