import StreamModel

/// How long it takes from a record's arrival (its source's system has given it) to where its results are seen.
///
/// A source puts a mark behind its rows, at most every `markIntervalNanoseconds`. A stage that writes views and gets one has worked on
/// everything before it: that is the live latency. The time that rows wait in windows until these close is in neither. What arrived
/// before a barrier is seen by readers of committed rows when the barrier's checkpoint is committed.
package final class JobLatency: Sendable {
  static let markIntervalNanoseconds: Int64 = 10_000_000
  /// Most arrivals that are kept of a source for a checkpoint; with more, every second one goes and marks come half as often.
  static let maxArrivals = 4096

  /// From arrival to readers of live rows; nothing where the job writes no views.
  package let live = LatencyHistogram()
  /// From arrival to the commit.
  package let committed = LatencyHistogram()

  private struct Source {
    var nextMarkAt: Int64 = .min
    var interval = JobLatency.markIntervalNanoseconds
    var count = 0
    /// Of marks since the last barrier.
    var arrivals: [Int64] = []

    mutating func mark(_ arrivedAt: Int64) -> LatencyMark? {
      guard arrivedAt >= nextMarkAt else { return nil }
      nextMarkAt = arrivedAt + interval
      count += 1
      arrivals.append(arrivedAt)
      if arrivals.count > JobLatency.maxArrivals {
        arrivals = arrivals.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
        interval *= 2
      }
      return LatencyMark(number: count, arrivedAt: arrivedAt)
    }
  }

  private struct Shared {
    var sources: [Int: Source] = [:]
    /// What arrived before the barrier of a checkpoint that is not committed yet.
    var sealed: [(id: Int64, arrivals: [Int64])] = []
  }

  private let shared = Guarded(Shared())

  package init() {}

  /// A chunk of a source has arrived; what to send behind its rows, if it is time for a mark.
  func mark(source: Int, arrivedAt: Int64) -> LatencyMark? {
    shared.withLock { $0.sources[source, default: Source()].mark(arrivedAt) }
  }

  /// The barrier of checkpoint `id` has been put into a source's stream.
  func seal(_ id: Int64, source: Int) {
    shared.withLock { shared in
      guard let arrivals = shared.sources[source]?.arrivals, !arrivals.isEmpty else { return }
      shared.sources[source]?.arrivals = []
      shared.sources[source]?.interval = JobLatency.markIntervalNanoseconds
      shared.sealed.append((id, arrivals))
    }
  }

  /// Checkpoint `id` is committed, and its rows are seen.
  func noteCommitted(_ id: Int64, now: Int64 = Clock.monotonicNanoseconds()) {
    let arrivals = shared.withLock { shared in
      let ready = shared.sealed.filter { $0.id <= id }.flatMap(\.arrivals)
      shared.sealed.removeAll { $0.id <= id }
      return ready
    }
    for arrivedAt in arrivals { committed.observe(nanoseconds: now - arrivedAt) }
  }
}
