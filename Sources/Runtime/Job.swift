import Checkpoint
import Connectors
import StreamModel
import Topology
import Views

/// How a job runs, where the topology leaves it open. None of it changes results.
package struct JobOptions: Sendable {
  /// Rows per batch at most.
  package var batchRows = 16_384
  /// Bytes of input that are read and decoded as one piece.
  package var chunkBytes = 1 << 20
  package var from = StartPoint.beginning
  /// Whether the run may begin where its output will lack rows or have some twice.
  package var acceptsLossOrDuplicates = false
  /// State that the start leaves behind because it does not fit.
  package var dropState = StateDrop()
  /// How much work of its sources an attempt does slowly, unless it commits a checkpoint before: see `AttemptPace`.
  var slowWorkNanoseconds: Int64 = 0
  /// Called, from any thread, with what somebody should know while the job runs.
  package var notice: @Sendable (String) -> Void = { _ in }
  package init() {}
}

/// One attempt at running a topology; see `JobSupervisor` for what follows when it fails.
///
/// `init` opens the sources, finds the checkpoint to go on from and lays the plan out as subtasks; `run()` runs each on a
/// thread of its own under one task group, beside one that takes checkpoints. When a subtask fails, all are cancelled,
/// nothing since the last checkpoint becomes visible, and the first error is thrown.
///
/// Invariant for `Sendable`: `assembly` is written by `run` before any other thread sees the job's parts; what is shared
/// after that is thread-safe by itself.
package final class Job: Sendable {
  private let plan: LogicalPlan
  private let assembly: JobAssembly
  package let progress: JobProgress

  /// Opens the sources: throws when input is not there, before anything is created.
  /// `views`: those of the plan, which outlive the attempt; nil where nobody reads them.
  package init(
    _ plan: LogicalPlan, options: JobOptions = JobOptions(), views: ViewSet? = nil
  ) throws(JobError) {
    self.plan = plan
    let views = views ?? ViewSet(plan.viewDefinitions)
    do {
      assembly = try JobAssembly(plan, options: options, views: views)
    } catch {
      views.end()
      throw error
    }
    progress = assembly.progress
  }

  /// The checkpoint this run goes on from; nil when it begins anew.
  package var restoredFrom: Int64? { assembly.restoredFrom }

  /// State that the start left behind.
  var droppedState: [CheckpointManifest.DroppedState] { assembly.droppedState }

  /// The highest checkpoint number that had been used when it was made.
  var lastCheckpoint: Int64 { assembly.lastCheckpoint }

  private let firstFailed = Guarded<String?>(nil)

  /// The stage whose subtask failed first, once `run` has thrown.
  var failedStage: String? { firstFailed.withLock { $0 } }

  /// What whoever starts the run should know: what is new to its checkpoint, what is skipped.
  package var notices: [String] { assembly.notices }

  /// Copies a checkpoint that begins now to `target`; see `CheckpointDriver.savepoint`.
  package func savepoint(to target: String) throws(JobError) -> Int64 {
    try assembly.checkpoints.savepoint(to: target)
  }

  /// Checkpoints of this attempt so far.
  var checkpointOutcomes: CheckpointOutcomes { assembly.checkpoints.outcomes }

  /// Asks the job to end cleanly: what has been read is worked through and checkpointed, results so far are committed.
  package func requestStop() {
    assembly.wasStopped.store(true, ordering: .relaxed)
    for coordinator in assembly.coordinators { coordinator.stop() }
  }

  /// Runs the job to its end.
  package func run() async throws -> JobSummary {
    let start = Clock.monotonicNanoseconds()
    defer { assembly.closeState() }
    try await withTaskCancellationHandler {
      try await runSubtasks()
    } onCancel: {
      assembly.abort()
    }
    let isComplete = !assembly.wasStopped.load(ordering: .relaxed)
    let lag = isComplete ? [] : progress.lag()
    for coordinator in assembly.coordinators { coordinator.closeReader() }
    var summary = JobSummary(
      nodes: progress.counts(), deadLetters: progress.deadLetterCount, countedSince: progress.countedSince,
      recordsRead: progress.recordsReadSinceStart, durationNanoseconds: Clock.monotonicNanoseconds() - start,
      restoredFrom: restoredFrom, isComplete: isComplete,
      hadNothingNew: restoredFrom != nil && isComplete && progress.isUnmoved, checkpoints: checkpointOutcomes)
    summary.lookups = progress.lookups
    summary.lag = lag
    return summary
  }

  private func runSubtasks() async throws {
    let executors = assembly.runnables.map { DedicatedThreadExecutor(name: $0.name) }
    // Whoever starts the job again may take hold of its state as soon as this returns.
    defer {
      for executor in executors { executor.shutDown() }
      for executor in executors { executor.waitUntilEnded() }
    }
    do {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (runnable, executor) in zip(assembly.runnables, executors) {
          group.addTask(executorPreference: executor) { [firstFailed] in
            do { try runnable.run() } catch {
              if !(error is Interruption) { firstFailed.withLock { $0 = $0 ?? runnable.stage } }
              throw error
            }
          }
        }
        try await collect(&group)
      }
    } catch {
      if let executor = executors.first {
        await withTaskExecutorPreference(executor) { assembly.abandonTransactions() }
      }
      throw error
    }
  }

  /// Waits for all subtasks; at the first failure cancels the rest, and throws the error that is not just a consequence.
  private func collect(_ group: inout ThrowingTaskGroup<Void, any Error>) async throws {
    var failure: (any Error)?
    while let result = await group.nextResult() {
      guard case .failure(let error) = result else { continue }
      if failure == nil || failure is Interruption { failure = error }
      assembly.abort()
    }
    guard let failure else { return }
    if failure is Interruption { throw CancellationError() }
    throw failure
  }
}
