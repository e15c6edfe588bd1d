import Foundation
import Testing

@testable import Runtime

/// How long records take from their arrival to readers.
struct LatencyTests {
  private static let tick = JobLatency.markIntervalNanoseconds

  @Test func aSourceMarksNoMoreThanOnceInAnInterval_andNumbersItsMarks() {
    let latency = JobLatency()
    let marks = (0..<100).compactMap { latency.mark(source: 0, arrivedAt: Int64($0) * Self.tick / 4) }
    #expect(marks.map(\.number) == Array(1...25))
    #expect(zip(marks, marks.dropFirst()).allSatisfy { $1.arrivedAt - $0.arrivedAt >= Self.tick })
    #expect(latency.mark(source: 1, arrivedAt: 0)?.number == 1, "another source's are its own")
  }

  @Test func whatArrivedBeforeABarrier_countsWhenItsCheckpointIsCommitted_andOnce() {
    let latency = JobLatency()
    for number in 0..<3 { _ = latency.mark(source: 0, arrivedAt: Int64(number) * Self.tick) }
    latency.seal(7, source: 0)
    _ = latency.mark(source: 0, arrivedAt: 10 * Self.tick)
    latency.noteCommitted(6, now: 100 * Self.tick)
    #expect(latency.committed.counts.count == 0)
    // Checkpoint 7 was given up; the next one has its rows.
    latency.seal(8, source: 0)
    latency.noteCommitted(8, now: 100 * Self.tick)
    latency.noteCommitted(9, now: 200 * Self.tick)
    let counts = latency.committed.counts
    #expect(counts.count == 4)
    #expect(abs(counts.sumSeconds - (1.0 + 0.99 + 0.98 + 0.9)) < 1e-9)
  }

  @Test func aCheckpointThatIsLongInComing_keepsABoundedNumberOfArrivals() {
    let latency = JobLatency()
    let last = Int64(JobLatency.maxArrivals) * 8
    for number in 0..<last { _ = latency.mark(source: 0, arrivedAt: number * Self.tick) }
    latency.seal(1, source: 0)
    latency.noteCommitted(1, now: last * Self.tick)
    let counts = latency.committed.counts
    #expect(counts.count > JobLatency.maxArrivals / 2 && counts.count <= JobLatency.maxArrivals)
    #expect(abs(counts.sumSeconds / Double(counts.count) - Double(last) / 2 / 100) < 5, "they stand for all of them")
  }

  @Test func anObservation_isInTheBucketOfTheLeastBoundThatIsNotBelowIt() {
    let histogram = LatencyHistogram()
    for nanoseconds: Int64 in [0, 1_000_000, 1_000_001, 20_000_000, 301_000_000_000] {
      histogram.observe(nanoseconds: nanoseconds)
    }
    let counts = histogram.counts
    #expect(counts.buckets[0] == 2 && counts.buckets[1] == 1 && counts.buckets[5] == 1 && counts.buckets.last == 1)
    #expect(LatencyHistogram.boundsSeconds[5] == 0.02 && counts.count == 5)
  }
}
