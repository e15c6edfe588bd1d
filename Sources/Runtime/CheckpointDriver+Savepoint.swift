import Checkpoint

extension CheckpointDriver {
  /// Copies a checkpoint that begins after this call to `target`, and returns its number. Blocks until it is there, beside the
  /// job, which goes on. Once every source has ended it is the job's last one.
  func savepoint(to target: String) throws(JobError) -> Int64 {
    let id = try commitForSavepoint()
    defer { letGo(id) }
    do {
      try CheckpointStorage.copy(path(of: id), to: target, isOutputCommitted: true)
    } catch {
      throw .checkpoint(error)
    }
    return id
  }
}
