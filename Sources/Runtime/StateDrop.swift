import Checkpoint
import Views

/// Whose state a start leaves behind because it does not fit the topology any more, while everything else is restored.
package struct StateDrop: Equatable, Sendable {
  /// A step by its name or as `steps.NAME`, a view as `views.NAME`.
  package var names: [String]
  /// Whether an earlier start may have done it already: then what fits, or is not there, is passed over.
  package var isRepeated: Bool

  package init(_ names: [String] = [], isRepeated: Bool = false) {
    self.names = names
    self.isRepeated = isRepeated
  }

  /// The names under which checkpoints keep the state, each once.
  var stateNames: [String] {
    var all: [String] = []
    for name in names {
      let name = name.hasPrefix("steps.") ? String(name.dropFirst("steps.".count)) : name
      if !all.contains(name) { all.append(name) }
    }
    return all
  }
}

extension StateFit {
  /// Leaves behind what `drop` names. What need not be left behind is none of its business: a fault in `dropFaults`.
  mutating func leave(_ drop: StateDrop, _ manifest: CheckpointManifest) {
    for name in drop.stateNames {
      let index = items.firstIndex { $0.stateName == name }
      if let index, case .incompatible(let reasons) = items[index].verdict {
        items[index].verdict = .dropped(reasons)
      } else if index == nil, manifest.operators.contains(where: { $0.step == name }) {
        // Of a step that is gone and had nothing: it goes without being asked.
        continue
      } else if !drop.isRepeated {
        dropFaults.append("\(name): its state cannot be dropped: " + whyKept(index.map { items[$0].verdict }))
      }
    }
  }

  private func whyKept(_ verdict: Verdict?) -> String {
    switch verdict {
    case .carriesOver: "it fits, and carries over"
    case .stateless: "it has none"
    case .new: "checkpoint \(checkpoint) has none of it"
    case .dropped, .incompatible, nil: "neither the topology nor checkpoint \(checkpoint) has a step of this name"
    }
  }

  /// What is left behind, as checkpoints note it.
  var dropped: [CheckpointManifest.DroppedState] {
    items.compactMap { item in
      guard case .dropped = item.verdict, let name = item.stateName else { return nil }
      return CheckpointManifest.DroppedState(
        step: name, checkpoint: checkpoint, sizeBytes: item.sizeBytes, entryCount: item.entryCount)
    }
  }
}

extension StateFit.Item {
  /// The name under which checkpoints keep its state; nil for a source, whose positions are none.
  fileprivate var stateName: String? {
    switch kind {
    case .source: nil
    case .step: name
    case .view: ViewDefinition.stateName(name)
    }
  }
}

extension CheckpointManifest {
  /// The same without the state of `dropped`, which the list of what was left behind has from then on.
  func leaving(_ dropped: [DroppedState]) -> CheckpointManifest {
    if dropped.isEmpty { return self }
    let kept = operators.filter { state in !dropped.contains { $0.step == state.step } }
    var rest = CheckpointManifest(
      id: id, topology: topology, createdAt: createdAt, isComplete: isComplete, sources: sources, operators: kept,
      parts: parts, files: files, counters: counters)
    rest.identity = identity
    rest.durationMilliseconds = durationMilliseconds
    rest.newBytes = newBytes
    rest.droppedStates = droppedStates + dropped
    return rest
  }
}
