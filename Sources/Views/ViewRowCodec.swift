import Formats
import StreamModel

/// Rows of a view as bytes: the event time, eight bytes big-endian, then every column as `KeyEncoder` writes it.
///
/// Holds scratch space; one owner and thread.
final class ViewRowCodec {
  private let view: ViewDefinition
  private let encoder: KeyEncoder
  static let timeLength = 8

  init(_ view: ViewDefinition) {
    self.view = view
    encoder = KeyEncoder(keyColumns: Array(0..<view.schema.count))
  }

  /// The rows of a batch by key; of several with one key the last.
  func run(of batch: RecordBatch) -> SortedRun {
    var keys = ByteBuffer(capacity: batch.count * 32)
    var ends: [Int] = []
    ends.reserveCapacity(batch.count)
    for row in 0..<batch.count {
      for column in view.key { ViewKey.append(batch.columns[column], row: row, to: &keys) }
      ends.append(keys.count)
    }
    encoder.encode(
      RecordBatch(schema: batch.schema, columns: batch.columns, count: batch.count, eventTimes: batch.eventTimes))
    let base = UnsafeRawPointer(keys.base)
    func key(_ row: Int) -> UnsafeRawBufferPointer {
      let start = row == 0 ? 0 : ends[row - 1]
      return UnsafeRawBufferPointer(start: base + start, count: ends[row] - start)
    }
    let order = (0..<batch.count).sorted { left, right in
      let order = compare(key(left), key(right))
      return order == 0 ? left < right : order < 0
    }
    var builder = SortedRunBuilder(capacityBytes: keys.count + encoder.offsets[batch.count] + batch.count * 8)
    var value = ByteBuffer(capacity: 256)
    for (position, row) in order.enumerated() {
      if position + 1 < order.count, compare(key(row), key(order[position + 1])) == 0 { continue }
      value.removeAll()
      withUnsafeBytes(of: batch.eventTimes.int64s[row].bigEndian) {
        value.append($0.assumingMemoryBound(to: UInt8.self))
      }
      value.append(encoder.key(row).assumingMemoryBound(to: UInt8.self))
      builder.append(key(row), UnsafeRawBufferPointer(value.bytes))
    }
    return builder.finish()
  }

  static func eventTime(_ value: UnsafeRawBufferPointer) -> EventTime {
    EventTime(bigEndian: value.loadUnaligned(as: Int64.self))
  }

  /// The bytes of a text column of a row; nil where it is null.
  static func text(_ value: UnsafeRawBufferPointer, column: Int, _ schema: Schema) -> UnsafeRawBufferPointer? {
    var cursor = timeLength
    for index in 0...column {
      let layout = schema[index].type.layout
      guard layout == .view else {
        cursor += value[cursor] == 0 ? 1 : 1 + layout.strideBytes
        continue
      }
      var length = 0
      var shift = 0
      while true {
        let byte = value[cursor]
        cursor += 1
        length |= Int(byte & 0x7F) << shift
        shift += 7
        if byte & 0x80 == 0 { break }
      }
      let count = max(0, length - 1)
      if index == column { return length == 0 ? nil : UnsafeRawBufferPointer(rebasing: value[cursor..<cursor + count]) }
      cursor += count
    }
    return nil
  }

  /// The rows as columns.
  static func batch(_ rows: [[UInt8]], _ schema: Schema) -> RecordBatch {
    let builders = schema.fields.map { ColumnBuilder($0.type, capacity: rows.count) }
    let times = ColumnBuilder(.timestamp, capacity: rows.count)
    for row in rows {
      row.withUnsafeBytes { row in
        times.append(int64: eventTime(row))
        KeyEncoder.decode(UnsafeRawBufferPointer(rebasing: row[timeLength...]), into: builders)
      }
    }
    return RecordBatch(
      schema: schema, columns: builders.map { $0.finish() }, count: rows.count, eventTimes: times.finish())
  }
}
