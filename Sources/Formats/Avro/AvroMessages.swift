import StreamModel

/// The registry's wire format: a zero, the schema's number in four bytes, the highest first, and the record.
enum AvroWireFormat {
  static let prefixBytes = 5

  static func schemaNumber(_ message: UnsafeBufferPointer<UInt8>) -> Int32? {
    guard message.count >= prefixBytes, message[0] == 0 else { return nil }
    return message[1..<prefixBytes].reduce(0) { $0 << 8 | Int32($1) }
  }

  static func prefix(_ number: Int32) -> [UInt8] {
    [0] + (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) }
  }
}

/// Decodes messages whose schemas a registry holds, by number. Each number's schema is resolved once.
///
/// A number that the registry does not know is the failure of each record that bears it; it is asked for anew with the next
/// chunk. A registry that does not answer is thrown.
package final class AvroMessageDecoder: RecordDecoder {
  private let schema: Schema
  private let materialize: [Int]
  private let epochSecondColumns: Set<Int>
  private let readerSchema: AvroSchema?
  private let registry: (any SchemaRegistry)?
  private let rows: AvroRowReader
  private var programs: [Int32: AvroProgram] = [:]
  /// Why records of a schema cannot be read; forgotten with each chunk.
  private var problems: [Int32: String] = [:]

  package init(
    schema: Schema, materialize: [Int], epochSecondColumns: Set<Int>, readerSchema: AvroSchema?,
    registry: (any SchemaRegistry)?
  ) {
    self.schema = schema
    self.materialize = materialize
    self.epochSecondColumns = epochSecondColumns
    self.readerSchema = readerSchema
    self.registry = registry
    rows = AvroRowReader(schema: schema)
  }

  package func decode(_ chunk: RecordChunk, prologue: [UInt8]) throws(FormatError) -> DecodedChunk {
    problems = [:]
    rows.begin(area: chunk.storage, count: chunk.count)
    var failures: [DecodeFailure] = []
    for range in chunk.messages {
      if let reason = try decode(chunk.bytes, range) {
        failures.append(DecodeFailure(start: range.lowerBound, length: range.count, reason: reason))
      }
    }
    return DecodedChunk(rows: rows.finish(materialize, area: chunk.storage), failures: failures)
  }

  /// Reads one message; returns why it is no row.
  private func decode(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) throws(FormatError) -> String? {
    let message = UnsafeBufferPointer(rebasing: bytes[range])
    guard let number = AvroWireFormat.schemaNumber(message) else {
      let shown = message.first.map { "it begins with byte \($0), not 0 and a schema's number" } ?? "it is empty"
      return "the message is not in the schema registry's wire format: \(shown)"
    }
    guard let program = try program(number) else { return problems[number] ?? "schema \(number) cannot be read" }
    rows.use(program)
    let start = range.lowerBound + AvroWireFormat.prefixBytes
    let (outcome, end) = rows.read(program, from: start, to: range.upperBound, recordStart: range.lowerBound)
    switch outcome {
    case .row where end == range.upperBound: return nil
    case .row:
      rows.takeBack()
      return "\(range.upperBound - end) bytes follow the record"
    case .unusable(let reason): return reason
    case .malformed(let reason): return "the record makes no sense by schema \(number): \(reason)"
    }
  }

  private func program(_ number: Int32) throws(FormatError) -> AvroProgram? {
    if let known = programs[number] { return known }
    if problems[number] != nil { return nil }
    guard let registry else {
      problems[number] = "schema \(number) cannot be looked up: the source names no `registry:`"
      return nil
    }
    let writer: AvroSchema
    do throws(SchemaRegistryError) {
      writer = try registry.schema(number: number)
    } catch {
      if error.kind == .unavailable { throw FormatError(error.description, isRetriable: true) }
      problems[number] = error.description
      return nil
    }
    do throws(FormatError) {
      let program = try AvroCompiler.compile(
        writer: writer, reader: readerSchema, columns: schema, epochSecondColumns: epochSecondColumns)
      programs[number] = program
      return program
    } catch {
      problems[number] = "schema \(number): \(error)"
      return nil
    }
  }
}

extension RecordChunk {
  /// Where the messages lie in a chunk of messages, in order. A line end behind one is the connector's, and no part of it.
  package var messages: [Range<Int>] {
    guard let messageIndex else { return count == 0 ? [] : [0..<count] }
    return zip(messageIndex.starts, messageIndex.lengths).map { Int($0)..<Int($0) + Int($1) }
  }
}

/// Writes rows as messages of the registry's wire format.
package final class AvroMessageEncoder: MessageEncoder {
  private let schema: Schema
  private let options: AvroOptions
  private let subject: String
  private let registry: (any SchemaRegistry)?
  private var prefix: [UInt8]?

  package init(schema: Schema, options: AvroOptions, subject: String, registry: (any SchemaRegistry)?) {
    self.schema = schema
    self.options = options
    self.subject = subject
    self.registry = registry
  }

  package func open() throws(FormatError) {
    guard prefix == nil else { return }
    guard let registry else { throw FormatError("Avro messages need a schema registry: name one with `registry:`") }
    let text = AvroSchemaWriter.schema(of: schema, recordName: options.recordName).description
    do throws(SchemaRegistryError) {
      let number =
        options.registers
        ? try registry.register(text, subject: subject) : try registry.number(of: text, subject: subject)
      prefix = AvroWireFormat.prefix(number)
    } catch {
      throw FormatError(error.description, isRetriable: error.kind == .unavailable)
    }
  }

  package func encode(
    _ batch: RecordBatch, into buffer: inout ByteBuffer, ranges: inout [Range<Int>]
  ) throws(FormatError) {
    try open()
    let writer = AvroRowWriter(schema: schema)
    for row in 0..<batch.count {
      let start = buffer.count
      prefix?.withUnsafeBufferPointer { buffer.append($0) }
      writer.write(batch, row: row, into: &buffer)
      ranges.append(start..<buffer.count)
    }
  }
}

/// Writes rows as messages of a format of lines: what its encoder writes, without line ends.
package final class LineMessageEncoder: MessageEncoder {
  private let encoder: any RecordEncoder
  private let isOneLineARow: Bool

  init(_ format: Format) {
    var format = format
    if case .csv(var options) = format {
      options.header = false
      format = .csv(options)
    }
    encoder = format.makeEncoder()
    isOneLineARow = format == .json
  }

  package func open() throws(FormatError) {}

  package func encode(
    _ batch: RecordBatch, into buffer: inout ByteBuffer, ranges: inout [Range<Int>]
  ) throws(FormatError) {
    guard isOneLineARow else {
      // A cell or a raw value may hold line ends of its own.
      for row in 0..<batch.count {
        let start = buffer.count
        encoder.encode(batch.gather([Int32(row)]), into: &buffer)
        ranges.append(start..<buffer.count - 1)
      }
      return
    }
    var start = buffer.count
    encoder.encode(batch, into: &buffer)
    let bytes = buffer.bytes
    while start < bytes.count, let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
      ranges.append(start..<end)
      start = end + 1
    }
  }
}
