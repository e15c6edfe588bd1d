import StreamModel

/// `base × numerator / denominator`, exactly, rounded half-even once.
enum ExactCharge {
  /// Nil where the result has more than 127 bits. `base` and `numerator` are not negative, `denominator` is positive.
  @inline(__always) static func round(_ base: Int128, times numerator: Int128, over denominator: Int128) -> Int128? {
    if let base = Int64(exactly: base), let numerator = Int64(exactly: numerator),
      let denominator = UInt64(exactly: denominator)
    {
      let (product, overflow) = UInt64(base).multipliedReportingOverflow(by: UInt64(numerator))
      if !overflow { return Int128(round(product, denominator)) }
    }
    return roundWide(UInt128(base), UInt128(numerator), UInt128(denominator))
  }

  @inline(__always) private static func round(_ dividend: UInt64, _ divisor: UInt64) -> UInt64 {
    let (quotient, remainder) = dividend.quotientAndRemainder(dividingBy: divisor)
    let complement = divisor - remainder
    return remainder > complement || remainder == complement && quotient & 1 != 0 ? quotient + 1 : quotient
  }

  private static func roundWide(_ base: UInt128, _ numerator: UInt128, _ denominator: UInt128) -> Int128? {
    let product = base.multipliedFullWidth(by: numerator)
    guard product.high < denominator else { return nil }
    let (quotient, remainder) = denominator.dividingFullWidth(product)
    let complement = denominator - remainder
    let isUp = remainder > complement || remainder == complement && quotient & 1 != 0
    let (result, overflow) = quotient.addingReportingOverflow(isUp ? 1 : 0)
    return overflow ? nil : Int128(exactly: result)
  }
}
