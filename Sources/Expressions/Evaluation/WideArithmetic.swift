import StreamModel

/// Sums and divisions with intermediate results of 256 bits.
enum WideArithmetic {
  /// `left × 10^exponent / right`, rounded to the nearest integer, away from zero at a tie. Nil where `right` is zero or the
  /// quotient does not fit. `0 ≤ exponent ≤ 76`.
  static func quotient(_ left: Int128, tenTo exponent: Int, _ right: Int128) -> Int128? {
    quotient(
      left, factor: Decimal.powersOfTen[min(exponent, 38)].magnitude, furtherExponent: max(exponent - 38, 0), right)
  }

  /// `left × factor × 10^furtherExponent / right`, rounded in the same way; `factor` is a power of ten.
  @inline(__always) static func quotient(
    _ left: Int128, factor: UInt128, furtherExponent: Int, _ right: Int128
  ) -> Int128? {
    guard right != 0 else { return nil }
    let isNegative = (left < 0) != (right < 0)
    let divisor = right.magnitude
    guard let (quotient, rest) = divide(left.magnitude, factor, furtherExponent, divisor) else { return nil }
    let magnitude = rest >= divisor - rest ? quotient &+ 1 : quotient
    guard magnitude <= UInt128(Int128.max), quotient <= magnitude else { return nil }
    let value = Int128(truncatingIfNeeded: magnitude)
    return isNegative ? 0 &- value : value
  }

  /// Quotient and rest of `left × factor × 10^furtherExponent / right` for `right > 0`; nil where the quotient is too large.
  @inline(__always) private static func divide(
    _ left: UInt128, _ factor: UInt128, _ furtherExponent: Int, _ right: UInt128
  ) -> (UInt128, UInt128)? {
    guard left.leadingZeroBitCount + factor.leadingZeroBitCount >= 128, furtherExponent == 0 else {
      return divideWide(left, factor, furtherExponent, right)
    }
    return divide(left &* factor, right)
  }

  /// Quotient and rest; by two of the processor's own divisions where the divisor has 64 bits.
  @inline(__always) static func divide(_ left: UInt128, _ right: UInt128) -> (quotient: UInt128, remainder: UInt128) {
    guard right <= UInt128(UInt64.max) else { return left.quotientAndRemainder(dividingBy: right) }
    let divisor = UInt64(truncatingIfNeeded: right)
    let (high, low) = (UInt64(truncatingIfNeeded: left >> 64), UInt64(truncatingIfNeeded: left))
    if high == 0 {
      let (quotient, rest) = low.quotientAndRemainder(dividingBy: divisor)
      return (UInt128(quotient), UInt128(rest))
    }
    let (upper, carried) = high.quotientAndRemainder(dividingBy: divisor)
    let (lower, rest) = divisor.dividingFullWidth((carried, low))
    return (UInt128(upper) << 64 | UInt128(lower), UInt128(rest))
  }

  private static func divideWide(
    _ left: UInt128, _ factor: UInt128, _ furtherExponent: Int, _ right: UInt128
  ) -> (UInt128, UInt128)? {
    let product = left.multipliedFullWidth(by: factor)
    guard product.high < right else { return nil }
    let (quotient, rest) = product.high == 0 ? divide(product.low, right) : right.dividingFullWidth(product)
    guard furtherExponent > 0 else { return (quotient, rest) }
    let further = Decimal.powersOfTen[furtherExponent].magnitude
    guard let (next, last) = divideWide(rest, further, 0, right) else { return nil }
    let (shifted, overflow) = quotient.multipliedReportingOverflow(by: further)
    let (total, carry) = shifted.addingReportingOverflow(next)
    return overflow || carry ? nil : (total, last)
  }

  /// `left × leftFactor + right × rightFactor` for factors of at most 10³⁸, where a product may not fit though the sum does; nil
  /// where the sum does not.
  static func sum(_ left: Int128, _ leftFactor: Int128, _ right: Int128, _ rightFactor: Int128) -> Int128? {
    let (first, second) = (left.multipliedFullWidth(by: leftFactor), right.multipliedFullWidth(by: rightFactor))
    let (low, carry) = first.low.addingReportingOverflow(second.low)
    let high = first.high + second.high + (carry ? 1 : 0)
    let value = Int128(truncatingIfNeeded: low)
    return high == (value < 0 ? -1 : 0) ? value : nil
  }

  /// The rest of `left × 10^leftExponent / (right × 10^rightExponent)`, with the sign of `left`; one exponent is zero. Nil
  /// where `right` is zero.
  static func remainder(_ left: Int128, _ leftExponent: Int, _ right: Int128, _ rightExponent: Int) -> Int128? {
    guard right != 0 else { return nil }
    let (divisor, overflow) = right.magnitude.multipliedReportingOverflow(
      by: Decimal.powersOfTen[rightExponent].magnitude)
    if overflow { return left }
    let product = (left.magnitude % divisor).multipliedFullWidth(by: Decimal.powersOfTen[leftExponent].magnitude)
    let rest = Int128(product.high == 0 ? product.low % divisor : divisor.dividingFullWidth(product).remainder)
    return left < 0 ? -rest : rest
  }

  /// `value / divisor`, rounded; `divisor` is a power of ten.
  @inline(__always) static func rounded(_ value: Int128, by divisor: Int128, _ rounding: Decimal.Rounding) -> Int128 {
    guard rounding == .halfAwayFromZero else { return Decimal.divide(value, divisor, rounding: rounding) }
    let (quotient, rest) = divide(value.magnitude, divisor.magnitude)
    let magnitude = Int128(truncatingIfNeeded: rest >= divisor.magnitude - rest ? quotient &+ 1 : quotient)
    return value < 0 ? 0 &- magnitude : magnitude
  }
}
