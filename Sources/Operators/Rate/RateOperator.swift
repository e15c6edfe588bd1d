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
  private let panes = CyclePanes<CycleUsage>()
  private let rated: RatedColumns
  private let hasRollover: Bool
  private let lastCharge: Int128
  private let lastQuantity: Int64
  private var late: [Int32] = []
  private var rejected: [(row: Int32, reason: RateRejection)] = []
  private var keyedState: OperatorState?
  private var watermark = EventTimes.minimum

  package init(_ spec: RateSpec) {
    self.spec = spec
    contexts = RatingContexts(spec, texts)
    encoder = KeyEncoder(keyColumns: spec.key)
    rated = RatedColumns(spec, texts)
    hasRollover = spec.catalog.hasRollover
    lastCharge = Decimal.powersOfTen[DataType.maxInt64DecimalPrecision] - 1
    lastQuantity = Int64(lastCharge)
  }

  package func process(_ batch: RecordBatch, input: Int, to output: any OperatorOutput) throws(OperatorError) {
    let slots = contexts.assign(batch)
    let inputs = RateInputs(batch, spec)
    encoder.encode(batch)
    do { try load(inputs, slots, batch.count) } catch { throw OperatorError(error) }
    rated.begin(batch.count)
    late.removeAll(keepingCapacity: true)
    rejected.removeAll(keepingCapacity: true)
    for row in 0..<batch.count {
      let context = contexts.all[Int(slots[row])]
      switch judge(row, context, inputs) {
      case .rejected(let reason): rejected.append((Int32(truncatingIfNeeded: row), reason))
      case .late: late.append(Int32(truncatingIfNeeded: row))
      case .ratable(let tariff, let quantity):
        if !rate(row, quantity, tariff, context, inputs) {
          rejected.append((Int32(truncatingIfNeeded: row), .outOfRange))
        }
      }
    }
    handOn(batch, to: output)
  }

  private enum Verdict {
    case ratable(RatedTariff, quantity: Int64)
    case rejected(RateRejection)
    case late
  }

  /// What becomes of a row, as far as that does not depend on other rows; the context is in its cycle then, if it has one.
  @inline(__always) private func judge(_ row: Int, _ context: RatingContext, _ inputs: RateInputs) -> Verdict {
    let time = inputs.times[row]
    guard let tariff = context.tariff(at: time) else { return .rejected(.noTariff) }
    if !context.allowsInternational, inputs.isInternational(row) { return .rejected(.internationalNotAllowed) }
    guard inputs.hasAccount(row) else { return .rejected(.noAccount) }
    guard let quantity = inputs.quantity(row) else { return .rejected(.noQuantity) }
    if quantity < 0 { return .rejected(.negativeQuantity) }
    if let fault = context.fault { return .rejected(fault) }
    context.enter(time)
    guard context.isPossible else { return .rejected(.outOfRange) }
    if let stamp = inputs.stamp(row), closing(context.cycle) <= stamp { return .late }
    guard let rounded = tariff.roundUp(quantity), rounded <= lastQuantity else { return .rejected(.outOfRange) }
    return .ratable(tariff, quantity: rounded)
  }

  /// The watermark at which a cycle takes no more rows.
  @inline(__always) private func closing(_ cycle: BillingCycle) -> EventTime {
    cycle.end - 1 + spec.closeAfterMilliseconds
  }

  /// Rates a row in its context's cycle; false, and nothing changed, where a number does not fit.
  @inline(__always) private func rate(
    _ row: Int, _ quantity: Int64, _ tariff: RatedTariff, _ context: RatingContext, _ inputs: RateInputs
  ) -> Bool {
    context.resolve(panes, isMaking: true)
    guard let pane = context.own else { return false }
    let key = encoder.key(row)
    let hash = encoder.hashes[row]
    let slot = pane.slot(key, hash: hash)
    var usage = pane[slot]
    let rolledOut = context.next?.value(key, hash: hash).rolledIn ?? 0
    let free = min(quantity, max(0, tariff.free - usage.freeUsed - rolledOut))
    var rolled: Int64 = 0
    if quantity > free, tariff.rollover > usage.rolledIn {
      let left = leftBefore(row, key, hash, context, inputs) - usage.rolledIn
      rolled = max(0, min(quantity - free, tariff.rollover - usage.rolledIn, left))
    }
    let billable = quantity - free - rolled
    let before = usage.billable
    guard billable <= lastQuantity - before else { return false }
    let (base, tiers) = tariff.base(billable, after: before)
    let combination = combination(tariff, context, row, inputs)
    guard let charge = ExactCharge.round(base, times: combination.numerator, over: combination.denominator),
      charge <= lastCharge
    else { return false }
    usage.freeUsed += free
    usage.rolledIn += rolled
    usage.billable += billable
    usage.allowance = tariff.free
    pane.set(slot, to: usage)
    rated.append(
      row,
      Rating(
        cycle: context.cycle, version: tariff.version, quantity: quantity, free: free, rolled: rolled,
        billable: billable, before: before, prices: billable == 0 ? nil : tariff.prices(of: tiers),
        modifiers: combination.label, base: base, charge: Int64(truncatingIfNeeded: charge)))
    return true
  }

  @inline(__always) private func combination(
    _ tariff: RatedTariff, _ context: RatingContext, _ row: Int, _ inputs: RateInputs
  ) -> RatedTariff.Combination {
    let (day, minute) = tariff.hasModifiers ? context.localTime(inputs.times[row]) : (0, 0)
    return tariff.combination(
      day: day, minute: minute, isRoaming: inputs.isRoaming(row), isInternational: inputs.isInternational(row))
  }

  /// The free units that the row's account left of the cycle before, those that have rolled over since among them.
  ///
  /// Where it used nothing of the service then, all of them, if it was a customer on a day of that cycle.
  private func leftBefore(
    _ row: Int, _ key: UnsafeRawBufferPointer, _ hash: UInt64, _ context: RatingContext, _ inputs: RateInputs
  ) -> Int64 {
    let usage = context.previous?.value(key, hash: hash) ?? .none
    if usage.isPresent { return usage.allowance - usage.freeUsed }
    guard let joined = inputs.joinedDay(row), joined < context.firstDay else { return 0 }
    return context.freeUnits(at: context.cycle.start - 1)
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

  /// Reads the usage that rating the batch's rows needs and that is not in memory.
  private func load(_ inputs: RateInputs, _ slots: UnsafePointer<Int32>, _ count: Int) throws(StateError) {
    guard let keyedState, panes.hasSpilled else { return }
    for row in 0..<count {
      let context = contexts.all[Int(slots[row])]
      guard case .ratable = judge(row, context, inputs) else { continue }
      context.resolve(panes, isMaking: false)
      for pane in [context.own, context.previous, context.next] {
        if let pane, pane.hasSpilled { pane.want(encoder.key(row), hash: encoder.hashes[row]) }
      }
    }
    try panes.read(from: keyedState)
  }

  package func advance(to watermark: Watermark, output: any OperatorOutput) throws(OperatorError) {
    self.watermark = watermark.time
    for pane in panes.all where lastNeeded(pane.cycle) <= watermark.time {
      panes.remove(pane, from: keyedState)
    }
  }

  /// The watermark at which nothing asks for a cycle's usage any more. The cycle after it is no longer than its unit can be.
  private func lastNeeded(_ cycle: BillingCycle) -> EventTime {
    guard hasRollover else { return closing(cycle) }
    let days: Int64 =
      switch spec.period {
      case .day: 4
      case .week: 10
      case .month: 34
      }
    return closing(cycle) + days * CivilTime.millisecondsPerDay
  }

  package var stateSizeBytes: Int { panes.sizeBytes }

  package func attach(_ state: OperatorState, watermark: EventTime) throws(OperatorError) {
    keyedState = state
    self.watermark = watermark
    do { try panes.restore(from: state) } catch { throw OperatorError(error) }
  }

  package func snapshot() throws(OperatorError) -> EventTime {
    do { try panes.writeChanges(to: keyedState) } catch { throw OperatorError(error) }
    return watermark
  }

  package func spill() throws(OperatorError) {
    do { try panes.writeChanges(to: keyedState) } catch { throw OperatorError(error) }
    panes.letGo()
  }
}
