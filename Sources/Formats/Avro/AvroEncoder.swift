import StreamModel

/// Writes rows in Avro's binary encoding, by the schema that `AvroSchemaWriter` makes of their columns.
struct AvroRowWriter {
  let schema: Schema

  func write(_ batch: RecordBatch, row: Int, into buffer: inout ByteBuffer) {
    for (field, column) in zip(schema.fields, batch.columns) {
      if field.nullable {
        let isNull = !column.isValid(row)
        AvroBinary.append(long: isNull ? 0 : 1, to: &buffer)
        if isNull { continue }
      }
      write(column, row, into: &buffer)
    }
  }

  private func write(_ column: Column, _ row: Int, into buffer: inout ByteBuffer) {
    switch column.type {
    case .boolean: buffer.append(column.booleans[row])
    case .int64, .date, .timestamp: AvroBinary.append(long: column.int64s[row], to: &buffer)
    case .double:
      var bits = column.doubles[row].bitPattern.littleEndian
      withUnsafeBytes(of: &bits) { buffer.append($0.bindMemory(to: UInt8.self)) }
    case .string, .bytes: AvroBinary.append(text: column.bytes(at: row), to: &buffer)
    case .decimal: AvroBinary.append(text: AvroDecimal.bytes(column.unscaled(at: row)), to: &buffer)
    }
  }
}

/// Writes Avro object files.
///
/// The sync marker follows from the schema, so that the same rows give the same bytes.
package final class AvroFileEncoder: RecordEncoder {
  private let options: AvroOptions
  private let packer: AvroPacker
  private var sync: [UInt8] = []
  private var block = ByteBuffer()
  private var blockRows = 0

  /// The size at which a block is closed.
  private static let blockBytes = 64 << 10

  package init(options: AvroOptions) {
    self.options = options
    packer = AvroPacker(codec: options.codec)
  }

  package func header(for schema: Schema) -> [UInt8] {
    let text = AvroSchemaWriter.schema(of: schema, recordName: options.recordName).description
    sync = AvroFileEncoder.sync(for: text)
    return AvroContainerHeader.encode(schema: text, codec: options.codec, sync: sync)
  }

  private static func sync(for schema: String) -> [UInt8] {
    ["weir-sync-1", "weir-sync-2"].flatMap { salt in
      let hash = Array((salt + schema).utf8).withUnsafeBytes { KeyEncoder.hash($0) }
      return (0..<8).map { UInt8(truncatingIfNeeded: hash >> ($0 * 8)) }
    }
  }

  package func encode(_ batch: RecordBatch, into buffer: inout ByteBuffer) {
    let writer = AvroRowWriter(schema: batch.schema)
    for row in 0..<batch.count {
      writer.write(batch, row: row, into: &block)
      blockRows += 1
      if block.count >= AvroFileEncoder.blockBytes { closeBlock(into: &buffer) }
    }
  }

  package func finish(into buffer: inout ByteBuffer) {
    if blockRows > 0 { closeBlock(into: &buffer) }
  }

  private func closeBlock(into buffer: inout ByteBuffer) {
    precondition(!sync.isEmpty, "a file begins with its header")
    var packed = ByteBuffer(capacity: block.count)
    packer.pack(block.bytes, into: &packed)
    AvroBinary.append(long: Int64(blockRows), to: &buffer)
    AvroBinary.append(text: packed.bytes, to: &buffer)
    sync.withUnsafeBufferPointer { buffer.append($0) }
    block.removeAll()
    blockRows = 0
  }
}
