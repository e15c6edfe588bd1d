import Glibc

extension CheckpointStorage {
  /// Copies the checkpoint at `path` to the folder `target`, which must not be there: whole, checked, durable, and sharing
  /// no file with the original. `isOutputCommitted`: its output has its final names, so that whoever goes on from the copy
  /// need not look for it.
  package static func copy(
    _ path: String, to target: String, isOutputCommitted: Bool
  ) throws(CheckpointError) {
    guard !CheckpointFiles.exists(target) else {
      throw CheckpointError("\(target): there is something of this name already — give the savepoint another path")
    }
    let manifest = try read(path)
    let slash = target.utf8.lastIndex(of: UInt8(ascii: "/"))
    let parent = slash.map { $0 == target.startIndex ? "/" : String(target[..<$0]) } ?? "."
    let name = slash.map { String(target[target.index(after: $0)...]) } ?? target
    let hidden = "\(parent)/.\(name).partial"
    CheckpointFiles.removeTree(hidden)
    do throws(CheckpointError) {
      try fill(hidden, from: path, isOutputCommitted ? manifest.withoutParts : manifest)
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
  /// The same without output to be committed.
  fileprivate var withoutParts: CheckpointManifest {
    CheckpointManifest(
      id: id, topology: topology, createdAt: createdAt, isComplete: isComplete, sources: sources,
      operators: operators, parts: [], files: files, counters: counters)
  }
}
