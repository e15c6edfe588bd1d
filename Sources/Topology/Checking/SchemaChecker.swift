import StreamModel

/// Columns as a `schema:` lists them.
struct ReadSchema {
  var fields: [Field] = []
  var epochSecondColumns: Set<Int> = []
  /// Columns whose type is faulty.
  var opaque: Set<String> = []

  /// The record that all built-in topologies read.
  static let usageRecord = ReadSchema(fields: [
    Field("record_id", .string, nullable: false),
    Field("account_id", .string, nullable: false),
    Field("msisdn", .string),
    Field("service", .string),
    Field("started_at", .timestamp, nullable: false),
    Field("quantity", .decimal(precision: 18, scale: 3)),
    Field("destination", .string),
    Field("country", .string),
    Field("roaming", .boolean),
    Field("international", .boolean),
    Field("cell_id", .string),
  ])

  /// What `format: raw` gives.
  static let rawRecord = ReadSchema(fields: [Field("value", .bytes, nullable: false)])

  static let maxColumns = 1000

  /// Reads `name: type` entries.
  static func read(_ item: Item) -> ReadSchema? {
    guard let section = item.openSection(expected: "columns and their types, such as `record_id: string not null`")
    else {
      return nil
    }
    guard !section.entries.isEmpty, section.entries.count <= maxColumns else {
      item.keyFault(
        "has \(section.entries.count) columns", "list 1 to \(maxColumns) columns, such as `record_id: string not null`")
      return nil
    }
    var schema = ReadSchema()
    for (name, item) in section.items where Names.checkColumn(name, item) { schema.add(name, item) }
    return schema
  }

  private mutating func add(_ name: String, _ item: Item) {
    guard let scalar = item.scalar("a type such as string, decimal(18,3) or `timestamp not null`") else {
      opaque.insert(name)
      return
    }
    do throws(TypeText.Refusal) {
      let type = try TypeText.parse(scalar.text)
      if type.isEpochSeconds { epochSecondColumns.insert(fields.count) }
      fields.append(Field(name, type.type, nullable: type.nullable))
    } catch {
      opaque.insert(name)
      if scalar.substitutions.isEmpty {
        item.fault(error.message, error.mend)
      } else {
        item.fault("`\(scalar.shown)` is no type once the environment is put in", "check the variable's value")
      }
    }
  }
}
