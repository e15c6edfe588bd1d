import Formats
import Operators
import StreamModel

/// Makes a table's rows of JSON objects, one a line, that hold the columns of its layout but for the key's. Every row must decode.
/// Thread-safe.
final class TableRowDecoder: Sendable {
  private let layout: TableLayout
  /// The layout without the key: what is decoded.
  let schema: Schema
  private let place: String
  private let decoders = Guarded<[DecoderBox]>([])

  /// A decoder that is lent to one thread at a time.
  ///
  /// Invariant for `Sendable`: it is taken out of `decoders` while it is used.
  private final class DecoderBox: @unchecked Sendable {
    let decoder: any RecordDecoder
    init(_ schema: Schema) {
      decoder = Format.json.makeDecoder(
        schema: schema, materialize: Array(0..<schema.count), epochSecondColumns: [])
    }
  }

  init(_ layout: TableLayout, place: String) {
    self.layout = layout
    self.place = place
    schema = Schema(layout.schema.fields.indices.filter { !layout.key.contains($0) }.map { layout.schema[$0] })
  }

  /// Rows of no key.
  var none: RecordBatch { batch(schema.fields.map { ColumnBuilder($0.type).finish() }, 0) }

  /// - Parameter what: What the lines are of, for failures.
  func decode(_ lines: String, count: Int, of what: String) throws(TableFailure) -> RecordBatch {
    if count == 0 { return none }
    let box = decoders.withLock { $0.popLast() } ?? DecoderBox(schema)
    defer { decoders.withLock { $0.append(box) } }
    let partition = SourcePartition(source: "table", name: place, index: 0)
    let chunk = Array(lines.utf8).withUnsafeBytes { RecordChunk(partition: partition, offset: 0, copying: $0) }
    let decoded: DecodedChunk
    do { decoded = try box.decoder.decode(chunk, prologue: []) } catch { throw wrong(what, error.description) }
    if let failure = decoded.failures.first { throw wrong(what, failure.reason) }
    guard decoded.rows.count == count else { throw wrong(what, "it has no value for any column") }
    return batch(decoded.rows.columns, count)
  }

  private func wrong(_ what: String, _ reason: String) -> TableFailure {
    TableFailure(.wrong, "\(place): \(what) is wrong: \(reason)")
  }

  private func batch(_ columns: [Column], _ count: Int) -> RecordBatch {
    var next = 0
    let all = layout.schema.fields.indices.map { index in
      if layout.key.contains(index) { return Column.absent(layout.schema[index].type, count: count) }
      next += 1
      return columns[next - 1]
    }
    let times = Column.constant(.timestamp(EventTimes.minimum), .timestamp, count: count)
    return RecordBatch(schema: layout.schema, columns: all, count: count, eventTimes: times)
  }
}
