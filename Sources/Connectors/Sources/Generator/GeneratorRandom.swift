/// Random numbers that are the same on every machine: wyrand (Wang Yi, public domain).
struct GeneratorRandom {
  private var state: UInt64

  /// A sequence of its own for each pair of numbers.
  init(_ seed: UInt64, _ stream: UInt64) {
    state = GeneratorRandom.mix(GeneratorRandom.mix(seed) ^ stream)
  }

  @inline(__always) mutating func next() -> UInt64 {
    state &+= 0xA076_1D64_78BD_642F
    let product = state.multipliedFullWidth(by: state ^ 0xE703_7ED1_A0B4_28DB)
    return product.high ^ product.low
  }

  /// A number below `bound`.
  @inline(__always) mutating func below(_ bound: UInt64) -> UInt64 { GeneratorRandom.scale(next(), bound) }

  /// `random`, uniform in 64 bits, as a number below `bound`.
  @inline(__always) static func scale(_ random: UInt64, _ bound: UInt64) -> UInt64 {
    random.multipliedFullWidth(by: bound).high
  }

  /// A bijection of 64-bit numbers that looks random: SplitMix64's finaliser (Steele, Lea, Flood 2014).
  @inline(__always) static func mix(_ value: UInt64) -> UInt64 {
    var mixed = value &+ 0x9E37_79B9_7F4A_7C15
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  /// The 64-bit threshold below which a uniform number lies with probability `share`.
  static func threshold(_ share: Double) -> UInt64 {
    if !(share > 0) { return 0 }
    return share >= 1 ? .max : UInt64(share * 0x1p64)
  }
}

/// Elementary functions made of IEEE 754's exact operations only, so that every machine and C library gives the same bits.
enum PortableMath {
  private static let ln2 = 0.693_147_180_559_945_309_42

  /// The natural logarithm of a positive number: the exponent's share and `2 artanh((m − 1) / (m + 1))` of the significand.
  static func logarithm(_ value: Double) -> Double {
    let ratio = (value.significand - 1) / (value.significand + 1)
    let square = ratio * ratio
    var term = ratio
    var sum = 0.0
    for divisor in stride(from: 1, through: 35, by: 2) {
      sum += term / Double(divisor)
      term *= square
    }
    return Double(value.exponent) * ln2 + 2 * sum
  }

  /// eˣ: a power of two and the Taylor series of the rest.
  static func exponential(_ value: Double) -> Double {
    let power = (value / ln2).rounded()
    let rest = value - power * ln2
    var term = 1.0
    var sum = 1.0
    for divisor in 1...18 {
      term *= rest / Double(divisor)
      sum += term
    }
    return sum * Double(sign: .plus, exponent: Int(power), significand: 1)
  }

  /// The value that a standard normal variable is below with `probability`, 0 < p < 1; relative error below 1.2 × 10⁻⁹
  /// (P. J. Acklam's rational approximation).
  static func normalQuantile(_ probability: Double) -> Double {
    if probability > 0.5 { return -normalQuantile(1 - probability) }
    if probability < 0.02425 {
      let tail = (-2 * logarithm(probability)).squareRoot()
      return polynomial(
        [
          -7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838, -2.549732539343734, 4.374664141464968,
          2.938163982698783,
        ], tail)
        / polynomial(
          [7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996, 3.754408661907416, 1], tail)
    }
    let centre = probability - 0.5
    let square = centre * centre
    return centre
      * polynomial(
        [
          -3.969683028665376e+01, 2.209460984245205e+02, -2.759285104469687e+02, 1.383577518672690e+02,
          -3.066479806614716e+01, 2.506628277459239,
        ], square)
      / polynomial(
        [
          -5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02, 6.680131188771972e+01,
          -1.328068155288572e+01, 1,
        ], square)
  }

  private static func polynomial(_ coefficients: [Double], _ x: Double) -> Double {
    coefficients.reduce(0) { $0 * x + $1 }
  }
}
