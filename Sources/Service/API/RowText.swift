import Formats
import StreamModel
import Topology
import Views

/// Rows of views as JSON: values as the file sinks write them.
enum RowText {
  /// One object a line.
  static func lines(_ rows: RecordBatch) -> [UInt8] {
    var buffer = ByteBuffer()
    if rows.count > 0 { JSONEncoder().encode(rows, into: &buffer) }
    return [UInt8](buffer.bytes)
  }

  /// `next`: the cursor of the page behind it.
  static func page(
    _ page: ViewPage, next: String?, _ position: ViewPosition, _ isolation: ViewIsolation
  ) -> [UInt8] {
    var text = Array("{\"isolation\": \"\(isolation.rawValue)\", \"checkpoint\": \(page.checkpoint), ".utf8)
    text += Array("\"position\": \"\(position.text)\", ".utf8)
    text += Array("\"next\": \(next.map { "\"\($0)\"" } ?? "null"), \"rows\": [\n".utf8)
    let lines = lines(page.rows).split(separator: 10)
    for (index, line) in lines.enumerated() { text += line + Array(index + 1 < lines.count ? ",\n".utf8 : "\n".utf8) }
    return text + Array("]}\n".utf8)
  }

  /// Changes as server-sent events: `upsert` with the row, `delete` with its key.
  static func events(_ changes: ViewChanges, _ view: ViewDefinition) -> [UInt8] {
    if changes.changes.isEmpty { return [] }
    let rows = lines(changes.rows).split(separator: 10)
    var text: [UInt8] = []
    for change in changes.changes {
      text += Array("id: \(change.position.text)\n".utf8)
      if let row = change.row {
        text += Array("event: upsert\ndata: ".utf8) + rows[row]
      } else {
        text += Array("event: delete\ndata: ".utf8) + key(change.key, view)
      }
      text += [10, 10]
    }
    return text
  }

  private static func key(_ values: [Value], _ view: ViewDefinition) -> ArraySlice<UInt8> {
    let schema = Schema(view.key.map { view.schema[$0] })
    let columns = zip(values, schema.fields).map { Column.constant($0, $1.type, count: 1) }
    let batch = RecordBatch(
      schema: schema, columns: columns, count: 1, eventTimes: .constant(.timestamp(0), .timestamp, count: 1))
    return lines(batch).dropLast()
  }
}
