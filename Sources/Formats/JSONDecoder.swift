import CSimdJSON
import StreamModel

/// Decodes JSON lines: one object a line, straight from the text into columns.
///
/// Every field of the schema is read and checked, and kept only where it is to be materialized. Unknown fields are checked as
/// JSON and ignored; of a repeated field the last counts. An int64 may have an exponent where its value is whole (`1e2`), and
/// no point (`1.0` is a fraction). A lone surrogate escape is a failure anywhere in the record.
package final class JSONDecoder: RecordDecoder {
  private let columns: ColumnDecoder

  /// Fails on records deeper than this.
  package static let maxDepth = 1024

  /// A decoder of `schema` that keeps the fields at `materialize`, in that order. Integers of the fields in
  /// `epochSecondColumns` are seconds.
  package init(
    schema: Schema, materialize: [Int], epochSecondColumns: Set<Int> = [], maxRecordBytes: Int = Format.maxRecordBytes
  ) {
    let plan = DecodePlan(schema: schema, materialize: materialize, epochSecondColumns: epochSecondColumns)
    columns = ColumnDecoder(plan: plan, maxRecordBytes: maxRecordBytes) { fields, count in
      weir_json_decoder_create(fields, count, maxRecordBytes, JSONDecoder.maxDepth)
    }
  }

  package func decode(_ chunk: RecordChunk, prologue: [UInt8]) -> DecodedChunk { columns.decode(chunk) }
}
