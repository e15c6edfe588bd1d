import Formats
import StreamModel

/// A dead letter as it was written, perhaps mended since.
package struct DeadLetter: Sendable {
  package let step: String
  package let port: String
  package let reason: String
  /// Nil for a row that a step made.
  package let source: String?
  package let partition: String?
  /// The original bytes.
  package let record: [UInt8]
}

/// Reads the dead letters in files.
package struct DeadLetterReader {
  private let path: String
  private let format: Format

  /// - Parameter path: A file, a directory or a glob.
  package init(path: String, format: Format) {
    self.path = path
    self.format = format
  }

  /// Calls `body` with every letter, in the order of the files' names.
  package func read(_ body: (DeadLetter) throws(ConnectorError) -> Void) throws(ConnectorError) {
    let reader = FileSourceReader(
      FileSourceSpec(path: path, isOnePartition: true), source: "dead_letters", format: format)
    try reader.open()
    defer { reader.close() }
    let decoder = format.makeDecoder(
      schema: deadLetterSchema, materialize: Array(0..<deadLetterSchema.count), epochSecondColumns: [])
    while true {
      switch try reader.next(targetBytes: 1 << 20) {
      case .chunk(let chunk, let prologue): try read(chunk, prologue, decoder, body)
      case .undecodable(let chunk, let failure): throw fault(chunk, failure.start, failure.reason)
      case .endOfPartition, .wait: continue
      case .endOfInput: return
      }
    }
  }

  private func read(
    _ chunk: RecordChunk, _ prologue: [UInt8], _ decoder: any RecordDecoder,
    _ body: (DeadLetter) throws(ConnectorError) -> Void
  ) throws(ConnectorError) {
    let decoded: DecodedChunk
    do { decoded = try decoder.decode(chunk, prologue: prologue) } catch { throw ConnectorError("\(path): \(error)") }
    if let failure = decoded.failures.first { throw fault(decoded.chunk ?? chunk, failure.start, failure.reason) }
    let columns = decoded.rows.columns
    func text(_ column: Int, _ row: Int) -> String? {
      columns[column].isValid(row) ? String(decoding: columns[column].bytes(at: row), as: UTF8.self) : nil
    }
    for row in 0..<decoded.rows.count {
      guard let record = Base64.decode(columns[9].bytes(at: row)) else {
        let start = Int(UInt64(bitPattern: decoded.rows.ranges.int64s[row]) >> 32)
        throw fault(decoded.chunk ?? chunk, start, "record: it is not base64")
      }
      try body(
        DeadLetter(
          step: text(1, row) ?? "", port: text(2, row) ?? "", reason: text(3, row) ?? "", source: text(4, row),
          partition: text(5, row), record: record))
    }
  }

  private func fault(_ chunk: RecordChunk, _ start: Int, _ reason: String) -> ConnectorError {
    ConnectorError(
      "dead letters: \(chunk.partition.name): byte \(chunk.position(ofRecordAt: start)): is no dead letter: \(reason) — correct the letter or take it out"
    )
  }
}
