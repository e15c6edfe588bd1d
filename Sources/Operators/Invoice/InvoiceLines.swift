import Expressions
import StreamModel

/// Gathers the lines of invoices into batches of about 4096 rows. One owner.
final class InvoiceLines {
  private let spec: InvoiceSpec
  private let builders: [ColumnBuilder]
  private let times = ColumnBuilder(.timestamp)
  private let keys = [ColumnBuilder(.string), ColumnBuilder(.string)]
  private let attributes: [ColumnBuilder]
  private var failures: [(row: Int, reason: String)] = []
  private var count = 0

  private static let batchRows = 4096

  init(_ spec: InvoiceSpec) {
    self.spec = spec
    builders = spec.outputSchema.fields.map { ColumnBuilder($0.type) }
    attributes = spec.attributes.map { ColumnBuilder(spec.inputSchema[$0].type) }
  }

  /// Adds the invoice of `draft`; `key`: account and currency as they are encoded.
  func add(
    _ key: UnsafeRawBufferPointer, _ draft: InvoiceDraft, _ cycle: BillingCycle, to output: any OperatorOutput
  ) {
    KeyEncoder.decode(key, into: keys)
    let names = keys.map { $0.finish().value(at: 0) }
    guard case .string(let account) = names[0], case .string(let currency) = names[1] else { return }
    let described = describe(draft)
    func localDay(_ time: EventTime) -> Int64 {
      CivilTime.split(time + described.zone.offsetMilliseconds(atUTC: time)).day
    }
    let first = CivilTime.formatDate(localDay(cycle.start))
    let head = Head(
      account: account, currency: currency, cycle: cycle, invoice: "\(account)/\(first)/\(currency)")
    do throws(Invoice.Fault) {
      let invoice = try Invoice(draft, of: described, currency: currency, day: localDay(cycle.end - 1), spec)
      for (index, line) in invoice.lines.enumerated() { append(head, index + 1, line) }
    } catch {
      failures.append((count, "invoice \(head.invoice): \(error.reason)"))
      append(head, 0, Invoice.Line(kind: .total, name: "total", amount: 0))
    }
    if count >= InvoiceLines.batchRows { flush(to: output) }
  }

  private struct Head {
    let account: String
    let currency: String
    let cycle: BillingCycle
    let invoice: String
  }

  /// What the draft says of the account, in the order of `InvoiceSpec.attributes`.
  private func describe(_ draft: InvoiceDraft) -> InvoiceAccount {
    var values: [Value] = []
    if !attributes.isEmpty {
      draft.attributes.withUnsafeBytes { KeyEncoder.decode($0, into: attributes) }
      values = attributes.map { $0.finish().value(at: 0) }
    }
    var account = InvoiceAccount()
    func take(_ column: Int?) -> Value { column == nil ? .null : values.removeFirst() }
    func text(_ value: Value) -> String? { if case .string(let text) = value { text } else { nil } }
    account.plan = text(take(spec.plan))
    account.country = text(take(spec.country))
    account.region = text(take(spec.region))
    account.isStudent = take(spec.student) == .boolean(true)
    if case .date(let day) = take(spec.joined) { account.joined = day }
    switch spec.timezone {
    case .constant(let name): account.zone = ZoneRules.named(name) ?? .utc
    case .column: account.zone = text(values.removeFirst()).flatMap(ZoneRules.named) ?? .utc
    }
    return account
  }

  private func append(_ head: Head, _ number: Int, _ line: Invoice.Line) {
    let values: [Value] = [
      .string(head.account), .string(head.currency), .timestamp(head.cycle.start), .timestamp(head.cycle.end),
      .string(head.invoice), .int64(Int64(number)), .string(line.kind.rawValue), .string(line.name),
      line.records.map { .int64($0) } ?? .null, line.quantity.map { .decimal($0, scale: 0) } ?? .null,
      line.unit.map { .string($0) } ?? .null, line.percent.map { .decimal(Int128($0), scale: 4) } ?? .null,
      .decimal(line.amount, scale: spec.amountScale),
    ]
    for (builder, value) in zip(builders, values) { builder.append(value) }
    times.append(int64: head.cycle.end - 1 + spec.closeAfterMilliseconds)
    count += 1
  }

  /// Hands on what has been gathered.
  func flush(to output: any OperatorOutput) {
    guard count > 0 else { return }
    let batch = RecordBatch(
      schema: spec.outputSchema, columns: builders.map { $0.finish() }, count: count, eventTimes: times.finish())
    let failed = failures
    failures = []
    count = 0
    guard !failed.isEmpty else { return output.emit(batch) }
    let rows = Set(failed.map(\.row))
    let rest = (0..<batch.count).filter { !rows.contains($0) }.map { Int32($0) }
    if !rest.isEmpty { output.emit(batch.gather(rest)) }
    output.failResults(
      batch.gather(failed.map { Int32($0.row) }),
      failed.enumerated().map { RowFailure(row: $0, reason: $1.reason) })
  }
}
