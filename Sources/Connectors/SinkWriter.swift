import Formats
import StreamModel

/// Writes rows out for one subtask of one sink. One owner and thread.
///
/// Order: `open`, then `write`* , then at each checkpoint `prepare` (everything written is durable under a pending name) and, when the
/// checkpoint is committed, `commit` of what `prepare` returned. `commit` is idempotent: after a crash it is called again
/// from the manifest.
package protocol SinkWriter: AnyObject {
  /// Makes and checks the place where rows go, so that a mistake shows before the first row. Without it the first `write` does.
  func open() throws(ConnectorError)
  func write(_ batch: RecordBatch) throws(ConnectorError)
  /// Makes everything written so far durable and returns what is to be committed, in the sink's own encoding.
  func prepare(checkpoint: Int64) throws(ConnectorError) -> [PendingPart]
  /// Gives pending parts their final names.
  func commit(_ parts: [PendingPart]) throws(ConnectorError)
  /// Lets go of everything that was not prepared; nothing of it becomes visible.
  func close()
}

/// A part of a sink's output that is durable and not yet visible.
package struct PendingPart: Hashable, Sendable {
  package let pendingPath: String
  package let finalPath: String
  package let rows: Int
  package init(pendingPath: String, finalPath: String, rows: Int) {
    self.pendingPath = pendingPath
    self.finalPath = finalPath
    self.rows = rows
  }
}
