import Checkpoint
import State
import StreamModel
import Topology
import Views

extension LogicalPlan {
  /// The views as their readers and writers know them.
  package var viewDefinitions: [ViewDefinition] {
    let nodes = ExecutionGraphBuilder.build(self).stages.flatMap(\.nodes)
    return views.map { view in
      let partitionKey = nodes.compactMap { node -> [Int]? in
        guard case .view(let own, let key) = node.body, own.name == view.name else { return nil }
        return key
      }
      return ViewDefinition(
        name: view.name, schema: view.schema, key: view.key, partitionKey: partitionKey.first ?? view.key,
        hasEventTime: view.hasEventTime, retainMilliseconds: view.retainMilliseconds, account: view.account,
        masked: view.masked)
    }
  }

  /// The views for a runner: between runs they show the newest checkpoint.
  package func makeViewSet() -> ViewSet {
    let definitions = viewDefinitions
    let directory = checkpointDirectory
    return ViewSet(definitions) { () throws(StateError) in
      definitions.isEmpty ? nil : try RestingViews.open(directory, definitions)
    }
  }
}

/// The views of a job that does not run, out of its newest checkpoint.
private enum RestingViews {
  /// Bytes of block cache and write buffers.
  static let cacheBytes = 4 << 20

  /// Nil where there is no checkpoint, or none with state.
  static func open(
    _ directory: String, _ views: [ViewDefinition]
  ) throws(StateError) -> (reader: any StateSnapshotReader, checkpoint: Int64)? {
    do {
      guard let (path, id) = try CheckpointStorage.restingState(of: directory) else { return nil }
      defer { CheckpointStorage.removeResting(path) }
      let families = views.map {
        (CheckpointManifest.family(step: $0.stateName, role: ViewDefinition.role), StateAccess.lookups)
      }
      let backend = try RocksStateBackend(
        directory: path, families: Dictionary(families) { first, _ in first }, blockCacheBytes: cacheBytes,
        writeBufferBytes: cacheBytes, isRestored: true)
      return (backend.makeReader(), id)
    } catch let error as StateError {
      throw error
    } catch {
      throw .storage("\(error)")
    }
  }
}
