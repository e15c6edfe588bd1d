import StreamModel

/// Aggregates the rows of a batch that have one key and belong to the same windows before they are exchanged, so that fewer
/// rows are; also called a combiner, or local aggregation.
///
/// Only where that cannot show (`canCombine`): partial aggregates combine to the very value of the whole, no
/// sum of them can overflow, so that no single row could be at fault, and no row of the batch is behind or fails. A batch is
/// combined by itself, so there is nothing to snapshot.
///
/// Where keys hardly repeat within a batch this is lost work: then the next batches are let through as they are.
///
/// One owner; what `combine` returns is valid until its next call.
package final class PartialAggregator {
  /// The groups of a batch: the position of the first row of each, and the hash of its key.
  package struct Groups {
    package let firstRows: UnsafePointer<Int32>
    package let hashes: UnsafePointer<UInt64>
    package let count: Int
  }

  private let plan: AggregatePlan
  private let assigner: FixedWindowAssigner
  private let inputs: AggregateInputs
  private let index = BatchKeyIndex()
  /// By the position of the pane in `panes`, a record a group.
  private var stores: [AccumulatorStore] = []
  private var panes: [PaneSpan] = []
  /// Position of the first group of each pane among all groups.
  private var starts: [Int] = []
  private let paneOfRow = Scratch<Int32>()
  private let sortedRows = Scratch<Int32>()
  private let groupOfRow = Scratch<Int32>()
  private let firstRows = Scratch<Int32>()
  private let hashes = Scratch<UInt64>()
  /// How many rows each group stands for.
  private let rowCounts = Scratch<Int32>()
  private var groupCount = 0
  private var batchesToSkip = 0

  /// A batch with rows of more panes than these is let through.
  private static let maxPanes = 8
  /// Batches of fewer rows say nothing about how often keys repeat.
  private static let minJudgedRows = 256
  /// The share of groups among a batch's rows, in quarters, above which combining is lost work, and the batches let through then.
  private static let maxGroupQuarters = 3
  private static let skippedBatches = 31

  /// Nil where rows of `spec` cannot be combined, or its windows need more than the event time.
  package init?(_ spec: AggregateSpec) {
    guard let assigner = FixedWindowAssigner(spec.window) else { return nil }
    self.assigner = assigner
    plan = AggregatePlan(spec.values)
    guard plan.calls.allSatisfy(PartialAggregator.canCombine) else { return nil }
    inputs = AggregateInputs(plan)
  }

  private static func canCombine(_ call: AggregatePlan.Call) -> Bool {
    switch call.call.function {
    case .countAll, .count: true
    case .sum, .avg:
      // 10²⁰ rows of such values would have to meet before a sum passed 38 digits.
      if case .decimal(let precision, _) = call.call.argument?.type {
        precision <= DataType.maxInt64DecimalPrecision
      } else {
        false
      }
    case .min, .max: call.call.argument.map { $0.type.layout != .view && $0.type != .double } ?? false
    case .countDistinct, .first, .last, .stddevPop: false
    }
  }

  /// The groups of `batch`, whose keys `keys` holds. Nil where its rows are to be exchanged as they are.
  package func combine(_ batch: RecordBatch, _ keys: KeyEncoder) -> Groups? {
    if batchesToSkip > 0 {
      batchesToSkip -= 1
      return nil
    }
    guard batch.stamps == nil, findPanes(batch), inputs.evaluate(batch).isEmpty else { return nil }
    let firstRows = firstRows.reserve(batch.count)
    _ = rowCounts.reserve(batch.count)
    groupCount = 0
    starts.removeAll(keepingCapacity: true)
    for (index, rows) in sortedByPane(batch.count).enumerated() { aggregate(rows, stores[index], KeyBatch(keys)) }
    if batch.count >= PartialAggregator.minJudgedRows, groupCount * 4 > batch.count * PartialAggregator.maxGroupQuarters
    {
      batchesToSkip = PartialAggregator.skippedBatches
    }
    let hashes = hashes.reserve(groupCount)
    for group in 0..<groupCount { hashes[group] = keys.hashes[Int(firstRows[group])] }
    return Groups(firstRows: firstRows, hashes: hashes, count: groupCount)
  }

  /// Aggregates rows of one pane.
  private func aggregate(_ rows: UnsafeBufferPointer<Int32>, _ store: AccumulatorStore, _ keys: KeyBatch) {
    starts.append(groupCount)
    store.removeAll()
    guard let start = rows.baseAddress else { return }
    let groups = groupOfRow.reserve(rows.count)
    let count = index.number(
      rows, keys, groups: groups, firstRows: firstRows.base + groupCount, rowCounts: rowCounts.base + groupCount)
    store.grow(to: count)
    store.update(RowSelection(rows: start, slots: groups, count: rows.count), inputs)
    groupCount += count
  }

  /// The groups at `positions`, which ascend, as a batch without columns: their keys, which `keys` holds, and their aggregates.
  package func batch(
    of positions: UnsafeBufferPointer<Int32>, _ groups: Groups, from batch: RecordBatch, _ keys: KeyEncoder
  ) -> RecordBatch {
    let stride = plan.recordStride
    let records = Memory(capacityBytes: positions.count * stride)
    let eventTimes = Memory(capacityBytes: positions.count * 8)
    let times = eventTimes.base.assumingMemoryBound(to: Int64.self)
    let batchTimes = batch.eventTimes.int64s
    let rows = sortedRows.reserve(positions.count)
    var rowCount = 0
    var pane = 0
    for (index, position) in positions.enumerated() {
      let row = groups.firstRows[Int(position)]
      rows[index] = row
      times[index] = batchTimes[Int(row)]
      rowCount &+= Int(rowCounts.base[Int(position)])
      while pane + 1 < starts.count, Int(position) >= starts[pane + 1] { pane += 1 }
      let record = stores[pane].record(position &- Int32(truncatingIfNeeded: starts[pane]))
      if let source = record.baseAddress { (records.base + index * stride).copyMemory(from: source, byteCount: stride) }
    }
    let keys = EncodedKeyRows(UnsafeBufferPointer(start: rows, count: positions.count), of: keys)
    return RecordBatch(
      schema: batch.schema, columns: [], count: positions.count,
      eventTimes: Column(type: .timestamp, count: positions.count, values: eventTimes),
      partials: PartialAggregates(keys: keys, records: records, strideBytes: stride, rowCount: rowCount))
  }

  // MARK: Panes

  /// Finds the pane of each row, in `paneOfRow`; false where there are too many, or a row has none.
  private func findPanes(_ batch: RecordBatch) -> Bool {
    let times = batch.eventTimes.int64s
    let paneOf = paneOfRow.reserve(batch.count)
    panes.removeAll(keepingCapacity: true)
    var current = -1
    var from = EventTimes.maximum
    var until = EventTimes.minimum
    for row in 0..<batch.count {
      let time = times[row]
      if time < from || time >= until {
        guard let found = pane(at: time) else { return false }
        current = found
        from = panes[current].from
        until = panes[current].until
      }
      paneOf[row] = Int32(truncatingIfNeeded: current)
    }
    while stores.count < panes.count { stores.append(AccumulatorStore(plan)) }
    return true
  }

  private func pane(at time: EventTime) -> Int? {
    if let known = panes.firstIndex(where: { time >= $0.from && time < $0.until }) { return known }
    guard panes.count < PartialAggregator.maxPanes, let span = assigner.span(at: time, context: 0),
      WindowRange.holds(span.key, of: assigner)
    else { return nil }
    panes.append(span)
    return panes.count - 1
  }

  /// The rows of each pane, in their order.
  private func sortedByPane(_ count: Int) -> [UnsafeBufferPointer<Int32>] {
    let paneOf = paneOfRow.base
    let rows = sortedRows.reserve(count)
    if panes.count == 1 {
      for row in 0..<count { rows[row] = Int32(truncatingIfNeeded: row) }
      return [UnsafeBufferPointer(start: rows, count: count)]
    }
    var ends = [Int](repeating: 0, count: panes.count)
    for row in 0..<count { ends[Int(paneOf[row])] += 1 }
    var starts = ends
    var sum = 0
    for pane in panes.indices {
      starts[pane] = sum
      sum += ends[pane]
      ends[pane] = starts[pane]
    }
    for row in 0..<count {
      let pane = Int(paneOf[row])
      rows[ends[pane]] = Int32(truncatingIfNeeded: row)
      ends[pane] += 1
    }
    return panes.indices.map { UnsafeBufferPointer(start: rows + starts[$0], count: ends[$0] - starts[$0]) }
  }
}
