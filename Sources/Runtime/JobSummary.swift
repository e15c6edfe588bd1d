import Checkpoint
import Operators

/// What became of a run's checkpoints.
package struct CheckpointOutcomes: Equatable, Sendable {
  package var committedCount = 0
  package var failedCount = 0
  /// Why the last one failed.
  package var lastFailure: String?
  /// The last one that was committed.
  package var last: CommittedCheckpoint?

  package init(
    committedCount: Int = 0, failedCount: Int = 0, lastFailure: String? = nil, last: CommittedCheckpoint? = nil
  ) {
    self.committedCount = committedCount
    self.failedCount = failedCount
    self.lastFailure = lastFailure
    self.last = last
  }

  mutating func add(_ later: CheckpointOutcomes) {
    committedCount += later.committedCount
    failedCount += later.failedCount
    lastFailure = later.lastFailure ?? lastFailure
    last = later.last ?? last
  }
}

/// A checkpoint that was committed.
package struct CommittedCheckpoint: Equatable, Sendable {
  package let id: Int64
  /// Wall-clock ms since 1970.
  package let createdAt: Int64
  /// From the barrier to the manifest, in ms.
  package let durationMilliseconds: Int64
  package let newBytes: Int
  package let stateBytes: Int
  /// Bytes of keyed state by step, or `views.` and a view's name.
  package let stateBytesByStep: [String: Int]
}

/// What a job did.
package struct JobSummary: Sendable {
  /// Counts of the job's whole life, over all its runs: since `countedSince`.
  package let nodes: [NodeCounts]
  package let deadLetters: Int
  /// Wall-clock ms since 1970.
  package let countedSince: Int64
  /// Records that this run read and kept.
  package internal(set) var recordsRead: Int
  package internal(set) var durationNanoseconds: Int64
  /// The checkpoint the run went on from; nil when it began anew.
  package internal(set) var restoredFrom: Int64?
  /// State that the run left behind at its start because that was asked for.
  package internal(set) var droppedState: [CheckpointManifest.DroppedState] = []
  /// Whether all input was read, as opposed to a stop on request.
  package let isComplete: Bool
  /// Whether the run went on from a checkpoint and found nothing more to read.
  package internal(set) var hadNothingNew: Bool
  package internal(set) var checkpoints: CheckpointOutcomes
  /// What lay unread in the sources' partitions when the run was stopped; empty after one that read all its input.
  package internal(set) var lag: [JobProgress.PartitionLag] = []
  /// How often it was started again in this process.
  package internal(set) var restartCount = 0

  /// What the lookups of the last attempt counted, by step.
  package var lookups: [(step: String, counters: LookupCounters)] = []

  package var reconciles: Bool { nodes.allSatisfy(\.reconciles) }
}
