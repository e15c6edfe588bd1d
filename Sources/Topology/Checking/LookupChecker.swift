import Connectors
import Expressions
import Operators
import StreamModel

/// Checks `lookup`.
struct LookupChecker {
  let item: Item
  let input: StreamShape?
  /// The directory that relative paths are relative to.
  let base: String

  private static let keys = ["table", "on", "as_of", "take", "cache", "missing", "capacity"]

  /// A pair of `on:`: a column of the stream, and what the table calls it.
  private struct KeyColumn {
    let stream: Int
    let table: String
  }

  private struct Validity {
    var asOf: LookupSpec.AsOf?
    var from = "valid_from"
    var to = "valid_to"
  }

  func check(notes: inout [String]) -> StepOutcome {
    guard let section = item.section(LookupChecker.keys, expected: "{table, on, take}") else {
      return StepOutcome(ports: ports)
    }
    let tableItem = section.required("table", "the table it looks in: table: {connector: file, path: rates.csv}")
    let missing =
      section["missing"].map { item in
        // Without quotes it is YAML's null, and the text all the same.
        (item.saysNull ? "null" : item.choice(["port", "null", "fail"])).flatMap(LookupSpec.Missing.init)
      } ?? .port
    let on = section.required("on", "the stream's columns and the table's: on: {currency: base}")
    let take = section.required("take", "the table's columns and their types: take: {rate: decimal(18,8)}")
      .flatMap(ReadSchema.read)
    let cache = section["cache"].map { CacheChecker(item: $0).check() } ?? CachePolicy.none
    let capacity = section["capacity"].map { $0.integer(in: 1...256) } ?? Int64(LookupSpec.capacityDefault)
    guard let input else {
      _ = tableItem.flatMap { TableChecker(item: $0, base: base, keyNames: nil).check(notes: &notes) }
      return StepOutcome()
    }
    let key = on.flatMap { readKey($0, input) }
    let tableChecker = tableItem.map {
      TableChecker(item: $0, base: base, keyNames: key?.map { input.schema[$0.stream].name })
    }
    let table = tableChecker?.check(notes: &notes)
    let validity = readValidity(section["as_of"], input)
    guard let take else { return StepOutcome(ports: ports) }
    let (items, stream) = columns(take, input, givesNulls: missing == .null)
    var outcome = StepOutcome(stream: stream, ports: ports)
    guard let key, let validity, let missing, take.opaque.isEmpty,
      let columns = tableColumns(take, key, validity, input, section)
    else { return outcome }
    let check = tableChecker.map { $0.condition(over: columns.schema) } ?? .some(nil)
    let places = tableChecker.map { $0.checkPlaces(columns.schema.fields.dropFirst(key.count).map(\.name)) } ?? true
    guard let check, let table, let cache, let capacity, places else { return outcome }
    let layout = TableLayout(
      schema: columns.schema, key: Array(0..<key.count), validity: columns.validity, taken: columns.taken,
      givesNulls: missing == .null, check: check)
    let spec = LookupSpec(
      key: key.map(\.stream), asOf: validity.asOf, layout: layout, items: items, missing: missing,
      outputSchema: stream.schema, cache: cache, capacity: Int(capacity))
    outcome.operation = .lookup(spec, table)
    return outcome
  }

  private var ports: [SidePort: StreamShape] { input.map { [.missing: $0] } ?? [:] }

  // MARK: The key

  private func readKey(_ item: Item, _ input: StreamShape) -> [KeyColumn]? {
    var columns: [KeyColumn?] = []
    if case .mapping = item.node.content {
      for (name, value) in item.openSection(expected: "")?.items ?? [] {
        let table = value.scalar("a column of the table").map(\.text)
        columns.append(
          streamColumn(name, value, input).flatMap { column in table.map { KeyColumn(stream: column, table: $0) } })
      }
    } else if !item.isEmpty {
      for element in item.elements {
        columns.append(input.column(element).map { KeyColumn(stream: $0, table: input.schema[$0].name) })
      }
    }
    guard !columns.isEmpty else {
      item.fault("names no column", "write the stream's columns and the table's: on: {currency: base}")
      return nil
    }
    let found = columns.compactMap { $0 }
    guard found.count == columns.count else { return nil }
    guard Set(found.map(\.stream)).count == found.count, Set(found.map(\.table)).count == found.count else {
      item.fault("names a column twice", "name each key column once")
      return nil
    }
    return found
  }

  private func streamColumn(_ name: String, _ item: Item, _ input: StreamShape) -> Int? {
    if let column = input.schema.index(of: name) { return column }
    if !input.opaque.contains(name) {
      let mend = NearestName.suggestion(for: name, among: input.columnNames, otherwise: "add the column")
      item.keyFault("there is no column `\(Shown.text(name))`", mend)
    }
    return nil
  }

  // MARK: Versions

  /// Nil where it is faulty.
  private func readValidity(_ item: Item?, _ input: StreamShape) -> Validity? {
    guard let item else { return Validity() }
    var validity = Validity()
    var at = item
    var maxAge: Int64??
    if case .mapping = item.node.content {
      guard let section = item.section(["at", "max_age", "valid_from", "valid_to"], expected: "{at: started_at}"),
        let column = section.required("at", "the stream's column: at: started_at")
      else { return nil }
      at = column
      maxAge = section["max_age"].map { $0.duration(atLeast: 1) }
      for (key, path) in [("valid_from", \Validity.from), ("valid_to", \Validity.to)] {
        guard let item = section[key] else { continue }
        guard let name = item.scalar("a column of the table") else { return nil }
        validity[keyPath: path] = name.text
      }
      if validity.from == validity.to {
        section.fault("`valid_from` and `valid_to` are the same column", "name the one that ends a version")
        return nil
      }
    }
    guard let column = input.column(at), maxAge != .some(nil) else { return nil }
    guard input.schema[column].type == .timestamp else {
      at.fault(
        "the column `\(input.schema[column].name)` is \(input.schema[column].type), not a timestamp",
        "name a timestamp column, or cast it before, with `extend`")
      return nil
    }
    validity.asOf = LookupSpec.AsOf(column: column, maxAgeMilliseconds: maxAge ?? nil)
    return validity
  }

  // MARK: The table's columns

  private struct TableColumns {
    let schema: Schema
    let validity: TableLayout.Validity?
    let taken: [Int]
  }

  /// The key, the bounds of versions, and what is taken.
  private func tableColumns(
    _ take: ReadSchema, _ key: [KeyColumn], _ validity: Validity, _ input: StreamShape, _ section: Section
  ) -> TableColumns? {
    var fields = key.map { Field($0.table, input.schema[$0.stream].type, nullable: false) }
    var isFaulty = false
    var bounds: TableLayout.Validity?
    if validity.asOf != nil {
      for (name, nullable) in [(validity.from, false), (validity.to, true)] {
        if fields.contains(where: { $0.name == name }) {
          section["as_of"]?.fault(
            "`\(Shown.text(name))` is a column of the key too", "name the column that bounds a version")
          isFaulty = true
        }
        fields.append(Field(name, .timestamp, nullable: nullable))
      }
      bounds = TableLayout.Validity(from: key.count, to: key.count + 1)
    }
    let own = fields.count
    var taken: [Int] = []
    for field in take.fields {
      guard let index = fields[..<own].firstIndex(where: { $0.name == field.name }) else {
        taken.append(fields.count)
        fields.append(field)
        continue
      }
      taken.append(index)
      if fields[index].type != field.type {
        section["take"]?.peek(field.name)?.fault(
          "`\(Shown.text(field.name))` is \(fields[index].type) in the key or as a bound of versions",
          "write that type, or leave it out")
        isFaulty = true
      }
    }
    return isFaulty ? nil : TableColumns(schema: Schema(fields), validity: bounds, taken: taken)
  }

  /// The input's columns, those that are taken under the same name replaced, and behind them the others that are taken.
  private func columns(
    _ take: ReadSchema, _ input: StreamShape, givesNulls: Bool
  ) -> (items: [LookupSpec.Item], stream: StreamShape) {
    var items = input.schema.fields.indices.map(LookupSpec.Item.input)
    var fields = input.schema.fields
    for (number, field) in take.fields.enumerated() {
      let given = Field(field.name, field.type, nullable: field.nullable || givesNulls)
      if let existing = fields.firstIndex(where: { $0.name == field.name }) {
        fields[existing] = given
        items[existing] = .taken(number)
      } else {
        fields.append(given)
        items.append(.taken(number))
      }
    }
    var stream = input
    stream.schema = Schema(fields)
    stream.opaque.subtract(take.fields.map(\.name))
    stream.opaque.formUnion(take.opaque)
    stream.paneColumns.subtract(take.fields.map(\.name))
    return (items, stream)
  }
}
