import StreamModel

/// `invoice`: the lines of an account's invoice for each billing cycle, when that closes.
///
/// Port `late`: the input's columns.
package struct InvoiceSpec: Sendable {
  package typealias Setting = WindowSpec.Setting

  /// Absolute path of the catalogue.
  package var catalogPath: String
  package var catalog: TariffCatalog
  /// Columns of the input. Amounts and charges are decimals, the quantity a decimal or int64.
  package var account: Int
  package var currency: Int
  package var service: Int
  package var quantity: Int
  package var amount: Int
  /// What the rows cost in the catalogue's currency; nil where no discount asks for it.
  package var charge: Int?
  package var cycleStart: Int
  package var cycleEnd: Int
  /// What discounts, tax and fees go by; nil where the catalogue does not ask for it.
  package var plan: Int?
  package var country: Int?
  package var region: Int?
  package var student: Int?
  package var joined: Int?
  package var timezone: Setting<String>
  /// How long after a cycle's end its invoice is made.
  package var closeAfterMilliseconds: Int64
  package var inputSchema: Schema
  package var outputSchema: Schema

  package init(
    catalogPath: String, catalog: TariffCatalog, account: Int, currency: Int, service: Int, quantity: Int, amount: Int,
    charge: Int?, cycleStart: Int, cycleEnd: Int, plan: Int?, country: Int?, region: Int?, student: Int?, joined: Int?,
    timezone: Setting<String>, closeAfterMilliseconds: Int64, inputSchema: Schema
  ) {
    self.catalogPath = catalogPath
    self.catalog = catalog
    self.account = account
    self.currency = currency
    self.service = service
    self.quantity = quantity
    self.amount = amount
    self.charge = charge
    self.cycleStart = cycleStart
    self.cycleEnd = cycleEnd
    self.plan = plan
    self.country = country
    self.region = region
    self.student = student
    self.joined = joined
    self.timezone = timezone
    self.closeAfterMilliseconds = closeAfterMilliseconds
    self.inputSchema = inputSchema
    outputSchema = InvoiceSpec.outputSchema(
      inputSchema, account: account, currency: currency, amount: amount, quantity: quantity)
  }

  /// One invoice an account and currency.
  package var key: [Int] { [account, currency] }

  /// The most digits after the point of amounts, charges and quantities.
  package static let maxScale = 6
  /// Digits after the point of what is paid: net, tax, fees, total.
  package static let moneyScale = 2

  /// Digits after the point of the lines' amounts.
  package var amountScale: Int { InvoiceSpec.amountScale(inputSchema[amount].type) }

  private static func amountScale(_ type: DataType) -> Int { max(moneyScale, RateSpec.scale(ofQuantity: type)) }

  /// The columns of lines.
  package static func outputSchema(
    _ input: Schema, account: Int, currency: Int, amount: Int, quantity: Int
  ) -> Schema {
    let digits = DataType.maxDecimalPrecision
    let quantityScale = RateSpec.scale(ofQuantity: input[quantity].type)
    return Schema([
      Field(input[account].name, .string, nullable: false),
      Field(input[currency].name, .string, nullable: false),
      Field("cycle_start", .timestamp, nullable: false),
      Field("cycle_end", .timestamp, nullable: false),
      // account/first day of the cycle/currency
      Field("invoice", .string, nullable: false),
      Field("line", .int64, nullable: false),
      Field("kind", .string, nullable: false),
      Field("name", .string, nullable: false),
      Field("records", .int64),
      Field("quantity", .decimal(precision: digits, scale: quantityScale)),
      Field("unit", .string),
      Field("percent", .decimal(precision: 9, scale: 4)),
      Field("amount", .decimal(precision: digits, scale: amountScale(input[amount].type)), nullable: false),
    ])
  }

  /// Columns that describe the account, in a fixed order.
  package var attributes: [Int] {
    var columns = [plan, country, region, student, joined].compactMap { $0 }
    if case .column(let column) = timezone { columns.append(column) }
    return columns
  }

  /// Columns of the input that invoices are made of.
  package var columns: Set<Int> {
    Set(
      [account, currency, service, quantity, amount, cycleStart, cycleEnd] + attributes + (charge.map { [$0] } ?? []))
  }
}

/// What a line of an invoice is. `usage`, `discount`, `cap` and `rounding` add up to `net`; those, `vat` and `fee` to `total`.
package enum InvoiceLineKind: String, CaseIterable, Sendable {
  case usage, discount, cap, rounding, net, vat, fee, total
}
