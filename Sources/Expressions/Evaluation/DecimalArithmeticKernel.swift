import StreamModel

/// An exact number's type as arithmetic sees it; an int64 is a `decimal(19,0)`.
struct ExactType: Hashable, Sendable {
  let precision: Int
  let scale: Int

  init(_ precision: Int, _ scale: Int) {
    self.precision = precision
    self.scale = scale
  }

  init?(_ type: DataType) {
    switch type {
    case .int64: self.init(19, 0)
    case .decimal(let precision, let scale): self.init(precision, scale)
    default: return nil
    }
  }

  var dataType: DataType { .decimal(precision: precision, scale: scale) }

  private static let most = DataType.maxDecimalPrecision

  /// The type of `left operation right`, and whether values of the operands can overflow it. Nil where the scale alone
  /// passes 38 digits.
  static func result(_ operation: ArithmeticOperator, _ left: ExactType, _ right: ExactType) -> (
    ExactType, canOverflow: Bool
  )? {
    let wholeDigits = (left.precision - left.scale, right.precision - right.scale)
    let scale = max(left.scale, right.scale)
    switch operation {
    case .add, .subtract: return capped(max(wholeDigits.0, wholeDigits.1) + scale + 1, scale)
    case .multiply: return capped(left.precision + right.precision + 1, left.scale + right.scale)
    case .remainder: return capped(min(wholeDigits.0, wholeDigits.1) + scale, scale)
    case .divide:
      let scale = max(6, left.scale + right.precision + 1)
      let whole = wholeDigits.0 + right.scale
      if whole + scale <= most { return (ExactType(whole + scale, scale), true) }
      return (ExactType(most, max(most - whole, 6)), true)
    }
  }

  private static func capped(_ precision: Int, _ scale: Int) -> (ExactType, canOverflow: Bool)? {
    scale > most ? nil : (ExactType(min(precision, most), scale), precision > most)
  }

  /// The type that holds every value of both, as far as 38 digits go.
  func common(with other: ExactType) -> ExactType {
    let scale = max(scale, other.scale)
    return ExactType(min(ExactType.most, max(precision - self.scale, other.precision - other.scale) + scale), scale)
  }
}

/// `+ - *` on exact numbers where the result's type holds every result: no row can fail.
struct DecimalArithmeticKernel: Kernel {
  let operation: ArithmeticOperator
  let left: any Kernel
  let right: any Kernel
  let leftFactor: Int128
  let rightFactor: Int128
  let type: DataType

  func evaluate(_ frame: Frame, _ mask: Mask?) -> Operand {
    let (left, right) = (left.evaluate(frame, mask), right.evaluate(frame, mask))
    let validity = Validity(left, right, count: frame.count)
    if type.layout == .int64 {
      let output = Output<Int64>(count: frame.count)
      fill(output.cells, left.cells(Int64.self), right.cells(Int64.self), frame.count)
      return output.finish(type, validity)
    }
    let output = Output<Int128>(count: frame.count)
    switch (left.column.type.layout, right.column.type.layout) {
    case (.int128, .int128): fill(output.cells, left.cells(Int128.self), right.cells(Int128.self), frame.count)
    case (.int128, _): fill(output.cells, left.cells(Int128.self), right.cells(Int64.self), frame.count)
    case (_, .int128): fill(output.cells, left.cells(Int64.self), right.cells(Int128.self), frame.count)
    default: fill(output.cells, left.cells(Int64.self), right.cells(Int64.self), frame.count)
    }
    return output.finish(type, validity)
  }

  @inline(__always) private func fill<Result: FixedWidthInteger, Left: FixedWidthInteger, Right: FixedWidthInteger>(
    _ output: UnsafeMutablePointer<Result>, _ left: Cells<Left>, _ right: Cells<Right>, _ count: Int
  ) {
    let leftFactor = Result(truncatingIfNeeded: leftFactor)
    let rightFactor = Result(truncatingIfNeeded: rightFactor)
    switch operation {
    case .multiply:
      for row in 0..<count {
        output[row] = Result(truncatingIfNeeded: left[row]) &* Result(truncatingIfNeeded: right[row])
      }
    case .subtract:
      for row in 0..<count {
        output[row] =
          Result(truncatingIfNeeded: left[row]) &* leftFactor &- Result(truncatingIfNeeded: right[row]) &* rightFactor
      }
    default:
      for row in 0..<count {
        output[row] =
          Result(truncatingIfNeeded: left[row]) &* leftFactor &+ Result(truncatingIfNeeded: right[row]) &* rightFactor
      }
    }
  }
}

/// `+ - * %` on exact numbers where a row can fail: remainder, and what 38 digits may not hold.
struct CheckedDecimalKernel: Kernel {
  let operation: ArithmeticOperator
  let left: any Kernel
  let right: any Kernel
  let leftScale: Int
  let rightScale: Int
  let result: ExactType

  func evaluate(_ frame: Frame, _ mask: Mask?) -> Operand {
    let (left, right) = (left.evaluate(frame, mask), right.evaluate(frame, mask))
    let invocation = Invocation(operands: [left, right], type: result.dataType, frame: frame, mask: mask)
    return result.dataType.layout == .int64
      ? invocation.map(Int64.self) { compute(invocation, $0).map { Int64(truncatingIfNeeded: $0) } }
      : invocation.map(Int128.self) { compute(invocation, $0) }
  }

  @inline(__always) private func compute(_ invocation: Invocation, _ row: Int) -> Int128? {
    let (left, right) = (invocation.operands[0], invocation.operands[1])
    let leftValue = left.column.unscaled(at: left.index(row))
    let rightValue = right.column.unscaled(at: right.index(row))
    if let value = compute(leftValue, rightValue), Decimal.fits(value, precision: result.precision) { return value }
    let shown = "\(left.shown(row)) \(operation.rawValue) \(right.shown(row))"
    let isByZero = rightValue == 0 && operation == .remainder
    return invocation.failure(row, isByZero ? "division by zero: \(shown)" : "\(shown) does not fit \(result.dataType)")
  }

  @inline(__always) private func compute(_ left: Int128, _ right: Int128) -> Int128? {
    switch operation {
    case .remainder, .divide:
      return WideArithmetic.remainder(left, result.scale - leftScale, right, result.scale - rightScale)
    case .multiply:
      let (product, overflow) = left.multipliedReportingOverflow(by: right)
      return overflow ? nil : product
    case .add, .subtract:
      let (leftFactor, rightFactor) = (
        Decimal.powersOfTen[result.scale - leftScale], Decimal.powersOfTen[result.scale - rightScale]
      )
      let (leftValue, leftOverflows) = left.multipliedReportingOverflow(by: leftFactor)
      let (rightValue, rightOverflows) = right.multipliedReportingOverflow(by: rightFactor)
      if leftOverflows || rightOverflows {
        return WideArithmetic.sum(left, leftFactor, operation == .add ? right : -right, rightFactor)
      }
      let (sum, overflow) =
        operation == .add
        ? leftValue.addingReportingOverflow(rightValue) : leftValue.subtractingReportingOverflow(rightValue)
      return overflow ? nil : sum
    }
  }
}
