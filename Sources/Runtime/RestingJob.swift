import Checkpoint
import Topology

/// What a job that does not run had done by its newest checkpoint.
package struct RestingJob: Sendable {
  package let progress: JobProgress
  package let checkpoints: CheckpointOutcomes

  /// Nil where there is no checkpoint of `plan`'s job, or none that can be read.
  package init?(_ plan: LogicalPlan) {
    guard let entries = try? CheckpointCatalog(directory: plan.checkpointDirectory).entries,
      case .success(let manifest)? = entries.last?.content
    else { return nil }
    progress = JobProgress(ExecutionGraphBuilder.build(plan), restored: manifest.counters)
    checkpoints = CheckpointOutcomes(last: CommittedCheckpoint(manifest))
  }
}
