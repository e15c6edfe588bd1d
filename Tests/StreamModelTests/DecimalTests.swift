import StreamModel
import Testing

@Suite struct DecimalTests {
  @Test(
    arguments: [
      ("0", 3, 1, 0), ("12.50", 4, 1, 125), ("-0.05", 3, 2, -5), ("+7", 1, 0, 7), ("1e2", 3, 0, 100),
      ("1.5E+1", 2, 0, 15),
      ("25e-1", 2, 1, 25), (".5", 1, 1, 5), ("000000000000000000000000000000000000000000001", 1, 0, 1),
      ("0e999999999", 1, 0, 0),
      ("99999999999999999999999999999999999999", 38, 0, 99_999_999_999_999_999_999_999_999_999_999_999_999),
      ("1.000", 1, 0, 1),
      ("0.00000000000000000000000000000000000000000000", 1, 0, 0), ("-0", 1, 0, 0),
    ] as [(String, Int, Int, Int128)])
  func aNumberThatFits_isReadExactly(text: String, precision: Int, scale: Int, unscaled: Int128) {
    #expect(Decimal.parse(text, precision: precision, scale: scale) == .value(unscaled))
  }

  @Test(
    arguments: [
      ("", 3, 1, .malformed), ("-", 3, 1, .malformed), (".", 3, 1, .malformed), ("1.", 3, 1, .malformed),
      ("1..2", 3, 1, .malformed), ("1e", 3, 1, .malformed), ("1e+", 3, 1, .malformed), ("1x", 3, 1, .malformed),
      (" 1", 3, 1, .malformed), ("1 ", 3, 1, .malformed), ("0x1", 3, 1, .malformed), ("NaN", 3, 1, .malformed),
      ("1,5", 3, 1, .malformed),
      ("100", 3, 1, .overflow), ("1e38", 38, 0, .overflow),
      ("999999999999999999999999999999999999999", 38, 0, .overflow), ("1e999999999999", 38, 0, .overflow),
      ("1.25", 3, 1, .losesDigits), ("1e-2", 3, 1, .losesDigits),
      ("0.000000000000000000000000000000000000000000001", 38, 38, .losesDigits),
      ("12345678901234567890123456789012345678.5", 38, 0, .losesDigits),
    ] as [(String, Int, Int, Decimal.ParseResult)])
  func aTextThatDoesNot_isRefusedForItsReason(text: String, precision: Int, scale: Int, result: Decimal.ParseResult) {
    #expect(Decimal.parse(text, precision: precision, scale: scale) == result)
  }

  @Test func whatIsWritten_isReadBack() {
    var random = SeededGenerator()
    for _ in 0..<2000 {
      let precision = Int.random(in: 1...38, using: &random)
      let scale = Int.random(in: 0...precision, using: &random)
      let bound = Decimal.powersOfTen[Int.random(in: 0...precision, using: &random)] - 1
      let value = Int128.random(in: -bound...bound, using: &random)
      let text = Decimal.format(value, scale: scale)
      #expect(Decimal.parse(text, precision: precision, scale: scale) == .value(value), "\(text), seed \(random.seed)")
      #expect(text.split(separator: ".").last?.count == (scale > 0 ? scale : text.count))
    }
  }

  @Test(
    arguments: [
      (-50, 3, "-0.050"), (0, 0, "0"), (0, 2, "0.00"), (7, 0, "7"), (123, 2, "1.23"),
      (-1, 38, "-0.00000000000000000000000000000000000001"),
    ] as [(Int128, Int, String)])
  func aNumber_isWrittenWithExactlyItsScale(unscaled: Int128, scale: Int, text: String) {
    #expect(Decimal.format(unscaled, scale: scale) == text)
  }

  @Test(
    arguments: [
      (5, 2, 3, 2, 2, 3, 2), (-5, 2, -3, -2, -2, -2, -3), (7, 2, 4, 4, 3, 4, 3), (6, 4, 2, 2, 1, 2, 1),
      (-7, 4, -2, -2, -1, -1, -2), (7, -2, -4, -4, -3, -3, -4), (6, 3, 2, 2, 2, 2, 2), (1, 3, 0, 0, 0, 1, 0),
      (0, 3, 0, 0, 0, 0, 0),
    ] as [(Int128, Int128, Int128, Int128, Int128, Int128, Int128)])
  func aQuotient_isRoundedAsAsked(
    dividend: Int128, divisor: Int128, away: Int128, even: Int128, zero: Int128, up: Int128, down: Int128
  ) {
    #expect(Decimal.divide(dividend, divisor, rounding: .halfAwayFromZero) == away)
    #expect(Decimal.divide(dividend, divisor, rounding: .halfEven) == even)
    #expect(Decimal.divide(dividend, divisor, rounding: .towardZero) == zero)
    #expect(Decimal.divide(dividend, divisor, rounding: .up) == up)
    #expect(Decimal.divide(dividend, divisor, rounding: .down) == down)
  }

  @Test func rescaling_roundsOrOverflows() {
    #expect(Decimal.rescale(125, from: 2, to: 1) == 13)
    #expect(Decimal.rescale(125, from: 2, to: 1, rounding: .halfEven) == 12)
    #expect(Decimal.rescale(-125, from: 2, to: 4) == -12_500)
    #expect(Decimal.rescale(10, from: 0, to: 37) == nil)
    #expect(Decimal.rescale(1, from: 0, to: 37) == Decimal.powersOfTen[37])
    #expect(Decimal.fits(999, precision: 3) && !Decimal.fits(-1000, precision: 3))
  }
}
