/// Orders what happens to a checkpoint whose commit point is a Kafka transaction. Pure: callers do what the returned action
/// says, and report what came of it.
///
/// Once barrier *N* has passed a transactional sink there is no way back: *N* becomes durable and is committed, or the job
/// starts again from the broker's marker. A commit is sent once; what is not known of it only a new start can find out.
///
/// States:
/// - *idle(last)*: nothing is prepared. Goes to *flushed* when the sinks have flushed a higher number.
/// - *flushed(n)*: every sink's records of *n* are acknowledged. Goes to *durable* when the manifest is; to *failed* when it
///   cannot be.
/// - *durable(n)*: the manifest is durable. Goes to *committing* at once.
/// - *committing(n)*: the one commit is under way. Goes to *committed* when the broker says so; to *failed* otherwise.
/// - *committed(n)*: visible to readers of topics. Goes to *idle(n)* when the ownership has been checked and files have their
///   names; to *failed* when another owner was found.
/// - *failed(reason)*: nothing more may be prepared, committed, renamed or released by this process.
package struct TransactionCommitStateMachine: Equatable, Sendable {
  package enum Action: Equatable, Sendable {
    /// Write manifest `n` and make it durable.
    case writeManifest(Int64)
    /// Commit the transaction with marker `n`.
    case commit(Int64)
    /// Check that the marker is still `n` and the job's own.
    case checkOwnership(Int64)
    /// Give files their names, publish, release old checkpoints.
    case publish(Int64)
    /// Wait for the next checkpoint.
    case wait
    /// Start again from the marker.
    case restart(String)
    /// Stop for good: another process owns the job.
    case stop(String)
  }

  /// How a commit ended.
  package enum Outcome: Equatable, Sendable {
    case committed
    case refused(String)
    case unknown(String)
  }

  private enum State: Equatable {
    case idle(last: Int64)
    case flushed(Int64)
    case durable(Int64)
    case committing(Int64)
    case committed(Int64)
    case failed(String)
  }

  private var state: State
  private let identity: Int64

  /// `last`: the number of the marker; `identity`: the job's.
  package init(last: Int64, identity: Int64) {
    state = .idle(last: last)
    self.identity = identity
  }

  /// The last checkpoint known to be committed and complete; nil while one is under way or after a failure.
  package var lastComplete: Int64? {
    if case .idle(let last) = state { last } else { nil }
  }

  /// Every sink has flushed its records of checkpoint `number`.
  package mutating func flushed(_ number: Int64) -> Action {
    guard case .idle(let last) = state, number > last else {
      return fail("checkpoint \(number) was flushed while the state was \(state)")
    }
    state = .flushed(number)
    return .writeManifest(number)
  }

  package mutating func manifestIsDurable() -> Action {
    guard case .flushed(let number) = state else {
      return fail("a manifest became durable while the state was \(state)")
    }
    state = .durable(number)
    return .commit(number)
  }

  /// The commit is about to be sent: after this it may have happened.
  package mutating func commitIsSent() -> Action {
    guard case .durable(let number) = state else { return fail("a commit was to be sent while the state was \(state)") }
    state = .committing(number)
    return .wait
  }

  package mutating func commitEnded(_ outcome: Outcome) -> Action {
    guard case .committing(let number) = state else { return fail("a commit ended while the state was \(state)") }
    switch outcome {
    case .committed:
      state = .committed(number)
      return .checkOwnership(number)
    case .refused(let reason): return fail("checkpoint \(number) was not committed: \(reason)")
    case .unknown(let reason):
      return fail("whether checkpoint \(number) is committed is not known and is asked at the next start: \(reason)")
    }
  }

  /// The marker as the broker has it now; nil for none. It may still be behind: an acknowledged commit reaches the group's offsets
  /// a little later, with some brokers only when the next transaction on the same partitions has ended. Only a marker beyond, or of
  /// another identity, is another owner's.
  package mutating func found(_ marker: TransactionStart.Marker?) -> Action {
    guard case .committed(let number) = state else { return fail("ownership was checked while the state was \(state)") }
    guard let marker, marker.identity == identity else {
      return stop("another process has taken this job over (the broker's marker is another job's)")
    }
    guard marker.number <= number else {
      return stop("another process has taken this job over: the broker's marker is \(marker.number), not \(number)")
    }
    return .publish(number)
  }

  package mutating func published() -> Action {
    guard case .committed(let number) = state else { return fail("files were renamed while the state was \(state)") }
    state = .idle(last: number)
    return .wait
  }

  /// A participant gave the checkpoint up, or its manifest could not be written. `hasPassedSink`: its barrier may have passed a transactional sink.
  package mutating func failed(_ reason: String, hasPassedSink: Bool) -> Action {
    if case .idle = state, !hasPassedSink { return .wait }
    return fail(reason)
  }

  private mutating func fail(_ reason: String) -> Action {
    if case .failed(let first) = state { return .restart(first) }
    state = .failed(reason)
    return .restart(reason)
  }

  private mutating func stop(_ reason: String) -> Action {
    state = .failed(reason)
    return .stop(reason)
  }
}
