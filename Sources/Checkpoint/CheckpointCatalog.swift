/// What is in a job's checkpoint directory, read without taking hold of it.
package struct CheckpointCatalog: Sendable {
  /// One checkpoint, whole or not.
  package struct Entry: Sendable {
    package let id: Int64
    package let path: String
    package let content: Result<CheckpointManifest, CheckpointError>
    /// Bytes of state files that no earlier checkpoint of the catalog has.
    package let newBytes: Int
  }
  /// Ascending by number.
  package let entries: [Entry]

  /// Reads the manifests in `directory`; a checkpoint that a running job removes meanwhile is left out.
  package init(directory: String) throws(CheckpointError) {
    var entries: [Entry] = []
    var known: Set<String> = []
    for id in try CheckpointStorage.list(directory) {
      let path = "\(directory)/checkpoint-\(id)"
      let content = Result { () throws(CheckpointError) -> CheckpointManifest in try CheckpointStorage.read(path) }
      if case .failure = content, !CheckpointFiles.exists(path) { continue }
      let files = (try? content.get().files) ?? []
      let new = files.filter { !known.contains("\($0.name) \($0.checksum)") }
      known.formUnion(new.map { "\($0.name) \($0.checksum)" })
      entries.append(
        Entry(id: id, path: path, content: content, newBytes: new.reduce(0) { $0 + $1.sizeBytes }))
    }
    self.entries = entries
  }
}

extension CheckpointManifest {
  /// Bytes of its state files.
  package var stateBytes: Int { files.reduce(0) { $0 + $1.sizeBytes } }

  /// Records that the job's sources had read.
  package var recordsRead: Int { counters.nodes.filter { $0.kind == "source" }.reduce(0) { $0 + $1.rowsIn } }
}
