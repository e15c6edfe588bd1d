/// Whether a checkpoint's output has its final names.
///
/// Output belongs to its readers once it is visible: they may move it away or delete it. So a start must not look for it
/// again, and a file beside the manifest says that it need not.
extension CheckpointStorage {
  private static func marker(_ path: String) -> String { path + "/published" }

  /// All output of checkpoint `id` has its final names, durably.
  package func notePublished(_ id: Int64) throws(CheckpointError) {
    try CheckpointFiles.write(CheckpointStorage.marker(path(of: id)), [])
    try CheckpointFiles.synchronize(path(of: id))
  }

  /// Whether the output of the checkpoint at `path` is known to have its final names.
  package static func isPublished(_ path: String) -> Bool { CheckpointFiles.exists(marker(path)) }
}
