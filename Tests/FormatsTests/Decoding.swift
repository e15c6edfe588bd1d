import StreamModel

@testable import Formats

/// A chunk whose padding is hostile: what follows it looks like more of the same.
func chunk(_ bytes: [UInt8], offset: Int64 = 0, isFragment: Bool = false) -> RecordChunk {
  let partition = SourcePartition(source: "test", name: "test", index: 0)
  let storage = Memory(capacityBytes: bytes.count + RecordChunk.paddingBytes)
  let area = storage.base.assumingMemoryBound(to: UInt8.self)
  bytes.withUnsafeBytes {
    if let start = $0.baseAddress { storage.base.copyMemory(from: start, byteCount: bytes.count) }
  }
  let hostile = Array("\"a\":1}]\"\\:,".utf8)
  for index in 0..<RecordChunk.paddingBytes { area[bytes.count + index] = hostile[index % hostile.count] }
  return RecordChunk(partition: partition, offset: offset, storage: storage, count: bytes.count, isFragment: isFragment)
}

func decodeJSON(
  _ bytes: [UInt8], _ schema: Schema, offset: Int64 = 0, seconds: Set<Int> = [],
  maxRecordBytes: Int = Format.maxRecordBytes
) -> DecodedChunk {
  JSONDecoder(
    schema: schema, materialize: Array(0..<schema.count), epochSecondColumns: seconds, maxRecordBytes: maxRecordBytes
  ).decode(chunk(bytes, offset: offset), prologue: [])
}

func decodeJSON(_ text: String, _ schema: Schema, offset: Int64 = 0) -> DecodedChunk {
  decodeJSON(Array(text.utf8), schema, offset: offset)
}

func decodeCSV(
  _ text: String, _ schema: Schema, header: String? = nil, options: CSVOptions? = nil,
  maxRecordBytes: Int = Format.maxRecordBytes
) -> DecodedChunk {
  var options = options ?? CSVOptions()
  options.header = header != nil
  let prologue = Array((header ?? "").utf8)
  return CSVDecoder(
    schema: schema, materialize: Array(0..<schema.count), options: options, maxRecordBytes: maxRecordBytes
  ).decode(chunk(Array(text.utf8), offset: Int64(prologue.count)), prologue: prologue)
}

extension DecodedChunk {
  var values: [[Value]] { (0..<rows.count).map { row in rows.columns.map { $0.value(at: row) } } }

  /// Start and length of every row.
  var ranges: [Range<Int>] {
    (0..<rows.count).map { row in
      let view = UInt64(bitPattern: rows.ranges.int64s[row])
      return Int(view >> 32)..<Int(view >> 32) + Int(view & 0xFFFF_FFFF)
    }
  }

  var failureRanges: [Range<Int>] { failures.map { $0.start..<$0.start + $0.length } }

  /// Every record in its order: a row's values, or a failure's bytes.
  var outcomes: [Outcome] {
    let rows = zip(ranges, values).map { ($0.lowerBound, Outcome.row($0, $1)) }
    let failed = failureRanges.map { ($0.lowerBound, Outcome.failure($0)) }
    return (rows + failed).sorted { $0.0 < $1.0 }.map(\.1)
  }
}

/// What became of a record, and where it stood.
enum Outcome: Equatable {
  case row(Range<Int>, [Value])
  case failure(Range<Int>)

  func shifted(by offset: Int) -> Outcome {
    switch self {
    case .row(let range, let values): .row(range.lowerBound + offset..<range.upperBound + offset, values)
    case .failure(let range): .failure(range.lowerBound + offset..<range.upperBound + offset)
    }
  }
}

func batch(_ schema: Schema, _ rows: [[Value]]) -> RecordBatch {
  let columns = schema.fields.indices.map { index in
    let builder = ColumnBuilder(schema[index].type)
    for row in rows { builder.append(row[index]) }
    return builder.finish()
  }
  let times = Column.constant(.int64(0), .int64, count: rows.count)
  return RecordBatch(schema: schema, columns: columns, count: rows.count, eventTimes: times)
}

func encode(_ encoder: any RecordEncoder, _ batch: RecordBatch) -> [UInt8] {
  var buffer = ByteBuffer(capacity: 64)
  encoder.encode(batch, into: &buffer)
  return [UInt8](buffer.bytes)
}

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
