import Checkpoint
import Connectors
import StreamModel
import Topology
import Views

/// Runs a topology's job and starts it again when it fails: from its last checkpoint, after a pause, in this process.
///
/// What a failed attempt has written since that checkpoint is treated as after a crash: what no checkpoint names is removed,
/// what the last one names gets its final names. Failures that would only repeat (`on_error: fail`, a checkpoint that does
/// not fit, a path that is wrong) end it at once; a job that keeps failing without a checkpoint in between is quarantined.
package final class JobSupervisor: Sendable {
  /// Where a job stands, to be shown.
  package enum State: Sendable {
    case running
    /// It failed, and is started again at `at` (wall-clock ms since 1970).
    case restarting(attempt: Int, at: Int64, failure: JobFailure)
    case stopping
    case done
    case failed(JobFailure)
    /// It failed too often without a checkpoint in between, and is not started again.
    case quarantined(failureCount: Int, [JobFailure])
  }

  private struct Shared {
    var state = State.running
    var job: Job?
    var progress: JobProgress
    var isStopRequested = false
    /// Of the attempts that have ended.
    var outcomes = CheckpointOutcomes()
    var restartCount = 0
    var lastFailure: JobFailure?
    /// Where the last attempt failed, and how much work it had done (ns).
    var failedStage: String?
    var failedWork: Int64 = 0
  }

  private let plan: LogicalPlan
  /// The plan's views, for readers.
  package let views: ViewSet
  private let options: JobOptions
  /// The highest checkpoint number at the start: one above it is this run's own.
  private let lastID: Int64
  /// The checkpoint the first attempt goes on from; nil when it begins anew.
  package let restoredFrom: Int64?
  /// What whoever starts the run should know.
  package let notices: [String]
  /// State that the first attempt left behind.
  private let droppedState: [CheckpointManifest.DroppedState]
  private let control: ControlServer?
  private let recordsReadBefore: Int
  private let onStateChange: @Sendable (State) -> Void
  private let shared: Guarded<Shared>
  private let monitor = Monitor()

  /// Opens the sources and finds the checkpoint: throws when the job cannot begin at all, which is never tried again.
  /// `onStateChange` is called from the thread that runs the job.
  package init(
    _ plan: LogicalPlan, options: JobOptions = JobOptions(), views: ViewSet? = nil,
    onStateChange: @escaping @Sendable (State) -> Void = { _ in }
  ) throws(JobError) {
    self.plan = plan
    self.options = options
    self.onStateChange = onStateChange
    let views = views ?? ViewSet(plan.viewDefinitions)
    self.views = views
    let job = try Job(plan, options: options, views: views)
    lastID = job.lastCheckpoint
    restoredFrom = job.restoredFrom
    droppedState = job.droppedState
    var notices = job.notices
    do {
      control = try ControlServer(directory: plan.checkpointDirectory)
    } catch {
      control = nil
      notices.append("\(error): `weir savepoint` cannot reach this run")
    }
    self.notices = notices
    recordsReadBefore = job.progress.recordsRead
    shared = Guarded(Shared(job: job, progress: job.progress))
  }

  package var state: State { shared.withLock { $0.state } }

  /// How the attempt under way is doing; between attempts, how the last one did.
  package var progress: JobProgress { shared.withLock { $0.progress } }

  /// What became of this run's checkpoints so far.
  package var checkpoints: CheckpointOutcomes {
    shared.withLock { shared in
      var sum = shared.outcomes
      if let job = shared.job { sum.add(job.checkpointOutcomes) }
      return sum
    }
  }

  /// How often it was started again, and why it failed last.
  package var restarts: (count: Int, last: JobFailure?) { shared.withLock { ($0.restartCount, $0.lastFailure) } }

  /// Copies a checkpoint that begins now to `target`, an absolute path, and returns its number. Blocks until it is there.
  package func savepoint(to target: String) throws(JobError) -> Int64 {
    guard let job = shared.withLock({ $0.job }) else {
      throw .operation(step: "savepoint", reason: "the job is about to be started again — ask once more when it runs")
    }
    return try job.savepoint(to: target)
  }

  /// Asks the job to end cleanly; a job that waits to be started again ends at once.
  package func requestStop() {
    let job = shared.withLock { shared in
      shared.isStopRequested = true
      return shared.job
    }
    job?.requestStop()
    monitor.locked { monitor.signalAll() }
  }

  private var isStopRequested: Bool { shared.withLock { $0.isStopRequested } }

  private func change(to state: State) {
    shared.withLock { $0.state = state }
    onStateChange(state)
  }

  // MARK: Running

  /// Runs the job to its end, however many attempts that takes, and answers other processes meanwhile. Throws `JobFailures`
  /// when it is given up, and `CancellationError` when it is cancelled or stopped between attempts.
  ///
  /// Starts, ends and pauses block: on a thread of the job's own, so that no other job waits for it.
  package func run() async throws -> JobSummary {
    let executor = DedicatedThreadExecutor(name: "job")
    defer { executor.shutDown() }
    return try await withTaskExecutorPreference(executor) { try await runAnswering() }
  }

  private func runAnswering() async throws -> JobSummary {
    guard let control else { return try await runAttempts() }
    let executor = DedicatedThreadExecutor(name: "control")
    defer { executor.shutDown() }
    return try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask(executorPreference: executor) { control.serve { self.answer($0) } }
      defer { control.close() }
      return try await runAttempts()
    }
  }

  private func answer(_ request: ControlRequest) -> ControlReply {
    switch request {
    case .savepoint(let path):
      do { return .done(checkpoint: try savepoint(to: path)) } catch { return .failed(error.description) }
    }
  }

  private func runAttempts() async throws -> JobSummary {
    let start = Clock.monotonicNanoseconds()
    var machine = RestartStateMachine(plan.restart)
    var restartCount = 0
    while true {
      do {
        var summary = try await attempt(&machine)
        summary.durationNanoseconds = Clock.monotonicNanoseconds() - start
        summary.recordsRead += recordsReadBefore(summary)
        summary.restoredFrom = restoredFrom
        summary.droppedState = droppedState
        summary.hadNothingNew = summary.hadNothingNew && restartCount == 0
        summary.checkpoints = checkpoints
        summary.restartCount = restartCount
        change(to: .done)
        return summary
      } catch let error as CancellationError {
        throw error
      } catch {
        try await recover(from: error, &machine)
        restartCount += 1
      }
    }
  }

  /// Records that earlier attempts of this run read and kept.
  private func recordsReadBefore(_ summary: JobSummary) -> Int {
    let total = summary.nodes.filter { $0.kind == .source }.reduce(0) { $0 + $1.rowsIn }
    return total - recordsReadBefore - summary.recordsRead
  }

  private func attempt(_ machine: inout RestartStateMachine) async throws -> JobSummary {
    let job = try takeJob(slowWorkNanoseconds: machine.slowWorkNanoseconds)
    machine.started()
    defer {
      // Nothing may hold the job any more, or the next attempt cannot take hold of its directory.
      shared.withLock { shared in
        shared.outcomes.add(job.checkpointOutcomes)
        shared.job = nil
      }
    }
    do {
      return try await job.run()
    } catch {
      if job.checkpointOutcomes.committedCount > 0 { machine.committed() }
      shared.withLock { shared in
        shared.failedStage = job.failedStage
        shared.failedWork = job.progress.pace.workedNanoseconds
      }
      throw error
    }
  }

  /// The job that `init` made, or a new one.
  private func takeJob(slowWorkNanoseconds: Int64) throws(JobError) -> Job {
    if let job = shared.withLock({ $0.job }) { return job }
    var options = options
    options.from = try startPoint()
    // What the user accepted was the first start's: nobody who has taken the job over since is pushed aside.
    options.acceptsLossOrDuplicates = false
    options.dropState.isRepeated = true
    options.slowWorkNanoseconds = slowWorkNanoseconds
    let job = try Job(plan, options: options, views: views)
    let isStopRequested = shared.withLock { shared in
      shared.job = job
      shared.progress = job.progress
      return shared.isStopRequested
    }
    if isStopRequested { job.requestStop() }
    return job
  }

  /// The last checkpoint of this run, or where it began if it has none. With a commit point in Kafka the broker knows which.
  private func startPoint() throws(JobError) -> StartPoint {
    if plan.hasKafkaCommitPoint { return .latest }
    let newest: Int64?
    do {
      newest = try CheckpointStorage.list(plan.checkpointDirectory).last
    } catch {
      throw .checkpoint(error)
    }
    return (newest ?? 0) > lastID ? .latest : options.from
  }

  /// Waits until the job is to be started again; throws when it is not.
  private func recover(from error: any Error, _ machine: inout RestartStateMachine) async throws {
    let (failure, work) = shared.withLock { shared in
      let step = (error as? JobError)?.step ?? shared.failedStage
      let failure = JobFailure(at: Clock.wallMilliseconds(), reason: "\(error)", step: step)
      let work = shared.failedWork
      shared.failedStage = nil
      shared.failedWork = 0
      shared.restartCount += 1
      shared.lastFailure = failure
      return (failure, work)
    }
    let isRetriable = (error as? JobError)?.isRetriable ?? (error as? ConnectorError)?.isRetriable ?? true
    let action = machine.failed(
      failure, isRetriable: isRetriable, jitter: .random(in: 0...1), workNanoseconds: work)
    switch action {
    case .restart(let milliseconds, let attempt):
      change(to: .restarting(attempt: attempt, at: failure.at + milliseconds, failure: failure))
      await pause(milliseconds)
      if isStopRequested || Task.isCancelled { throw CancellationError() }
      change(to: .running)
    case .fail(let failure):
      change(to: .failed(failure))
      throw JobFailures(failureCount: 1, failures: [failure], isQuarantined: false)
    case .quarantine(let count, let failures):
      change(to: .quarantined(failureCount: count, failures))
      throw JobFailures(failureCount: count, failures: failures, isQuarantined: true)
    }
  }

  /// Waits; a request to stop ends it.
  private func pause(_ milliseconds: Int64) async {
    let deadline = Clock.monotonicNanoseconds() + milliseconds * 1_000_000
    await withTaskCancellationHandler {
      waitUntil(deadline)
    } onCancel: {
      requestStop()
    }
  }

  private func waitUntil(_ deadline: Int64) {
    monitor.locked {
      while !isStopRequested {
        let rest = deadline - Clock.monotonicNanoseconds()
        if rest <= 0 { return }
        monitor.wait(milliseconds: rest / 1_000_000 + 1)
      }
    }
  }
}

/// Why a job was given up.
package struct JobFailures: Error, Sendable, CustomStringConvertible {
  package let failureCount: Int
  /// The latest, oldest first.
  package let failures: [JobFailure]
  package let isQuarantined: Bool

  package init(failureCount: Int, failures: [JobFailure], isQuarantined: Bool) {
    self.failureCount = failureCount
    self.failures = failures
    self.isQuarantined = isQuarantined
  }

  package var description: String {
    guard isQuarantined else { return failures.last?.reason ?? "" }
    let lines = failures.map { "\n  \(CivilTime.formatTimestamp($0.at)) \($0.reason)" }
    let omitted = failureCount > failures.count ? " (the last \(failures.count))" : ""
    return "it failed \(failureCount) times without a checkpoint in between and is not started again\(omitted):"
      + lines.joined() + "\nMend the cause and run it again: it goes on from its last checkpoint."
  }
}
