import StreamModel

extension Checker {
  // MARK: Logic

  mutating func not(_ operand: SyntaxNode, _ range: TextRange) -> Typed {
    let operand = condition(operand, "what `not` negates")
    return operand.isInvalid ? operand : negation(of: operand, range)
  }

  func negation(of operand: Typed, _ range: TextRange) -> Typed {
    if operand.isInvalid { return operand }
    return make(NotKernel(operand: operand.kernel), .boolean, nullable: operand.nullable, from: [operand], range)
  }

  mutating func logic(_ nodes: [SyntaxNode], decisive: Bool, _ range: TextRange) -> Typed {
    let operands = nodes.map { condition($0, decisive ? "an operand of `or`" : "an operand of `and`") }
    if operands.contains(where: \.isInvalid) { return .invalid(range) }
    let kernel = LogicKernel(operands: operands.map(\.kernel), decisive: decisive)
    return make(kernel, .boolean, nullable: operands.contains(where: \.nullable), from: operands, range)
  }

  mutating func test(_ node: SyntaxNode, _ test: SyntaxNode.TruthTest, _ negated: Bool, _ range: TextRange) -> Typed {
    var operand =
      test == .null ? check(node) : condition(node, "what is tested for \(test == .isTrue ? "true" : "false")")
    if operand.isNull, let null = coerced(operand, to: .boolean) { operand = null }
    if operand.isInvalid { return operand }
    guard operand.isValue else { return notAValue(operand) }
    return make(
      TestKernel(operand: operand.kernel, test: test, negated: negated), .boolean, nullable: false, from: [operand],
      range)
  }

  mutating func notAValue(_ part: Typed) -> Typed {
    fault(part.range, "`\(snippet(part.range))` is no value by itself", "add it to a timestamp, or use timestamp_add")
  }

  // MARK: Arithmetic

  mutating func negated(_ operand: Typed, _ range: TextRange) -> Typed {
    switch operand.form {
    case .invalid, .null: return operand
    case .interval(let interval): return Typed(.interval(interval.negated), range)
    case .unit: return notAValue(operand)
    case .value: break
    }
    guard operand.type.isNumeric else {
      return fault(range, "`-` needs a number, and `\(snippet(operand.range))` is \(operand.type)", castMend(operand))
    }
    let kernel = SignKernel(operand: operand.kernel, type: operand.type, isAbsolute: false)
    let result = make(kernel, operand.type, nullable: operand.nullable, from: [operand], range)
    return operand.isIntegerLiteral ? Typed(integerLiteral: result) : result
  }

  func castMend(_ operand: Typed) -> String {
    operand.type == .string
      ? "cast it: cast(\(snippet(operand.range)) as decimal(18,3)), or int64 or double" : "use a column of numbers"
  }

  mutating func arithmetic(_ operation: ArithmeticOperator, _ left: Typed, _ right: Typed, _ range: TextRange) -> Typed
  {
    if left.isInvalid || right.isInvalid { return .invalid(range) }
    if let result = timeArithmetic(operation, left, right, range) { return result }
    if left.isNull && right.isNull { return Typed(.null, range) }
    for operand in [left, right] where !operand.isNull && !(operand.isValue && operand.type.isNumeric) {
      guard operand.isValue else { return notAValue(operand) }
      let mend =
        operand.type == .string && operation == .add ? "join texts with ||, or \(castMend(operand))" : castMend(operand)
      return fault(
        operand.range, "`\(operation.rawValue)` needs numbers, and `\(snippet(operand.range))` is \(operand.type)", mend
      )
    }
    guard let left = coerced(left, to: left.isNull ? right.type : left.type),
      let right = coerced(right, to: right.isNull ? left.type : right.type)
    else { return .invalid(range) }
    return numericArithmetic(operation, left, right, range)
  }

  private mutating func numericArithmetic(
    _ operation: ArithmeticOperator, _ left: Typed, _ right: Typed, _ range: TextRange
  )
    -> Typed
  {
    let nullable = left.nullable || right.nullable
    if left.type == .double || right.type == .double {
      let (left, right) = (converted(left, to: .double), converted(right, to: .double))
      let kernel = DoubleArithmeticKernel(operation: operation, left: left.kernel, right: right.kernel)
      return make(kernel, .double, nullable: nullable, from: [left, right], range)
    }
    if left.type == .int64, right.type == .int64, operation != .divide {
      let kernel = IntegerArithmeticKernel(operation: operation, left: left.kernel, right: right.kernel)
      let result = make(kernel, .int64, nullable: nullable, from: [left, right], range)
      return left.isIntegerLiteral && right.isIntegerLiteral ? Typed(integerLiteral: result) : result
    }
    guard let leftType = left.exactType, let rightType = right.exactType else { return .invalid(range) }
    guard let (type, canOverflow) = ExactType.result(operation, leftType, rightType) else {
      let digits = leftType.scale + rightType.scale
      return fault(
        range,
        "the product has \(digits) digits after the point, and a decimal has at most \(DataType.maxDecimalPrecision)",
        "round a factor first: round(\(snippet(left.range)), 6)")
    }
    let kernel = exactKernel(operation, left, leftType, right, rightType, type, canOverflow)
    return make(kernel, type.dataType, nullable: nullable, from: [left, right], range)
  }

  private func exactKernel(
    _ operation: ArithmeticOperator, _ left: Typed, _ leftType: ExactType, _ right: Typed, _ rightType: ExactType,
    _ type: ExactType, _ canOverflow: Bool
  ) -> any Kernel {
    if operation == .divide {
      return DivisionKernel(
        left: left.kernel, leftScale: leftType.scale, right: right.kernel, rightScale: rightType.scale, result: type)
    }
    if operation == .remainder || canOverflow {
      return CheckedDecimalKernel(
        operation: operation, left: left.kernel, right: right.kernel, leftScale: leftType.scale,
        rightScale: rightType.scale,
        result: type)
    }
    let isProduct = operation == .multiply
    return DecimalArithmeticKernel(
      operation: operation, left: left.kernel, right: right.kernel,
      leftFactor: Decimal.powersOfTen[isProduct ? 0 : type.scale - leftType.scale],
      rightFactor: Decimal.powersOfTen[isProduct ? 0 : type.scale - rightType.scale], type: type.dataType)
  }

  // MARK: Times and intervals

  /// Arithmetic in which a time or an interval takes part; nil for any other.
  private mutating func timeArithmetic(
    _ operation: ArithmeticOperator, _ left: Typed, _ right: Typed, _ range: TextRange
  ) -> Typed? {
    switch (left.form, right.form, operation) {
    case (.interval(let first), .interval(let second), .add), (.interval(let first), .interval(let second), .subtract):
      let second = operation == .add ? second : second.negated
      return Typed(
        .interval(
          Interval(months: first.months + second.months, milliseconds: first.milliseconds + second.milliseconds)), range
      )
    case (.value, .interval(let interval), .add): return shifted(left, by: interval, range)
    case (.value, .interval(let interval), .subtract): return shifted(left, by: interval.negated, range)
    case (.interval(let interval), .value, .add): return shifted(right, by: interval, range)
    case (.value, .value, .subtract) where left.type.isTime && right.type.isTime:
      return fault(
        range, "the difference of two times has no type of its own",
        "write timestamp_diff(second, \(snippet(right.range)), \(snippet(left.range))), in the unit that is meant")
    default: return nil
    }
  }

  private mutating func shifted(_ time: Typed, by interval: Interval, _ range: TextRange) -> Typed {
    guard time.type.isTime else {
      return fault(
        time.range, "an interval is added to a time, and `\(snippet(time.range))` is \(time.type)",
        "cast it to timestamp first")
    }
    if time.type == .date, !interval.isWholeDays {
      return fault(
        range, "a date has no time of day to add to", "write cast(\(snippet(time.range)) as timestamp) first")
    }
    return function([time], time.type, range) { TimeArithmetic.shift($0, by: interval) }
  }

  // MARK: Texts

  mutating func joinedText(_ parts: [Typed], _ range: TextRange) -> Typed {
    var texts: [Typed] = []
    for part in parts {
      guard let text = coerced(part, to: .string) else {
        _ =
          part.isValue
          ? fault(
            part.range, "`||` joins texts, and `\(snippet(part.range))` is \(part.type)",
            "write cast(\(snippet(part.range)) as string)")
          : notAValue(part)
        continue
      }
      texts.append(text)
    }
    if texts.count < parts.count || texts.contains(where: \.isInvalid) { return .invalid(range) }
    return function(texts, .string, range) { TextFunctions.concatenate($0) }
  }
}

extension DataType {
  /// Whether it is a point in time.
  var isTime: Bool { self == .timestamp || self == .date }
}
