#if canImport(Glibc)
  import Glibc
#endif

/// Takes a run over again where RocksDB asks for it.
///
/// RocksDB itself flushes the write buffers that a run overlaps with, here range deletes, before it takes the run over. When it then
/// looks again it may still see them: others are told of a flush a moment after whoever waited for it. A RocksDB with
/// assertions, as Debian's is, then gives up with `TryAgain`, having changed nothing.
/// https://github.com/facebook/rocksdb/pull/13045
package struct IngestionRetry {
  private let path: String
  private let pause: (_ milliseconds: Int32) -> Void

  /// How often a run is taken over before that has failed: pauses of 1, 2, 4 … ms, half a second in all, lie between.
  package static let attempts = 10

  /// `pause` blocks the thread for that long.
  package init(_ path: String, pause: @escaping (_ milliseconds: Int32) -> Void = { poll(nil, 0, $0) }) {
    self.path = path
    self.pause = pause
  }

  /// Calls `ingest`, and as long as it asks to be tried again `flush` and then `ingest` again. Other errors are thrown at once.
  package func run(
    _ ingest: () throws(RocksError) -> Void, flush: () throws(RocksError) -> Void
  ) throws(RocksError) {
    for attempt in 1...IngestionRetry.attempts {
      do { return try ingest() } catch {
        guard error.asksToTryAgain else { throw error }
        if attempt == IngestionRetry.attempts {
          throw RocksError("\(path): not taken over at the \(attempt)th attempt: \(error)")
        }
      }
      pause(1 << Int32(attempt - 1))
      try flush()
    }
  }
}
