import Checkpoint
import Connectors
import Logging
import Runtime
import StreamModel
import Synchronization
import Topology
import Views

/// One topology in a runner: what it is, whether it runs, and what became of it.
///
/// Operations that change it come one at a time (`begin`); they block, and run on threads of their own. Its job runs in a task of the
/// runner's (`runOnce`).
/// Invariant for `Sendable`: what is mutable is touched only under `monitor`; `views` and all that hangs on it is thread-safe.
package final class RunnerTopology: @unchecked Sendable {
  /// Where it stands.
  package enum Phase: String, Sendable, CaseIterable {
    /// Its sources are being opened and its checkpoint read. Can become any of the others.
    case starting
    case running
    /// It failed, or could not be started for want of something else (a broker, a disk), and waits to be started again.
    case restarting
    /// It takes its last checkpoint. Becomes `paused`.
    case stopping
    /// It does not run, and will when it is resumed.
    case paused
    /// All input has ended and been worked through.
    case done
    /// It cannot go on as it is. `resume` tries again.
    case failed
    /// It failed too often without a checkpoint in between. `resume` tries again.
    case quarantined
  }

  package let name: String
  private let monitor = Monitor()
  private let directory: RunnerDirectory
  private let logger: Logger
  private var record: TopologyRecord
  private var text: String
  private var currentPlan: LogicalPlan
  private var currentViews: ViewSet
  private var supervisor: JobSupervisor?
  private var lastProgress: JobProgress?
  private var lastCheckpoints = CheckpointOutcomes()
  private var lastRestarts: (count: Int, last: JobFailure?) = (0, nil)
  private var currentPhase: Phase
  private var notices: [String] = []
  /// When a start that did not succeed is tried again, wall-clock ms.
  private var restartAt: Int64?
  private var isStopRequested = false
  private var isBusy = false
  private var startedAt: Int64?

  init(
    name: String, directory: RunnerDirectory, plan: LogicalPlan, text: String, record: TopologyRecord, logger: Logger
  ) {
    self.name = name
    self.directory = directory
    self.text = text
    self.record = record
    var logger = logger
    logger[metadataKey: "topology"] = .string(name)
    self.logger = logger
    currentPlan = plan
    currentViews = plan.makeViewSet()
    currentPhase = record.isWanted ? .starting : record.isDone ? .done : record.failure != nil ? .failed : .paused
    if record.isWanted, record.isDone || record.failure != nil { currentPhase = record.isDone ? .done : .failed }
    if currentPhase != .starting, let resting = RestingJob(plan) {
      lastProgress = resting.progress
      lastCheckpoints = resting.checkpoints
    }
  }

  // MARK: What it is

  package struct Status: Sendable {
    package let phase: Phase
    package let plan: LogicalPlan
    package let revision: Int
    package let submittedAt: Int64
    package let startedAt: Int64?
    package let failure: (reason: String, at: Int64)?
    /// When it is started again, wall-clock ms.
    package let restartAt: Int64?
    package let restartCount: Int
    package let notices: [String]
    package let progress: JobProgress?
    package let checkpoints: CheckpointOutcomes
    package let overrides: [String]
  }

  package var status: Status {
    monitor.locked {
      var phase = currentPhase
      var restartAt = restartAt
      if phase == .running, case .restarting(_, let at, _)? = supervisor?.state {
        phase = .restarting
        restartAt = at
      }
      let restarts = supervisor?.restarts ?? lastRestarts
      var failure = restarts.last.map { (reason: $0.reason, at: $0.at) }
      if let reason = record.failure { failure = (reason, record.failedAt ?? 0) }
      return Status(
        phase: phase, plan: currentPlan, revision: record.revision, submittedAt: record.submittedAt,
        startedAt: startedAt, failure: failure, restartAt: restartAt, restartCount: restarts.count, notices: notices,
        progress: supervisor?.progress ?? lastProgress, checkpoints: supervisor?.checkpoints ?? lastCheckpoints,
        overrides: record.overrides)
    }
  }

  package var plan: LogicalPlan { monitor.locked { currentPlan } }
  package var views: ViewSet { monitor.locked { currentViews } }
  package var source: String { monitor.locked { text } }

  /// Whether it should run and has neither ended nor been given up.
  var isToRun: Bool { monitor.locked { record.isWanted && !record.isDone && record.failure == nil } }

  private var isActive: Bool { [.starting, .running, .restarting, .stopping].contains(currentPhase) }

  // MARK: Running

  /// Runs the job until it ends, however it does.
  func runOnce() async {
    do {
      let supervisor = try await Blocking.alone("start") { [self] in try start() }
      let summary = try await supervisor.run()
      ended(summary.isComplete ? .done : .paused, nil)
    } catch is CancellationError {
      ended(.paused, nil)
    } catch let failures as JobFailures {
      ended(failures.isQuarantined ? .quarantined : .failed, failures.description, step: failures.failures.last?.step)
    } catch {
      ended(.failed, "\(error)")
    }
  }

  /// Starts the job. What another attempt may mend (a broker that does not answer) is tried again as the topology's `restart:` says,
  /// as a job that runs is. Blocks.
  private func start() throws -> JobSupervisor {
    let (plan, views, options) = monitor.locked { (currentPlan, currentViews, startOptions()) }
    var machine = RestartStateMachine(plan.restart)
    while true {
      machine.started()
      do {
        let supervisor = try JobSupervisor(plan, options: options, views: views) { [self] in noteState($0) }
        began(supervisor)
        return supervisor
      } catch {
        let failure = JobFailure(at: Clock.wallMilliseconds(), reason: error.description, step: error.step)
        switch machine.failed(failure, isRetriable: error.isRetriable, jitter: .random(in: 0...1)) {
        case .restart(let milliseconds, let attempt):
          noteState(.restarting(attempt: attempt, at: failure.at + milliseconds, failure: failure))
          try pause(milliseconds, after: failure)
        case .fail(let failure):
          throw JobFailures(failureCount: 1, failures: [failure], isQuarantined: false)
        case .quarantine(let count, let failures):
          throw JobFailures(failureCount: count, failures: failures, isQuarantined: true)
        }
      }
    }
  }

  /// Waits for the next attempt to start it; throws when it is to stop meanwhile.
  private func pause(_ milliseconds: Int64, after failure: JobFailure) throws(CancellationError) {
    try monitor.locked { () throws(CancellationError) in
      lastRestarts = (lastRestarts.count + 1, failure)
      restartAt = failure.at + milliseconds
      if currentPhase == .starting { currentPhase = .restarting }
      defer { restartAt = nil }
      while !isStopRequested {
        let rest = failure.at + milliseconds - Clock.wallMilliseconds()
        guard rest > 0 else {
          currentPhase = .starting
          return
        }
        monitor.wait(milliseconds: min(rest, milliseconds))
      }
      throw CancellationError()
    }
  }

  /// The first run begins where it was asked to; once it has a checkpoint of its own, every start goes on from the newest.
  private func startOptions() -> JobOptions {
    var options = JobOptions()
    options.notice = { [logger] in logger.warning("\($0)") }
    options.dropState = StateDrop(record.dropState ?? [], isRepeated: true)
    let newest = (try? CheckpointStorage.list(currentPlan.checkpointDirectory))?.last ?? 0
    if record.fromAbove == nil {
      record.fromAbove = newest
      saveRecord()
    }
    let isFirst = newest <= record.fromAbove ?? 0
    options.from =
      !isFirst || record.from == "latest"
      ? .latest : record.from == "none" ? .beginning : .checkpoint(path: record.from)
    return options
  }

  private func began(_ supervisor: JobSupervisor) {
    let mustStop = monitor.locked {
      self.supervisor = supervisor
      notices = supervisor.notices
      startedAt = Clock.wallMilliseconds()
      if currentPhase == .starting { currentPhase = .running }
      monitor.signalAll()
      return isStopRequested
    }
    logger.info(
      "started", metadata: ["checkpoint": .string(supervisor.restoredFrom.map { "\($0)" } ?? "none")])
    if mustStop { supervisor.requestStop() }
  }

  private func noteState(_ state: JobSupervisor.State) {
    guard case .restarting(let attempt, _, let failure) = state else { return }
    logger.warning("failed, and is started again", metadata: place(failure, ["attempt": .stringConvertible(attempt)]))
  }

  /// What a line of the log says of a failure: why, of which step, and behind which checkpoint.
  private func place(_ failure: JobFailure, _ more: Logger.Metadata) -> Logger.Metadata {
    var metadata = more
    metadata["reason"] = .string(failure.reason)
    metadata["step"] = failure.step.map { .string($0) }
    metadata["checkpoint"] = .string(status.checkpoints.last.map { "\($0.id)" } ?? "none")
    return metadata
  }

  private func ended(_ phase: Phase, _ failure: String?, step: String? = nil) {
    monitor.locked {
      lastProgress = supervisor?.progress ?? lastProgress
      lastCheckpoints = supervisor?.checkpoints ?? lastCheckpoints
      lastRestarts = supervisor?.restarts ?? lastRestarts
      supervisor = nil
      currentPhase = phase
      record.isDone = phase == .done
      record.failure = failure
      record.failedAt = failure == nil ? nil : Clock.wallMilliseconds()
      saveRecord()
      monitor.signalAll()
    }
    if let failure {
      let failure = JobFailure(at: Clock.wallMilliseconds(), reason: failure, step: step)
      logger.error("given up", metadata: place(failure, ["phase": .string(phase.rawValue)]))
    } else {
      let checkpoint = status.checkpoints.last.map { "\($0.id)" } ?? "none"
      logger.info("ended", metadata: ["phase": .string(phase.rawValue), "checkpoint": .string(checkpoint)])
    }
  }

  private func saveRecord() {
    do { try directory.save(name, record) } catch {
      logger.error("its record cannot be saved", metadata: ["reason": .string("\(error)")])
    }
  }

  /// Asks the job to end with a last checkpoint.
  func requestStop() {
    let supervisor = monitor.locked { () -> JobSupervisor? in
      isStopRequested = true
      if currentPhase == .running || currentPhase == .restarting { currentPhase = .stopping }
      monitor.signalAll()
      return self.supervisor
    }
    supervisor?.requestStop()
  }

  /// Blocks until no job of it runs.
  func waitUntilStopped() { monitor.locked { while isActive { monitor.wait() } } }

  // MARK: Operations

  /// Takes hold of it for an operation; another one meanwhile is a conflict.
  func begin() throws(Problem) {
    try monitor.locked { () throws(Problem) in
      guard !isBusy else { throw Problem(.conflict, "\(name): another operation on it is under way — try again") }
      isBusy = true
    }
  }

  func end() { monitor.locked { isBusy = false } }

  /// Ends its job, with a last checkpoint, and returns when it has.
  func stop() {
    requestStop()
    waitUntilStopped()
  }

  /// It is not to run, also after the runner has been started again.
  func setWanted(_ isWanted: Bool) {
    monitor.locked {
      record.isWanted = isWanted
      saveRecord()
    }
  }

  /// Makes it ready for `runOnce`.
  func prepareStart() {
    monitor.locked {
      isStopRequested = false
      record.isWanted = true
      record.isDone = false
      record.failure = nil
      record.failedAt = nil
      currentPhase = .starting
      saveRecord()
    }
  }

  /// What makes a change of a topology an upgrade.
  struct Upgrade {
    /// Whose state the first start of the new version leaves behind.
    let dropState: [String]
  }

  /// Puts another version in its place, while it does not run. `upgrade`: nil where the text stays as it is.
  func replace(_ plan: LogicalPlan, text: String, file: String, overrides: [String], upgrade: Upgrade?) throws {
    try monitor.locked {
      var changed = record
      changed.file = file
      changed.overrides = overrides
      if let upgrade {
        changed.revision += 1
        changed.dropState = upgrade.dropState
      }
      try directory.save(name, text: text, changed)
      record = changed
      self.text = text
      currentPlan = plan
      currentViews.end()
      currentViews = plan.makeViewSet()
    }
  }

  /// A savepoint of the running job, or of the newest checkpoint; returns the checkpoint's number. While it is being started its
  /// checkpoints are the job's that is to come: waits for that.
  func savepoint(to path: String) throws -> Int64 {
    let (supervisor, plan, isWaiting) = monitor.locked {
      while currentPhase == .starting { monitor.wait() }
      return (self.supervisor, currentPlan, currentPhase == .restarting)
    }
    if let supervisor { return try supervisor.savepoint(to: path) }
    if isWaiting { throw Problem(.conflict, "\(name): it is about to be started again — ask once more when it runs") }
    let storage = try CheckpointStorage(directory: plan.checkpointDirectory)
    guard let id = try storage.list().last else { throw Problem(.conflict, "\(name): it has no checkpoint yet") }
    let source = storage.path(of: id)
    try CheckpointStorage.copy(source, to: path, isOutputCommitted: CheckpointStorage.isPublished(source))
    return id
  }

  var file: String { monitor.locked { record.file } }
  var overrides: [String] { monitor.locked { record.overrides } }
}

/// Work that blocks: on threads of its own, so that it holds up nobody else.
enum Blocking {
  /// Most such pieces of work at a time.
  static let maxCount = 32
  private static let count = Atomic<Int>(0)

  static func run<Result: Sendable>(
    _ name: String, _ body: @Sendable @escaping () throws -> Result
  ) async throws -> Result {
    guard count.add(1, ordering: .relaxed).newValue <= maxCount else {
      count.subtract(1, ordering: .relaxed)
      throw Problem(.unavailable, "too much is being done already — try again")
    }
    defer { count.subtract(1, ordering: .relaxed) }
    return try await alone(name, body)
  }

  /// What somebody else bounds, and may take as long as it likes.
  static func alone<Result: Sendable>(
    _ name: String, _ body: @Sendable @escaping () throws -> Result
  ) async throws -> Result {
    let executor = DedicatedThreadExecutor(name: name)
    defer { executor.shutDown() }
    return try await onThread(executor, body)
  }

  private static func onThread<Result: Sendable>(
    _ executor: DedicatedThreadExecutor, _ body: @Sendable @escaping () throws -> Result
  ) async throws -> Result {
    try await withTaskExecutorPreference(executor) { try body() }
  }
}
