import CSimdJSON
import StreamModel

/// Decodes lines as they are, each into the one column `value` (string or bytes). Blank lines are skipped.
package final class RawDecoder: RecordDecoder {
  private let schema: Schema
  private let materialize: [Int]
  private let maxRecordBytes: Int

  /// `schema` has one field, a string or bytes.
  package init(schema: Schema, materialize: [Int], maxRecordBytes: Int = Format.maxRecordBytes) {
    precondition(schema.count == 1 && schema[0].type.layout == .view, "raw has one column of text or bytes")
    self.schema = schema
    self.materialize = materialize
    self.maxRecordBytes = maxRecordBytes
  }

  package func decode(_ chunk: RecordChunk, prologue: [UInt8]) -> DecodedChunk {
    let lines = Lines(chunk, maxRecordBytes: maxRecordBytes, isText: schema[0].type == .string)
    let columns = materialize.map { _ in
      Column(
        type: schema[0].type, count: lines.count, values: lines.views,
        bytes: UnsafePointer(chunk.storage.base.assumingMemoryBound(to: UInt8.self)), bytesOwner: chunk.storage)
    }
    let ranges = Column(type: .int64, count: lines.count, values: lines.views)
    return DecodedChunk(
      rows: DecodedRows(columns: columns, count: lines.count, ranges: ranges), failures: lines.failures)
  }
}

/// The lines of a chunk as views.
private struct Lines {
  private(set) var views = Memory(capacityBytes: 1024)
  private(set) var count = 0
  private(set) var failures: [DecodeFailure] = []

  init(_ chunk: RecordChunk, maxRecordBytes: Int, isText: Bool) {
    if chunk.isFragment {
      let reason = "this is a piece of a record of more than \(maxRecordBytes) bytes"
      failures.append(DecodeFailure(start: 0, length: chunk.count, reason: reason))
      return
    }
    let bytes = chunk.bytes
    if let messages = chunk.messageIndex {
      for (start, length) in zip(messages.starts, messages.lengths) {
        add(bytes, Int(start), Int(length), maxRecordBytes, isText)
      }
      return
    }
    var start = 0
    while start < bytes.count {
      let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
      let length = end > start && bytes[end - 1] == UInt8(ascii: "\r") ? end - 1 - start : end - start
      if length > 0 { add(bytes, start, length, maxRecordBytes, isText) }
      start = end + 1
    }
  }

  private mutating func add(
    _ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ length: Int, _ maxRecordBytes: Int, _ isText: Bool
  ) {
    if length > maxRecordBytes {
      let reason = "the record has \(length) bytes, the most is \(maxRecordBytes)"
      failures.append(DecodeFailure(start: start, length: length, reason: reason))
    } else if isText && !weir_is_utf8(bytes.baseAddress.unsafelyUnwrapped + start, length) {
      failures.append(DecodeFailure(start: start, length: length, reason: "the record is not UTF-8"))
    } else {
      append(packView(start: start, length: length))
    }
  }

  private mutating func append(_ view: UInt64) {
    if (count + 1) * 8 > views.capacityBytes {
      let larger = Memory(capacityBytes: views.capacityBytes * 2)
      larger.base.copyMemory(from: views.base, byteCount: count * 8)
      views = larger
    }
    views.base.assumingMemoryBound(to: UInt64.self)[count] = view
    count += 1
  }
}

/// Writes the one column of text or bytes as it is, a line a row; a null is a blank line.
package final class RawEncoder: RecordEncoder {
  package init() {}

  package func header(for schema: Schema) -> [UInt8] { [] }

  package func encode(_ batch: RecordBatch, into buffer: inout ByteBuffer) {
    precondition(
      batch.columns.count == 1 && batch.columns[0].type.layout == .view, "raw has one column of text or bytes")
    let column = batch.columns[0]
    for row in 0..<batch.count {
      if column.isValid(row) { buffer.append(column.bytes(at: row)) }
      buffer.append(UInt8(ascii: "\n"))
    }
  }
}
