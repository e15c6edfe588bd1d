/// Arithmetic on decimals as scaled integers: `value = unscaled × 10^-scale`, |unscaled| < 10³⁸.
///
/// Nothing here passes through a double. Functions return nil where the exact result does not fit.
package enum Decimal {
  /// 10⁰ … 10³⁸.
  package static let powersOfTen: [Int128] = {
    var powers: [Int128] = [1]
    for _ in 1...38 { powers.append(powers[powers.count - 1] * 10) }
    return powers
  }()

  /// Whether `unscaled` has at most `precision` digits.
  @inline(__always) package static func fits(_ unscaled: Int128, precision: Int) -> Bool {
    unscaled.magnitude < powersOfTen[precision].magnitude
  }

  /// How a quotient that is not exact is rounded.
  package enum Rounding: Sendable {
    /// To the nearest; a tie away from zero. SQL's functions, division and `avg`.
    case halfAwayFromZero
    /// To the nearest; a tie to the even neighbour. What Weir rounds itself: `rate`, conversion, net, VAT.
    case halfEven
    case towardZero
    case down
    case up
  }

  /// `dividend / divisor`, rounded to an integer; `divisor` is not zero.
  package static func divide(_ dividend: Int128, _ divisor: Int128, rounding: Rounding) -> Int128 {
    let (quotient, remainder) = dividend.quotientAndRemainder(dividingBy: divisor)
    guard remainder != 0 else { return quotient }
    let sign: Int128 = (dividend < 0) == (divisor < 0) ? 1 : -1
    switch rounding {
    case .towardZero: return quotient
    case .down: return sign < 0 ? quotient - 1 : quotient
    case .up: return sign > 0 ? quotient + 1 : quotient
    case .halfAwayFromZero, .halfEven:
      let rest = remainder.magnitude
      let complement = divisor.magnitude - rest
      if rest > complement { return quotient + sign }
      guard rest == complement else { return quotient }
      return rounding == .halfAwayFromZero || quotient & 1 != 0 ? quotient + sign : quotient
    }
  }

  /// `unscaled` at scale `from`, rewritten at scale `to`; digits that the new scale lacks are rounded. Nil on overflow of 38 digits.
  package static func rescale(_ unscaled: Int128, from: Int, to: Int, rounding: Rounding = .halfAwayFromZero) -> Int128?
  {
    if from == to { return unscaled }
    if from > to { return divide(unscaled, powersOfTen[from - to], rounding: rounding) }
    let (product, overflow) = unscaled.multipliedReportingOverflow(by: powersOfTen[to - from])
    return overflow || !fits(product, precision: DataType.maxDecimalPrecision) ? nil : product
  }

  /// What reading a decimal's text gave.
  package enum ParseResult: Equatable, Sendable {
    case value(Int128)
    /// Not a number.
    case malformed
    /// More digits before the point than the type holds.
    case overflow
    /// Digits after the point, not zero, that the scale would lose.
    case losesDigits
  }

  /// Reads `[-+]digits[.digits][e[+-]digits]` exactly, as `decimal(precision, scale)`.
  package static func parse(_ text: UnsafeBufferPointer<UInt8>, precision: Int, scale: Int) -> ParseResult {
    var cursor = 0
    let end = text.count
    guard end > 0 else { return .malformed }
    let negative = text[0] == UInt8(ascii: "-")
    if negative || text[0] == UInt8(ascii: "+") { cursor = 1 }
    var digits: Int128 = 0
    var significant = 0
    var fraction = 0
    var seen = 0
    var droppedNonZero = false
    var point = false
    while cursor < end {
      let byte = text[cursor]
      if byte == UInt8(ascii: ".") {
        if point { return .malformed }
        point = true
      } else if byte &- 48 <= 9 {
        seen += 1
        if point { fraction += 1 }
        if significant < 38 {
          digits = digits * 10 + Int128(byte &- 48)
          if digits != 0 { significant += 1 }
        } else if point {
          fraction -= 1
          if byte != 48 { droppedNonZero = true }
        } else {
          return .overflow
        }
      } else {
        break
      }
      cursor += 1
    }
    guard seen > 0, text[cursor - 1] != UInt8(ascii: ".") else { return .malformed }
    if cursor < end {
      guard text[cursor] | 0x20 == UInt8(ascii: "e") else { return .malformed }
      guard let exponent = parseExponent(text, cursor + 1) else { return .malformed }
      if digits == 0 { return .value(0) }
      fraction -= exponent
    }
    if digits == 0 { return droppedNonZero ? .losesDigits : .value(0) }
    return fit(negative ? -digits : digits, fraction, droppedNonZero, precision, scale)
  }

  private static func parseExponent(_ text: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int? {
    var cursor = start
    guard cursor < text.count else { return nil }
    let negative = text[cursor] == UInt8(ascii: "-")
    if negative || text[cursor] == UInt8(ascii: "+") { cursor += 1 }
    guard cursor < text.count else { return nil }
    var exponent = 0
    while cursor < text.count {
      guard text[cursor] &- 48 <= 9 else { return nil }
      exponent = min(exponent * 10 + Int(text[cursor] &- 48), 1_000_000)
      cursor += 1
    }
    return negative ? -exponent : exponent
  }

  private static func fit(_ digits: Int128, _ fraction: Int, _ dropped: Bool, _ precision: Int, _ scale: Int)
    -> ParseResult
  {
    if dropped { return .losesDigits }
    if fraction > scale {
      guard fraction - scale <= 38 else { return .losesDigits }
      let (quotient, remainder) = digits.quotientAndRemainder(dividingBy: powersOfTen[fraction - scale])
      guard remainder == 0 else { return .losesDigits }
      return fits(quotient, precision: precision) ? .value(quotient) : .overflow
    }
    guard scale - fraction <= 38 else { return .overflow }
    let (product, overflow) = digits.multipliedReportingOverflow(by: powersOfTen[scale - fraction])
    return !overflow && fits(product, precision: precision) ? .value(product) : .overflow
  }

  package static func parse(_ text: String, precision: Int, scale: Int) -> ParseResult {
    var text = text
    return text.withUTF8 { parse($0, precision: precision, scale: scale) }
  }

  /// The number with exactly `scale` digits after the point: `-0.050`.
  package static func format(_ unscaled: Int128, scale: Int) -> String {
    var buffer = [UInt8](repeating: 0, count: 48)
    return buffer.withUnsafeMutableBufferPointer { buffer in
      let start = write(unscaled, scale: scale, endingAt: buffer.baseAddress.unsafelyUnwrapped + buffer.count)
      return String(
        decoding: UnsafeBufferPointer(rebasing: buffer[(start - buffer.baseAddress.unsafelyUnwrapped)...]),
        as: UTF8.self)
    }
  }

  /// Writes the number's text so that it ends before `end`, and returns where it starts; at most 42 bytes.
  package static func write(
    _ unscaled: Int128, scale: Int, endingAt end: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    var cursor = end
    var rest = unscaled.magnitude
    var written = 0
    while rest > UInt128(UInt64.max) {
      let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
      push(UInt8(truncatingIfNeeded: digit))
      rest = quotient
    }
    var low = UInt64(rest)
    while low != 0 || written <= scale {
      push(UInt8(truncatingIfNeeded: low % 10))
      low /= 10
    }
    func push(_ digit: UInt8) {
      if written == scale && scale > 0 {
        cursor -= 1
        cursor.pointee = UInt8(ascii: ".")
      }
      cursor -= 1
      cursor.pointee = 48 + digit
      written += 1
    }
    if unscaled < 0 {
      cursor -= 1
      cursor.pointee = UInt8(ascii: "-")
    }
    return cursor
  }
}
