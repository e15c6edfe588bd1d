import State
import StreamModel

/// Everything a job needs to go on from one checkpoint: where its sources stood, what its operators knew, and which output
/// becomes visible with it.
package struct CheckpointManifest: Equatable, Sendable {
  /// Where one source stood.
  package struct Source: Equatable, Sendable {
    package struct Position: Equatable, Sendable {
      package let partition: String
      package let offset: Int64
      package let isAtEnd: Bool
      package init(partition: String, offset: Int64, isAtEnd: Bool) {
        self.partition = partition
        self.offset = offset
        self.isAtEnd = isAtEnd
      }
    }
    package let name: String
    package let positions: [Position]
    /// The partitions' watermarks, in the runtime's encoding.
    package let watermarks: [UInt8]

    package init(name: String, positions: [Position], watermarks: [UInt8]) {
      self.name = name
      self.positions = positions
      self.watermarks = watermarks
    }
  }

  /// One operator over all its subtasks; its keyed state lies in the family of the same name.
  package struct Operator: Equatable, Sendable {
    /// The step, and the operator's role in it (`aggregate`, `sort`).
    package let step: String
    package let role: String
    /// What the step's operation is; state is restored only into the same.
    package let signature: String
    package let watermark: EventTime
    /// Bytes of its state in files, and about how many entries that is.
    package let sizeBytes: Int
    package let entryCount: Int

    package init(
      step: String, role: String, signature: String, watermark: EventTime, sizeBytes: Int, entryCount: Int
    ) {
      self.step = step
      self.role = role
      self.signature = signature
      self.watermark = watermark
      self.sizeBytes = sizeBytes
      self.entryCount = entryCount
    }

    /// The family its keyed state lies in.
    package var family: String { CheckpointManifest.family(step: step, role: role) }
  }

  /// The name of the state family of an operator.
  package static func family(step: String, role: String) -> String { "\(step) \(role)" }

  /// A file of the state, with a hash of its content.
  package struct File: Equatable, Sendable {
    package let name: String
    package let sizeBytes: Int
    package let checksum: UInt64
    package init(name: String, sizeBytes: Int, checksum: UInt64) {
      self.name = name
      self.sizeBytes = sizeBytes
      self.checksum = checksum
    }
  }

  /// A part of a sink's output: durable under `pendingPath`, to be seen under `finalPath`.
  package struct Part: Equatable, Sendable {
    package let sink: String
    package let pendingPath: String
    package let finalPath: String
    package let rows: Int
    package init(sink: String, pendingPath: String, finalPath: String, rows: Int) {
      self.sink = sink
      self.pendingPath = pendingPath
      self.finalPath = finalPath
      self.rows = rows
    }
  }

  /// State of a step, or of a view as `views.` and its name, that a start left behind because it was told to.
  package struct DroppedState: Equatable, Sendable {
    package let step: String
    /// The checkpoint it lies in.
    package let checkpoint: Int64
    package let sizeBytes: Int
    package let entryCount: Int

    package init(step: String, checkpoint: Int64, sizeBytes: Int, entryCount: Int) {
      self.step = step
      self.checkpoint = checkpoint
      self.sizeBytes = sizeBytes
      self.entryCount = entryCount
    }
  }

  package let id: Int64
  package let topology: String
  /// Wall-clock ms since 1970.
  package let createdAt: Int64
  /// Whether all input had ended and been worked through.
  package let isComplete: Bool
  package let sources: [Source]
  package let operators: [Operator]
  package let parts: [Part]
  /// What lies in the checkpoint's folder `state`.
  package let files: [File]
  package let counters: Counters
  /// The job's identity at its commit point in Kafka; 0 where the manifest's rename is the commit.
  package var identity: Int64 = 0
  /// From the barrier to the manifest, in ms.
  package var durationMilliseconds: Int64 = 0
  /// Bytes of `files` that no earlier checkpoint had and that never change: what this one added.
  package var newBytes = 0
  /// What the job's starts have left behind since it began anew, oldest first.
  package var droppedStates: [DroppedState] = []

  package init(
    id: Int64, topology: String, createdAt: Int64, isComplete: Bool, sources: [Source], operators: [Operator],
    parts: [Part], files: [File], counters: Counters
  ) {
    self.files = files
    self.counters = counters
    self.id = id
    self.topology = topology
    self.createdAt = createdAt
    self.isComplete = isComplete
    self.sources = sources
    self.operators = operators
    self.parts = parts
  }
}
