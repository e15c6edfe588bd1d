import StreamModel

/// Records of planted frauds.
extension UsageModel {
  /// Countries that nobody gets to within an hour from another of the model's: the United States, Turkey and India.
  private static let farCountries = [8, 10, 11]
  /// At most this share of the records is a case's, so that the others go on.
  private static let largestFraudShare = 0.9

  /// The account and the number of a case.
  func fraudSubscriber(_ choice: UInt64) -> (account: UInt64, msisdn: UInt64) {
    let rank = accounts / 2 + GeneratorRandom.scale(GeneratorRandom.mix(choice), max(1, accounts - accounts / 2))
    let account = account(ofRank: min(rank, accounts - 1))
    return (account, countries[home(of: account)].mobile.number((account &* 4) &* 38_196_601))
  }

  private func home(of account: UInt64) -> Int { Int(homes[Int(truncatingIfNeeded: hash(1, account) >> 58)]) }

  /// The phase of a case that record `index` at `place` may belong to, and the threshold below which a random number says that it
  /// does.
  mutating func fraudPhase(ofRecord index: Int64, at place: EventTime) -> (phase: FraudModel.Phase, threshold: UInt64)?
  {
    guard let frauds else { return nil }
    let slot = frauds.slot(at: place)
    if currentFraud?.slot != slot {
      let (fraud, choice) = frauds.fraud(ofSlot: slot) { fraudSubscriber($0) }
      currentFraud = (slot, fraud, choice)
    }
    guard let current = currentFraud, frauds.slotStart(slot) >= start,
      let phase = FraudModel.phase(
        of: current.fraud, current.choice, slotStart: frauds.slotStart(slot), at: place)
    else { return nil }
    let reach: Int64 = 64
    let spacing = Double(placeInTime(ofRecord: index + reach) - place) / Double(reach)
    let share = min(UsageModel.largestFraudShare, phase.records * spacing / Double(phase.milliseconds))
    return (phase, GeneratorRandom.threshold(share))
  }

  func fill(
    _ record: inout UsageRecord, index: Int64, place: EventTime, fraud phase: FraudModel.Phase,
    _ random: inout GeneratorRandom
  ) {
    let draw = random.next()
    record.identity = GeneratorRandom.mix(UInt64(bitPattern: index) ^ seed)
    record.startedAt = max(start, place &- Int64(draw & 0xFF))
    record.account = phase.fraud.account
    record.home = home(of: record.account)
    record.msisdn = phase.fraud.msisdn
    let traits = hash(1, record.account)
    record.isRoaming = phase.part == .abroad
    record.country = phase.part == .abroad ? UsageModel.farCountry(from: record.home, phase.choice) : record.home
    record.network = traits >> 8 % 3 + 1
    record.area = 1000 + (traits >> 12) % 4000
    record.cell = 10_000 + ((record.area &* 13 &+ (draw >> 8 & 7)) &* 7919) % 55_000
    fillUsage(&record, phase, draw, random.next())
  }

  private static func farCountry(from home: Int, _ choice: UInt64) -> Int {
    let others = farCountries.filter { $0 != home }
    return others[Int(choice % UInt64(others.count))]
  }

  private func fillUsage(
    _ record: inout UsageRecord, _ phase: FraudModel.Phase, _ draw: UInt64, _ other: UInt64
  ) {
    let home = countries[record.home]
    record.service = .voice
    record.isInternational = record.country != record.home
    record.quantityThousandths = Int64(30 + draw >> 16 % 300) * 1000
    record.destination = home.mobile.number(hash(3 &+ other >> 58, record.account))
    switch (phase.fraud.kind, phase.part) {
    case (.volumeSpike, let part):
      record.service = .data
      record.destination = 0
      record.quantityThousandths =
        part == .calm ? Int64(500 + draw >> 16 % 5_500) : Int64(150_000 + draw >> 16 % 250_000)
    case (.premiumBurst, _):
      record.destination = home.premium.number(phase.choice % 1000 &* 1000 &+ other % 5)
    case (.internationalBurst, _):
      record.destination = countries[UsageModel.farCountry(from: record.home, phase.choice)].mobile.number(other)
      record.isInternational = true
    case (.simBox, _):
      record.destination = home.mobile.number(other)
      record.cell = 10_000 + phase.choice % 55_000
    case (.impossibleTravel, _): break
    }
  }
}

/// The cases that generated records hold whole: what is true of them.
package func plantedFrauds(_ spec: GeneratorSpec) -> [FraudCase] {
  guard let rows = spec.rows, rows > 0, spec.fraudCasesPerDay > 0 else { return [] }
  var model = UsageModel(spec)
  return model.plantedFrauds(before: model.placeInTime(ofRecord: rows - 1))
}

extension UsageModel {
  fileprivate func plantedFrauds(before end: EventTime) -> [FraudCase] {
    guard let frauds else { return [] }
    return (frauds.slot(at: start)...frauds.slot(at: end)).compactMap { slot in
      let (fraud, _) = frauds.fraud(ofSlot: slot) { fraudSubscriber($0) }
      return frauds.slotStart(slot) >= start && fraud.end <= end ? fraud : nil
    }
  }
}
