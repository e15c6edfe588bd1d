import StreamModel

/// A wall clock that stands still until a test moves it. Any thread may read it.
package final class ManualClock: Sendable {
  private let time: Guarded<Int64>

  /// Starts at `milliseconds` since 1970.
  package init(milliseconds: Int64 = 0) { time = Guarded(milliseconds) }

  /// Milliseconds since 1970.
  package var milliseconds: Int64 { time.withLock { $0 } }

  package func advance(byMilliseconds step: Int64) { time.withLock { $0 += step } }

  /// Moves to `milliseconds`; a clock does not go back, so an earlier time changes nothing.
  package func advance(toMilliseconds milliseconds: Int64) { time.withLock { $0 = max($0, milliseconds) } }
}
