import Connectors
import Expressions
import Formats
import StreamModel

/// Turns rows and records that nobody can use into dead letters, and sends them to the dead-letter stage.
///
/// One per subtask.
final class DeadLetterReporter: DeadLetterOutput {
  let edge: EdgeWriter
  private let encoder: DeadLetterEncoder

  init(topology: String, edge: EdgeWriter) {
    self.edge = edge
    encoder = DeadLetterEncoder(topology: topology)
  }

  func report(_ batch: RecordBatch, _ failures: [RowFailure], step: String, port: String) throws(Interruption) {
    let rows = batch.gather(failures.map { Int32($0.row) })
    try edge.write(
      encoder.letters(
        for: rows, reasons: failures.map(\.reason), step: step, port: port, failedAt: Clock.wallMilliseconds()))
  }

  /// Records of a source that did not decode.
  func report(_ failures: [DecodeFailure], _ chunk: RecordChunk) throws(Interruption) {
    try edge.write(encoder.letters(for: failures, in: chunk, port: "error", failedAt: Clock.wallMilliseconds()))
  }
}
