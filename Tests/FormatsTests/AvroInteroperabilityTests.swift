import Foundation
import StreamModel
import Testing

@testable import Formats

/// Avro by another's reading of the specification: fastavro's.
struct AvroInteroperabilityTests {
  @Test func recordedSchemas_resolveAsFastavroResolvesThem() throws {
    let url = AvroCase.fixtures.appendingPathComponent("cases.json")
    let cases = try AvroCase.parse(String(contentsOf: url, encoding: .utf8))
    #expect(cases.count >= 50)
    for (index, sample) in cases.enumerated() { try check(sample, "recorded case \(index)") }
  }

  @Test(.enabled(if: ProcessInfo.processInfo.environment["WEIR_TEST_PYTHON"] != nil))
  func randomSchemas_resolveAsFastavroResolvesThem() throws {
    let seed = UInt32.random(in: 0...UInt32.max)
    let text = try #require(try AvroCase.run(["cases", "\(seed)", "400"]))
    for (index, sample) in try AvroCase.parse(text).enumerated() { try check(sample, "seed \(seed), case \(index)") }
  }

  private func check(_ sample: AvroCase, _ name: String) throws {
    let reader = try AvroSchema.parse(sample.reader)
    let columns = try AvroCase.columns(reader)
    let program = try AvroCompiler.compile(
      writer: AvroSchema.parse(sample.writer), reader: reader, columns: columns, epochSecondColumns: [])
    let rows = AvroRowReader(schema: columns)
    let data = sample.records.flatMap(\.data)
    let chunk = chunk(data)
    rows.begin(area: chunk.storage, count: chunk.count)
    rows.use(program)
    var start = 0
    var expected: [[String: JSONNode]] = []
    for record in sample.records {
      let (outcome, end) = rows.read(program, from: start, to: data.count)
      start += record.data.count
      #expect(end == start, "\(name) ends elsewhere")
      switch (outcome, record.row) {
      case (.row, let row?): expected.append(row)
      case (.unusable, nil): break
      default:
        Issue.record("\(name): \(outcome), not \(String(describing: record.row))\n\(sample.writer)\n\(sample.reader)")
      }
    }
    let decoded = rows.finish(Array(0..<columns.count), area: chunk.storage)
    try #require(decoded.count == expected.count, "\(name)")
    for (row, values) in expected.enumerated() {
      for (index, field) in columns.fields.enumerated() {
        let value = AvroCase.plain(decoded.columns[index].value(at: row))
        let wanted = try AvroCase.normalized(try #require(values[field.name]))
        #expect(matches(value, wanted), "\(name), row \(row): \(field.name) is \(value), not \(wanted)")
      }
    }
  }

  private func matches(_ value: JSONNode, _ wanted: JSONNode) -> Bool {
    if value == wanted { return true }
    guard let ours = value["decimal"]?.text, let theirs = wanted["decimal"]?.text else { return false }
    return Decimal.parse(ours, precision: 38, scale: 30) == Decimal.parse(theirs, precision: 38, scale: 30)
  }

  // MARK: Files

  @Test func recordedFiles_giveTheRowsThatFastavroWrote() throws {
    let url = AvroCase.fixtures.appendingPathComponent("files.json")
    try checkFiles(String(contentsOf: url, encoding: .utf8), "recorded file")
  }

  @Test(.enabled(if: ProcessInfo.processInfo.environment["WEIR_TEST_PYTHON"] != nil))
  func randomFiles_giveTheRowsThatFastavroWrote() throws {
    for _ in 0..<5 {
      let seed = UInt32.random(in: 0...UInt32.max)
      try checkFiles(try #require(try AvroCase.run(["files", "\(seed)"])), "seed \(seed), file")
    }
  }

  private func checkFiles(_ text: String, _ name: String) throws {
    for (number, node) in try #require(JSONNode.parse(text).elements).enumerated() {
      let bytes = try AvroCase.bytes(node["file"])
      let columns = try AvroCase.columns(AvroSchema.parse(try #require(node["schema"]?.text)))
      let rows = try #require(node["rows"]?.elements)
      for pieceBytes in [1 << 20, 1000, 37] {
        let file = try AvroFileReading(bytes, columns, pieceBytes: pieceBytes)
        #expect(file.failures.count == rows.count { $0 == .null }, "\(name) \(number)")
        let expected = rows.compactMap(AvroCase.row)
        try #require(file.rows.count == expected.count, "\(name) \(number)")
        for (row, values) in zip(file.rows, expected) {
          for (value, field) in zip(row, columns.fields) {
            let wanted = try AvroCase.normalized(try #require(values[field.name]))
            #expect(matches(AvroCase.plain(value), wanted), "\(name) \(number): \(field.name)")
          }
        }
        #expect(file.positions == file.positions.sorted(), "\(name) \(number)")
      }
    }
  }

  @Test(.enabled(if: ProcessInfo.processInfo.environment["WEIR_TEST_PYTHON"] != nil), arguments: AvroCodec.allCases)
  func filesThatWeWrite_giveFastavroTheirRows(_ codec: AvroCodec) throws {
    let (schema, rows) = AvroTests.sample(rows: 3000)
    let path = NSTemporaryDirectory() + "weir-avro-\(UUID().uuidString).avro"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(AvroTests.file(schema, rows, codec)).write(to: URL(fileURLWithPath: path))
    let output = try #require(try AvroCase.run(["read", path]))
    let read = output.split(separator: "\n")
    try #require(read.count == rows.count)
    for (line, row) in zip(read, rows) {
      let values = try #require(AvroCase.row(JSONNode.parse(String(line))))
      for (value, field) in zip(row, schema.fields) {
        let wanted = try AvroCase.normalized(try #require(values[field.name]))
        #expect(matches(AvroCase.plain(value), wanted), "\(field.name) is \(wanted), not \(value)")
      }
    }
  }
}

/// A file read piece by piece, as a file source does.
struct AvroFileReading {
  private(set) var rows: [[Value]] = []
  private(set) var positions: [Int64] = []
  private(set) var failures: [(position: Int64, reason: String)] = []

  init(_ bytes: [UInt8], _ columns: Schema, pieceBytes: Int, reader: AvroSchema? = nil) throws {
    let format = Format.avro(AvroOptions())
    let length = try #require(
      bytes.withUnsafeBufferPointer { format.makeSplitter().prologueLength(in: $0, isAtEnd: true) })
    let prologue = Array(bytes[..<length])
    let decoder = AvroFileDecoder(
      schema: columns, materialize: Array(0..<columns.count), epochSecondColumns: [], readerSchema: reader)
    var start = length
    while start < bytes.count {
      let end = AvroFileReading.pieceEnd(bytes, start, prologue, pieceBytes)
      let chunk = chunk(Array(bytes[start..<end]), offset: Int64(start))
      let decoded = decoder.decode(chunk, prologue: prologue)
      let origin = RecordOrigin(chunk: decoded.chunk ?? chunk, ranges: decoded.rows.ranges)
      rows += decoded.values
      positions += (0..<decoded.rows.count).map { origin.position(at: $0) }
      failures += decoded.failures.map { failure in
        ((decoded.chunk ?? chunk).position(ofRecordAt: failure.start), failure.reason)
      }
      start = end
    }
  }

  /// Where the next piece ends: the area grows until a block is whole, as in a file source.
  private static func pieceEnd(_ bytes: [UInt8], _ start: Int, _ prologue: [UInt8], _ pieceBytes: Int) -> Int {
    var splitter = Format.avro(AvroOptions()).makeSplitter(prologue: prologue)
    var (filled, scanned) = (min(pieceBytes, bytes.count - start), 0)
    while true {
      let isAtEnd = start + filled == bytes.count
      let end = bytes[start..<start + filled].withUnsafeBufferPointer {
        splitter.lastRecordEnd(in: $0, scanned: scanned, isAtEnd: isAtEnd)
      }
      if end > 0 || isAtEnd { return start + (isAtEnd ? filled : end) }
      scanned = filled
      filled = min(filled * 2, bytes.count - start)
    }
  }
}
