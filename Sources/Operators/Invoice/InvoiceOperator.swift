import Expressions
import State
import StreamModel

/// `invoice`: gathers what accounts owe, by service, and gives each account's invoice when its billing cycle closes.
///
/// A row names its cycle, as `rate` does; the invoice is made when the watermark has passed the cycle's end by `close_after`. A row
/// that comes later is on port `late`. Sums do not depend on the order of rows; what the invoice goes by otherwise (plan, country,
/// …) is taken from the cycle's latest row by event time, of several from the one whose values are greatest.
///
/// In the state: an entry for each account and currency under its cycle (`CyclePane`), until the invoice is made.
package final class InvoiceOperator: StreamOperator {
  private let spec: InvoiceSpec
  private let encoder: KeyEncoder
  private let attributeEncoder: KeyEncoder
  private let services: DistinctKeys
  /// The services' names by number.
  private var names: [String] = []
  private let panes = CyclePanes<InvoiceDraft>()
  private let lines: InvoiceLines
  private var last: CyclePane<InvoiceDraft>?

  package init(_ spec: InvoiceSpec) {
    self.spec = spec
    encoder = KeyEncoder(keyColumns: spec.key)
    attributeEncoder = KeyEncoder(keyColumns: spec.attributes)
    services = DistinctKeys([spec.service])
    lines = InvoiceLines(spec)
  }

  package func process(_ batch: RecordBatch, input: Int, to output: any OperatorOutput) throws(OperatorError) {
    let inputs = InvoiceInputs(batch, spec)
    encoder.encode(batch)
    attributeEncoder.encode(batch)
    let services = serviceNumbers(batch)
    try load(inputs, batch.count)
    var late: [Int32] = []
    var failures: [RowFailure] = []
    for row in 0..<batch.count {
      switch judge(row, inputs) {
      case .failed(let reason): failures.append(RowFailure(row: row, reason: reason))
      case .late: late.append(Int32(truncatingIfNeeded: row))
      case .due(let cycle):
        if !add(row, cycle, names[Int(services[row])], inputs) {
          failures.append(RowFailure(row: row, reason: "the sum of its cycle does not fit"))
        }
      }
    }
    output.divert(batch, late, to: .late)
    if !failures.isEmpty { output.fail(batch, failures) }
  }

  /// The number of each row's service, by which `names` has it.
  private func serviceNumbers(_ batch: RecordBatch) -> UnsafePointer<Int32> {
    let numbered = services.assign(batch)
    if numbered.isAnew { names = [] }
    for row in numbered.fresh {
      if case .string(let name) = batch.columns[spec.service].value(at: row) {
        names.append(name)
      } else {
        names.append("")
      }
    }
    return numbered.numbers
  }

  private enum Verdict {
    case due(BillingCycle)
    case late
    case failed(String)
  }

  @inline(__always) private func judge(_ row: Int, _ inputs: InvoiceInputs) -> Verdict {
    if let column = inputs.firstNull(row) { return .failed("\(spec.inputSchema[column].name) is null") }
    let cycle = inputs.cycle(row)
    let time = inputs.times[row]
    guard cycle.start <= time, time < cycle.end else { return .failed("its event time lies outside its billing cycle") }
    if let stamp = inputs.stamp(row), closing(cycle) <= stamp { return .late }
    return .due(cycle)
  }

  /// The watermark at which a cycle's invoices are made.
  @inline(__always) private func closing(_ cycle: BillingCycle) -> EventTime {
    cycle.end - 1 + spec.closeAfterMilliseconds
  }

  @inline(__always) private func add(
    _ row: Int, _ cycle: BillingCycle, _ service: String, _ inputs: InvoiceInputs
  ) -> Bool {
    let pane: CyclePane<InvoiceDraft>
    if let last, last.cycle == cycle { pane = last } else { pane = panes.findOrMake(cycle) }
    last = pane
    let slot = pane.slot(encoder.key(row), hash: encoder.hashes[row])
    var isAdded = false
    pane.change(slot) { draft in
      isAdded = draft.add(
        service, quantity: inputs.quantity(row), amount: inputs.amount(row), charge: inputs.charge(row))
      if isAdded { draft.describe(attributeEncoder.key(row), at: inputs.times[row]) }
    }
    return isAdded
  }

  // MARK: Invoices

  package func advance(to watermark: Watermark, output: any OperatorOutput) throws(OperatorError) {
    panes.watermark = watermark.time
    for pane in panes.ended(by: watermark.time.addingSaturated(1 - spec.closeAfterMilliseconds)) {
      try panes.forEach(of: pane) { (key, draft) throws(StateError) in lines.add(key, draft, pane.cycle, to: output) }
      panes.remove(pane)
      last = nil
    }
    lines.flush(to: output)
  }

  // MARK: State

  /// Reads what has been gathered of the batch's keys and is not in memory.
  private func load(_ inputs: InvoiceInputs, _ count: Int) throws(OperatorError) {
    guard panes.hasSpilled else { return }
    for row in 0..<count {
      guard case .due(let cycle) = judge(row, inputs), let pane = panes[cycle], pane.hasSpilled else { continue }
      pane.want(encoder.key(row), hash: encoder.hashes[row])
    }
    try panes.read()
  }

  package var stateSizeBytes: Int { panes.sizeBytes }

  package func attach(_ state: OperatorState, watermark: EventTime) throws(OperatorError) {
    try panes.attach(state, watermark: watermark)
  }

  package func snapshot() throws(OperatorError) -> EventTime { try panes.snapshot() }
  package func spill() throws(OperatorError) { try panes.spill() }
}

/// The columns of one batch that invoices are made of.
struct InvoiceInputs {
  let times: UnsafePointer<Int64>
  private let stamps: UnsafePointer<Int64>?
  private let amounts: Column
  private let quantities: Column
  private let charges: Column?
  private let starts: UnsafePointer<Int64>
  private let ends: UnsafePointer<Int64>
  /// Columns that may hold nulls and must not.
  private let nullable: [(position: Int, column: Column)]

  init(_ batch: RecordBatch, _ spec: InvoiceSpec) {
    times = batch.eventTimes.int64s
    stamps = batch.stamps?.int64s
    amounts = batch.columns[spec.amount]
    quantities = batch.columns[spec.quantity]
    charges = spec.charge.map { batch.columns[$0] }
    starts = batch.columns[spec.cycleStart].int64s
    ends = batch.columns[spec.cycleEnd].int64s
    let needed =
      [spec.account, spec.currency, spec.service, spec.quantity, spec.amount, spec.cycleStart, spec.cycleEnd]
      + (spec.charge.map { [$0] } ?? [])
    nullable = needed.filter { batch.columns[$0].validity != nil }.map { ($0, batch.columns[$0]) }
  }

  /// The first column that is null where it must not be.
  @inline(__always) func firstNull(_ row: Int) -> Int? { nullable.first { !$0.column.isValid(row) }?.position }

  @inline(__always) func cycle(_ row: Int) -> BillingCycle { BillingCycle(start: starts[row], end: ends[row]) }
  @inline(__always) func amount(_ row: Int) -> Int128 { amounts.unscaled(at: row) }
  @inline(__always) func quantity(_ row: Int) -> Int128 { quantities.unscaled(at: row) }
  @inline(__always) func charge(_ row: Int) -> Int128 { charges?.unscaled(at: row) ?? 0 }

  /// The watermark that the row is behind; nil where it is not.
  @inline(__always) func stamp(_ row: Int) -> EventTime? {
    guard let stamp = stamps?[row], times[row] <= stamp else { return nil }
    return stamp
  }
}
