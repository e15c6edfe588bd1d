import Synchronization

/// How fast an attempt at running a job reads: slowly through what attempts before it have failed in, so that a job that fails again
/// and again leaves the processors to the others.
///
/// After a piece of input a source's worker rests `restPerWork` times as long as it has worked on it (or waited for those who take its
/// rows), until the workers together have worked for as long as they are to be slow, or the attempt has committed a checkpoint. From
/// then on nobody rests. Shared by all workers of the attempt; thread-safe.
final class AttemptPace: Sendable {
  /// A tenth of the time is work.
  static let restPerWork: Int64 = 9
  /// No rest is longer: a piece that took long has mostly been waited for.
  static let maxRestNanoseconds: Int64 = 1_000_000_000

  let slowNanoseconds: Int64
  private let worked = Atomic<Int64>(0)
  private let hasProgressed = Atomic<Bool>(false)

  /// `slowNanoseconds`: how much work is done slowly; 0 for none.
  init(slowNanoseconds: Int64) { self.slowNanoseconds = slowNanoseconds }

  /// How long the workers have worked, added up, without their rests.
  var workedNanoseconds: Int64 { worked.load(ordering: .relaxed) }

  /// A checkpoint was committed.
  func noteProgress() { hasProgressed.store(true, ordering: .relaxed) }

  /// When a worker that has worked on a piece of input from `start` to `end` is to go on; all in monotonic ns.
  func resumption(afterWorkFrom start: Int64, to end: Int64) -> Int64 {
    worked.add(end - start, ordering: .relaxed)
    guard isSlow else { return end }
    return end + min((end - start) * AttemptPace.restPerWork, AttemptPace.maxRestNanoseconds)
  }

  /// Whether workers rest.
  var isSlow: Bool {
    slowNanoseconds > 0 && workedNanoseconds <= slowNanoseconds && !hasProgressed.load(ordering: .relaxed)
  }
}
