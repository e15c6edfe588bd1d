import StreamModel

/// `+ - * %` on int64: overflow and division by zero fail the row.
struct IntegerArithmeticKernel: Kernel {
  let operation: ArithmeticOperator
  let left: any Kernel
  let right: any Kernel

  func evaluate(_ frame: Frame, _ mask: Mask?) -> Operand {
    let (left, right) = (left.evaluate(frame, mask), right.evaluate(frame, mask))
    let (leftCells, rightCells) = (left.cells(Int64.self), right.cells(Int64.self))
    var validity = Validity(left, right, count: frame.count)
    let output = Output<Int64>(count: frame.count)
    let overflows: Bool
    switch operation {
    case .add: overflows = loop(leftCells, rightCells, output, frame.count) { $0.addingReportingOverflow($1) }
    case .subtract: overflows = loop(leftCells, rightCells, output, frame.count) { $0.subtractingReportingOverflow($1) }
    case .multiply:
      overflows = loop(leftCells, rightCells, output, frame.count) { $0.multipliedReportingOverflow(by: $1) }
    case .divide, .remainder:
      overflows = loop(leftCells, rightCells, output, frame.count) { IntegerArithmeticKernel.remainder($0, $1) }
    }
    if overflows {
      for row in 0..<frame.count where validity.isValid(row) && fails(leftCells[row], rightCells[row]) {
        validity.clear(row)
        if mask?[row] ?? true { frame.fail(row, reason(left.shown(row), rightCells[row])) }
      }
    }
    return output.finish(.int64, validity)
  }

  /// Computes every row, null or not; whether any of them overflowed.
  @inline(__always) private func loop(
    _ left: Cells<Int64>, _ right: Cells<Int64>, _ output: Output<Int64>, _ count: Int,
    _ compute: (Int64, Int64) -> (partialValue: Int64, overflow: Bool)
  ) -> Bool {
    var overflows = false
    for row in 0..<count {
      let (value, overflow) = compute(left[row], right[row])
      output.cells[row] = value
      overflows = overflows || overflow
    }
    return overflows
  }

  @inline(__always) private static func remainder(_ left: Int64, _ right: Int64) -> (
    partialValue: Int64, overflow: Bool
  ) {
    right == 0 ? (0, true) : right == -1 ? (0, false) : (left % right, false)
  }

  private func fails(_ left: Int64, _ right: Int64) -> Bool {
    switch operation {
    case .add: left.addingReportingOverflow(right).overflow
    case .subtract: left.subtractingReportingOverflow(right).overflow
    case .multiply: left.multipliedReportingOverflow(by: right).overflow
    case .divide, .remainder: right == 0
    }
  }

  private func reason(_ left: String, _ right: Int64) -> String {
    right == 0 && operation == .remainder
      ? "division by zero: \(left) % 0" : "\(left) \(operation.rawValue) \(right) does not fit int64"
  }
}

/// `+ - * / %` on doubles: a result that is infinite or no number fails the row, and so does division by zero.
struct DoubleArithmeticKernel: Kernel {
  let operation: ArithmeticOperator
  let left: any Kernel
  let right: any Kernel

  func evaluate(_ frame: Frame, _ mask: Mask?) -> Operand {
    let (left, right) = (left.evaluate(frame, mask), right.evaluate(frame, mask))
    let (leftCells, rightCells) = (left.cells(Double.self), right.cells(Double.self))
    let output = Output<Double>(count: frame.count)
    switch operation {
    case .add: loop(leftCells, rightCells, output, frame.count) { $0 + $1 }
    case .subtract: loop(leftCells, rightCells, output, frame.count) { $0 - $1 }
    case .multiply: loop(leftCells, rightCells, output, frame.count) { $0 * $1 }
    case .divide: loop(leftCells, rightCells, output, frame.count) { $0 / $1 }
    case .remainder: loop(leftCells, rightCells, output, frame.count) { $0.truncatingRemainder(dividingBy: $1) }
    }
    var validity = Validity(left, right, count: frame.count)
    for row in 0..<frame.count where !output.cells[row].isFinite && validity.isValid(row) {
      validity.clear(row)
      guard mask?[row] ?? true else { continue }
      let isByZero = rightCells[row] == 0 && (operation == .divide || operation == .remainder)
      let shown = "\(left.shown(row)) \(operation.rawValue) \(right.shown(row))"
      frame.fail(row, isByZero ? "division by zero: \(shown)" : "\(shown) is no finite double")
    }
    return output.finish(.double, validity)
  }

  @inline(__always) private func loop(
    _ left: Cells<Double>, _ right: Cells<Double>, _ output: Output<Double>, _ count: Int,
    _ compute: (Double, Double) -> Double
  ) {
    for row in 0..<count { output.cells[row] = compute(left[row], right[row]) }
  }
}

/// `-x` and `abs(x)` on numbers.
struct SignKernel: Kernel {
  let operand: any Kernel
  let type: DataType
  /// Whether only negative values change their sign.
  let isAbsolute: Bool

  func evaluate(_ frame: Frame, _ mask: Mask?) -> Operand {
    let value = operand.evaluate(frame, mask)
    switch type.layout {
    case .float64:
      let output = Output<Double>(count: frame.count)
      let cells = value.cells(Double.self)
      for row in 0..<frame.count { output.cells[row] = isAbsolute ? cells[row].magnitude : -cells[row] }
      return output.finish(type, Validity(value, count: frame.count))
    case .int128: return negate(Int128.self, value, frame, mask)
    default: return negate(Int64.self, value, frame, mask)
    }
  }

  private func negate<Element: FixedWidthInteger & SignedInteger>(
    _: Element.Type, _ value: Operand, _ frame: Frame, _ mask: Mask?
  ) -> Operand {
    let cells = value.cells(Element.self)
    let output = Output<Element>(count: frame.count)
    var validity = Validity(value, count: frame.count)
    for row in 0..<frame.count {
      let cell = cells[row]
      output.cells[row] = isAbsolute && cell >= 0 ? cell : 0 &- cell
      if cell == Element.min, validity.isValid(row) {
        validity.clear(row)
        if mask?[row] ?? true { frame.fail(row, "the opposite of \(value.shown(row)) does not fit \(type)") }
      }
    }
    return output.finish(type, validity)
  }
}
