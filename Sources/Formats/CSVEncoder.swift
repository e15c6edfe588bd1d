import CSimdJSON
import StreamModel

/// Writes rows as CSV: values as in JSON, text quoted where it must be, null as an empty cell, empty text as `""`.
///
/// A row of one null column is a blank line, which `CSVDecoder` reads back as such.
package final class CSVEncoder: RecordEncoder {
  private let options: CSVOptions

  package init(options: CSVOptions = CSVOptions()) { self.options = options }

  package func header(for schema: Schema) -> [UInt8] {
    guard options.header else { return [] }
    let names = schema.fields.map { quoted($0.name) }
    return Array(names.joined(separator: [options.delimiter])) + [UInt8(ascii: "\n")]
  }

  package func encode(_ batch: RecordBatch, into buffer: inout ByteBuffer) {
    let delimiter = options.delimiter
    let quote = options.quote
    OutputColumns(prefixes: batch.columns.map { _ in [] }).write(
      batch, into: &buffer,
      bound: { weir_csv_encode_bound($0, $1, $2, $3) },
      encode: { weir_csv_encode($0, $1, $2, $3, delimiter, quote, $4) })
  }

  private func quoted(_ name: String) -> [UInt8] {
    var name = name
    return name.withUTF8 { utf8 in
      [UInt8](unsafeUninitializedCapacity: 2 * utf8.count + 2) { buffer, count in
        count = weir_csv_quote(
          utf8.baseAddress, utf8.count, options.delimiter, options.quote, buffer.baseAddress.unsafelyUnwrapped)
      }
    }
  }
}
