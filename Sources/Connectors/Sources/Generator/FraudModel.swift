import StreamModel

/// A planted case of fraud: what the generator knows to be true.
package struct FraudCase: Hashable, Sendable {
  package enum Kind: String, CaseIterable, Sendable {
    /// After calm usage very much data.
    case volumeSpike = "volume_spike"
    /// Calls to premium-rate numbers, one after another.
    case premiumBurst = "premium_burst"
    /// Calls abroad, one after another.
    case internationalBurst = "international_burst"
    /// One number in two countries, closer in time than anybody travels.
    case impossibleTravel = "impossible_travel"
    /// Calls to ever other numbers out of one cell.
    case simBox = "sim_box"
  }

  package let kind: Kind
  package let account: UInt64
  /// E.164 without the plus.
  package let msisdn: UInt64
  /// When what is suspicious begins and ends, ms.
  package let start: EventTime
  package let end: EventTime

  /// As one JSON object.
  package var text: String {
    let number = String(account)
    let padded = String(repeating: "0", count: max(0, 6 - number.count)) + number
    return
      "{\"kind\":\"\(kind.rawValue)\",\"account_id\":\"acc-\(padded)\",\"msisdn\":\"+\(msisdn)\",\"start\":\"\(CivilTime.formatTimestamp(start))\",\"end\":\"\(CivilTime.formatTimestamp(end))\"}"
  }
}

/// Says when which case of fraud goes on. A day of event time is cut into as many slots as there are cases a day; each slot has one
/// case, of the kinds in turn, by an account of the less popular half. What a case is depends on the seed and its slot alone.
struct FraudModel {
  static let maxCasesPerDay = 12
  /// Records of a case in one phase, on average.
  private static let burstRecords = 60.0
  private static let simBoxRecords = 240.0
  private static let travelRecords = 14.0

  /// One stretch of a case, in which its records are alike.
  struct Phase {
    let fraud: FraudCase
    let choice: UInt64
    let part: Part
    let records: Double
    let milliseconds: Int64
  }

  enum Part { case calm, burst, home, abroad }

  private let seed: UInt64
  private let slotMilliseconds: Int64

  init(seed: UInt64, casesPerDay: Int) {
    self.seed = seed
    slotMilliseconds = CivilTime.millisecondsPerDay / Int64(max(1, casesPerDay))
  }

  private func choice(ofSlot slot: Int64) -> UInt64 {
    GeneratorRandom.mix(seed ^ GeneratorRandom.mix(0xF4A0_D000 &+ UInt64(bitPattern: slot) &* 0x9E37_79B9))
  }

  func slot(at time: EventTime) -> Int64 {
    let (quotient, rest) = time.quotientAndRemainder(dividingBy: slotMilliseconds)
    return rest < 0 ? quotient - 1 : quotient
  }

  /// The case of a slot, and the number that decides on its details; `subscriber` makes an account and its number of that.
  func fraud(
    ofSlot slot: Int64, subscriber: (UInt64) -> (account: UInt64, msisdn: UInt64)
  ) -> (fraud: FraudCase, choice: UInt64) {
    let choice = choice(ofSlot: slot)
    let kinds = FraudCase.Kind.allCases
    let kind = kinds[Int(((slot % Int64(kinds.count)) + Int64(kinds.count)) % Int64(kinds.count))]
    let (account, msisdn) = subscriber(choice)
    let begin = slot * slotMilliseconds
    let bounds = FraudModel.bounds(kind)
    return (
      FraudCase(kind: kind, account: account, msisdn: msisdn, start: begin + bounds.start, end: begin + bounds.end),
      choice
    )
  }

  private static let minute: Int64 = 60_000

  /// When in its slot a case is suspicious.
  private static func bounds(_ kind: FraudCase.Kind) -> (start: Int64, end: Int64) {
    switch kind {
    case .volumeSpike: (80 * minute, 100 * minute)
    case .premiumBurst, .internationalBurst: (30 * minute, 40 * minute)
    case .impossibleTravel: (30 * minute, 60 * minute)
    case .simBox: (10 * minute, 50 * minute)
    }
  }

  /// The phase of a case that `time` falls into; nil for none.
  static func phase(of fraud: FraudCase, _ choice: UInt64, slotStart: EventTime, at time: EventTime) -> Phase? {
    func phase(_ part: Part, _ from: Int64, _ to: Int64, _ records: Double) -> Phase? {
      guard time >= slotStart + from, time < slotStart + to else { return nil }
      return Phase(
        fraud: fraud, choice: choice, part: part, records: records, milliseconds: to - from)
    }
    switch fraud.kind {
    case .volumeSpike:
      return phase(.calm, 0, 80 * minute, burstRecords) ?? phase(.burst, 80 * minute, 100 * minute, burstRecords)
    case .premiumBurst, .internationalBurst: return phase(.burst, 30 * minute, 40 * minute, burstRecords)
    case .impossibleTravel:
      return phase(.home, 30 * minute, 42 * minute, travelRecords)
        ?? phase(.abroad, 48 * minute, 60 * minute, travelRecords)
    case .simBox: return phase(.burst, 10 * minute, 50 * minute, simBoxRecords)
    }
  }

  func slotStart(_ slot: Int64) -> EventTime { slot * slotMilliseconds }
}
