import StreamModel

/// How often something took how long.
package final class LatencyHistogram: Sendable {
  /// Upper bounds in seconds; what takes longer is beyond the last.
  package static let boundsSeconds: [Double] = [
    0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300,
  ]

  package struct Counts: Sendable {
    /// By bound, and beyond the last.
    package var buckets = [Int](repeating: 0, count: LatencyHistogram.boundsSeconds.count + 1)
    package var sumSeconds = 0.0
    package var count: Int { buckets.reduce(0, +) }
  }

  private let state = Guarded(Counts())

  package init() {}

  package var counts: Counts { state.withLock { $0 } }

  func observe(nanoseconds: Int64) {
    let seconds = Double(max(0, nanoseconds)) / 1e9
    let place = LatencyHistogram.boundsSeconds.firstIndex { seconds <= $0 } ?? LatencyHistogram.boundsSeconds.count
    state.withLock { counts in
      counts.buckets[place] += 1
      counts.sumSeconds += seconds
    }
  }
}
