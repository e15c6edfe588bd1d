import Foundation
import StreamModel
import Testing

@testable import Formats

/// Avro's types as columns, object files and their damage, messages.
struct AvroTests {
  /// Rows of every type, with nulls.
  static func sample(rows: Int, seed: UInt64 = 7) -> (Schema, [[Value]]) {
    let schema = Schema([
      Field("id", .int64, nullable: false), Field("flag", .boolean), Field("ratio", .double), Field("name", .string),
      Field("raw", .bytes), Field("day", .date), Field("at", .timestamp),
      Field("price", .decimal(precision: 18, scale: 3)), Field("total", .decimal(precision: 38, scale: 6)),
    ])
    var random = TestRandom(seed: seed)
    let values = (0..<rows).map { row -> [Value] in
      let all: [Value] = [
        .int64(Int64(row) - 5), .boolean(row % 2 == 0), .double(Double(row) / 3), .string("n\(row % 17) é"),
        .bytes([UInt8(truncatingIfNeeded: row), 0, 255]), .date(Int64(row) - 1000), .timestamp(Int64(row) * 123_457),
        .decimal(Int128(row) * 1001 - 40_000, scale: 3),
        .decimal(Int128(row) * 1_000_000_007_000_000_009_000 - 7, scale: 6),
      ]
      return all.enumerated().map { $0 > 0 && random.next() % 5 == 0 ? .null : $1 }
    }
    return (schema, values)
  }

  static func file(_ schema: Schema, _ rows: [[Value]], _ codec: AvroCodec) -> [UInt8] {
    var options = AvroOptions()
    options.codec = codec
    let encoder = Format.avro(options).makeEncoder()
    var buffer = ByteBuffer()
    for byte in encoder.header(for: schema) { buffer.append(byte) }
    for start in stride(from: 0, to: rows.count, by: 100) {
      encoder.encode(batch(schema, Array(rows[start..<min(start + 100, rows.count)])), into: &buffer)
    }
    encoder.finish(into: &buffer)
    return [UInt8](buffer.bytes)
  }

  @Test(arguments: AvroCodec.allCases)
  func whatIsWritten_isReadBack_howeverTheFileIsCut(_ codec: AvroCodec) throws {
    let (schema, rows) = AvroTests.sample(rows: 5000)
    let bytes = AvroTests.file(schema, rows, codec)
    for pieceBytes in [1 << 20, 5000, 100] {
      let file = try AvroFileReading(bytes, schema, pieceBytes: pieceBytes)
      #expect(file.failures.isEmpty)
      #expect(file.rows == rows)
      #expect(Set(file.positions).count == rows.count, "every record has a place of its own")
    }
  }

  @Test func theSameRows_giveTheSameBytes() {
    let (schema, rows) = AvroTests.sample(rows: 500)
    #expect(AvroTests.file(schema, rows, .deflate) == AvroTests.file(schema, rows, .deflate))
  }

  @Test(arguments: AvroCodec.allCases)
  func damage_costsOneBlockAndNoMore(_ codec: AvroCodec) throws {
    let (schema, rows) = AvroTests.sample(rows: 8000)
    let bytes = AvroTests.file(schema, rows, codec)
    let header = try #require(bytes.withUnsafeBufferPointer(AvroContainerHeader.length))
    let sync = Array(bytes[header - 16..<header])
    // Every block's size, and places where a block ends.
    var ends: [Int] = []
    var from = header
    while let end = bytes.withUnsafeBufferPointer({ AvroBlock.endOfSync($0, from: from, sync: sync) }) {
      ends.append(end)
      from = end
    }
    try #require(ends.count >= 4)
    var damaged = bytes
    damaged[ends[1] - 1] ^= 0x55  // the second block's marker
    for pieceBytes in [1 << 22, 999] {
      let file = try AvroFileReading(damaged, schema, pieceBytes: pieceBytes)
      #expect(file.failures.count == 1)
      #expect(file.failures.first?.position == Int64(ends[0]))
      #expect(file.failures.first?.reason == "the block is damaged: it does not end with the file's sync marker")
      let first = try AvroFileReading(Array(bytes[..<ends[0]]), schema, pieceBytes: 1 << 22).rows
      let rest = try AvroFileReading(Array(bytes[..<header] + bytes[ends[2]...]), schema, pieceBytes: 1 << 22).rows
      // The marker of the third block is the next one found: it goes with the second.
      #expect(file.rows == first + rest)
    }
  }

  @Test func aFileCutShort_losesItsLastBlock() throws {
    let (schema, rows) = AvroTests.sample(rows: 3000)
    let bytes = AvroTests.file(schema, rows, .zstandard)
    let file = try AvroFileReading(Array(bytes.dropLast(5)), schema, pieceBytes: 700)
    #expect(file.failures.count == 1)
    #expect(file.rows.count < rows.count && file.rows == Array(rows[..<file.rows.count]))
  }

  /// The blocks of a file: how many records each has, and where it ends.
  private func blocks(_ bytes: [UInt8], _ header: Int) -> [(rows: Int, end: Int)] {
    let sync = Array(bytes[header - 16..<header])
    var blocks: [(rows: Int, end: Int)] = []
    bytes.withUnsafeBufferPointer { bytes in
      var start = header
      while case .block(let block) = AvroBlock.find(bytes, at: start, sync: sync) {
        blocks.append((Int(block.recordCount), block.end))
        start = block.end
      }
    }
    return blocks
  }

  @Test func randomDamage_costsNothingButTheBlockItTouchesAndTheNext() throws {
    let (schema, rows) = AvroTests.sample(rows: 6000)
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = TestRandom(seed: seed)
    for codec in AvroCodec.allCases {
      let bytes = AvroTests.file(schema, rows, codec)
      let header = try #require(bytes.withUnsafeBufferPointer(AvroContainerHeader.length))
      let blocks = blocks(bytes, header)
      try #require(blocks.count >= 4 && blocks.last?.end == bytes.count)
      for _ in 0..<30 {
        var damaged = bytes
        let place = header + Int(random.next() % UInt64(bytes.count - header))
        damaged[place] ^= UInt8(1 + random.next() % 255)
        let whole = try AvroFileReading(damaged, schema, pieceBytes: 1 << 22)
        let cut = try AvroFileReading(damaged, schema, pieceBytes: 3000)
        #expect(whole.rows == cut.rows, "seed \(seed)")
        #expect(whole.failures.map(\.reason) == cut.failures.map(\.reason), "seed \(seed)")
        let touched = try #require(blocks.firstIndex { place < $0.end })
        let before = blocks[..<touched].reduce(0) { $0 + $1.rows }
        let after = blocks.dropFirst(touched + 2).reduce(0) { $0 + $1.rows }
        #expect(whole.rows.prefix(before) == rows.prefix(before), "seed \(seed)")
        #expect(whole.rows.suffix(after) == rows.suffix(after), "seed \(seed)")
      }
    }
  }

  @Test func anotherFile_isNoAvroFile() {
    let splitter = Format.avro(AvroOptions()).makeSplitter()
    let bytes = Array("{\"a\":1}\n".utf8)
    bytes.withUnsafeBufferPointer {
      #expect(splitter.prologueLength(in: $0, isAtEnd: true) == nil)
      #expect(
        splitter.prologueFault($0)
          == "is no Avro object file: it does not begin with `Obj` and 1 — check the path and the `format:`")
    }
  }

  // MARK: Values

  /// Decodes one record of one field.
  private func decode(_ type: String, _ data: [UInt8], _ column: DataType, nullable: Bool = true) throws -> DecodedChunk
  {
    let schema = Schema([Field("x", column, nullable: nullable)])
    let writer = "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"x\",\"type\":\(type)}]}"
    let sync = [UInt8](repeating: 7, count: 16)
    let header = AvroContainerHeader.encode(schema: writer, codec: .null, sync: sync)
    let block: [UInt8] = [2, UInt8(data.count * 2)] + data + sync
    let decoder = AvroFileDecoder(schema: schema, materialize: [0], epochSecondColumns: [], readerSchema: nil)
    return decoder.decode(chunk(block, offset: Int64(header.count)), prologue: header)
  }

  private func zigzag(_ value: Int64) -> [UInt8] {
    var buffer = ByteBuffer()
    AvroBinary.append(long: value, to: &buffer)
    return [UInt8](buffer.bytes)
  }

  @Test func lossIsADecodeError() throws {
    let micros = "{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}"
    #expect(try decode(micros, zigzag(5_000), .timestamp).values == [[.timestamp(5)]])
    #expect(
      try decode(micros, zigzag(5_001), .timestamp).failures.map(\.reason)
        == ["x: 5001 µs is no timestamp of whole milliseconds between the years 1 and 9999"])
    let decimal = "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":9,\"scale\":3}"
    #expect(
      try decode(decimal, [4, 0x30, 0x39], .decimal(precision: 9, scale: 2)).failures.map(\.reason)
        == ["x: decimal(9,2) would lose digits of 12.345"])
    #expect(
      try decode(decimal, [4, 0x30, 0x3A - 4], .decimal(precision: 4, scale: 2)).failures.map(\.reason)
        == ["x: decimal(4,2) would lose digits of 12.342"])
    #expect(
      try decode(decimal, [6, 0x0F, 0x42, 0x40], .decimal(precision: 4, scale: 2)).failures.map(\.reason)
        == ["x: 1000.000 does not fit decimal(4,2)"])
    #expect(
      try decode("\"long\"", zigzag(9_007_199_254_740_993), .double).failures.map(\.reason)
        == ["x: double would lose digits of 9007199254740993"])
  }

  @Test func typesThatAColumnCannotHold_failTheirRecords() throws {
    #expect(
      try decode("{\"type\":\"array\",\"items\":\"int\"}", [2, 2, 0], .int64).failures.map(\.reason)
        == ["x: array is no int64"])
    #expect(try decode("[\"null\",\"string\"]", [0], .string).values == [[.null]])
    #expect(
      try decode("[\"null\",\"string\"]", [0], .string, nullable: false).failures.map(\.reason)
        == ["x: null in a field that is not null"])
    #expect(
      try decode("{\"type\":\"long\",\"logicalType\":\"local-timestamp-millis\"}", [2], .timestamp).failures.map(
        \.reason)
        == ["x: long (local-timestamp) has no zone; declare the column as int64"])
    #expect(try decode("\"string\"", [2, 0xFF], .string).failures.map(\.reason) == ["x: the text is not UTF-8"])
  }

  @Test func bytesThatMakeNoSense_failAlone() throws {
    #expect(try decode("\"string\"", [20, 0x41], .string).failures.count == 1)
    #expect(try decode("[\"null\",\"string\"]", [8], .string).failures.count == 1)
    #expect(try decode("\"long\"", [UInt8](repeating: 0xFF, count: 11), .int64).failures.count == 1)
    #expect(try decode("\"boolean\"", [2], .boolean).failures.count == 1)
    let nested = "{\"type\":\"array\",\"items\":\"null\"}"
    let endless = "[{\"type\":\"long\"},\(nested)]"
    #expect(try decode(endless, [2] + zigzag(.max) + [0], .int64).failures.map(\.reason) == ["x: array is no int64"])
  }

  @Test func aRecursiveType_isReadOver() throws {
    let list = """
      {"type":"record","name":"R","fields":[{"name":"x","type":"long"},{"name":"next","type":["null","R"]}]}
      """
    let columns = Schema([Field("x", .int64)])
    let program = try AvroCompiler.compile(
      writer: AvroSchema.parse(list), reader: nil, columns: columns, epochSecondColumns: [])
    let rows = AvroRowReader(schema: columns)
    for (depth, isRead) in [(100, true), (100_000, false)] {
      let data = (0..<depth).flatMap { _ -> [UInt8] in [2, 2] } + [2, 0]
      let chunk = chunk(data)
      rows.begin(area: chunk.storage, count: chunk.count)
      rows.use(program)
      let (outcome, end) = rows.read(program, from: 0, to: data.count)
      switch outcome {
      case .row: #expect(isRead && end == data.count)
      case .malformed(let reason): #expect(!isRead && reason == "it is nested more than 200 deep")
      case .unusable(let reason): Issue.record("\(reason)")
      }
    }
  }

  @Test func faultySchemas_sayWhere() {
    let faults = [
      ("{\"type\":\"record\",\"name\":\"R\"}", "the Avro schema is faulty at R: a record lacks `fields`"),
      (
        "{\"type\":\"record\",\"fields\":[]}",
        "the Avro schema is faulty: a record has no name of letters, digits and _"
      ),
      (
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"strng\"}]}",
        "the Avro schema is faulty at R.a: there is no type strng"
      ),
      ("[\"null\",[\"int\"]]", "the Avro schema is faulty: a union holds a union"),
      ("{", "the Avro schema is no JSON at byte 1: a name is expected"),
    ]
    for (text, expected) in faults {
      #expect(throws: FormatError(expected)) { try AvroSchema.parse(text) }
    }
  }
}
