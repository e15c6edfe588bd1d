import Formats
import StreamModel

/// Reads `metadata:` of `format: debezium-json`: columns that tell what a change was, beside those of the row.
struct DebeziumChecker {
  let section: Section
  /// Of the row.
  let columns: ReadSchema

  /// The columns behind those of the row, and where each comes from; nil, with faults, where one is faulty.
  func check() -> (columns: ReadSchema, options: DebeziumOptions)? {
    let hint = "metadata: {op: op, changed_at: source.timestamp}"
    guard let item = section["metadata"] else {
      section["format"]?.fault(
        "a deletion would look like an insertion: no column tells what a change was", "add `\(hint)`")
      return nil
    }
    guard let entries = item.openSection(expected: "columns and what they hold: {op: op}") else { return nil }
    var found = columns
    var metadata: [DebeziumOptions.Metadata] = []
    for (name, item) in entries.items where Names.checkColumn(name, item) {
      if found.fields.contains(where: { $0.name == name }) || found.opaque.contains(name) {
        item.keyFault("`\(Shown.text(name))` is a column of the row already", "give the column another name")
      } else if let (part, type) = read(item) {
        metadata.append(DebeziumOptions.Metadata(column: name, part: part))
        found.fields.append(Field(name, type, nullable: part != .operation))
      } else {
        found.opaque.insert(name)
      }
    }
    if metadata.count == entries.items.count, !metadata.contains(where: { $0.part == .operation }) {
      item.keyFault(
        "a deletion would look like an insertion: no column holds `op`", "add a column for it, as in `\(hint)`")
      return nil
    }
    return metadata.count == entries.items.count ? (found, DebeziumOptions(metadata: metadata)) : nil
  }

  private func read(_ item: Item) -> (DebeziumPart, DataType)? {
    guard let scalar = item.scalar("what the column holds: \(Shown.alternatives(DebeziumPart.names))") else {
      return nil
    }
    guard let part = DebeziumPart(name: scalar.text) else {
      let nearest = NearestName.nearest(to: scalar.text, among: DebeziumPart.names).map { "did you mean `\($0)`?" }
      item.fault("a change has no `\(scalar.shown)`", nearest ?? "write \(Shown.alternatives(DebeziumPart.names))")
      return nil
    }
    if let type = part.type { return (part, type) }
    guard case .before(let column) = part else { return nil }
    if let field = columns.fields.first(where: { $0.name == column }) { return (part, field.type) }
    if !columns.opaque.contains(column) {
      item.fault(
        "the row has no column `\(Shown.text(column))`",
        NearestName.suggestion(for: column, among: columns.fields.map(\.name), otherwise: "add it to the schema"))
    }
    return nil
  }
}
