import Formats
import StreamModel

/// A table's file, read and decoded at once. Every row must decode.
struct TableFile {
  let spec: FileTableSpec
  let place: String

  /// The most bytes of a file, decompressed: a table is held in memory.
  static let maxBytes = 1 << 30
  private static let pieceBytes = 1 << 20

  func rows(_ schema: Schema) throws(ConnectorError) -> RecordBatch {
    var bytes = try read()
    try unpackArray(&bytes)
    let decoded = try decode(bytes, schema)
    let times = Column.constant(.timestamp(EventTimes.minimum), .timestamp, count: decoded.count)
    return RecordBatch(schema: schema, columns: decoded.columns, count: decoded.count, eventTimes: times)
  }

  private func fault(_ text: String) -> ConnectorError { ConnectorError("\(place): \(spec.path): \(text)") }

  private func read() throws(ConnectorError) -> [UInt8] {
    let file = try FileBytes(path: spec.path, place: place)
    let piece = Memory(capacityBytes: TableFile.pieceBytes)
    var bytes: [UInt8] = []
    while true {
      let given = try file.read(into: piece.base, count: TableFile.pieceBytes)
      if given == 0 { break }
      bytes.append(contentsOf: UnsafeRawBufferPointer(start: piece.base, count: given))
      if bytes.count > TableFile.maxBytes {
        throw fault("it has more than \(TableFile.maxBytes >> 20) MiB — a file table is held in memory; use a database")
      }
    }
    if let damage = file.damage { throw fault(damage) }
    return bytes
  }

  /// A JSON file may be one array of objects instead of an object a line.
  private func unpackArray(_ bytes: inout [UInt8]) throws(ConnectorError) {
    guard case .json = spec.format else { return }
    let first = bytes.first { ![0x20, 0x09, 0x0A, 0x0D, 0xEF, 0xBB, 0xBF].contains($0) }
    guard first == UInt8(ascii: "[") else { return }
    do {
      let text = String(
        decoding: bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...], as: UTF8.self)
      let elements = try JSONNode.parse(text).elements ?? []
      bytes = Array(elements.map { "\($0)\n" }.joined().utf8)
    } catch {
      throw fault("\(error)")
    }
  }

  private func decode(_ bytes: [UInt8], _ schema: Schema) throws(ConnectorError) -> DecodedRows {
    let splitter = spec.format.makeSplitter()
    let prologueLength = bytes.withUnsafeBufferPointer { splitter.prologueLength(in: $0, isAtEnd: true) }
    guard let prologueLength else { throw fault(bytes.withUnsafeBufferPointer(splitter.prologueFault)) }
    let partition = SourcePartition(source: "table", name: spec.path, index: 0)
    let chunk = bytes.withUnsafeBytes { all in
      RecordChunk(
        partition: partition, offset: Int64(prologueLength),
        copying: UnsafeRawBufferPointer(rebasing: all[prologueLength...]))
    }
    let decoder = spec.format.makeDecoder(
      schema: schema, materialize: Array(0..<schema.count), epochSecondColumns: [])
    let decoded: DecodedChunk
    do {
      decoded = try decoder.decode(chunk, prologue: Array(bytes[..<prologueLength]))
    } catch {
      throw fault(error.description)
    }
    if let failure = decoded.failures.first {
      let line = bytes[..<(prologueLength + failure.start)].count { $0 == UInt8(ascii: "\n") } + 1
      throw fault("line \(line): \(failure.reason) — correct the row, or take it out")
    }
    return decoded.rows
  }
}
