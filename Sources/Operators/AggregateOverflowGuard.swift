import StreamModel

/// Decides whether a batch can be aggregated without looking at single sums, and judges single rows where it cannot.
///
/// For each summing call it knows a bound on the sum of the absolute values of all sums held: no window, no merged session
/// and no sum of partial aggregates can be past it. A batch adds the sum of its rows' absolute values. Only when that
/// reaches the limit are the sums themselves counted, and if they are that large, rows judged one by one.
final class AggregateOverflowGuard {
  private struct Sum {
    let call: Int
    let text: String
    /// Knows how to read records; holds nothing.
    let accumulator: any SummingAccumulator
    var bound = 0.0
    /// At least the sum of the absolute values of what has left memory.
    var spilled = 0.0
  }

  private var sums: [Sum] = []
  private var rowsSinceCount = 1 << 40

  init(_ plan: AggregatePlan) {
    for (index, call) in plan.calls.enumerated() {
      guard let accumulator = call.field.makeAccumulator() as? any SummingAccumulator else { continue }
      let text = "\(call.call.function.rawValue)(\(call.call.argument?.text ?? "*"))"
      sums.append(Sum(call: index, text: text, accumulator: accumulator))
    }
  }

  /// Whether no row of the batch can overflow a sum, whatever group it falls into.
  func admits(_ inputs: AggregateInputs, rows: Int, held: () -> [AccumulatorStore]) -> Bool {
    if sums.isEmpty { return true }
    let added = sums.map { $0.accumulator.magnitude(of: inputs.column(ofCall: $0.call), count: rows) }
    for index in sums.indices { sums[index].bound += added[index] }
    rowsSinceCount += rows
    if isSafe { return true }
    let stores = held()
    guard rowsSinceCount * 4 >= stores.reduce(0, { $0 + $1.slotCount }) else { return false }
    rowsSinceCount = 0
    for index in sums.indices {
      sums[index].bound = added[index] + sums[index].spilled
      for store in stores {
        sums[index].bound += sums[index].accumulator.magnitude(store.records, slotCount: store.slotCount)
      }
    }
    return isSafe
  }

  /// `partials` are added; `PartialAggregator` combines only rows whose sums cannot overflow.
  func note(_ partials: PartialAggregates, count: Int) {
    let area = RecordArea(partials)
    for index in sums.indices { sums[index].bound += sums[index].accumulator.magnitude(area, slotCount: count) }
    rowsSinceCount += partials.rowCount
  }

  /// For each summing call, at least the sum of the absolute values of what has left memory.
  var spilled: [Double] {
    get { sums.map(\.spilled) }
    set { for index in sums.indices where newValue.indices.contains(index) { sums[index].spilled = newValue[index] } }
  }

  /// The sums of the absolute values of what is in `store`, for each summing call.
  func magnitudes(_ store: AccumulatorStore) -> [Double] {
    sums.map { $0.accumulator.magnitude(store.records, slotCount: store.slotCount) }
  }

  /// `store` leaves memory.
  func noteSpill(_ store: AccumulatorStore) { spilled = zip(spilled, magnitudes(store)).map { $0 + $1 } }

  /// Counts the sums before the next batch: state has come from elsewhere.
  func forget() {
    for index in sums.indices { sums[index].bound = .infinity }
    rowsSinceCount = 1 << 40
  }

  private var isSafe: Bool { sums.allSatisfy { $0.bound < $0.accumulator.limit.safeMagnitude } }

  /// Why row `row` would overflow the sum of `partials`, which are parts of one group's or (`areParts` is not set) groups that the row
  /// brings together; nil where it would not.
  func overflow(
    _ inputs: AggregateInputs, row: Int, _ partials: [(store: AccumulatorStore, slot: Int32)], areParts: Bool
  ) -> String? {
    let places = partials.map { (records: $0.store.records, slot: $0.slot) }
    let partials = SumPartials(places: places, areParts: areParts)
    for sum in sums where inputs.takesPart(row, inCall: sum.call) {
      if sum.accumulator.overflows(partials, inputs.column(ofCall: sum.call), row: row) {
        return "\(sum.text) would overflow \(sum.accumulator.limit.description)"
      }
    }
    return nil
  }
}
