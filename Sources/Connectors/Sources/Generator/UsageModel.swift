import StreamModel

/// Decides what record *i* says: who used what, when, where and how much.
///
/// - Accounts are drawn with Zipf's popularity (exponent 1.3); an account has a home country and area, one to three numbers of
///   that country, and contacts it calls again and again.
/// - One account in twenty-five is abroad in any five days; all its records then come from that country's networks.
/// - Event times follow `UsageClock`, each up to `jitterMilliseconds` earlier, most of them much less: so records are out of
///   order by less than `maximumDisorderMilliseconds`. None but late ones is before the start.
/// - A spike is an account of the less popular half whose usage is many times its own norm for one quarter of an hour
///   (`spikeMilliseconds`), always in calls to premium numbers, in calls abroad, or in data.
struct UsageModel {
  /// Without anomalies no record is further behind the latest before it.
  static let maximumDisorderMilliseconds: Int64 = 5000
  static let spikeMilliseconds: Int64 = 900_000
  /// How far a late record is behind its place: two to twenty-six hours.
  static let leastLatenessMilliseconds: Int64 = 7_200_000
  static let latenessRangeMilliseconds: UInt64 = 86_400_000

  private static let jitterMilliseconds: UInt64 = 4000
  /// A spike takes at least this share of the records of its quarter of an hour.
  private static let leastSpikeShare = 0.005
  /// International premium rate (ITU-T E.169.2): in no country.
  private static let sharedPremium = UsageCountry.NumberRange(979, 9)
  private static let noCountry = -1

  let seed: UInt64
  let accounts: UInt64
  let start: EventTime
  /// Nil where no fraud is planted.
  let frauds: FraudModel?
  /// The case of the slot that was last asked about.
  var currentFraud: (slot: Int64, fraud: FraudCase, choice: UInt64)?
  private var clock: UsageClock
  let countries = UsageCountry.all
  let homes = UsageCountry.homes
  private let popularity: PopularityTable
  private let voiceSeconds = LogNormalTable(median: 85, sigma: 1.1)
  private let dataMegabytes = LogNormalTable(median: 4, sigma: 1.6)
  private let accountStep: UInt64
  /// One quarter of an hour in this many has a spike.
  private let spikePeriod: Int64
  private let spikeThreshold: UInt64

  init(_ spec: GeneratorSpec) {
    seed = GeneratorRandom.mix(spec.seed)
    let count = max(1, spec.accounts)
    accounts = UInt64(count)
    start = spec.start
    frauds =
      spec.fraudCasesPerDay > 0
      ? FraudModel(seed: GeneratorRandom.mix(spec.seed), casesPerDay: spec.fraudCasesPerDay) : nil
    clock = UsageClock(start: spec.start, recordsPerEventSecond: max(spec.recordsPerEventSecond, 1e-6))
    popularity = PopularityTable(count: count)
    accountStep = UsageModel.coprime(to: accounts)
    let share = min(max(spec.spikes, 0), 1)
    spikePeriod = share > 0 ? max(1, Int64(UsageModel.leastSpikeShare / share)) : 1
    spikeThreshold = GeneratorRandom.threshold(share * Double(spikePeriod))
  }

  /// A step through all accounts, so that popular ones don't have the lowest numbers.
  private static func coprime(to count: UInt64) -> UInt64 {
    var step = max(1, count / 1000 * 618 + 1)
    func divisor(_ left: UInt64, _ right: UInt64) -> UInt64 { right == 0 ? left : divisor(right, left % right) }
    while divisor(step, count) != 1 { step += 1 }
    return step
  }

  /// The account of popularity `rank`, from 1.
  @inline(__always) func account(ofRank rank: UInt64) -> UInt64 { rank &* accountStep % accounts + 1 }

  /// ISO 3166 code of the country in which an account is at home.
  func homeCountry(ofAccount account: UInt64) -> String { countries[home(hash(1, account))].code.description }

  @inline(__always) private func home(_ traits: UInt64) -> Int { Int(homes[Int(truncatingIfNeeded: traits >> 58)]) }

  @inline(__always) func hash(_ first: UInt64, _ second: UInt64) -> UInt64 {
    GeneratorRandom.mix(seed ^ GeneratorRandom.mix(first &* 0x9E37_79B9 &+ second))
  }

  /// The time of record `index` before jitter; rises with `index`.
  @inline(__always) mutating func placeInTime(ofRecord index: Int64) -> EventTime { clock.time(ofRecord: index) }

  /// An account's planted outburst.
  struct Spike {
    let account: UInt64
    fileprivate let kind: UInt64
  }

  /// The spike at event time `time`, if that quarter of an hour has one.
  @inline(__always) func spike(at time: EventTime) -> Spike? {
    guard spikeThreshold > 0 else { return nil }
    let slot = time / UsageModel.spikeMilliseconds
    let group = slot / spikePeriod
    let choice = hash(0x5B1C_E000, UInt64(bitPattern: group))
    guard spikePeriod == 1 || UInt64(bitPattern: slot % spikePeriod) == choice % UInt64(spikePeriod) else { return nil }
    let rank = accounts / 2 + GeneratorRandom.scale(GeneratorRandom.mix(choice), max(1, accounts - accounts / 2))
    return Spike(account: account(ofRank: min(rank, accounts - 1)), kind: choice >> 40 & 3)
  }

  /// Record `index`, whose place in time is `place`; whether it belongs to a spike.
  @inline(__always) func fill(
    _ record: inout UsageRecord, index: Int64, place: EventTime, spike: Spike?, _ random: inout GeneratorRandom
  ) -> Bool {
    record.identity = GeneratorRandom.mix(UInt64(bitPattern: index) ^ seed)
    let draw = random.next()
    let jitter = GeneratorRandom.scale(draw << 16, UsageModel.jitterMilliseconds)
    record.startedAt = max(start, place &- Int64(draw & 7 == 0 ? jitter : jitter >> 4))
    if let spike, random.next() < spikeThreshold {
      fillSpike(&record, spike, &random)
      return true
    }
    fillSubscriber(&record, account(ofRank: UInt64(popularity.rank(random.next()))), &random)
    fillUsage(&record, &random)
    return false
  }

  // MARK: - Who and where

  @inline(__always) private func fillSubscriber(
    _ record: inout UsageRecord, _ account: UInt64, _ random: inout GeneratorRandom
  ) {
    record.account = account
    let traits = hash(1, account)
    let lines: UInt64 = traits & 7 == 0 ? 3 : traits & 7 < 3 ? 2 : 1
    let draw = random.next()
    let line = GeneratorRandom.scale(draw, lines)
    record.home = home(traits)
    record.msisdn = countries[record.home].mobile.number((account &* 4 &+ line) &* 38_196_601)
    let trip = hash(2 &+ UInt64(bitPattern: record.startedAt / 432_000_000) &* 8, account)
    record.isRoaming = trip & 0xFFFF < 2621
    record.country = record.isRoaming ? abroad(from: record.home, trip >> 16) : record.home
    record.network = (record.isRoaming ? trip >> 32 : traits >> 8) % 3 + 1
    record.area = 1000 + (record.isRoaming ? trip >> 36 : traits >> 12) % 4000
    record.cell = 10_000 + ((record.area &* 13 &+ (draw & 7)) &* 7919) % 55_000
  }

  // MARK: - What

  @inline(__always) private func fillUsage(_ record: inout UsageRecord, _ random: inout GeneratorRandom) {
    let draw = random.next()
    let service = draw & 0xFF
    if service < 90 {
      record.service = .data
      record.quantityThousandths = dataMegabytes.value(draw)
      record.destination = GeneratorRandom.scale(draw << 8, UInt64(UsageCountry.apns.count))
      record.isInternational = false
    } else if service < 205 {
      record.service = .voice
      record.quantityThousandths = max(1, voiceSeconds.value(draw) / 1000) * 1000
      fillNumber(&record, random.next())
    } else {
      record.service = .sms
      record.quantityThousandths = draw >> 8 & 0xF == 0 ? 2000 : 1000
      fillNumber(&record, random.next())
    }
  }

  /// The number called: mostly one of the account's twenty-odd contacts.
  @inline(__always) private func fillNumber(_ record: inout UsageRecord, _ draw: UInt64) {
    let contact = hash(3 &+ (draw >> 58), record.account)
    let kind = draw & 0x3FF
    let home = countries[record.home]
    var country = record.home
    if kind < 660 {
      record.destination = home.mobile.number(contact)
    } else if kind < 840 {
      record.destination = home.fixed.number(contact)
    } else if kind < 900 {
      record.destination = home.freephone.number(contact)
    } else if kind < 1004 {
      country = abroad(from: record.home, contact >> 40)
      record.destination = countries[country].mobile.number(contact)
    } else if kind < 1021 {
      record.destination = home.premium.number((draw >> 28) % 1000 &* 1000)
    } else {
      country = UsageModel.noCountry
      record.destination = UsageModel.sharedPremium.number(contact)
    }
    record.isInternational = country != record.country
  }

  /// One of the countries other than `home`.
  @inline(__always) private func abroad(from home: Int, _ choice: UInt64) -> Int {
    (home &+ 1 &+ Int(choice % UInt64(countries.count - 1))) % countries.count
  }

  private func fillSpike(_ record: inout UsageRecord, _ spike: Spike, _ random: inout GeneratorRandom) {
    fillSubscriber(&record, spike.account, &random)
    let draw = random.next()
    record.isInternational = spike.kind == 1
    switch spike.kind {
    case 0:
      record.service = .voice
      record.destination = countries[0].premium.number(spike.account % 200 &* 5000)
      record.isInternational = record.country != 0
      record.quantityThousandths = Int64(180 + draw % 1200) * 1000
    case 1:
      record.service = .voice
      record.destination = UsageModel.sharedPremium.number(spike.account % 1000 * 1_000_000 + draw % 100)
      record.quantityThousandths = Int64(300 + draw % 3000) * 1000
    default:
      record.service = .data
      record.destination = 0
      record.quantityThousandths = Int64(50_000 + draw % 400_000)
    }
  }
}
