import Operators
import StreamModel

/// Checks `invoice`.
struct InvoiceChecker {
  let item: Item
  let input: StreamShape?
  /// What the catalogue's path is relative to.
  let base: String

  private static let keys = [
    "catalog", "account", "currency", "service", "quantity", "amount", "charge", "cycle_start", "cycle_end", "plan",
    "country", "region", "student", "joined", "timezone", "close_after",
  ]

  func check() -> StepOutcome {
    guard let section = item.section(InvoiceChecker.keys, expected: "{catalog: catalog/consumer.yaml}") else {
      return StepOutcome(ports: input.map { [.late: $0] } ?? [:])
    }
    let catalog = section.required("catalog", "the file of its discounts and fees: catalog: catalog/consumer.yaml")
      .flatMap { CatalogReader.read($0, base: base) }
    let closeAfter = section["close_after"].map { $0.duration() } ?? 0
    guard let input else { return StepOutcome() }
    checkInput(input)
    var outcome = StepOutcome(ports: [.late: input])
    let columns = read(section, catalog?.catalog.invoices, input)
    let timezone =
      section["timezone"].map(WindowChecker(item: item, input: input).readTimezone) ?? .constant("UTC")
    guard let account = columns.account, let currency = columns.currency, let amount = columns.amount,
      let quantity = columns.quantity
    else { return outcome }
    let schema = InvoiceSpec.outputSchema(
      input.schema, account: account, currency: currency, amount: amount, quantity: quantity)
    guard hasUniqueNames(schema) else { return outcome }
    outcome.stream = StreamShape(schema: schema, hasEventTime: true)
    guard item.faults.isEmpty, let catalog, let service = columns.service, let start = columns.start,
      let end = columns.end, let timezone, let closeAfter
    else { return outcome }
    outcome.operation = .invoice(
      InvoiceSpec(
        catalogPath: catalog.path, catalog: catalog.catalog, account: account, currency: currency, service: service,
        quantity: quantity, amount: amount, charge: columns.charge, cycleStart: start, cycleEnd: end,
        plan: columns.plan, country: columns.country, region: columns.region, student: columns.student,
        joined: columns.joined, timezone: timezone, closeAfterMilliseconds: closeAfter, inputSchema: input.schema))
    return outcome
  }

  private func checkInput(_ input: StreamShape) {
    if !input.hasEventTime {
      item.keyFault("the stream has no event time, by which cycles close", "give its source an event_time")
    }
    if input.carriesPane || input.isUpdating {
      item.keyFault(
        "the stream holds results that come several times, and each would be added",
        "make invoices of the rated records themselves")
    }
  }

  /// Whether the names of account and currency are none of the lines' other columns.
  private func hasUniqueNames(_ schema: Schema) -> Bool {
    let names = schema.fields.map(\.name)
    guard let twice = names.first(where: { name in names.count { $0 == name } > 1 }) else { return true }
    item.keyFault("`\(twice)` is the name of a column that every line has", "rename it with a `select` before")
    return false
  }

  private struct Columns {
    var account: Int?
    var currency: Int?
    var service: Int?
    var quantity: Int?
    var amount: Int?
    var charge: Int?
    var start: Int?
    var end: Int?
    var plan: Int?
    var country: Int?
    var region: Int?
    var student: Int?
    var joined: Int?
  }

  private func read(_ section: Section, _ rules: InvoiceRules?, _ input: StreamShape) -> Columns {
    let mapping = ColumnMapping(section: section, item: item, input: input)
    func number(_ key: String, _ name: String) -> Int? {
      mapping.column(key, byDefault: name) { type in
        switch type {
        case .int64: true
        case .decimal(_, let scale): scale <= InvoiceSpec.maxScale
        default: false
        }
      } expected: {
        "int64, or a decimal with at most \(InvoiceSpec.maxScale) digits after the point"
      }
    }
    var columns = Columns()
    columns.account = mapping.column("account", byDefault: "account_id", [.string])
    columns.currency = mapping.column("currency", byDefault: "currency", [.string])
    columns.service = mapping.column("service", byDefault: "service", [.string])
    columns.quantity = number("quantity", "rated_quantity")
    columns.amount = number("amount", "amount")
    columns.start = mapping.column("cycle_start", byDefault: "cycle_start", [.timestamp])
    columns.end = mapping.column("cycle_end", byDefault: "cycle_end", [.timestamp])
    let needs = InvoiceNeeds(rules)
    // What is there is kept, so that a new discount finds what it asks for in cycles that have begun before it.
    func isThere(_ name: String, _ isFitting: (DataType) -> Bool) -> Bool {
      input.schema.index(of: name).map { isFitting(input.schema[$0].type) } ?? false
    }
    let hasCharge = isThere("charge") {
      if case .decimal(_, let scale) = $0 { scale <= InvoiceSpec.maxScale } else { false }
    }
    if needs.charge || section["charge"] != nil || hasCharge { columns.charge = number("charge", "charge") }
    func column(_ key: String, _ name: String, _ isNeeded: Bool, _ type: DataType) -> Int? {
      isNeeded || section[key] != nil || isThere(name) { $0 == type }
        ? mapping.column(key, byDefault: name, [type]) : nil
    }
    columns.plan = column("plan", "plan", needs.plan, .string)
    columns.country = column("country", "home_country", needs.country, .string)
    columns.region = column("region", "region", needs.region, .string)
    columns.student = column("student", "student", needs.student, .boolean)
    columns.joined = column("joined", "joined", needs.joined, .date)
    return columns
  }
}

/// What a catalogue's invoices ask of the account.
struct InvoiceNeeds {
  var charge = false
  var plan = false
  var country = false
  var region = false
  var student = false
  var joined = false

  /// Nothing where the rules are not known.
  init(_ rules: InvoiceRules?) {
    guard let rules else { return }
    let conditions = rules.discounts.map(\.condition) + rules.fees.map(\.condition)
    plan = conditions.contains { $0.plans != nil }
    region = conditions.contains { $0.regions != nil }
    student = conditions.contains { $0.student != nil }
    country = rules.vat.contains { $0.country != nil }
    for discount in rules.discounts {
      switch discount.size {
      case .percent: break
      case .perYear: joined = true
      case .thresholds(_, let service): if service == nil { charge = true }
      }
    }
  }
}
