import StreamModel

/// `rate`: what each row of usage costs, by a catalogue of tariffs and what its account has used in its billing cycle.
///
/// Columns out: the input's, then `RateColumns`. Port `rejected`: the input's columns and `reason`. Port `late`: the input's.
package struct RateSpec: Sendable {
  /// A value for all rows, or a column that holds each row's own.
  package typealias Setting = WindowSpec.Setting

  /// Absolute path of the catalogue.
  package var catalogPath: String
  package var catalog: TariffCatalog
  /// Columns of the input. The quantity is an int64, or a decimal of at most 18 digits, `TariffCatalog.quantityScale` of them
  /// after the point; catalogue quantities have no more fraction digits than it has.
  package var account: Int
  package var plan: Int
  package var service: Int
  package var quantity: Int
  package var international: Setting<Bool>
  package var roaming: Setting<Bool>
  /// A date column: since when an account has been a customer; nil where that is not known.
  package var joined: Int?
  /// A billing cycle: its calendar unit, the account's time zone and the day on which it begins.
  package var period: WindowSpec.CalendarUnit
  package var timezone: Setting<String>
  package var cycleDay: Setting<Int>
  /// How long after its end a cycle takes rows.
  package var closeAfterMilliseconds: Int64
  package var inputSchema: Schema
  package var outputSchema: Schema

  package init(
    catalogPath: String, catalog: TariffCatalog, account: Int, plan: Int, service: Int, quantity: Int,
    international: Setting<Bool>, roaming: Setting<Bool>, joined: Int?, period: WindowSpec.CalendarUnit,
    timezone: Setting<String>, cycleDay: Setting<Int>, closeAfterMilliseconds: Int64, inputSchema: Schema
  ) {
    self.catalogPath = catalogPath
    self.catalog = catalog
    self.account = account
    self.plan = plan
    self.service = service
    self.quantity = quantity
    self.international = international
    self.roaming = roaming
    self.joined = joined
    self.period = period
    self.timezone = timezone
    self.cycleDay = cycleDay
    self.closeAfterMilliseconds = closeAfterMilliseconds
    self.inputSchema = inputSchema
    let scale = RateSpec.scale(ofQuantity: inputSchema[quantity].type)
    outputSchema = Schema(inputSchema.fields + RateColumns.fields(quantityScale: scale))
  }

  /// Digits after the point of quantities.
  package var quantityScale: Int { RateSpec.scale(ofQuantity: inputSchema[quantity].type) }

  package static func scale(ofQuantity type: DataType) -> Int {
    if case .decimal(_, let scale) = type { return scale }
    return 0
  }

  /// The key columns: what an account uses of one service is rated in order.
  package var key: [Int] { [account, service] }

  /// The columns of port `rejected`.
  package var rejectedSchema: Schema {
    Schema(inputSchema.fields + [Field(RateSpec.reason, .string, nullable: false)])
  }

  /// The column of port `rejected` that says why.
  package static let reason = "reason"

  /// Columns of the input that rating reads.
  package var columns: Set<Int> {
    var columns: Set<Int> = [account, plan, service, quantity]
    if case .column(let column) = international { columns.insert(column) }
    if case .column(let column) = roaming { columns.insert(column) }
    if case .column(let column) = timezone { columns.insert(column) }
    if case .column(let column) = cycleDay { columns.insert(column) }
    if let joined { columns.insert(joined) }
    return columns
  }
}

/// The columns that `rate` adds, in order.
package enum RateColumns {
  /// Digits after the point of a charge.
  package static let chargeScale = 4

  package static func fields(quantityScale scale: Int) -> [Field] {
    let quantity = DataType.decimal(precision: DataType.maxInt64DecimalPrecision, scale: scale)
    return [
      Field("cycle_start", .timestamp, nullable: false),
      Field("cycle_end", .timestamp, nullable: false),
      // catalogue/plan/service/valid_from
      Field("tariff_version", .string, nullable: false),
      // After rounding up: free + rollover + billable.
      Field("rated_quantity", quantity, nullable: false),
      Field("free_quantity", quantity, nullable: false),
      Field("rollover_quantity", quantity, nullable: false),
      Field("billable_quantity", quantity, nullable: false),
      // The cycle's billable quantity before this record: where it stands in the tiers.
      Field("billable_before", quantity, nullable: false),
      // Prices that were applied, each with the bound of its tier; null where nothing was billable.
      Field("prices", .string),
      Field(
        "base_charge",
        .decimal(precision: DataType.maxDecimalPrecision, scale: scale + TariffCatalog.priceScale), nullable: false),
      // Modifiers that applied; null where none did.
      Field("modifiers", .string),
      Field("charge", .decimal(precision: DataType.maxInt64DecimalPrecision, scale: chargeScale), nullable: false),
      Field("charge_currency", .string, nullable: false),
    ]
  }
}

/// Why `rate` rejects a row.
package enum RateRejection: String, CaseIterable, Sendable {
  /// The catalogue has no tariff for the row's plan and service at its time.
  case noTariff = "no_tariff"
  /// The row's plan has no international usage.
  case internationalNotAllowed = "international_not_allowed"
  case noAccount = "no_account"
  case noQuantity = "no_quantity"
  case negativeQuantity = "negative_quantity"
  case unknownTimezone = "unknown_timezone"
  /// It is null, or not from 1 to 31.
  case badCycleDay = "bad_cycle_day"
  /// A quantity, an amount or a cycle beyond what its type holds.
  case outOfRange = "out_of_range"
}
