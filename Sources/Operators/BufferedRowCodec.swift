import State
import StreamModel

/// Writes waiting rows for a snapshot and reads them back: event time, stamp, where the row was read from with its original
/// bytes (a late row is reported with them, also after a restart), and its values as `RowLayout` lays them out.
struct BufferedRowCodec {
  private let schema: Schema
  private let layout: RowLayout

  /// Rows of a batch that is made of restored rows.
  private static let limit = 4096

  init(schema: Schema) {
    self.schema = schema
    layout = RowLayout(schema.fields.map(\.type))
  }

  /// The values of `rows` of `batch`, in that order.
  func encode(_ batch: RecordBatch, _ rows: [Int32]) -> [[UInt8]] {
    let sizes = layout.sizes(batch.columns, rows)
    let area = Memory(capacityBytes: sizes.reduce(0, +))
    var targets: [UnsafeMutableRawPointer] = []
    var end = 0
    for size in sizes {
      targets.append(area.base + end)
      end += size
    }
    layout.write(batch.columns, rows, to: targets)
    return rows.indices.map { index in
      let row = Int(rows[index])
      var writer = StateWriter()
      writer.write(batch.eventTimes.int64s[row])
      writer.write(batch.stampIfBehind(row))
      write(batch.origin, row, &writer)
      writer.write(UnsafeRawBufferPointer(start: targets[index], count: sizes[index]))
      return writer.bytes
    }
  }

  private func write(_ origin: RecordOrigin?, _ row: Int, _ writer: inout StateWriter) {
    writer.write(origin != nil)
    guard let origin else { return }
    let partition = origin.chunk(at: row).partition
    writer.write([UInt8](partition.source.utf8))
    writer.write([UInt8](partition.name.utf8))
    writer.write(count: partition.index)
    writer.write(origin.position(at: row))
    writer.write(UnsafeRawBufferPointer(origin.bytes(at: row)))
  }

  /// Whether what `encode` wrote is of a row that was read from somewhere.
  static func hasOrigin(_ value: [UInt8]) -> Bool { value.count > 16 && value[16] != 0 }

  private struct Row {
    let time: EventTime
    let stamp: EventTime
    let chunk: RecordChunk?
    let content: [UInt8]
  }

  /// Batches of the rows in `values`: first those with an origin, then those without, each in their order.
  func decode(_ values: [[UInt8]]) throws(OperatorError) -> [RecordBatch] {
    var read: [Row] = []
    var made: [Row] = []
    for value in values {
      let row: Row
      do { row = try self.row(value) } catch { throw .state("a waiting row: \(error)") }
      guard row.content.withUnsafeBytes({ layout.isSound($0) }) else {
        throw .state("a waiting row of \(row.content.count) bytes is no row of (\(schema))")
      }
      if row.chunk == nil { made.append(row) } else { read.append(row) }
    }
    return [read, made].flatMap { rows in
      stride(from: 0, to: rows.count, by: BufferedRowCodec.limit).map { start in
        batch(Array(rows[start..<min(start + BufferedRowCodec.limit, rows.count)]))
      }
    }
  }

  private func row(_ value: [UInt8]) throws(StateError) -> Row {
    var reader = StateReader(value)
    let time = try reader.readInt64()
    let stamp = try reader.readInt64()
    let chunk = try reader.readBool() ? try self.chunk(&reader) : nil
    return Row(time: time, stamp: stamp, chunk: chunk, content: try reader.readBytes())
  }

  /// A chunk of the one record.
  private func chunk(_ reader: inout StateReader) throws(StateError) -> RecordChunk {
    let source = String(decoding: try reader.readBytes(), as: UTF8.self)
    let name = String(decoding: try reader.readBytes(), as: UTF8.self)
    let partition = SourcePartition(source: source, name: name, index: try reader.readCount())
    let position = try reader.readInt64()
    let bytes = try reader.readBytes()
    return bytes.withUnsafeBytes { RecordChunk(partition: partition, offset: position, copying: $0) }
  }

  private func batch(_ rows: [Row]) -> RecordBatch {
    let area = Memory(capacityBytes: rows.reduce(0) { $0 + $1.content.count })
    var contents: [UnsafeMutableRawPointer] = []
    var end = 0
    for row in rows {
      contents.append(area.base + end)
      row.content.withUnsafeBytes { contents[contents.count - 1].copyMemory(from: $0) }
      end += row.content.count
    }
    let isBehind = rows.contains { $0.stamp != EventTimes.minimum }
    return RecordBatch(
      schema: schema, columns: (0..<schema.count).map { layout.read($0, contents) }, count: rows.count,
      eventTimes: column(.timestamp, rows.map(\.time)),
      stamps: isBehind ? column(.timestamp, rows.map(\.stamp)) : nil, origin: origin(rows))
  }

  private func origin(_ rows: [Row]) -> RecordOrigin? {
    let chunks = rows.compactMap(\.chunk)
    guard !chunks.isEmpty else { return nil }
    let views = chunks.map { Int64(bitPattern: packView(start: 0, length: $0.count)) }
    return RecordOrigin(
      chunks: chunks, positions: column(.int64, chunks.indices.map { Int64($0) }), ranges: column(.int64, views))
  }

  private func column(_ type: DataType, _ values: [Int64]) -> Column {
    let builder = ColumnBuilder(type, capacity: values.count)
    for value in values { builder.append(int64: value) }
    return builder.finish()
  }
}

extension UnsafeMutableRawPointer {
  fileprivate func copyMemory(from bytes: UnsafeRawBufferPointer) {
    if let start = bytes.baseAddress { copyMemory(from: start, byteCount: bytes.count) }
  }
}
