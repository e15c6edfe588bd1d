/// `cache:` of a lookup: what is kept of a table that is asked key by key.
package struct CachePolicy: Hashable, Sendable {
  /// Rows kept at most; a key without rows counts as one. What was used longest ago goes first.
  package var maxRows = 10_000
  /// How long an answer holds; nil for good.
  package var expireAfterWriteMilliseconds: Int64?
  /// How long an answer is kept that nobody asks for; nil for good.
  package var expireAfterAccessMilliseconds: Int64?
  /// How long an answer that has expired is still given while it is asked for anew; nil for not at all.
  package var serveStaleMilliseconds: Int64?
  /// Whether it is kept that a key has no rows.
  package var cachesMissing = true

  package init() {}

  /// Keeps nothing: every batch asks for its keys.
  package static let none: CachePolicy = {
    var policy = CachePolicy()
    policy.maxRows = 0
    policy.expireAfterWriteMilliseconds = 0
    return policy
  }()
}

/// How often and how fast a table is asked anew that did not answer.
package struct RetryPolicy: Hashable, Sendable {
  /// Requests for one key at most, the first among them.
  package var attempts = 3
  /// The pause before the second request, doubled before each further one; each pause is between half of it and all of it.
  package var backoffMilliseconds: Int64 = 100
  package static let maxBackoffMilliseconds: Int64 = 30_000

  package init() {}

  /// The pause before request `attempt` (2, 3, …); `share` is in 0…1.
  package func pauseMilliseconds(beforeAttempt attempt: Int, share: Double) -> Int64 {
    let doubled = backoffMilliseconds.multipliedReportingOverflow(by: 1 << Int64(min(attempt - 2, 30)))
    let whole = doubled.overflow ? RetryPolicy.maxBackoffMilliseconds : doubled.partialValue
    let longest = min(whole, RetryPolicy.maxBackoffMilliseconds)
    return longest / 2 + Int64(Double(longest - longest / 2) * share)
  }
}

/// `breaker:` of a table: when it is left alone because it does not answer.
package struct BreakerPolicy: Hashable, Sendable {
  /// Requests in a row without an answer that open it.
  package var failures = 5
  /// How long nothing is sent then.
  package var pauseMilliseconds: Int64 = 5_000

  package init() {}
}
