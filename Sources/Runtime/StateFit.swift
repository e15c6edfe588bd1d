import Checkpoint
import Topology
import Views

/// How a topology and the state of a checkpoint go together, source by source and step by step.
package struct StateFit: Sendable {
  package enum Verdict: Equatable, Sendable {
    /// It goes on with what the checkpoint has of it.
    case carriesOver
    /// It has no state: nothing to carry over.
    case stateless
    /// The checkpoint has nothing of it: it begins empty (a step), at its beginning (a source).
    case new
    /// What the checkpoint has of it is of no use to it, or belongs to nothing: each reason in words.
    case incompatible([String])
    /// It does not fit, for these reasons, and is left behind because that was asked for: it begins empty, if it is there at all.
    case dropped([String])
  }

  package struct Item: Equatable, Sendable {
    package enum Kind: String, Sendable { case source, step, view }
    package let kind: Kind
    package let name: String
    package internal(set) var verdict: Verdict
    /// About how many entries and bytes of state the checkpoint has of it; of a source the partitions it has begun.
    package var entryCount = 0
    package var sizeBytes = 0
  }

  package let checkpoint: Int64
  package internal(set) var items: [Item]
  /// What was asked to be left behind and need not be, or is not there: one line each.
  package internal(set) var dropFaults: [String] = []

  package var isCompatible: Bool { faults.isEmpty && dropFaults.isEmpty }

  /// What is wrong, one line each.
  package var faults: [String] {
    items.flatMap { item -> [String] in
      guard case .incompatible(let reasons) = item.verdict else { return [] }
      return reasons.map { "\(item.kind.rawValue)s.\(item.name): \($0)" }
    }
  }

  /// What the job should be told of when it goes on: steps and sources that begin without what came before.
  package var additions: [String] {
    items.compactMap { item in
      let place = "\(item.kind.rawValue)s.\(item.name)"
      switch (item.verdict, item.kind) {
      case (.new, .source): return "\(place) is new: it is read from its beginning"
      case (.new, _):
        return "\(place) is new: it begins empty and has nothing of what came before checkpoint \(checkpoint)"
      case (.dropped(let reasons), _):
        return
          "\(place): its state is dropped, as was asked: about \(item.entryCount) entries, \(item.sizeBytes) bytes of "
          + "checkpoint \(checkpoint) are in no result from here on (\(reasons.joined(separator: "; ")))"
      case (.carriesOver, _), (.stateless, _), (.incompatible, _): return nil
      }
    }
  }

  init(_ plan: LogicalPlan, _ graph: ExecutionGraph, _ manifest: CheckpointManifest, dropping drop: StateDrop = .init())
  {
    checkpoint = manifest.id
    var items = plan.sources.map { StateFit.item($0, manifest) }
    let gone = manifest.sources.map(\.name).filter { name in !plan.sources.contains { $0.name == name } }
    items += gone.map { name in
      Item(
        kind: .source, name: name,
        verdict: .incompatible([
          "the checkpoint has read from it, and the topology has no such source: under another name it would be read again from its beginning — keep its name"
        ]))
    }
    let signatures = graph.signatures
    items += plan.steps.map { step in
      StateFit.item(
        step.name, signatures.filter { $0.step == step.name }.map { (role: $0.role, signature: $0.signature) }, manifest
      )
    }
    items += plan.views.map { view in
      let name = ViewDefinition.stateName(view.name)
      let item = StateFit.item(
        name, signatures.filter { $0.step == name }.map { (role: $0.role, signature: $0.signature) }, manifest)
      return Item(
        kind: .view, name: view.name, verdict: item.verdict, entryCount: item.entryCount, sizeBytes: item.sizeBytes)
    }
    items += StateFit.orphans(plan, manifest)
    self.items = items
    leave(drop, manifest)
  }

  private static func item(_ source: SourcePlan, _ manifest: CheckpointManifest) -> Item {
    guard let known = manifest.sources.first(where: { $0.name == source.name }) else {
      return Item(kind: .source, name: source.name, verdict: .new)
    }
    return Item(kind: .source, name: source.name, verdict: .carriesOver, entryCount: known.positions.count)
  }

  private static func item(
    _ step: String, _ now: [(role: String, signature: StateSignature)], _ manifest: CheckpointManifest
  ) -> Item {
    let known = manifest.operators.filter { $0.step == step }
    var reasons: [String] = []
    for state in known where now.contains(where: { $0.role == state.role }) || !state.isEmpty {
      reasons += differences(state, now.first { $0.role == state.role }?.signature)
    }
    var item = Item(kind: .step, name: step, verdict: verdict(reasons, now.map { $0.role }, known))
    item.entryCount = known.reduce(0) { $0 + $1.entryCount }
    item.sizeBytes = known.reduce(0) { $0 + $1.sizeBytes }
    return item
  }

  private static func differences(_ state: CheckpointManifest.Operator, _ now: StateSignature?) -> [String] {
    guard let now else {
      return [
        "it has state of a `\(state.role)`, and is none any more — undo the change, or give the new step a new name"
      ]
    }
    return StateSignature(text: state.signature).differences(to: now)
  }

  /// A sort in front of a step may come and go: it is there while rows wait in it.
  private static func verdict(
    _ reasons: [String], _ roles: [String], _ known: [CheckpointManifest.Operator]
  ) -> Verdict {
    if !reasons.isEmpty { return .incompatible(reasons) }
    if roles.isEmpty { return .stateless }
    return known.contains { roles.contains($0.role) } ? .carriesOver : .new
  }

  /// State of steps that the topology has not.
  private static func orphans(_ plan: LogicalPlan, _ manifest: CheckpointManifest) -> [Item] {
    var names: [String] = []
    // A view that is gone takes nothing with it: its rows are its step's.
    let steps = manifest.operators.filter { !ViewDefinition.isStateName($0.step) }
    for state in steps where !state.isEmpty && !names.contains(state.step) {
      if !plan.steps.contains(where: { $0.name == state.step }) { names.append(state.step) }
    }
    return names.map { name in
      let known = manifest.operators.filter { $0.step == name }
      return Item(
        kind: .step, name: name,
        verdict: .incompatible([
          "it has state, and the topology has no such step: renamed or removed, it would be lost — keep the step and its name"
        ]), entryCount: known.reduce(0) { $0 + $1.entryCount }, sizeBytes: known.reduce(0) { $0 + $1.sizeBytes })
    }
  }
}

extension CheckpointManifest.Operator {
  /// Whether nothing would be lost with it.
  fileprivate var isEmpty: Bool { entryCount == 0 && sizeBytes == 0 }
}

extension StateFit {
  /// How `plan` and a checkpoint go together, without starting anything; `from`: nil for the newest. Throws where there is no
  /// checkpoint or it is damaged.
  package static func check(
    _ plan: LogicalPlan, from path: String?, dropping drop: StateDrop = StateDrop()
  ) throws(JobError) -> (fit: StateFit, path: String, manifest: CheckpointManifest) {
    do throws(CheckpointError) {
      let place = if let path { path } else { try newest(plan) }
      let manifest = try CheckpointStorage.read(place)
      guard manifest.topology == plan.name else {
        throw CheckpointError("\(place): it is of topology \(manifest.topology), not \(plan.name)")
      }
      return (StateFit(plan, ExecutionGraphBuilder.build(plan), manifest, dropping: drop), place, manifest)
    } catch {
      throw .checkpoint(error)
    }
  }

  private static func newest(_ plan: LogicalPlan) throws(CheckpointError) -> String {
    let directory = plan.checkpointDirectory
    let ids = (try? CheckpointStorage.list(directory)) ?? []
    guard let id = ids.last else {
      throw CheckpointError("\(directory): there is no checkpoint — run the topology, or name one with --from PATH")
    }
    return "\(directory)/checkpoint-\(id)"
  }
}
