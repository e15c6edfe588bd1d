import Checkpoint
import Connectors
import State
import StreamModel

/// What a driver is told, and what it puts together.
extension CheckpointDriver {
  struct Settings {
    let topology: String
    let retain: Int
    let sourceCount: Int
    let participantCount: Int
    let timing: CheckpointStateMachine.Settings
    /// By step and role: what a state fits.
    let signatures: [String: String]
    /// What earlier runs of the job counted.
    let counted: CheckpointManifest.Counters
    /// Gives parts of a sink their final names.
    let commit: @Sendable ([CheckpointManifest.Part]) throws(ConnectorError) -> Void
    /// A checkpoint is committed, and the next one's changes are not in the state yet: views show it.
    let committed: @Sendable (Int64) -> Void
    /// In the order of the sources attached.
    var sourceNames: [String] = []
    /// State that starts have left behind since the job began anew.
    var droppedStates: [CheckpointManifest.DroppedState] = []
    /// Commits with Kafka transactions; nil where the manifest's rename is the commit.
    var kafka: KafkaCommitPoint? = nil
  }

  /// Parts that one participant prepared, for a checkpoint or (`isLast`) when it ended.
  struct PendingOutput {
    let participant: Int
    let isLast: Bool
    let parts: [CheckpointManifest.Part]
  }

  /// What is to be committed next.
  struct Commit {
    let id: Int64
    /// When its barrier was let in, or everything had ended.
    let began: Int64
    let isComplete: Bool
    let sources: [CheckpointManifest.Source]
    /// The watermark of each operator over all its subtasks.
    let states: [SubtaskReport.OperatorState]
    let parts: [CheckpointManifest.Part]
    let counters: CheckpointManifest.Counters
    /// What of the output so far stays for the next one, and how much output there was.
    let kept: [PendingOutput]
    let seen: Int
    /// Whether the state machine knows of it; the last one, after everything has ended, it does not.
    let isNumbered: Bool
  }
}

extension CommittedCheckpoint {
  init(_ manifest: CheckpointManifest) {
    self.init(
      id: manifest.id, createdAt: manifest.createdAt, durationMilliseconds: manifest.durationMilliseconds,
      newBytes: manifest.newBytes, stateBytes: manifest.stateBytes,
      stateBytesByStep: Dictionary(manifest.operators.map { ($0.step, $0.sizeBytes) }, uniquingKeysWith: +))
  }
}
