import Synchronization

/// What a lookup has counted since the job started; written by any thread, read by anyone at any time.
package final class LookupCounters: Sendable {
  /// Upper bounds of the latency histogram in milliseconds; what takes longer is beyond the last.
  package static let latencyBoundsMilliseconds: [Int64] = [
    1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000,
  ]

  /// Rows answered from memory.
  package let hits = Counter()
  /// Rows that had to wait for an answer.
  package let misses = Counter()
  /// Rows answered from memory with what has expired and is being asked for anew.
  package let stale = Counter()
  /// Requests sent to the table, retries included.
  package let requests = Counter()
  /// Requests that gave no answer.
  package let failures = Counter()
  /// Requests that were not sent because the circuit breaker was open.
  package let refusals = Counter()
  /// Entries that went because the cache was full.
  package let evictions = Counter()
  /// How often a table in memory was read anew, and how often what was read was refused.
  package let reloads = Counter()
  package let refusedReloads = Counter()
  /// Nanoseconds that requests took, in all.
  package let latencyNanoseconds = Counter()
  /// Requests by how long they took: at most the bound of their place, or longer than all.
  package let latencies: [Counter] = (0...LookupCounters.latencyBoundsMilliseconds.count).map { _ in Counter() }

  package init() {}

  package final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    package init() {}
    package func add(_ more: Int) { if more != 0 { count.add(more, ordering: .relaxed) } }
    package var value: Int { count.load(ordering: .relaxed) }
  }

  /// Counts a request and how long it took.
  package func noteRequest(nanoseconds: Int64, failed: Bool) {
    requests.add(1)
    if failed { failures.add(1) }
    latencyNanoseconds.add(Int(nanoseconds))
    let bounds = LookupCounters.latencyBoundsMilliseconds
    latencies[bounds.firstIndex { nanoseconds <= $0 * 1_000_000 } ?? bounds.count].add(1)
  }
}
