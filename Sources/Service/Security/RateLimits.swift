import StreamModel
import Synchronization

/// How many requests each token may make: a bucket for each subject that fills steadily.
final class RateLimits: Sendable {
  /// Most subjects that are kept apart; who has not asked for longest is forgotten, and has a full bucket then.
  static let maxSubjects = 10_000

  private struct Bucket {
    var tokens: Double
    var at: Int64
  }

  private let perSecond: Double
  private let burst: Double
  private let buckets = Mutex<[String: Bucket]>([:])

  /// `perSecond` requests, and as many as twice that at once.
  init(perSecond: Double) {
    self.perSecond = perSecond
    burst = max(1, perSecond * 2)
  }

  /// Counts a request; throws when there were too many.
  func take(_ subject: String, now: Int64 = Clock.monotonicNanoseconds()) throws(Problem) {
    let missing = buckets.withLock { buckets -> Double in
      var bucket = buckets[subject] ?? Bucket(tokens: burst, at: now)
      bucket.tokens = min(burst, bucket.tokens + Double(now - bucket.at) / 1e9 * perSecond)
      bucket.at = now
      let missing = 1 - bucket.tokens
      if missing <= 0 { bucket.tokens -= 1 }
      if buckets.count >= RateLimits.maxSubjects, buckets[subject] == nil,
        let oldest = buckets.min(by: { $0.value.at < $1.value.at })
      {
        buckets[oldest.key] = nil
      }
      buckets[subject] = bucket
      return missing
    }
    guard missing > 0 else { return }
    var problem = Problem(.tooManyRequests, "more than \(perSecond) requests a second")
    problem.retryAfterSeconds = max(1, Int((missing / perSecond).rounded(.up)))
    throw problem
  }
}
