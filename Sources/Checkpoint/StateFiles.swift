/// The list of a checkpoint's state files. Files that an earlier checkpoint had are not read again: a file with the name
/// of an SST file never changes.
package struct StateFiles: Sendable {
  private var known: [String: CheckpointManifest.File]
  /// Bytes of SST files that came with the last list and were in none before it.
  package private(set) var newBytes = 0

  /// `restored`: the files that the state began with.
  package init(restored: [CheckpointManifest.File] = []) {
    known = Dictionary(restored.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The files in `folder`, all durable; none where it is not there, which is what a job without state leaves.
  package mutating func list(_ folder: String) throws(CheckpointError) -> [CheckpointManifest.File] {
    newBytes = 0
    guard CheckpointFiles.exists(folder) else { return [] }
    var files: [CheckpointManifest.File] = []
    for name in try CheckpointFiles.names(in: folder).sorted() {
      let path = folder + "/" + name
      let isImmutable = name.hasSuffix(".sst")
      if isImmutable, let file = known[name] {
        files.append(file)
        continue
      }
      let (size, checksum) = try CheckpointFiles.checksum(path)
      files.append(CheckpointManifest.File(name: name, sizeBytes: size, checksum: checksum))
      if isImmutable { newBytes += size } else { try CheckpointFiles.synchronize(path) }
    }
    try CheckpointFiles.synchronize(folder)
    known = Dictionary(files.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    return files
  }
}
