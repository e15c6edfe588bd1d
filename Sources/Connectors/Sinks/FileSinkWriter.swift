import Formats
import Glibc
import StreamModel

/// Writes part files into a directory, each visible only once its checkpoint is committed: `connector: file`.
///
/// A part grows under a hidden name (`.part-<owner>-<subtask>-<n>-<token>.pending`), which no reader of `*.json` sees.
/// `prepare` makes it durable and settles its final name, `part-<subtask>-<checkpoint>-<n>.json`, one that is free;
/// `commit` gives it that name. A part is closed at `rollBytes` and the next begun.
///
/// A run that dies leaves its pending parts behind; `discardLeftovers`, called when the parts of the restored checkpoint
/// have been committed and before anything is written, removes them.
package final class FileSinkWriter: SinkWriter {
  /// The size at which a part is closed.
  package static let rollBytes: Int64 = 256 << 20
  /// How much is gathered before it is given to the system.
  private static let bufferBytes = 1 << 20

  private struct ClosedPart {
    let path: String
    let rows: Int
  }

  private let directory: OutputDirectory
  private let encoder: any RecordEncoder
  private let suffix: String
  private let owner: String
  private let subtask: Int
  private let rollBytes: Int64
  private let header: [UInt8]
  private let token = FileSinkWriter.makeToken()

  private var buffer = ByteBuffer(capacity: FileSinkWriter.bufferBytes)
  private var part: FileOutput?
  private var partRows = 0
  private var closed: [ClosedPart] = []
  private var sequence = 0
  private var isOpen = false

  /// - Parameters:
  ///   - path: The directory; made when it is not there.
  ///   - suffix: What ends a part's name: `json`, `csv`, `avro`.
  ///   - place: The sink in messages: `sinks.totals`.
  ///   - owner: Job and sink, in the names of pending parts.
  package init(
    path: String, encoder: any RecordEncoder, suffix: String, schema: Schema, place: String, owner: String,
    subtask: Int, rollBytes: Int64 = FileSinkWriter.rollBytes
  ) {
    directory = OutputDirectory(path: path, place: place)
    self.encoder = encoder
    self.suffix = suffix
    self.owner = owner
    self.subtask = subtask
    self.rollBytes = rollBytes
    header = encoder.header(for: schema)
  }

  /// Tells this writer's parts from those of other writers, also of earlier runs.
  private static func makeToken() -> String {
    var generator = SystemRandomNumberGenerator()
    return String(generator.next(), radix: 16)
  }

  package func open() throws(ConnectorError) {
    guard !isOpen else { return }
    try directory.create()
    isOpen = true
  }

  package func write(_ batch: RecordBatch) throws(ConnectorError) {
    let part = try openPart()
    encoder.encode(batch, into: &buffer)
    partRows += batch.count
    if buffer.count >= FileSinkWriter.bufferBytes { try flush() }
    if part.sizeBytes + Int64(buffer.count) >= rollBytes { try closePart() }
  }

  private func openPart() throws(ConnectorError) -> FileOutput {
    if let part { return part }
    try open()
    let name = ".part-\(owner)-\(subtask)-\(sequence)-\(token).pending"
    let begun = try FileOutput(creating: "\(directory.path)/\(name)", place: directory.place)
    sequence += 1
    header.withUnsafeBufferPointer { buffer.append($0) }
    part = begun
    return begun
  }

  private func flush() throws(ConnectorError) {
    try part?.write(buffer.bytes)
    part?.syncInBackground()
    buffer.removeAll()
  }

  private func closePart() throws(ConnectorError) {
    guard let part else { return }
    encoder.finish(into: &buffer)
    try flush()
    try part.sync()
    closed.append(ClosedPart(path: part.path, rows: partRows))
    self.part = nil
    partRows = 0
  }

  package func prepare(checkpoint: Int64) throws(ConnectorError) -> [PendingPart] {
    try closePart()
    CrashPoint.reached("part-closed")
    guard !closed.isEmpty else { return [] }
    try directory.sync()
    CrashPoint.reached("part-durable")
    var parts: [PendingPart] = []
    var number = 0
    for part in closed {
      let finalPath = freePath(checkpoint, &number)
      parts.append(PendingPart(pendingPath: part.path, finalPath: finalPath, rows: part.rows))
    }
    closed = []
    return parts
  }

  /// The next final name that no file has: output that is in the directory already is never replaced.
  private func freePath(_ checkpoint: Int64, _ number: inout Int) -> String {
    while true {
      let path = "\(directory.path)/part-\(subtask)-\(checkpoint)-\(number).\(suffix)"
      number += 1
      if access(path, F_OK) != 0 { return path }
    }
  }

  package func commit(_ parts: [PendingPart]) throws(ConnectorError) {
    try FileSinkWriter.commit(parts, place: directory.place)
  }

  package func close() {
    if let part { unlink(part.path) }
    for part in closed { unlink(part.path) }
    part = nil
    partRows = 0
    closed = []
    buffer.removeAll()
  }
}
