/// A value that threads share, under a lock that they may block on.
///
/// Like `Mutex` of Synchronization, but for one thing: where two threads contend for a `Mutex`, the kernel hands it over, and
/// ThreadSanitizer sees nothing of that. It sees this lock, so that what it reports is a race.
///
/// Invariant for `Sendable`: `value` is touched only under `monitor`.
package final class Guarded<Value: Sendable>: @unchecked Sendable {
  private let monitor = Monitor()
  private var value: Value

  package init(_ value: Value) { self.value = value }

  /// Runs `body` with the value, and with nobody else.
  package func withLock<Result, Failure: Error>(
    _ body: (inout Value) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try monitor.locked { () throws(Failure) in try body(&value) }
  }
}
