/// Spreads rows over time: at most `rowsPerSecond`, in the long run exactly that where there is enough to do.
///
/// A pot of tokens, one a row, filled at that rate up to `burstRows`. Rows are taken after the fact, so that the pot may go
/// below zero; then it is to be waited until it is full enough again. Time is whatever clock the caller has, in nanoseconds.
package struct RateLimiter: Sendable {
  private let rowsPerNanosecond: Double
  private let burstRows: Double
  private var tokens: Double
  private var last: Int64?

  /// - Parameter burstSeconds: How many seconds' worth may be saved up while nothing is taken.
  package init(rowsPerSecond: Double, burstSeconds: Double = 0.1) {
    precondition(rowsPerSecond > 0, "a rate is positive")
    rowsPerNanosecond = rowsPerSecond / 1e9
    burstRows = max(1, rowsPerSecond * burstSeconds)
    tokens = burstRows
  }

  /// How many rows may be taken now; 0 when it is to be waited.
  package mutating func available(at nanoseconds: Int64) -> Int {
    refill(nanoseconds)
    return max(0, Int(tokens))
  }

  package mutating func take(_ rows: Int, at nanoseconds: Int64) {
    refill(nanoseconds)
    tokens -= Double(rows)
  }

  /// How long until one row may be taken: 0 for now.
  package mutating func waitNanoseconds(at nanoseconds: Int64) -> Int64 {
    refill(nanoseconds)
    return tokens >= 1 ? 0 : Int64(((1 - tokens) / rowsPerNanosecond).rounded(.up))
  }

  private mutating func refill(_ now: Int64) {
    defer { last = max(now, last ?? now) }
    guard let last, now > last else { return }
    tokens = min(burstRows, tokens + Double(now - last) * rowsPerNanosecond)
  }
}
