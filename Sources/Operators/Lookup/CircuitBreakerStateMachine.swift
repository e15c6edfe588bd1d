/// Leaves a table alone that does not answer. Pure: times are given to it, in ms on any clock that does not go back.
package struct CircuitBreakerStateMachine: Sendable {
  package enum State: Hashable, Sendable {
    /// Requests are sent; so many in a row have failed. → `open` at the policy's count.
    case closed(failures: Int)
    /// Nothing is sent until then. → `probing` at the first request after that.
    case open(until: Int64)
    /// One request is under way that decides. → `closed` when it is answered, `open` when it is not.
    case probing
  }

  package private(set) var state = State.closed(failures: 0)
  private let policy: BreakerPolicy

  package init(_ policy: BreakerPolicy) { self.policy = policy }

  /// Whether a request may be sent now; what is sent has to be reported with `succeeded` or `failed`.
  package mutating func admits(at now: Int64) -> Bool {
    switch state {
    case .closed: return true
    case .probing: return false
    case .open(let until):
      if now < until { return false }
      state = .probing
      return true
    }
  }

  package mutating func succeeded() { state = .closed(failures: 0) }

  package mutating func failed(at now: Int64) {
    switch state {
    case .closed(let failures) where failures + 1 < policy.failures: state = .closed(failures: failures + 1)
    case .closed, .probing: state = .open(until: now + policy.pauseMilliseconds)
    // A request that was sent before it opened.
    case .open: break
    }
  }
}
