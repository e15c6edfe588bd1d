import Operators
import StreamModel

/// Checks `rate`.
struct RateChecker {
  let item: Item
  let input: StreamShape?
  /// What the catalogue's path is relative to.
  let base: String

  private static let keys = [
    "catalog", "account", "plan", "service", "quantity", "international", "roaming", "joined", "cycle", "close_after",
  ]

  func check() -> StepOutcome {
    guard let section = item.section(RateChecker.keys, expected: "{catalog: catalog/consumer.yaml}") else {
      return StepOutcome(ports: ports(input))
    }
    let catalog = section.required("catalog", "the file of its tariffs: catalog: catalog/consumer.yaml").flatMap {
      CatalogReader.read($0, base: base)
    }
    let closeAfter = section["close_after"].map { $0.duration() } ?? 0
    let cycle = section["cycle"].flatMap {
      $0.section(["period", "timezone", "cycle_day"], expected: "{timezone: Europe/Dublin, cycle_day: 1}")
    }
    let period =
      cycle?["period"].map { $0.choice(["day", "week", "month"]).flatMap(WindowSpec.CalendarUnit.init(rawValue:)) }
      ?? .month
    if let day = cycle?["cycle_day"], let period, period != .month {
      day.keyFault("does not go with a cycle of a \(period.rawValue)", "remove it, or use period: month")
    }
    guard let input else { return StepOutcome() }
    if !input.hasEventTime {
      item.keyFault(
        "the stream has no event time, by which tariffs and cycles are found", "give its source an event_time")
    }
    if input.carriesPane || input.isUpdating {
      item.keyFault(
        "the stream holds results that come several times, and each would be charged",
        "rate the usage itself, or results that come once")
    }
    let columns = readColumns(section, catalog?.catalog, input)
    let window = WindowChecker(item: item, input: input)
    let timezone = cycle?["timezone"].map(window.readTimezone) ?? .constant("UTC")
    let cycleDay = cycle?["cycle_day"].map(window.readCycleDay) ?? .constant(1)
    let isFree = checkNames(input)
    var outcome = StepOutcome(ports: ports(input))
    guard let quantity = columns.quantity else { return outcome }
    let scale = RateSpec.scale(ofQuantity: input.schema[quantity].type)
    var stream = input
    stream.schema = Schema(input.schema.fields + RateColumns.fields(quantityScale: scale))
    outcome.stream = stream
    if let catalog { checkScale(catalog.catalog, scale, section) }
    guard isFree, item.faults.isEmpty, let catalog, let account = columns.account, let plan = columns.plan,
      let service = columns.service, let international = columns.international, let roaming = columns.roaming,
      let timezone, let cycleDay, let period, let closeAfter, columns.joined != .some(nil)
    else { return outcome }
    outcome.operation = .rate(
      RateSpec(
        catalogPath: catalog.path, catalog: catalog.catalog, account: account, plan: plan, service: service,
        quantity: quantity, international: international, roaming: roaming, joined: columns.joined ?? nil,
        period: period, timezone: timezone, cycleDay: cycleDay, closeAfterMilliseconds: closeAfter,
        inputSchema: input.schema))
    return outcome
  }

  private func ports(_ input: StreamShape?) -> [SidePort: StreamShape] {
    guard let input else { return [:] }
    var rejected = input
    rejected.schema = Schema(input.schema.fields + [Field(RateSpec.reason, .string, nullable: false)])
    return [.rejected: rejected, .late: input]
  }

  // MARK: Columns

  private struct Columns {
    var account: Int?
    var plan: Int?
    var service: Int?
    var quantity: Int?
    var international: RateSpec.Setting<Bool>?
    var roaming: RateSpec.Setting<Bool>?
    /// Nil where there is none, nil within where it is faulty.
    var joined: Int??
  }

  private func readColumns(_ section: Section, _ catalog: TariffCatalog?, _ input: StreamShape) -> Columns {
    var columns = Columns()
    let reader = ColumnMapping(section: section, item: item, input: input)
    columns.account = reader.column("account", byDefault: "account_id", [.string])
    columns.plan = reader.column("plan", byDefault: "plan", [.string])
    columns.service = reader.column("service", byDefault: "service", [.string])
    columns.quantity = reader.column("quantity", byDefault: "quantity") { type in
      switch type {
      case .int64: true
      case .decimal(let precision, let scale):
        precision <= DataType.maxInt64DecimalPrecision && scale <= TariffCatalog.quantityScale
      default: false
      }
    } expected: {
      "int64, or a decimal of at most \(DataType.maxInt64DecimalPrecision) digits and \(TariffCatalog.quantityScale) after the point"
    }
    let needsInternational =
      catalog.map { catalog in
        catalog.plans.contains { !$0.allowsInternational } || catalog.modifiers.contains { $0.international != nil }
      } ?? false
    columns.international = reader.flag("international", isNeeded: needsInternational)
    columns.roaming = reader.flag(
      "roaming", isNeeded: catalog?.modifiers.contains { $0.roaming != nil } ?? false)
    if section["joined"] != nil || input.schema.index(of: "joined").map({ input.schema[$0].type == .date }) ?? false {
      columns.joined = reader.column("joined", byDefault: "joined", [.date])
    }
    return columns
  }

  /// Whether the columns that it adds have names of their own.
  private func checkNames(_ input: StreamShape) -> Bool {
    let taken = RateColumns.fields(quantityScale: 0).map(\.name).filter {
      input.schema.index(of: $0) != nil || input.opaque.contains($0)
    }
    if !taken.isEmpty {
      item.keyFault(
        "it adds \(taken.count == 1 ? "a column" : "columns") that the input has already: \(taken.joined(separator: ", "))",
        "rename with a `select` before")
    }
    if input.schema.index(of: RateSpec.reason) != nil {
      item.keyFault(
        "the port `rejected` adds a column that the input has already: \(RateSpec.reason)",
        "rename it with a `select` before")
      return false
    }
    return taken.isEmpty
  }

  /// The catalogue's quantities must be whole at the quantity's scale.
  private func checkScale(_ catalog: TariffCatalog, _ scale: Int, _ section: Section) {
    guard scale <= TariffCatalog.quantityScale else { return }
    let unit = Int64(Decimal.powersOfTen[TariffCatalog.quantityScale - scale])
    let finer = catalog.tariffs.first { tariff in
      ([tariff.increment, tariff.free, tariff.rollover] + tariff.tiers.compactMap(\.upTo)).contains { $0 % unit != 0 }
    }
    guard let finer else { return }
    section["catalog"]?.fault(
      "the tariff \(finer.plan)/\(finer.service) from \(finer.version) has quantities with more than \(scale) digits after the point, which the quantity column does not have",
      "make the column a decimal(18,\(TariffCatalog.quantityScale)), or round the catalogue's quantities")
  }
}

/// Columns that settings of a step name, with names by default.
struct ColumnMapping {
  let section: Section
  /// The step's operation, which is at fault where a column by default is missing.
  let item: Item
  let input: StreamShape

  func column(_ key: String, byDefault name: String, _ types: [DataType]) -> Int? {
    column(key, byDefault: name) {
      types.contains($0)
    } expected: {
      Shown.alternatives(types.map(\.description))
    }
  }

  func column(
    _ key: String, byDefault name: String, isAllowed: (DataType) -> Bool, expected: () -> String
  ) -> Int? {
    let found: Int?
    if let item = section[key] {
      found = input.column(item)
    } else {
      found = input.schema.index(of: name)
      if found == nil, !input.opaque.contains(name) {
        item.keyFault(
          "there is no column `\(name)`, which `\(key)` is by default", "name the column: \(key): COLUMN")
      }
    }
    guard let found else { return nil }
    if isAllowed(input.schema[found].type) { return found }
    (section[key] ?? item).keyFault(
      "the column `\(input.schema[found].name)` is \(input.schema[found].type)",
      "`\(key)` takes \(expected()): cast it with an `extend` before")
    return nil
  }

  /// A boolean column, or true or false; false where there is no column and it does not matter.
  func flag(_ key: String, isNeeded: Bool) -> WindowSpec.Setting<Bool>? {
    if let item = section[key], case .scalar(let scalar) = item.node.content,
      scalar.text == "true" || scalar.text == "false"
    {
      return .constant(scalar.text == "true")
    }
    if section[key] == nil, input.schema.index(of: key) == nil {
      if isNeeded, !input.opaque.contains(key) {
        item.keyFault(
          "the catalogue asks whether usage is \(key), and there is no column `\(key)`",
          "name the column, or say so for all: \(key): false")
        return nil
      }
      return .constant(false)
    }
    return column(key, byDefault: key, [.boolean]).map { .column($0) }
  }
}
