import Checkpoint
import Connectors
import Operators
import State
import StreamModel
import Topology

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
        do { return .checkpoint(number: try CheckpointStorage.read(path).id) } catch { throw .checkpoint(error) }
      }
    }
  }
}

/// The checkpoint a run goes on from, and the storage of those it will take.
struct JobStart {
  let storage: CheckpointStorage
  let manifest: CheckpointManifest?
  /// Where checkpoints are committed with Kafka transactions.
  let kafka: KafkaCommitPoint?
  /// The highest number used so far.
  let lastID: Int64

  /// Takes hold of the job's checkpoint directory, finds the checkpoint, and gives its output the final names it should
  /// have. Refuses a damaged checkpoint, and one whose state does not fit the topology, before anything is changed.
  /// - Parameter acceptsLoss: Whether the user accepts that the output may lack rows, or have some twice.
  init(
    _ plan: LogicalPlan, from start: StartPoint, signatures: [String: String], acceptsLoss: Bool = false
  ) throws(JobError) {
    let ids: [Int64]
    let started: CheckpointStorage
    do {
      started = try CheckpointStorage(directory: plan.checkpoint.directory + "/" + plan.name)
      storage = started
      ids = try storage.list()
    } catch {
      throw .checkpoint(error)
    }
    let opened = try KafkaCommitPoint.open(
      plan, directory: storage.directory, checkpoints: ids, request: try start.request, acceptsLoss: acceptsLoss)
    kafka = opened?.commitPoint
    do {
      if let opened, !opened.isOverridden {
        manifest = try opened.restores.map { (id) throws(CheckpointError) in
          let found = try started.read(id)
          try CheckpointStorage.verify(found, at: started.path(of: id))
          return found
        }
        try storage.remove(above: opened.restores ?? 0)
      } else {
        manifest = try JobStart.manifest(start, storage, ids, topology: plan.name)
      }
    } catch {
      throw .checkpoint(error)
    }
    lastID = max(ids.last ?? 0, manifest?.id ?? 0, kafka?.lastNumber ?? 0)
    if let manifest { try JobStart.check(manifest, signatures) }
    do {
      try storage.restoreLive(from: manifest.map { JobStart.path(start, storage, $0) })
    } catch {
      throw .checkpoint(error)
    }
    do {
      if let manifest { try JobStart.commit(manifest.parts, plan) }
      for sink in plan.sinks + [plan.deadLetters] {
        try sink.connector.discardLeftovers(name: sink.name, job: plan.name)
      }
    } catch {
      throw .connector(error)
    }
  }

  private static func path(_ start: StartPoint, _ storage: CheckpointStorage, _ manifest: CheckpointManifest) -> String
  {
    if case .checkpoint(let path) = start { return path }
    return storage.path(of: manifest.id)
  }

  private static func manifest(
    _ start: StartPoint, _ storage: CheckpointStorage, _ ids: [Int64], topology: String
  ) throws(CheckpointError) -> CheckpointManifest? {
    let manifest: CheckpointManifest
    switch start {
    case .beginning: return nil
    case .checkpoint(let path):
      manifest = try CheckpointStorage.read(path)
      try CheckpointStorage.verify(manifest, at: path)
    case .latest:
      guard let id = ids.last else { return nil }
      do {
        manifest = try storage.read(id)
        try CheckpointStorage.verify(manifest, at: storage.path(of: id))
      } catch {
        throw CheckpointError(
          "\(error.description) — its output is visible, so an older checkpoint would double rows; restore the file, or "
            + "choose: --from PATH (an older checkpoint, its later output removed by you) or --from none (anew)")
      }
    }
    guard manifest.topology == topology else {
      throw CheckpointError("checkpoint \(manifest.id) is of topology \(manifest.topology), not \(topology)")
    }
    return manifest
  }

  private static func check(_ manifest: CheckpointManifest, _ signatures: [String: String]) throws(JobError) {
    var faults: [String] = []
    var known: Set<String> = []
    for state in manifest.operators {
      let key = state.family
      known.insert(key)
      if signatures[key] == nil, state.entryCount > 0 {
        faults.append("\(state.step): it has state, and the topology has no such step")
      }
      if let now = signatures[key], now != state.signature {
        faults.append("\(state.step): it was `\(state.signature)` and is `\(now)`")
      }
    }
    for key in signatures.keys.sorted() where !known.contains(key) {
      faults.append("\(key.prefix { $0 != " " }): it is new and would miss what came before the checkpoint")
    }
    guard faults.isEmpty else {
      throw .checkpoint(
        CheckpointError(
          "checkpoint \(manifest.id) does not fit the topology — undo the change, or start anew with --from none:\n  "
            + faults.joined(separator: "\n  ")))
    }
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

  /// By step and role of every operator with state: what that state is of. A checkpoint fits a graph with the same.
  var stateSignatures: [String: String] {
    var signatures: [String: String] = [:]
    for node in stages.flatMap(\.nodes) {
      guard let role = node.stateRole else { continue }
      signatures[CheckpointManifest.family(step: node.name, role: role)] = node.signature
    }
    return signatures
  }
}

extension ExecutionGraph.Node {
  /// The name of the operator's part in its step; nil for nodes that hold no state.
  var stateRole: String? {
    switch body {
    case .source, .sink, .union: nil
    case .sort: "sort"
    case .step(let step):
      switch step.operation {
      case .filter, .project: nil
      case .deduplicate: "deduplicate"
      case .aggregate: "aggregate"
      case .join: "join"
      case .match: "match"
      }
    }
  }

  fileprivate var stateAccess: StateAccess {
    switch body {
    case .source, .sink, .union, .sort: .sweeps
    case .step(let step):
      if case .aggregate(let spec) = step.operation, spec.window.isSwept, spec.keepsPartials {
        .sweeps
      } else {
        .lookups
      }
    }
  }

  fileprivate var signature: String {
    switch body {
    case .source, .sink, .union: ""
    case .sort(let schema, let key): "sort of (\(schema)) by \(key)"
    case .step(let step): ExecutionGraph.Node.signature(step)
    }
  }

  private static func signature(_ step: StepPlan) -> String {
    let input = "(\(step.inputSchema))"
    switch step.operation {
    case .filter, .project: return ""
    case .deduplicate(let spec): return "deduplicate \(input) by \(spec.key) within \(spec.withinMilliseconds) ms"
    case .aggregate(let spec):
      let values = spec.values.map { "\($0.name): \($0.expression.text)" }.joined(separator: ", ")
      return "aggregate \(input) by \(spec.key) over \(spec.window) of \(values)"
        + " lateness \(spec.allowedLatenessMilliseconds) ms"
    case .join(let spec):
      return "\(spec.kind.rawValue) join \(input) on \(spec.leftKey) = \(spec.rightKey) between"
        + " \(spec.lowerMilliseconds) and \(spec.upperMilliseconds) ms to (\(step.outputSchema))"
    case .match(let spec):
      let conditions = zip(spec.pattern.variables, spec.conditions).map { "\($0): \($1?.text ?? "")" }
      return "match \(input) by \(spec.key) of \(spec.patternText) where \(conditions.joined(separator: ", "))"
        + " within \(spec.withinMilliseconds ?? -1) ms, \(spec.afterMatch)"
    }
  }
}
