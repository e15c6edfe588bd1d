import StreamModel

/// Decodes the blocks of Avro object files. The prologue is the file's header.
///
/// A damaged block, and what follows a record inside a block that makes no sense, is one failure each; records that are
/// sound and cannot be rows fail alone. Rows of compressed blocks refer to a chunk of the unpacked records, whose positions
/// lie between the block's beginning and end, in the order of the records.
package final class AvroFileDecoder: RecordDecoder {
  private let schema: Schema
  private let materialize: [Int]
  private let epochSecondColumns: Set<Int>
  private let readerSchema: AvroSchema?
  private let rows: AvroRowReader
  private var prepared: (prologue: [UInt8], header: Prepared)?

  /// What a file's header says, made ready; or why its records cannot be read.
  private enum Prepared {
    case program(AvroProgram, AvroContainerHeader)
    case problem(String)
  }

  package init(schema: Schema, materialize: [Int], epochSecondColumns: Set<Int>, readerSchema: AvroSchema?) {
    self.schema = schema
    self.materialize = materialize
    self.epochSecondColumns = epochSecondColumns
    self.readerSchema = readerSchema
    rows = AvroRowReader(schema: schema)
  }

  package func decode(_ chunk: RecordChunk, prologue: [UInt8]) -> DecodedChunk {
    if chunk.isFragment {
      let reason = "this is a piece of a block of more than \(Format.maxRecordBytes) bytes"
      return failed(chunk, reason)
    }
    switch prepare(prologue) {
    case .problem(let problem): return failed(chunk, problem)
    case .program(let program, let header): return decode(AvroUnpackedChunk(chunk, header), program)
    }
  }

  private func failed(_ chunk: RecordChunk, _ reason: String) -> DecodedChunk {
    rows.begin(area: chunk.storage, count: chunk.count)
    let failure = DecodeFailure(start: 0, length: chunk.count, reason: reason)
    return DecodedChunk(
      rows: rows.finish(materialize, area: chunk.storage), failures: chunk.count == 0 ? [] : [failure])
  }

  private func prepare(_ prologue: [UInt8]) -> Prepared {
    if let prepared, prepared.prologue == prologue { return prepared.header }
    let header: Prepared
    do throws(FormatError) {
      let parsed = try AvroContainerHeader.parse(prologue)
      let program = try AvroCompiler.compile(
        writer: parsed.schema, reader: readerSchema, columns: schema, epochSecondColumns: epochSecondColumns)
      header = .program(program, parsed)
    } catch {
      header = .problem(error.description)
    }
    prepared = (prologue, header)
    return header
  }

  private func decode(_ unpacked: AvroUnpackedChunk, _ program: AvroProgram) -> DecodedChunk {
    let chunk = unpacked.chunk
    var failures: [DecodeFailure] = []
    rows.begin(area: chunk.storage, count: chunk.count)
    rows.use(program)
    for part in unpacked.parts {
      switch part.content {
      case .damage(let reason):
        failures.append(DecodeFailure(start: part.range.lowerBound, length: part.range.count, reason: reason))
      case .records(let count): decode(count, part.range, program, &failures)
      }
    }
    return DecodedChunk(
      rows: rows.finish(materialize, area: chunk.storage), failures: failures, chunk: unpacked.isUnpacked ? chunk : nil)
  }

  private func decode(
    _ count: Int64, _ range: Range<Int>, _ program: AvroProgram, _ failures: inout [DecodeFailure]
  ) {
    var start = range.lowerBound
    for index in 0..<count {
      let (outcome, end) = rows.read(program, from: start, to: range.upperBound)
      switch outcome {
      case .row: break
      case .unusable(let reason): failures.append(DecodeFailure(start: start, length: end - start, reason: reason))
      case .malformed(let reason):
        let left = count - index
        let all = left == 1 ? "the record makes no sense" : "\(left) records of the block cannot be read"
        failures.append(DecodeFailure(start: start, length: range.upperBound - start, reason: "\(all): \(reason)"))
        return
      }
      start = end
    }
    if start < range.upperBound {
      let reason = "\(range.upperBound - start) bytes follow the \(count) records of the block"
      failures.append(DecodeFailure(start: start, length: range.upperBound - start, reason: reason))
    }
  }
}

/// A chunk of blocks with what compresses them taken away.
private struct AvroUnpackedChunk {
  struct Part {
    let range: Range<Int>
    let content: Content

    enum Content {
      case records(Int64)
      /// The bytes as they are in the file.
      case damage(String)
    }
  }

  private(set) var chunk: RecordChunk
  private(set) var parts: [Part] = []
  /// Whether the records lie in a chunk of their own.
  let isUnpacked: Bool

  init(_ packed: RecordChunk, _ header: AvroContainerHeader) {
    chunk = packed
    isUnpacked = header.codec != .null
    var buffer = ByteBuffer(capacity: isUnpacked ? packed.count * 4 : 64)
    var places: [RecordChunk.Place] = []
    let bytes = packed.bytes
    var start = 0
    while start < bytes.count {
      let (part, end) = AvroUnpackedChunk.part(bytes, start, header, isUnpacked, &buffer)
      let length = end - start
      places.append(
        RecordChunk.Place(start: part.range.lowerBound, position: packed.offset + Int64(start), length: length))
      parts.append(part)
      start = end
    }
    guard isUnpacked else { return }
    let storage = Memory(capacityBytes: buffer.count + RecordChunk.paddingBytes)
    storage.base.copyMemory(from: buffer.base, byteCount: buffer.count)
    (storage.base + buffer.count).initializeMemory(as: UInt8.self, repeating: 0, count: RecordChunk.paddingBytes)
    chunk = RecordChunk(
      partition: packed.partition, offset: packed.offset, storage: storage, count: buffer.count, places: places)
  }

  /// The block at `start`, or what is there instead of one, and where it ends in the file's bytes.
  private static func part(
    _ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ header: AvroContainerHeader, _ isUnpacked: Bool,
    _ buffer: inout ByteBuffer
  ) -> (Part, end: Int) {
    guard case .block(let block) = AvroBlock.find(bytes, at: start, sync: header.sync) else {
      let end = AvroBlock.endOfSync(bytes, from: start, sync: header.sync) ?? bytes.count
      let reason = "the block is damaged: it does not end with the file's sync marker"
      return (damage(bytes, start..<end, reason, isUnpacked, &buffer), end)
    }
    guard isUnpacked else { return (Part(range: block.content, content: .records(block.recordCount)), block.end) }
    let first = buffer.count
    do throws(FormatError) {
      try AvroUnpacker(codec: header.codec).unpack(UnsafeBufferPointer(rebasing: bytes[block.content]), into: &buffer)
      return (Part(range: first..<buffer.count, content: .records(block.recordCount)), block.end)
    } catch {
      buffer.truncate(to: first)
      let reason = "the block of \(block.recordCount) records cannot be unpacked: \(error)"
      return (damage(bytes, start..<block.end, reason, isUnpacked, &buffer), block.end)
    }
  }

  private static func damage(
    _ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ reason: String, _ isUnpacked: Bool,
    _ buffer: inout ByteBuffer
  ) -> Part {
    guard isUnpacked else { return Part(range: range, content: .damage(reason)) }
    let first = buffer.count
    buffer.append(UnsafeBufferPointer(rebasing: bytes[range]))
    return Part(range: first..<buffer.count, content: .damage(reason))
  }
}
