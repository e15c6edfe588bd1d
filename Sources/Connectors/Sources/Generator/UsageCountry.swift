/// A country that accounts are at home in, roam in and call to.
struct UsageCountry {
  /// ISO 3166-1 alpha-2.
  let code: StaticString
  /// Mobile country code (ITU-T E.212).
  let mobileCode: UInt64
  /// How many of 64 accounts are at home here.
  let homeShare: Int
  let mobile: NumberRange
  let fixed: NumberRange
  let freephone: NumberRange
  let premium: NumberRange

  /// Numbers in E.164 that begin alike and have the same length.
  struct NumberRange {
    let first: UInt64
    let count: UInt64

    /// Numbers of `prefix` and `digits` more digits.
    init(_ prefix: UInt64, _ digits: Int) {
      var count: UInt64 = 1
      for _ in 0..<digits { count *= 10 }
      first = prefix * count
      self.count = count
    }

    /// The number that `choice`, any number at all, stands for.
    @inline(__always) func number(_ choice: UInt64) -> UInt64 { first &+ choice % count }
  }

  /// The first is where the numbers of planted premium-rate calls lie (`UsageModel`).
  static let all: [UsageCountry] = [
    UsageCountry(
      code: "IE", mobileCode: 272, homeShare: 15, mobile: NumberRange(3538, 8), fixed: NumberRange(3531, 7),
      freephone: NumberRange(353_1800, 6), premium: NumberRange(353_1550, 6)),
    UsageCountry(
      code: "GB", mobileCode: 234, homeShare: 6, mobile: NumberRange(447, 9), fixed: NumberRange(4420, 8),
      freephone: NumberRange(44_800, 7), premium: NumberRange(44_909, 7)),
    UsageCountry(
      code: "ES", mobileCode: 214, homeShare: 3, mobile: NumberRange(346, 8), fixed: NumberRange(3491, 7),
      freephone: NumberRange(34_900, 6), premium: NumberRange(34_806, 6)),
    UsageCountry(
      code: "FR", mobileCode: 208, homeShare: 10, mobile: NumberRange(336, 8), fixed: NumberRange(331, 8),
      freephone: NumberRange(33_800, 6), premium: NumberRange(3389, 7)),
    UsageCountry(
      code: "PT", mobileCode: 268, homeShare: 1, mobile: NumberRange(3519, 8), fixed: NumberRange(351_21, 7),
      freephone: NumberRange(351_800, 6), premium: NumberRange(351_760, 6)),
    UsageCountry(
      code: "PL", mobileCode: 260, homeShare: 1, mobile: NumberRange(485, 8), fixed: NumberRange(4822, 7),
      freephone: NumberRange(48_800, 6), premium: NumberRange(48_703, 6)),
    UsageCountry(
      code: "DE", mobileCode: 262, homeShare: 2, mobile: NumberRange(4915, 9), fixed: NumberRange(4930, 8),
      freephone: NumberRange(49_800, 7), premium: NumberRange(49_900, 7)),
    UsageCountry(
      code: "IT", mobileCode: 222, homeShare: 1, mobile: NumberRange(393, 9), fixed: NumberRange(3906, 8),
      freephone: NumberRange(39_800, 6), premium: NumberRange(39_899, 6)),
    UsageCountry(
      code: "US", mobileCode: 310, homeShare: 6, mobile: NumberRange(1917, 7), fixed: NumberRange(1212, 7),
      freephone: NumberRange(1800, 7), premium: NumberRange(1900, 7)),
    UsageCountry(
      code: "MA", mobileCode: 604, homeShare: 12, mobile: NumberRange(2126, 8), fixed: NumberRange(2125, 8),
      freephone: NumberRange(212_80, 7), premium: NumberRange(212_89, 7)),
    UsageCountry(
      code: "TR", mobileCode: 286, homeShare: 1, mobile: NumberRange(905, 9), fixed: NumberRange(90_212, 7),
      freephone: NumberRange(90_800, 7), premium: NumberRange(90_900, 7)),
    UsageCountry(
      code: "IN", mobileCode: 404, homeShare: 6, mobile: NumberRange(919, 9), fixed: NumberRange(9111, 8),
      freephone: NumberRange(91_1800, 7), premium: NumberRange(91_1900, 7)),
  ]

  /// The country's index for each 64th of the accounts.
  static let homes: [UInt8] = all.enumerated().flatMap { Array(repeating: UInt8($0), count: $1.homeShare) }

  static let apns: [StaticString] = ["internet", "internet", "internet", "mms", "iot.example", "corporate.example"]
}
