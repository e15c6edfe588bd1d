import Connectors
import Operators
import StreamModel
import Topology

/// How a job runs, where the topology leaves it open. None of it changes results.
package struct JobOptions: Sendable {
  /// Rows per batch at most.
  package var batchRows = 16_384
  /// Bytes of input that are read and decoded as one piece.
  package var chunkBytes = 1 << 20
  package init() {}
}

/// What a job did.
package struct JobSummary: Sendable {
  package let nodes: [NodeCounts]
  package let deadLetters: Int
  package let durationNanoseconds: Int64
  /// Whether all input was read, as opposed to a stop on request.
  package let isComplete: Bool

  package var reconciles: Bool { nodes.allSatisfy(\.reconciles) }
}

/// One run of a topology in this process.
///
/// `run()` opens the sources, lays the plan out as subtasks, runs each on a thread of its own under one task group, and
/// commits what the sinks have prepared. When a subtask fails, all are cancelled, nothing is committed and the first error
/// is thrown.
///
/// Invariant for `Sendable`: `assembly` is written by `run` before any other thread sees the job's parts; what is shared
/// after that is thread-safe by itself.
package final class Job: Sendable {
  private let plan: LogicalPlan
  private let options: JobOptions
  private let assembly: JobAssembly
  package let progress: JobProgress

  /// Opens the sources: throws when input is not there, before anything is created.
  package init(_ plan: LogicalPlan, options: JobOptions = JobOptions()) throws(JobError) {
    self.plan = plan
    self.options = options
    do {
      assembly = try JobAssembly(plan, options: options)
    } catch {
      throw .connector(error)
    }
    progress = assembly.progress
  }

  /// Asks the job to end cleanly: what has been read is worked through, results so far are committed.
  package func requestStop() {
    assembly.wasStopped.store(true, ordering: .relaxed)
    for coordinator in assembly.coordinators { coordinator.stop() }
  }

  /// Runs the job to its end.
  package func run() async throws -> JobSummary {
    let start = Clock.monotonicNanoseconds()
    let prepared = try await withTaskCancellationHandler {
      try await runSubtasks()
    } onCancel: {
      assembly.abort()
    }
    do {
      for sink in prepared { try sink.writer.writer.commit(sink.parts) }
    } catch {
      throw JobError.connector(error)
    }
    for coordinator in assembly.coordinators { coordinator.closeReader() }
    return JobSummary(
      nodes: progress.counts(), deadLetters: progress.deadLetterCount,
      durationNanoseconds: Clock.monotonicNanoseconds() - start,
      isComplete: !assembly.wasStopped.load(ordering: .relaxed))
  }

  private func runSubtasks() async throws -> [PreparedSink] {
    let executors = assembly.runnables.map { DedicatedThreadExecutor(name: $0.name) }
    defer { for executor in executors { executor.shutDown() } }
    return try await withThrowingTaskGroup(of: [PreparedSink].self) { group in
      for (runnable, executor) in zip(assembly.runnables, executors) {
        group.addTask(executorPreference: executor) { try runnable.run() }
      }
      return try await collect(&group)
    }
  }

  /// Waits for all subtasks; at the first failure cancels the rest, and throws the error that is not just a consequence.
  private func collect(_ group: inout ThrowingTaskGroup<[PreparedSink], any Error>) async throws -> [PreparedSink] {
    var prepared: [PreparedSink] = []
    var failure: (any Error)?
    while let result = await group.nextResult() {
      switch result {
      case .success(let parts): prepared += parts
      case .failure(let error):
        if failure == nil || failure is Interruption { failure = error }
        assembly.abort()
      }
    }
    guard let failure else { return prepared }
    for sink in prepared {
      sink.writer.writer.close()
      for part in sink.parts { part.discard() }
    }
    if failure is Interruption { throw CancellationError() }
    throw failure
  }
}
