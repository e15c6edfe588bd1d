/// Decides when a checkpoint begins, when it is complete, and what becomes of one that fails.
///
/// Participants are the sources and subtasks of a job, by number; each acknowledges a checkpoint once, or has ended. Pure:
/// times come in as milliseconds of one clock, callers do what the returned action says.
///
/// States:
/// - *waiting*: no checkpoint is under way. Goes to *collecting* when the next is due.
/// - *collecting(n)*: barrier *n* is in the streams and acknowledgements are coming in. Goes to *committing* with the last;
///   to *waiting* when one participant declines or time runs out.
/// - *committing(n)*: everything of *n* is durable and being committed. No barrier is injected. Goes to *waiting* when the
///   outcome is known.
/// - *finished*: every participant has ended; no more checkpoints.
package struct CheckpointStateMachine: Equatable, Sendable {
  package enum Action: Equatable, Sendable {
    case none
    /// Send barrier `id` into every source that has not ended.
    case inject(id: Int64)
    /// All acknowledgements of `id` are in: make it durable and commit it, then call `committed` or `commitFailed`.
    case commit(id: Int64)
    /// Checkpoint `id` is given up; the job goes on.
    case cancel(id: Int64, reason: String)
    /// Too many in a row have failed: restart the job from its last checkpoint.
    case restart(reason: String)
  }

  package struct Settings: Equatable, Sendable {
    package var intervalMilliseconds: Int64
    package var timeoutMilliseconds: Int64
    package var minPauseMilliseconds: Int64
    /// How many failures in a row the job bears.
    package var toleratedFailures = 3

    package init(intervalMilliseconds: Int64, timeoutMilliseconds: Int64, minPauseMilliseconds: Int64) {
      self.intervalMilliseconds = intervalMilliseconds
      self.timeoutMilliseconds = timeoutMilliseconds
      self.minPauseMilliseconds = minPauseMilliseconds
    }
  }

  private enum State: Equatable {
    case waiting(due: Int64)
    case collecting(id: Int64, missing: Set<Int>, began: Int64)
    case committing(id: Int64, began: Int64)
    case finished
  }

  private let settings: Settings
  private var state: State
  private var running: Set<Int>
  private var nextID: Int64
  private var failuresInARow = 0
  /// Checkpoints committed and failed so far.
  package private(set) var committedCount = 0
  package private(set) var failedCount = 0

  /// `lastID`: the highest number ever used; numbers are never used twice.
  package init(settings: Settings, participantCount: Int, lastID: Int64, now: Int64) {
    self.settings = settings
    running = Set(0..<participantCount)
    nextID = lastID + 1
    state = .waiting(due: now + settings.intervalMilliseconds)
  }

  /// When `tick` has something to do; nil while only acknowledgements can change anything.
  package var nextDeadline: Int64? {
    switch state {
    case .waiting(let due): due
    case .collecting(_, _, let began): began + settings.timeoutMilliseconds
    case .committing, .finished: nil
    }
  }

  /// Time has come to `now`.
  package mutating func tick(now: Int64) -> Action {
    switch state {
    case .waiting(let due) where now >= due && !running.isEmpty: return begin(now: now)
    case .collecting(let id, let missing, let began) where now >= began + settings.timeoutMilliseconds:
      return fail(
        id, "\(missing.count) participants did not answer within \(settings.timeoutMilliseconds) ms", now: now)
    default: return .none
    }
  }

  /// Someone asks for a checkpoint now (a savepoint, a clean stop).
  package mutating func request(now: Int64) -> Action {
    guard case .waiting = state, !running.isEmpty else { return .none }
    return begin(now: now)
  }

  private mutating func begin(now: Int64) -> Action {
    let id = nextID
    nextID += 1
    state = .collecting(id: id, missing: running, began: now)
    return .inject(id: id)
  }

  /// Whether acknowledgements of checkpoint `id` are being gathered.
  package func isCollecting(_ id: Int64) -> Bool {
    if case .collecting(id, _, _) = state { return true }
    return false
  }

  /// `participant` has done its part of checkpoint `id`.
  package mutating func acknowledge(_ id: Int64, by participant: Int, now: Int64) -> Action {
    guard case .collecting(id, var missing, let began) = state else { return .none }
    missing.remove(participant)
    return settle(id, missing, began)
  }

  /// `participant` has ended: it is asked nothing any more.
  package mutating func end(_ participant: Int, now: Int64) -> Action {
    running.remove(participant)
    switch state {
    case .collecting(let id, var missing, let began):
      missing.remove(participant)
      return settle(id, missing, began)
    case .waiting where running.isEmpty: state = .finished
    default: break
    }
    return .none
  }

  private mutating func settle(_ id: Int64, _ missing: Set<Int>, _ began: Int64) -> Action {
    guard missing.isEmpty else {
      state = .collecting(id: id, missing: missing, began: began)
      return .none
    }
    state = .committing(id: id, began: began)
    return .commit(id: id)
  }

  /// `participant` could not do its part of checkpoint `id`.
  package mutating func decline(_ id: Int64, by participant: Int, reason: String, now: Int64) -> Action {
    guard case .collecting(id, _, _) = state else { return .none }
    return fail(id, reason, now: now)
  }

  private mutating func fail(_ id: Int64, _ reason: String, now: Int64) -> Action {
    failedCount += 1
    failuresInARow += 1
    rest(now: now)
    if failuresInARow > settings.toleratedFailures {
      return .restart(reason: "\(failuresInARow) checkpoints in a row failed, the last: \(reason)")
    }
    return .cancel(id: id, reason: reason)
  }

  private mutating func rest(now: Int64) {
    state =
      running.isEmpty
      ? .finished : .waiting(due: now + max(settings.minPauseMilliseconds, settings.intervalMilliseconds))
  }

  /// Checkpoint `id` is committed.
  package mutating func committed(_ id: Int64, now: Int64) {
    guard case .committing(id, let began) = state else { return }
    committedCount += 1
    failuresInARow = 0
    let due = max(began + settings.intervalMilliseconds, now + settings.minPauseMilliseconds)
    state = running.isEmpty ? .finished : .waiting(due: due)
  }

  /// Checkpoint `id` could not be made durable; nothing of it was committed.
  package mutating func commitFailed(_ id: Int64, reason: String, now: Int64) -> Action {
    guard case .committing(id, _) = state else { return .none }
    return fail(id, reason, now: now)
  }
}
