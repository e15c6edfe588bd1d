import StreamModel

/// What rows of one plan, service, time zone and cycle day have in common. One owner.
final class RatingContext {
  /// Versions of the tariff, by time; empty where there is none.
  let tariffs: [RatedTariff]
  let allowsInternational: Bool
  /// Why rows have no cycle; nil where they have.
  let fault: RateRejection?
  private let calendar: WindowCalendar
  private var current = 0
  /// The cycle of the row that was looked at last, and the first local day of it.
  private(set) var cycle = BillingCycle(start: 0, end: 0)
  private(set) var firstDay: Int64 = 0
  /// The panes of that cycle, the one before it and the one after, as far as they exist; as of `resolvedAt`.
  private(set) var own: CyclePane<CycleUsage>?
  private(set) var previous: CyclePane<CycleUsage>?
  private(set) var next: CyclePane<CycleUsage>?
  private var resolvedAt = -1

  init(tariffs: [RatedTariff], allowsInternational: Bool, calendar: Result<WindowCalendar, RateFault>) {
    self.tariffs = tariffs
    self.allowsInternational = allowsInternational
    switch calendar {
    case .success(let calendar):
      self.calendar = calendar
      fault = nil
    case .failure(let reason):
      self.calendar = WindowCalendar(unit: .month, zone: .utc, cycleDay: 1)
      fault = reason.rejection
    }
  }

  /// The tariff in force at `time`.
  @inline(__always) func tariff(at time: EventTime) -> RatedTariff? {
    if current < tariffs.count {
      let tariff = tariffs[current]
      if time >= tariff.validFrom && time < tariff.validTo { return tariff }
    }
    guard let found = tariffs.firstIndex(where: { time >= $0.validFrom && time < $0.validTo }) else { return nil }
    current = found
    return tariffs[found]
  }

  /// The free units of the tariff in force at `time`; none where there is no tariff.
  func freeUnits(at time: EventTime) -> Int64 {
    tariffs.first { time >= $0.validFrom && time < $0.validTo }?.free ?? 0
  }

  /// Goes to the cycle that `time` lies in.
  @inline(__always) func enter(_ time: EventTime) {
    if time < cycle.start || time >= cycle.end { move(to: time) }
  }

  private func move(to time: EventTime) {
    let window = calendar.window(at: time)
    cycle = BillingCycle(start: window.start, end: window.end)
    firstDay = localTime(window.start).day
    resolvedAt = -1
  }

  /// Whether the cycle lies within the years that times can have.
  @inline(__always) var isPossible: Bool {
    cycle.start >= EventTimes.earliestRecord && cycle.end <= EventTimes.latestRecord
  }

  /// Finds the cycle's panes; makes its own where `isMaking`.
  @inline(__always) func resolve(_ panes: CyclePanes<CycleUsage>, isMaking: Bool) {
    if resolvedAt == panes.version, !isMaking || own != nil { return }
    own = isMaking ? panes.findOrMake(cycle) : panes[cycle]
    let before = calendar.window(at: cycle.start - 1)
    previous = panes[BillingCycle(start: before.start, end: before.end)]
    let after = calendar.window(at: cycle.end)
    next = panes[BillingCycle(start: after.start, end: after.end)]
    resolvedAt = panes.version
  }

  /// The wall clock of the account's zone: the day and the minute of the day.
  @inline(__always) func localTime(_ time: EventTime) -> (day: Int64, minute: Int32) {
    let (day, millisecond) = CivilTime.split(time + calendar.zone.offsetMilliseconds(atUTC: time))
    return (day, Int32(truncatingIfNeeded: millisecond / 60_000))
  }
}

/// Why a context has no calendar.
struct RateFault: Error { let rejection: RateRejection }

/// Finds the context of each row: a number for each plan, service, time zone and cycle day.
///
/// They are few; should a column be full of nonsense, they are numbered anew when there are too many.
final class RatingContexts {
  private let spec: RateSpec
  private let texts: TextPool
  private let encoder: KeyEncoder
  private var table = GroupTable()
  private let slots = Scratch<Int32>()
  private let identity = Scratch<Int32>()
  private(set) var all: [RatingContext] = []
  private var tariffs: [PlanService: [RatedTariff]] = [:]
  private static let maxCount = 1 << 16

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
    encoder = KeyEncoder(keyColumns: columns)
    for tariff in spec.catalog.tariffs.sorted(by: { $0.validFrom < $1.validFrom }) {
      tariffs[PlanService(plan: tariff.plan, service: tariff.service), default: []].append(
        RatedTariff(tariff, of: spec.catalog, scale: spec.quantityScale, texts: texts))
    }
  }

  /// The number of each row's context; valid until the next call.
  func assign(_ batch: RecordBatch) -> UnsafePointer<Int32> {
    if all.count > RatingContexts.maxCount {
      table = GroupTable()
      all = []
    }
    encoder.encode(batch)
    let rows = identity.reserve(batch.count)
    for row in 0..<batch.count { rows[row] = Int32(truncatingIfNeeded: row) }
    let slots = slots.reserve(batch.count)
    table.assign(KeyBatch(encoder), rows: rows, count: batch.count, slots: slots)
    if table.slotCount > all.count {
      for row in 0..<batch.count where Int(slots[row]) == all.count { all.append(context(batch, row)) }
    }
    return UnsafePointer(slots)
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
      return .failure(RateFault(rejection: .unknownTimezone))
    }
    var day: Value
    switch spec.cycleDay {
    case .constant(let number): day = .int64(Int64(number))
    case .column(let column): day = batch.columns[column].value(at: row)
    }
    guard case .int64(let number) = day, (1...31).contains(number) else {
      return .failure(RateFault(rejection: .badCycleDay))
    }
    return .success(WindowCalendar(unit: spec.period, zone: rules, cycleDay: Int(number)))
  }
}
