import Glibc

extension CheckpointStorage {
  /// Whose a checkpoint is: its number, and the identity of its job's commit point.
  package struct Ownership: Equatable, Sendable {
    package let number: Int64
    package let identity: Int64
    package init(number: Int64, identity: Int64) {
      self.number = number
      self.identity = identity
    }
  }

  /// Copies the checkpoint at `path` to the folder `target`, which must not be there: whole, checked, durable, and sharing
  /// no file with the original. `isOutputCommitted`: its output has its final names, so that whoever goes on from the copy
  /// need not look for it. `ownership`: whose the copy is, where that is not who has the original.
  package static func copy(
    _ path: String, to target: String, isOutputCommitted: Bool, as ownership: Ownership? = nil
  ) throws(CheckpointError) {
    guard !CheckpointFiles.exists(target) else {
      throw CheckpointError("\(target): there is something of this name already — give the savepoint another path")
    }
    let manifest = try read(path).copy(isOutputCommitted: isOutputCommitted, as: ownership)
    let slash = target.utf8.lastIndex(of: UInt8(ascii: "/"))
    let parent = slash.map { $0 == target.startIndex ? "/" : String(target[..<$0]) } ?? "."
    let name = slash.map { String(target[target.index(after: $0)...]) } ?? target
    let hidden = "\(parent)/.\(name).partial"
    CheckpointFiles.removeTree(hidden)
    do throws(CheckpointError) {
      try fill(hidden, from: path, manifest)
      guard rename(hidden, target) == 0 else { throw CheckpointFiles.error(target, "cannot be given its name") }
      try CheckpointFiles.synchronize(parent)
    } catch {
      CheckpointFiles.removeTree(hidden)
      throw error
    }
  }

  private static func fill(
    _ folder: String, from path: String, _ manifest: CheckpointManifest
  ) throws(CheckpointError) {
    let state = stateDirectory(folder)
    try CheckpointFiles.makeFolder(folder)
    try CheckpointFiles.makeFolder(state)
    for file in manifest.files {
      let copy = "\(state)/\(file.name)"
      try CheckpointFiles.duplicate("\(stateDirectory(path))/\(file.name)", to: copy, byLink: false)
      try CheckpointFiles.synchronize(copy)
    }
    // The copies are checked, not the originals: what is read back is what will be restored.
    try verify(manifest, at: folder)
    try CheckpointFiles.synchronize(state)
    try CheckpointFiles.write(folder + "/manifest", ManifestCodec.encode(manifest))
    try CheckpointFiles.synchronize(folder)
  }
}

extension CheckpointManifest {
  fileprivate func copy(isOutputCommitted: Bool, as ownership: CheckpointStorage.Ownership?) -> CheckpointManifest {
    var copy = CheckpointManifest(
      id: ownership?.number ?? id, topology: topology, createdAt: createdAt, isComplete: isComplete, sources: sources,
      operators: operators, parts: isOutputCommitted ? [] : parts, files: files, counters: counters)
    copy.identity = ownership?.identity ?? identity
    copy.droppedStates = droppedStates
    return copy
  }
}
