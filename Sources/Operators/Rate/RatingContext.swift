import StreamModel

/// What rows of one plan, service, time zone and cycle day have in common. One owner.
final class RatingContext {
  /// Versions of the tariff, by time; empty where there is none.
  private let tariffs: [RatedTariff]
  private let allowsInternational: Bool
  private let calendar: Result<WindowCalendar, RateFault>

  init(tariffs: [RatedTariff], allowsInternational: Bool, calendar: Result<WindowCalendar, RateFault>) {
    self.tariffs = tariffs
    self.allowsInternational = allowsInternational
    self.calendar = calendar
  }

  /// The free units of the tariff in force at `time`; none where there is no tariff.
  func freeUnits(at time: EventTime) -> Int64 {
    tariffs.first { time >= $0.validFrom && time < $0.validTo }?.free ?? 0
  }

  /// Cycles next to one: the one before and the one after.
  typealias Neighbours = (before: BillingCycle, after: BillingCycle)

  /// The last that were asked for.
  private var recent: (cycle: BillingCycle, neighbours: Neighbours)?

  func neighbours(of cycle: BillingCycle) -> Neighbours? {
    if let recent, recent.cycle == cycle { return recent.neighbours }
    guard case .success(let calendar) = calendar else { return nil }
    let (before, after) = (calendar.window(at: cycle.start - 1), calendar.window(at: cycle.end))
    let neighbours = (BillingCycle(before), BillingCycle(after))
    recent = (cycle, neighbours)
    return neighbours
  }

  /// What holds at `time`, and how long.
  func terms(at time: EventTime) -> RatingTerms {
    var terms = RatingTerms()
    (terms.from, terms.end) = (EventTimes.minimum, EventTimes.maximum)
    terms.allowsInternational = allowsInternational
    guard let tariff = tariffs.first(where: { time >= $0.validFrom && time < $0.validTo }) else {
      terms.obstacle = .noTariff
      for tariff in tariffs {
        if tariff.validTo <= time { terms.from = max(terms.from, tariff.validTo) }
        if tariff.validFrom > time { terms.end = min(terms.end, tariff.validFrom) }
      }
      return terms
    }
    terms.narrow(from: tariff.validFrom, end: tariff.validTo)
    switch calendar {
    case .failure(let fault): terms.obstacle = fault.obstacle
    case .success(let calendar):
      terms.apply(tariff)
      set(&terms, calendar, tariff, time)
    }
    return terms
  }

  private func set(_ terms: inout RatingTerms, _ calendar: WindowCalendar, _ tariff: RatedTariff, _ time: EventTime) {
    let window = calendar.window(at: time)
    terms.cycle = BillingCycle(window)
    terms.narrow(from: window.start, end: window.end)
    terms.firstDay = CivilTime.split(window.start + calendar.zone.offset(atUTC: window.start).milliseconds).day
    if window.start < EventTimes.earliestRecord || window.end > EventTimes.latestRecord {
      terms.obstacle = .impossibleCycle
    }
    if tariff.hasModifiers { modify(&terms, calendar.zone, tariff, time) }
  }

  /// Finds the modifiers that apply at `time` on the wall clock of the account's zone.
  private func modify(_ terms: inout RatingTerms, _ zone: ZoneRules, _ tariff: RatedTariff, _ time: EventTime) {
    let offset = zone.offset(atUTC: time)
    terms.narrow(from: offset.from, end: offset.end)
    let (day, millisecond) = CivilTime.split(time + offset.milliseconds)
    let minute = Int32(truncatingIfNeeded: millisecond / RatingContext.minute)
    let segment = tariff.segment(around: minute)
    let midnight = time - millisecond
    terms.narrow(
      from: midnight + Int64(segment.start) * RatingContext.minute,
      end: midnight + Int64(segment.end) * RatingContext.minute)
    for kind in 0..<4 {
      terms.combinations[kind] = tariff.combination(
        day: day, minute: minute, isRoaming: kind & 1 != 0, isInternational: kind & 2 != 0)
    }
  }

  private static let minute: Int64 = 60_000
}

extension RatingTerms {
  fileprivate mutating func apply(_ tariff: RatedTariff) {
    (increment, free, rollover, version) = (tariff.increment, tariff.free, tariff.rollover, tariff.version)
    self.tariff = Unmanaged.passUnretained(tariff)
    combinations = InlineArray(repeating: tariff.unmodified)
    guard let price = tariff.flatPrice else {
      hasTiers = true
      return
    }
    self.price = price
    priceView = tariff.prices(of: RatedTariff.TierRange(first: 0, last: 0))
  }
}

/// Why a context has no calendar.
struct RateFault: Error { let obstacle: RatingTerms.Obstacle }

/// Finds the context of each row: a number for each plan, service, time zone and cycle day.
final class RatingContexts {
  private let spec: RateSpec
  private let texts: TextPool
  private let numbers: DistinctKeys
  private(set) var all: [RatingContext] = []
  /// What each context came to for the row that was looked at last.
  private(set) var terms = Scratch<RatingTerms>(capacity: 64)
  private var tariffs: [PlanService: [RatedTariff]] = [:]

  private struct PlanService: Hashable {
    let plan: String
    let service: String
  }

  init(_ spec: RateSpec, _ texts: TextPool) {
    self.spec = spec
    self.texts = texts
    var columns = [spec.plan, spec.service]
    if case .column(let column) = spec.timezone { columns.append(column) }
    if case .column(let column) = spec.cycleDay { columns.append(column) }
    numbers = DistinctKeys(columns)
    for tariff in spec.catalog.tariffs.sorted(by: { $0.validFrom < $1.validFrom }) {
      tariffs[PlanService(plan: tariff.plan, service: tariff.service), default: []].append(
        RatedTariff(tariff, of: spec.catalog, scale: spec.quantityScale, texts: texts))
    }
  }

  /// The number of each row's context; valid until the next call.
  func assign(_ batch: RecordBatch) -> UnsafePointer<Int32> {
    let numbered = numbers.assign(batch)
    if numbered.isAnew { all = [] }
    for row in numbered.fresh { all.append(context(batch, row)) }
    let known = numbered.isAnew ? 0 : all.count - numbered.fresh.count
    let cells = terms.reserve(all.count, keeping: known)
    for context in known..<all.count { cells[context] = RatingTerms() }
    return numbered.numbers
  }

  private func context(_ batch: RecordBatch, _ row: Int) -> RatingContext {
    func text(_ column: Int) -> String? {
      if case .string(let text) = batch.columns[column].value(at: row) { return text }
      return nil
    }
    let plan = spec.catalog.plans.first { $0.name == text(spec.plan) }
    var found: [RatedTariff] = []
    if let plan, let service = text(spec.service) {
      found = tariffs[PlanService(plan: plan.name, service: service)] ?? []
    }
    return RatingContext(
      tariffs: found, allowsInternational: plan?.allowsInternational ?? false, calendar: calendar(batch, row))
  }

  private func calendar(_ batch: RecordBatch, _ row: Int) -> Result<WindowCalendar, RateFault> {
    var zone: Value
    switch spec.timezone {
    case .constant(let name): zone = .string(name)
    case .column(let column): zone = batch.columns[column].value(at: row)
    }
    guard case .string(let name) = zone, let rules = ZoneRules.named(name) else {
      return .failure(RateFault(obstacle: .unknownTimezone))
    }
    var day: Value
    switch spec.cycleDay {
    case .constant(let number): day = .int64(Int64(number))
    case .column(let column): day = batch.columns[column].value(at: row)
    }
    guard case .int64(let number) = day, (1...31).contains(number) else {
      return .failure(RateFault(obstacle: .badCycleDay))
    }
    return .success(WindowCalendar(unit: spec.period, zone: rules, cycleDay: Int(number)))
  }
}
