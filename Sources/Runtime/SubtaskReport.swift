import Checkpoint
import Connectors
import Operators
import State
import StreamModel

/// What one participant adds to a checkpoint: a source where it stands, a subtask its operators' state and its sinks' parts.
struct SubtaskReport: Sendable {
  struct OperatorState: Sendable {
    let step: String
    let role: String
    let watermark: EventTime
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
  /// Adds to the state what belongs to `checkpoint`, and makes durable what the sinks were given.
  func report(checkpoint: Int64) throws -> SubtaskReport {
    var report = SubtaskReport(counts: nodes.compactMap(\.counters.count))
    for node in nodes {
      switch node.work {
      case .passThrough: break
      case .apply(let worker):
        guard !node.role.isEmpty else { continue }
        let watermark = try node.stateful { () throws(OperatorError) in try worker.snapshot() }
        node.keyedState?.seal(checkpoint)
        report.states.append(.init(step: node.name, role: node.role, watermark: watermark))
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

  /// Gives every operator its share of the job's state, which is that of `manifest` where the job goes on from one.
  func attach(_ store: StateStore, _ manifest: CheckpointManifest?, keyGroups: Range<Int>) throws {
    for node in nodes {
      guard case .apply(let worker) = node.work, !node.role.isEmpty else { continue }
      let state = store.open(
        family: CheckpointManifest.family(step: node.name, role: node.role), keyGroups: keyGroups)
      let known = manifest?.operators.first { $0.step == node.name && $0.role == node.role }
      node.keyedState = state
      do {
        try worker.attach(state, watermark: known?.watermark ?? EventTimes.minimum)
      } catch {
        guard case .state(let reason) = error else { throw Interruption.cancelled }
        throw JobError.operation(
          step: node.name, reason: "checkpoint \(manifest?.id ?? 0) cannot be restored: \(reason)")
      }
    }
    budget = store.budget
    store.budget.join()
  }
}

extension [SubtaskReport] {
  /// One state for each operator, over all its subtasks: the least watermark of any.
  var joinedStates: [SubtaskReport.OperatorState] {
    var joined: [SubtaskReport.OperatorState] = []
    for state in flatMap(\.states) {
      guard let index = joined.firstIndex(where: { $0.step == state.step && $0.role == state.role }) else {
        joined.append(state)
        continue
      }
      let watermark = Swift.min(joined[index].watermark, state.watermark)
      joined[index] = .init(step: state.step, role: state.role, watermark: watermark)
    }
    return joined
  }
}
