import Topology

/// One way in which a job failed.
package struct JobFailure: Equatable, Sendable {
  /// Wall-clock ms since 1970.
  package let at: Int64
  package let reason: String
  /// The stage or step that failed; nil where it was none of them.
  package let step: String?
  package init(at: Int64, reason: String, step: String? = nil) {
    self.at = at
    self.reason = reason
    self.step = step
  }
}

/// Decides whether a job that failed is started again, and after which pause.
///
/// Pauses double from the first to the longest, each cut by up to half at random so that jobs that failed together don't
/// start together. A committed checkpoint is progress: it forgives what came before. The first failure since then is taken for an
/// accident, and the attempt after it goes at full speed; those after the next ones repeat slowly what has been done in vain
/// (`slowWorkNanoseconds`). Pure: callers do what the returned action says.
///
/// States:
/// - *running*: with the failures since the last progress. Goes to *pausing* at a failure that another attempt may mend, to
///   *failed* at one that it cannot, to *quarantined* when the attempts are used up.
/// - *pausing*: goes to *running* when the pause is over.
/// - *failed*, *quarantined*: final.
package struct RestartStateMachine: Equatable, Sendable {
  package enum Action: Equatable, Sendable {
    /// Start again from the last checkpoint after this pause; it is attempt number `attempt` since the last progress.
    case restart(afterMilliseconds: Int64, attempt: Int)
    /// Never start again: it would fail again.
    case fail(JobFailure)
    /// Never start again: it has failed this often without progress, most lately like this.
    case quarantine(failureCount: Int, [JobFailure])
  }

  private enum State: Equatable {
    case running
    case pausing
    case over
  }

  /// How many failures are remembered.
  package static let maxRememberedFailures = 20

  private let settings: RestartSettings
  private var state = State.running
  private var failureCount = 0
  private var failures: [JobFailure] = []
  /// How much work the next attempt does slowly: twice as much as any did in vain since the last progress, the first left out.
  package private(set) var slowWorkNanoseconds: Int64 = 0

  package init(_ settings: RestartSettings) { self.settings = settings }

  /// A checkpoint was committed.
  package mutating func committed() {
    guard state == .running else { return }
    failureCount = 0
    failures = []
    slowWorkNanoseconds = 0
  }

  /// The pause is over, and the job has been started again.
  package mutating func started() { if state == .pausing { state = .running } }

  /// The job has failed, or could not be started again. `jitter`: a random number from 0 to 1. `workNanoseconds`: how much work the
  /// attempt had done.
  package mutating func failed(
    _ failure: JobFailure, isRetriable: Bool, jitter: Double, workNanoseconds: Int64 = 0
  ) -> Action {
    precondition(state != .over, "a job that is given up cannot fail")
    guard isRetriable else {
      state = .over
      return .fail(failure)
    }
    failureCount += 1
    if failureCount > 1 { slowWorkNanoseconds = max(slowWorkNanoseconds, 2 * workNanoseconds) }
    failures = failures.suffix(RestartStateMachine.maxRememberedFailures - 1) + [failure]
    guard failureCount <= settings.attempts else {
      state = .over
      return settings.attempts == 0 ? .fail(failure) : .quarantine(failureCount: failureCount, failures)
    }
    state = .pausing
    return .restart(afterMilliseconds: pause(jitter), attempt: failureCount)
  }

  private func pause(_ jitter: Double) -> Int64 {
    var pause = settings.initialBackoffMilliseconds
    var doublings = failureCount - 1
    while doublings > 0 && pause < settings.maxBackoffMilliseconds {
      pause *= 2
      doublings -= 1
    }
    pause = min(pause, settings.maxBackoffMilliseconds)
    return pause - Int64(Double(pause / 2) * min(1, max(0, jitter)))
  }
}
