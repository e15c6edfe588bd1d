import Checkpoint
import Connectors
import State
import StreamModel
import Topology
import Views

/// Where a run begins.
package enum StartPoint: Hashable, Sendable {
  /// The newest checkpoint, or the beginning where there is none.
  case latest
  /// The beginning, whatever checkpoints there are.
  case beginning
  /// This checkpoint file.
  case checkpoint(path: String)
}

extension StartPoint {
  /// What is asked of a Kafka commit point.
  fileprivate var request: TransactionStart.Request {
    get throws(JobError) {
      switch self {
      case .latest: return .latest
      case .beginning: return .beginning
      case .checkpoint(let path):
        do {
          let manifest = try CheckpointStorage.read(path)
          return .checkpoint(number: manifest.id, identity: manifest.identity)
        } catch {
          throw .checkpoint(error)
        }
      }
    }
  }
}

/// The checkpoint a run goes on from, and the storage of those it will take.
struct JobStart {
  let storage: CheckpointStorage
  let manifest: CheckpointManifest?
  /// The state that is left behind: `manifest` has it no more, the files have.
  let dropped: [CheckpointManifest.DroppedState]
  /// Where checkpoints are committed with Kafka transactions.
  let kafka: KafkaCommitPoint?
  /// The highest number used so far.
  let lastID: Int64
  /// What whoever starts the run should know.
  private(set) var notices: [String] = []

  private struct Found {
    let manifest: CheckpointManifest
    let path: String
  }

  /// Takes hold of the job's checkpoint directory, finds the checkpoint, and gives its output the final names it should
  /// have. Refuses a damaged checkpoint, one whose state does not fit the topology, and one that is not what the broker says is
  /// committed, before anything is changed, here or there.
  init(_ plan: LogicalPlan, _ options: JobOptions, graph: ExecutionGraph) throws(JobError) {
    let start = options.from
    let ids: [Int64]
    do {
      storage = try CheckpointStorage(directory: plan.checkpointDirectory)
      ids = try storage.list()
    } catch {
      throw .checkpoint(error)
    }
    let commitPoint = try KafkaJobStart.look(
      plan, directory: storage.directory, checkpoints: ids, request: try start.request,
      acceptsLoss: options.acceptsLossOrDuplicates)
    var found = try JobStart.find(start, storage, ids, commitPoint, &notices)
    var fit = try JobStart.check(found?.manifest, plan, graph, options.dropState)
    if let commitPoint {
      let looked = commitPoint.action
      try commitPoint.take()
      if commitPoint.action != looked {
        found = try JobStart.find(start, storage, ids, commitPoint, &notices)
        fit = try JobStart.check(found?.manifest, plan, graph, options.dropState)
      }
      found = try JobStart.adopt(found, storage, commitPoint)
      kafka = try commitPoint.settle(hasCheckpoint: found != nil)
    } else {
      kafka = nil
    }
    do {
      if commitPoint == nil {
        try TransactionStart.LocalRecord.remove(in: storage.directory)
      } else {
        try storage.remove(above: max(found?.manifest.id ?? 0, kafka?.number ?? 0))
      }
    } catch {
      throw .checkpoint(error)
    }
    notices += fit?.additions ?? []
    dropped = fit?.dropped ?? []
    manifest = found?.manifest.leaving(dropped)
    lastID = max(ids.last ?? 0, manifest?.id ?? 0, kafka?.lastNumber ?? 0)
    do {
      try storage.restoreLive(from: found?.path)
    } catch {
      throw .checkpoint(error)
    }
    do {
      if let found, !CheckpointStorage.isPublished(found.path) { try JobStart.commit(found.manifest.parts, plan) }
      CrashPoint.reached("restored-output-committed")
      for sink in plan.sinks + [plan.deadLetters] {
        try sink.connector.discardLeftovers(name: sink.name, job: plan.name)
      }
      CrashPoint.reached("leftovers-removed")
    } catch {
      throw .connector(error)
    }
  }

  /// Throws where the checkpoint is another topology's or its state does not fit, but for what is to be dropped.
  private static func check(
    _ manifest: CheckpointManifest?, _ plan: LogicalPlan, _ graph: ExecutionGraph, _ drop: StateDrop
  ) throws(JobError) -> StateFit? {
    guard let manifest else {
      if drop.names.isEmpty || drop.isRepeated { return nil }
      throw .request("\(drop.names.joined(separator: ", ")): no state can be dropped: the run begins anew and has none")
    }
    guard manifest.topology == plan.name else {
      throw .checkpoint(
        CheckpointError("checkpoint \(manifest.id) is of topology \(manifest.topology), not \(plan.name)"))
    }
    let fit = StateFit(plan, graph, manifest, dropping: drop)
    guard fit.dropFaults.isEmpty else { throw .request(fit.dropFaults.joined(separator: "\n")) }
    guard fit.isCompatible else {
      throw .checkpoint(
        CheckpointError(
          "checkpoint \(manifest.id) does not fit the topology — undo the change, leave a step's state behind with "
            + "--drop-state STEP, or start anew with --from none:\n  " + fit.faults.joined(separator: "\n  ")))
    }
    return fit
  }

  private static func find(
    _ start: StartPoint, _ storage: CheckpointStorage, _ ids: [Int64], _ commitPoint: KafkaJobStart?,
    _ notices: inout [String]
  ) throws(JobError) -> Found? {
    do {
      switch commitPoint?.action {
      case nil, .override: return try find(start, storage, ids, &notices)
      case .restore(let id): return try committed(id, storage, commitPoint?.identity)
      case .first, .begin, .refuse: return nil
      }
    } catch {
      throw .checkpoint(error)
    }
  }

  /// Checkpoint `id`, which the broker says is committed.
  private static func committed(
    _ id: Int64, _ storage: CheckpointStorage, _ identity: Int64?
  ) throws(CheckpointError) -> Found {
    let path = storage.path(of: id)
    do throws(CheckpointError) {
      let manifest = try CheckpointStorage.read(path)
      guard manifest.identity == identity else {
        throw CheckpointError(
          "\(path): this checkpoint was not committed by the job whose marker the broker has, but by an earlier one of its name"
        )
      }
      try CheckpointStorage.verify(manifest, at: path)
      return Found(manifest: manifest, path: path)
    } catch {
      if error.isRetriable { throw error }
      throw CheckpointError(
        "\(error.description) — its output is in the topics, so no other will do: restore the folder; or accept loss or "
          + "duplicates with --from PATH or --from none, and \(TransactionStart.flag)")
    }
  }

  /// A checkpoint that a job with a new identity goes on from becomes the job's own, under a number that was never used.
  private static func adopt(
    _ found: Found?, _ storage: CheckpointStorage, _ commitPoint: KafkaJobStart
  ) throws(JobError) -> Found? {
    guard let found, let number = commitPoint.adoptedNumber, let identity = commitPoint.identity else { return found }
    do {
      let path = storage.path(of: number)
      try CheckpointStorage.copy(
        found.path, to: path, isOutputCommitted: CheckpointStorage.isPublished(found.path),
        as: CheckpointStorage.Ownership(number: number, identity: identity))
      return Found(manifest: try CheckpointStorage.read(path), path: path)
    } catch {
      throw .checkpoint(error)
    }
  }

  private static func find(
    _ start: StartPoint, _ storage: CheckpointStorage, _ ids: [Int64], _ notices: inout [String]
  ) throws(CheckpointError) -> Found? {
    switch start {
    case .beginning: return nil
    case .latest: return try latest(storage, ids[...], &notices)
    case .checkpoint(let path):
      let manifest = try CheckpointStorage.read(path)
      try CheckpointStorage.verify(manifest, at: path)
      if let newest = ids.last, newest > manifest.id {
        notices.append(
          "checkpoint \(newest) is newer than \(path): what was written since is written again — remove that output")
      }
      return Found(manifest: manifest, path: path)
    }
  }

  /// The newest checkpoint. One that is damaged and has committed output is refused; where it committed none, the one before it
  /// doubles and loses nothing.
  private static func latest(
    _ storage: CheckpointStorage, _ ids: ArraySlice<Int64>, _ notices: inout [String]
  ) throws(CheckpointError) -> Found? {
    guard let id = ids.last else { return nil }
    let path = storage.path(of: id)
    var manifest: CheckpointManifest?
    do {
      let read = try CheckpointStorage.read(path)
      manifest = read
      try CheckpointStorage.verify(read, at: path)
      return Found(manifest: read, path: path)
    } catch {
      guard let manifest, manifest.parts.isEmpty, ids.count > 1 else { throw refusal(error, manifest) }
      notices.append("\(error.description); it committed no output, so the run goes on from the one before")
      return try latest(storage, ids.dropLast(), &notices)
    }
  }

  private static func refusal(_ error: CheckpointError, _ manifest: CheckpointManifest?) -> CheckpointError {
    if error.isRetriable { return error }
    let output =
      manifest.map { $0.parts.isEmpty ? "there is none before it" : "its output is visible" }
      ?? "its output may be visible"
    return CheckpointError(
      "\(error.description) — \(output), so an older checkpoint would double or lose rows; restore the file, or choose: "
        + "--from PATH (an older checkpoint or a savepoint, later output removed by you) or --from none (anew)")
  }

  /// Whether the state of family `name` is left behind.
  func leavesBehind(_ name: String) -> Bool {
    dropped.contains { name.hasPrefix(CheckpointManifest.family(step: $0.step, role: "")) }
  }

  /// Gives parts their final names; those that have them keep them.
  static func commit(_ parts: [CheckpointManifest.Part], _ plan: LogicalPlan) throws(ConnectorError) {
    for sink in plan.sinks + [plan.deadLetters] {
      let own = parts.filter { $0.sink == sink.name }
      guard !own.isEmpty else { continue }
      try sink.connector.commit(
        own.map { PendingPart(pendingPath: $0.pendingPath, finalPath: $0.finalPath, rows: $0.rows) }, name: sink.name)
    }
  }
}

extension ExecutionGraph {
  /// How the state of each operator that has any is read, by family.
  var stateFamilies: [String: StateAccess] {
    var families: [String: StateAccess] = [:]
    for node in stages.flatMap(\.nodes) {
      guard let role = node.stateRole else { continue }
      families[CheckpointManifest.family(step: node.name, role: role)] = node.stateAccess
    }
    return families
  }
}

extension ExecutionGraph.Node {
  /// The name of the operator's part in its step; nil for nodes that hold no state.
  var stateRole: String? {
    switch body {
    case .source, .sink, .union: nil
    case .sort: "sort"
    case .view: ViewDefinition.role
    case .step(let step):
      switch step.operation {
      case .filter, .project, .lookup: nil
      case .deduplicate: "deduplicate"
      case .aggregate: "aggregate"
      case .join: "join"
      case .match: "match"
      case .rate: "rate"
      case .invoice: "invoice"
      }
    }
  }

  fileprivate var stateAccess: StateAccess {
    switch body {
    case .source, .sink, .union, .sort: .sweeps
    case .view: .lookups
    case .step(let step):
      if case .aggregate(let spec) = step.operation, spec.window.isSwept, spec.keepsPartials {
        .sweeps
      } else {
        .lookups
      }
    }
  }
}

extension LogicalPlan {
  /// The directory that holds the checkpoints of this topology's job and nothing else.
  package var checkpointDirectory: String { checkpoint.directory + "/" + name }
}
