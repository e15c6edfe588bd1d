import Formats
import KafkaClient
import StreamModel

/// Makes a batch's rows into Kafka records: the key's bytes and the value's, row by row.
///
/// A key of one column is its value as text (a string as it is, others as JSON writes them); of several, a JSON object of
/// them. The key is null where its one column is. One owner. Order: `open` where that is to fail early; then for each batch
/// `encode`, and `forEach` while the batch lives.
final class KafkaRecordEncoder {
  private let key: [Int]
  private let values: any MessageEncoder
  private let keys = Format.json.makeEncoder()
  private var valueBuffer = ByteBuffer()
  private var valueRanges: [Range<Int>] = []
  private var keyBuffer = ByteBuffer()

  /// - Parameter subject: What a schema is registered under, where the format has one.
  init(format: Format, key: [Int], schema: Schema, subject: String) {
    self.key = key
    values = format.makeMessageEncoder(schema: schema, subject: subject)
  }

  func open() throws(FormatError) { try values.open() }

  /// Encodes a batch's keys and values.
  func encode(_ batch: RecordBatch) throws(FormatError) {
    keyBuffer.removeAll()
    if !key.isEmpty, !isPlainKey(batch) { keys.encode(projected(batch), into: &keyBuffer) }
    valueBuffer.removeAll()
    valueRanges.removeAll(keepingCapacity: true)
    try values.encode(batch, into: &valueBuffer, ranges: &valueRanges)
  }

  /// Calls `body` with the key and value of each row of the batch encoded last, in order; they are valid during the call.
  func forEach<Failure: Error>(
    _ batch: RecordBatch, _ body: (UnsafeRawBufferPointer?, UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    var keyLines = Lines(keyBuffer.bytes)
    let all = UnsafeRawBufferPointer(valueBuffer.bytes)
    for row in 0..<batch.count {
      try body(key(of: batch, row, &keyLines), UnsafeRawBufferPointer(rebasing: all[valueRanges[row]]))
    }
  }

  // MARK: Keys

  /// Whether the key is one column of text, whose bytes need no encoding.
  private func isPlainKey(_ batch: RecordBatch) -> Bool {
    key.count == 1 && batch.schema[key[0]].type.layout == .view
  }

  private func projected(_ batch: RecordBatch) -> RecordBatch {
    batch.with(schema: Schema(key.map { batch.schema[$0] }), columns: key.map { batch.columns[$0] })
  }

  private func key(of batch: RecordBatch, _ row: Int, _ lines: inout Lines) -> UnsafeRawBufferPointer? {
    if key.isEmpty { return nil }
    if isPlainKey(batch) {
      let column = batch.columns[key[0]]
      return column.isValid(row) ? UnsafeRawBufferPointer(column.bytes(at: row)) : nil
    }
    let line = lines.next()
    if key.count > 1 { return line }
    return batch.columns[key[0]].isValid(row) ? KafkaRecordEncoder.soleValue(of: line) : nil
  }

  /// The value in `{"name":value}`, without quotes if it has some.
  private static func soleValue(of line: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    var start = (line.firstIndex(of: UInt8(ascii: ":")) ?? 0) + 1
    var end = line.count - 1
    if start < end, line[start] == UInt8(ascii: "\""), line[end - 1] == UInt8(ascii: "\"") {
      start += 1
      end -= 1
    }
    return UnsafeRawBufferPointer(rebasing: line[start..<end])
  }

  /// The lines of encoded JSON, which has line ends only between rows.
  private struct Lines {
    private let bytes: UnsafeRawBufferPointer
    private var start = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = UnsafeRawBufferPointer(bytes) }

    mutating func next() -> UnsafeRawBufferPointer {
      let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
      defer { start = end + 1 }
      return UnsafeRawBufferPointer(rebasing: bytes[start..<end])
    }
  }
}
