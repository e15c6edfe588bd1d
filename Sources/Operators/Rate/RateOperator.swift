import State
import StreamModel

/// `rate`: prices usage by a catalogue of tariffs, row by row in the order in which an account's rows of a service arrive.
///
/// A row is rated in its account's billing cycle: its quantity is rounded up to the tariff's increment; free units of the cycle
/// are taken first, then units left over from the cycle before; what remains goes through the tariff's tiers, from where
/// the cycle's billable quantity stands; modifiers multiply exactly, and the charge is rounded half-even once. What cannot be
/// rated is on port `rejected` with the reason; a row whose cycle has closed is on port `late`.
///
/// A unit is used once: what a cycle takes over is gone from the one before, should rows of that still come.
///
/// In the state: an entry for each account and service under its cycle (`CyclePane`). A cycle's entries go when it has closed, or,
/// where units roll over, when the cycle after it has. Nothing depends on how late the watermark comes: once entries may go, every
/// row that would need them is late by its own stamp.
package final class RateOperator: StreamOperator {
  private let spec: RateSpec
  private let texts = TextPool()
  private let contexts: RatingContexts
  private let encoder: KeyEncoder
  private let state = CyclePanes<CycleUsage>()
  private let rated: RatedColumns
  private let hasRollover: Bool
  private let lastCharge: Int128
  private let lastQuantity: Int64
  private let due = DueRows()
  private var late: [Int32] = []
  private var rejected: [(row: Int32, reason: RateRejection)] = []

  package init(_ spec: RateSpec) {
    self.spec = spec
    contexts = RatingContexts(spec, texts)
    encoder = KeyEncoder(keyColumns: spec.key)
    rated = RatedColumns(spec, texts)
    hasRollover = spec.catalog.hasRollover
    lastCharge = Decimal.powersOfTen[DataType.maxInt64DecimalPrecision] - 1
    lastQuantity = Int64(lastCharge)
  }

  /// Rows go through in stretches in which no context changes its terms: first what each comes to by itself, then what its account
  /// has used, then its charge.
  package func process(_ batch: RecordBatch, input: Int, to output: any OperatorOutput) throws(OperatorError) {
    let slots = contexts.assign(batch)
    let inputs = RateInputs(batch, spec)
    encoder.encode(batch)
    rated.begin(batch.count)
    late.removeAll(keepingCapacity: true)
    rejected.removeAll(keepingCapacity: true)
    due.begin(batch.count)
    for row in 0..<batch.count {
      let context = Int(slots[row])
      let terms = contexts.terms.base + context
      if !terms.pointee.holds(at: inputs.times[row]) {
        try rateDue(inputs)
        terms.pointee = contexts.all[context].terms(at: inputs.times[row])
      }
      switch judge(row, terms, inputs) {
      case .ratable(let quantity):
        if terms.pointee.resolvedAt != state.version || terms.pointee.own < 0 { resolve(terms, context) }
        due.append(row, context: slots[row], quantity: quantity, pane: terms.pointee.own)
      case .late: late.append(Int32(truncatingIfNeeded: row))
      case .rejected(let reason): rejected.append((Int32(truncatingIfNeeded: row), reason))
      }
    }
    try rateDue(inputs)
    handOn(batch, to: output)
  }

  private enum Verdict {
    case ratable(quantity: Int64)
    case rejected(RateRejection)
    case late
  }

  /// What becomes of a row, as far as that does not depend on other rows.
  @inline(__always) private func judge(
    _ row: Int, _ terms: UnsafeMutablePointer<RatingTerms>, _ inputs: RateInputs
  ) -> Verdict {
    if terms.pointee.obstacle == .noTariff { return .rejected(.noTariff) }
    if !terms.pointee.allowsInternational, inputs.isInternational(row) { return .rejected(.internationalNotAllowed) }
    guard inputs.hasAccount(row) else { return .rejected(.noAccount) }
    guard let quantity = inputs.quantity(row) else { return .rejected(.noQuantity) }
    if quantity < 0 { return .rejected(.negativeQuantity) }
    if terms.pointee.obstacle != .none { return .rejected(terms.pointee.obstacle.rejection) }
    if let stamp = inputs.stamp(row), closing(terms.pointee.cycle) <= stamp { return .late }
    guard let rounded = terms.pointee.roundUp(quantity), rounded <= lastQuantity else { return .rejected(.outOfRange) }
    return .ratable(quantity: rounded)
  }

  /// The watermark at which a cycle takes no more rows.
  @inline(__always) private func closing(_ cycle: BillingCycle) -> EventTime {
    cycle.end - 1 + spec.closeAfterMilliseconds
  }

  /// Finds the panes of the terms' cycle and of those next to it; makes its own.
  private func resolve(_ terms: UnsafeMutablePointer<RatingTerms>, _ context: Int) {
    let cycle = terms.pointee.cycle
    terms.pointee.own = state.findOrMake(cycle).number
    if hasRollover, let (before, after) = contexts.all[context].neighbours(of: cycle) {
      terms.pointee.previous = state[before]?.number ?? -1
      terms.pointee.next = state[after]?.number ?? -1
    }
    terms.pointee.resolvedAt = state.version
  }

  // MARK: - Rating

  /// Rates the rows that are due, in their order.
  private func rateDue(_ inputs: RateInputs) throws(OperatorError) {
    guard due.count > 0 else { return }
    if state.hasSpilled { try load() }
    due.place(in: state, KeyBatch(encoder))
    let known = rejected.count
    for index in 0..<due.count {
      let terms = contexts.terms.base + Int(due.contexts.base[index])
      let isRated = rate(
        Int(due.rows.base[index]), due.quantities.base[index], due.usage.base[index], terms,
        Int(due.contexts.base[index]), inputs)
      if !isRated { rejected.append((due.rows.base[index], .outOfRange)) }
    }
    if rejected.count > known { rejected.sort { $0.row < $1.row } }
    due.removeAll()
  }

  /// Rates a row; false, and nothing changed, where a number does not fit.
  @inline(__always) private func rate(
    _ row: Int, _ quantity: Int64, _ cell: UnsafeMutablePointer<CycleUsage>, _ terms: UnsafeMutablePointer<RatingTerms>,
    _ context: Int, _ inputs: RateInputs
  ) -> Bool {
    var usage = cell.pointee
    let rolledOut = terms.pointee.next < 0 ? 0 : used(by: row, terms.pointee.next).rolledIn
    let free = min(quantity, max(0, terms.pointee.free - usage.freeUsed - rolledOut))
    var rolled: Int64 = 0
    if quantity > free, terms.pointee.rollover > usage.rolledIn {
      let left = leftBefore(row, terms, context, inputs) - usage.rolledIn
      rolled = max(0, min(quantity - free, terms.pointee.rollover - usage.rolledIn, left))
    }
    let billable = quantity - free - rolled
    let before = usage.billable
    guard billable <= lastQuantity - before else { return false }
    let (base, prices) = price(billable, after: before, terms)
    let combination = terms.pointee.combination(
      isRoaming: inputs.isRoaming(row), isInternational: inputs.isInternational(row))
    guard let charge = ExactCharge.round(base, times: combination.numerator, over: combination.denominator),
      charge <= lastCharge
    else { return false }
    usage.freeUsed += free
    usage.rolledIn += rolled
    usage.billable += billable
    usage.allowance = terms.pointee.free
    cell.pointee = usage
    rated.append(
      row,
      Rating(
        cycle: terms.pointee.cycle, version: terms.pointee.version, quantity: quantity, free: free, rolled: rolled,
        billable: billable, before: before, prices: billable == 0 ? nil : prices, modifiers: combination.label,
        base: base, charge: Int64(truncatingIfNeeded: charge)))
    return true
  }

  /// What `quantity` billable units cost that come after `before` others, and the view of the prices that were applied.
  @inline(__always) private func price(
    _ quantity: Int64, after before: Int64, _ terms: UnsafeMutablePointer<RatingTerms>
  ) -> (base: Int128, prices: UInt64) {
    guard terms.pointee.hasTiers, let tariff = terms.pointee.tariff else {
      return (Int128(quantity) * Int128(terms.pointee.price), terms.pointee.priceView)
    }
    return tariff._withUnsafeGuaranteedRef { tariff in
      let (base, tiers) = tariff.base(quantity, after: before)
      return (base, quantity == 0 ? 0 : tariff.prices(of: tiers))
    }
  }

  /// What the row's key has used in the cycle of another pane.
  private func used(by row: Int, _ pane: Int32) -> CycleUsage {
    state.numbered[Int(pane)]?.value(encoder.key(row), hash: encoder.hashes[row]) ?? .none
  }

  /// The free units that the row's account left of the cycle before, those that have rolled over since among them.
  ///
  /// Where it used nothing of the service then, all of them, if it was a customer on a day of that cycle.
  private func leftBefore(
    _ row: Int, _ terms: UnsafeMutablePointer<RatingTerms>, _ context: Int, _ inputs: RateInputs
  ) -> Int64 {
    let usage = terms.pointee.previous < 0 ? CycleUsage.none : used(by: row, terms.pointee.previous)
    if usage.isPresent { return usage.allowance - usage.freeUsed }
    guard let joined = inputs.joinedDay(row), joined < terms.pointee.firstDay else { return 0 }
    return contexts.all[context].freeUnits(at: terms.pointee.cycle.start - 1)
  }

  // MARK: - Results

  private func handOn(_ batch: RecordBatch, to output: any OperatorOutput) {
    if rated.count > 0 {
      let rows = rated.count == batch.count ? batch : batch.gather(rated.rows)
      output.emit(rows.with(schema: spec.outputSchema, columns: rows.columns + rated.finish()))
    }
    output.divert(batch, late, to: .late)
    guard !rejected.isEmpty else { return }
    guard output.isRead(.rejected) else { return output.count(rejected.count, on: .rejected) }
    let rows = batch.gather(rejected.map(\.row))
    let column = ColumnBuilder(.string, capacity: rejected.count)
    let reasons = rejected.map(\.reason.rawValue)
    for reason in reasons { column.append(string: reason) }
    output.emit(
      rows.with(schema: spec.rejectedSchema, columns: rows.columns + [column.finish()]), on: .rejected,
      reasons: reasons)
  }

  // MARK: - State

  /// Reads the usage that rating the due rows needs and that is not in memory.
  private func load() throws(OperatorError) {
    for index in 0..<due.count {
      let terms = contexts.terms.base + Int(due.contexts.base[index])
      let row = Int(due.rows.base[index])
      for pane in [terms.pointee.own, terms.pointee.previous, terms.pointee.next] where pane >= 0 {
        state.numbered[Int(pane)]?.want(encoder.key(row), hash: encoder.hashes[row])
      }
    }
    try state.read()
  }

  package func advance(to watermark: Watermark, output: any OperatorOutput) throws(OperatorError) {
    state.watermark = watermark.time
    for pane in state.ended(by: watermark.time.addingSaturated(-neededMilliseconds)) { state.remove(pane) }
  }

  /// How long after a cycle's end its usage may be asked for. The cycle after it is no longer than its unit can be.
  private var neededMilliseconds: Int64 {
    guard hasRollover else { return spec.closeAfterMilliseconds - 1 }
    let days: Int64 =
      switch spec.period {
      case .day: 4
      case .week: 10
      case .month: 34
      }
    return spec.closeAfterMilliseconds - 1 + days * CivilTime.millisecondsPerDay
  }

  package var stateSizeBytes: Int { state.sizeBytes }

  package func attach(_ state: OperatorState, watermark: EventTime) throws(OperatorError) {
    try self.state.attach(state, watermark: watermark)
  }

  package func snapshot() throws(OperatorError) -> EventTime { try state.snapshot() }
  package func spill() throws(OperatorError) { try state.spill() }
}

extension RatingTerms.Obstacle {
  /// What it says of a row that nothing before it rejects.
  fileprivate var rejection: RateRejection {
    switch self {
    case .none, .impossibleCycle: .outOfRange
    case .noTariff: .noTariff
    case .unknownTimezone: .unknownTimezone
    case .badCycleDay: .badCycleDay
    }
  }
}
