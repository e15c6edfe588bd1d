import CSimdJSON
import StreamModel

/// Writes rows as JSON lines: fields in schema order, decimals as numbers with exactly their scale, timestamps as
/// `2026-01-01T00:00:00.000Z`, bytes as base64, nulls as `null`, doubles as the shortest text that reads back the same.
package final class JSONEncoder: RecordEncoder {
  private var prepared: (schema: Schema, columns: OutputColumns)?

  package init() {}

  package func header(for schema: Schema) -> [UInt8] { [] }

  package func encode(_ batch: RecordBatch, into buffer: inout ByteBuffer) {
    columns(for: batch.schema).write(
      batch, into: &buffer,
      bound: { weir_json_encode_bound($0, $1, $2, $3) }, encode: { weir_json_encode($0, $1, $2, $3, $4) })
  }

  private func columns(for schema: Schema) -> OutputColumns {
    if let prepared, prepared.schema == schema { return prepared.columns }
    let columns = OutputColumns(
      prefixes: schema.fields.enumerated().map { index, field in
        [UInt8(ascii: index == 0 ? "{" : ",")] + JSONEncoder.quoted(field.name) + [UInt8(ascii: ":")]
      })
    prepared = (schema, columns)
    return columns
  }

  /// `text` as a JSON string, with its quotes.
  package static func quoted(_ text: String) -> [UInt8] {
    var text = text
    return text.withUTF8 { utf8 in
      // The writer looks at eight bytes at a time, but never behind the text.
      [UInt8](unsafeUninitializedCapacity: 6 * utf8.count + 2) { buffer, count in
        count = weir_json_quote(utf8.baseAddress, utf8.count, buffer.baseAddress.unsafelyUnwrapped)
      }
    }
  }
}
