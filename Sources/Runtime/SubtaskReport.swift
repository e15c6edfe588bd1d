import Checkpoint
import Connectors
import State
import StreamModel

/// What one participant adds to a checkpoint: a source where it stands, a subtask its operators' state and its sinks' parts.
struct SubtaskReport: Sendable {
  struct OperatorState: Sendable {
    let step: String
    let role: String
    let snapshot: StateSnapshot
  }

  var source: CheckpointManifest.Source?
  var states: [OperatorState] = []
  var parts: [CheckpointManifest.Part] = []
  /// What the participant had counted at its barrier.
  var counts: [CheckpointManifest.NodeCount] = []
}

/// A source's part of a checkpoint.
struct SourceReport {
  let report: SubtaskReport

  init(
    source: String, _ positions: [PartitionPosition], _ watermarks: [UInt8], _ counts: [CheckpointManifest.NodeCount]
  ) {
    report = SubtaskReport(
      source: CheckpointManifest.Source(
        name: source,
        positions: positions.map { .init(partition: $0.partition, offset: $0.offset, isAtEnd: $0.isAtEnd) },
        watermarks: watermarks), counts: counts)
  }
}

extension OperatorChain {
  /// The state of all operators, and what the sinks were given, made durable.
  func report(checkpoint: Int64) throws -> SubtaskReport {
    var report = SubtaskReport(counts: nodes.compactMap(\.counters.count))
    for node in nodes {
      switch node.work {
      case .passThrough: break
      case .apply(let worker):
        guard !node.role.isEmpty else { continue }
        report.states.append(.init(step: node.name, role: node.role, snapshot: worker.snapshot()))
      case .write(let writer):
        report.parts += try writer.prepare(checkpoint: checkpoint).map {
          .init(sink: node.name, pendingPath: $0.pendingPath, finalPath: $0.finalPath, rows: $0.rows)
        }
      }
    }
    return report
  }

  /// Lets go of what the chain's sinks were given and have not prepared.
  func closeSinks() {
    for node in nodes { if case .write(let writer) = node.work { writer.close() } }
  }

  /// Gives every operator its share of a checkpoint's state.
  func restore(_ manifest: CheckpointManifest, keyGroups: Range<Int>) throws {
    for node in nodes {
      guard case .apply(let worker) = node.work else { continue }
      guard let state = manifest.operators.first(where: { $0.step == node.name && $0.role == node.role }) else {
        continue
      }
      let all = StateSnapshot(watermark: state.watermark, entries: state.entries)
      do {
        try worker.restore(all.restricted(to: keyGroups))
      } catch {
        guard case .state(let reason) = error else { continue }
        throw JobError.operation(step: node.name, reason: "checkpoint \(manifest.id) cannot be restored: \(reason)")
      }
    }
  }
}
