import StreamModel

/// `/` on exact numbers: to the scale of the result, away from zero at a tie.
struct DivisionKernel: Kernel {
  let left: any Kernel
  let right: any Kernel
  let result: ExactType
  /// What the dividend is multiplied by first: `factor × 10^furtherExponent`.
  private let factor: UInt128
  private let furtherExponent: Int

  init(left: any Kernel, leftScale: Int, right: any Kernel, rightScale: Int, result: ExactType) {
    self.left = left
    self.right = right
    self.result = result
    let exponent = result.scale - leftScale + rightScale
    factor = Decimal.powersOfTen[min(exponent, 38)].magnitude
    furtherExponent = max(exponent - 38, 0)
  }

  func evaluate(_ frame: Frame, _ mask: Mask?) -> Operand {
    let (left, right) = (left.evaluate(frame, mask), right.evaluate(frame, mask))
    let invocation = Invocation(operands: [left, right], type: result.dataType, frame: frame, mask: mask)
    switch (left.column.type.layout, right.column.type.layout) {
    case (.int128, .int128): return divide(invocation, left.cells(Int128.self), right.cells(Int128.self))
    case (.int128, _): return divide(invocation, left.cells(Int128.self), right.cells(Int64.self))
    case (_, .int128): return divide(invocation, left.cells(Int64.self), right.cells(Int128.self))
    default: return divide(invocation, left.cells(Int64.self), right.cells(Int64.self))
    }
  }

  @inline(__always) private func divide<Left: FixedWidthInteger, Right: FixedWidthInteger>(
    _ invocation: Invocation, _ left: Cells<Left>, _ right: Cells<Right>
  ) -> Operand {
    let limit = Decimal.powersOfTen[result.precision].magnitude
    if result.dataType.layout == .int64 {
      return invocation.map(Int64.self) { row in
        quotient(invocation, row, Int128(left[row]), Int128(right[row]), limit).map { Int64(truncatingIfNeeded: $0) }
      }
    }
    return invocation.map(Int128.self) { row in
      quotient(invocation, row, Int128(left[row]), Int128(right[row]), limit)
    }
  }

  @inline(__always) private func quotient(
    _ invocation: Invocation, _ row: Int, _ left: Int128, _ right: Int128, _ limit: UInt128
  ) -> Int128? {
    let value = WideArithmetic.quotient(left, factor: factor, furtherExponent: furtherExponent, right)
    if let value, value.magnitude < limit { return value }
    return fail(invocation, row, isByZero: right == 0)
  }

  @inline(never) private func fail(_ invocation: Invocation, _ row: Int, isByZero: Bool) -> Int128? {
    let shown = "\(invocation.operands[0].shown(row)) / \(invocation.operands[1].shown(row))"
    return invocation.failure(row, isByZero ? "division by zero: \(shown)" : "\(shown) does not fit \(result.dataType)")
  }
}
