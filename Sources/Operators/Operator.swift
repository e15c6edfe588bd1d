import Expressions
import State
import StreamModel

/// A named output beside the main one.
package enum SidePort: String, Hashable, Sendable, CaseIterable {
  /// Rows a `filter` did not let through.
  case rejected
  /// Rows that came after everything they belong to had gone.
  case late
  /// Rows a `deduplicate` had seen.
  case duplicates
  /// Rows a `lookup` found nothing for.
  case missing
  /// Partial matches that `within` ended.
  case timedOut = "timed_out"
}

/// Where an operator's results go. Calls are synchronous and on the operator's own thread.
package protocol OperatorOutput: AnyObject {
  /// Hands rows on; never called with an empty batch.
  func emit(_ batch: RecordBatch)
  /// Counts rows on a side port and hands them to whatever reads it.
  func emit(_ batch: RecordBatch, on port: SidePort)
  /// Like `emit(_:on:)`, with a reason for each row, for the dead letters that they may become.
  func emit(_ batch: RecordBatch, on port: SidePort, reasons: [String])
  /// Whether anything reads `port`. If not, `count` does instead of `emit`, without building a batch.
  func isRead(_ port: SidePort) -> Bool
  func count(_ rows: Int, on port: SidePort)
  /// Rows that cannot be evaluated: dead letters of this step (or the job's failure, where the step says `on_error: fail`).
  func fail(_ batch: RecordBatch, _ failures: [RowFailure])
  /// Like `fail`, of rows that the operator made and that did not come in, which counters must keep apart.
  func failResults(_ batch: RecordBatch, _ failures: [RowFailure])
}

extension OperatorOutput {
  package func emit(_ batch: RecordBatch, on port: SidePort, reasons: [String]) { emit(batch, on: port) }
  package func failResults(_ batch: RecordBatch, _ failures: [RowFailure]) { fail(batch, failures) }
}

/// What an operator can die of; anything about a single row is a dead letter instead.
package enum OperatorError: Error, Equatable, Sendable {
  /// Stored state cannot be read or written: damage, another version, a disk that is full or broken.
  case state(String)
  /// The job ends while the operator waits for its state.
  case cancelled
  /// A row that the step cannot serve, where it says that this ends the job (`missing: fail`).
  case row(String)
  /// Something outside does not answer, where the step says that this ends the job; it may answer later.
  case unavailable(String)
}

extension OperatorError {
  package init(_ error: StateError) {
    switch error {
    case .cancelled: self = .cancelled
    case .storage(let reason), .malformed(let reason): self = .state(reason)
    }
  }
}

/// A synchronous state machine on a stream: rows and watermarks in, rows out.
///
/// One subtask owns it and calls it from one thread, in this order: `attach` once, before anything else; then any sequence of
/// `process`, `endRound`, `advance`, `onTimer`, `snapshot` and `spill`; at the end of input `advance` with the maximum
/// watermark, then `finish`, and a last `snapshot`. Results must not depend on how rows are cut into batches nor on how late `advance` comes after the rows that
/// caused it: a row's own stamp, not the operator's watermark, says whether it is late.
package protocol StreamOperator: AnyObject {
  /// Works on rows of input `input` (0, or 1 for the right side of a join). `batch` is not empty.
  func process(_ batch: RecordBatch, input: Int, to output: any OperatorOutput) throws(OperatorError)

  /// All that came from one element of the upstream edge has been processed. For operators that gather the batches of one
  /// element, such as a union that restores their order.
  func endRound(to output: any OperatorOutput) throws(OperatorError)

  /// The watermark over all inputs is now `watermark`, higher than before.
  func advance(to watermark: Watermark, output: any OperatorOutput) throws(OperatorError)

  /// The watermark to hand on after `advance(to: input)`: lower where the operator may still emit earlier rows.
  func outputWatermark(for input: Watermark) -> Watermark

  /// The wall-clock time, in ms since 1970, at which `onTimer` wants to be called; nil for none.
  var nextTimer: Int64? { get }

  /// Wall-clock time has come to `now`: early results and running aggregates are emitted.
  func onTimer(_ now: Int64, output: any OperatorOutput) throws(OperatorError)

  /// Nothing follows; called after `advance` to the maximum watermark.
  func finish(output: any OperatorOutput) throws(OperatorError)

  /// Takes hold of its part of the operator's state, which may hold what an earlier run left at `watermark`. An operator
  /// without state does nothing.
  func attach(_ state: OperatorState, watermark: EventTime) throws(OperatorError)

  /// Adds to the state what changed since the last snapshot, so that with the watermark that is returned it is all another
  /// operator needs to go on from here. The operator goes on unchanged.
  func snapshot() throws(OperatorError) -> EventTime

  /// Adds to the state what changed, and lets go of what can be read again.
  func spill() throws(OperatorError)

  /// Roughly the bytes of state held in memory.
  var stateSizeBytes: Int { get }
}

extension StreamOperator {
  package func endRound(to output: any OperatorOutput) throws(OperatorError) {}
  package func advance(to watermark: Watermark, output: any OperatorOutput) throws(OperatorError) {}
  package func outputWatermark(for input: Watermark) -> Watermark { input }
  package var nextTimer: Int64? { nil }
  package func onTimer(_ now: Int64, output: any OperatorOutput) throws(OperatorError) {}
  package func finish(output: any OperatorOutput) throws(OperatorError) {}
  package func attach(_ state: OperatorState, watermark: EventTime) throws(OperatorError) {}
  package func snapshot() throws(OperatorError) -> EventTime { EventTimes.minimum }
  package func spill() throws(OperatorError) {}
  package var stateSizeBytes: Int { 0 }
}
