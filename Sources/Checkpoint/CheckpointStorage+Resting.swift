import Glibc
import Synchronization

/// The state of a job that does not run, for readers.
extension CheckpointStorage {
  private static let restingPrefix = ".resting-"
  private static let restingCount = Atomic<Int>(0)

  /// Another folder with the state of the newest checkpoint in `directory`, and the checkpoint's number; nil where there is none.
  /// Files that never change are linked. Whoever opens it removes it with `removeResting`: open files outlive their names.
  package static func restingState(of directory: String) throws(CheckpointError) -> (path: String, id: Int64)? {
    guard CheckpointFiles.exists(directory), let id = try list(directory).last else { return nil }
    let folder = stateDirectory("\(directory)/\(prefix)\(id)")
    guard CheckpointFiles.exists(folder) else { return nil }
    let number = restingCount.add(1, ordering: .relaxed).newValue
    let target = "\(directory)/\(restingPrefix)\(getpid())-\(number)"
    CheckpointFiles.removeTree(target)
    try CheckpointFiles.makeFolder(target)
    for name in try CheckpointFiles.names(in: folder) where !name.hasPrefix(".") {
      try CheckpointFiles.duplicate("\(folder)/\(name)", to: "\(target)/\(name)", byLink: name.hasSuffix(".sst"))
    }
    return (target, id)
  }

  package static func removeResting(_ path: String) { CheckpointFiles.removeTree(path) }

  static func isResting(_ name: String) -> Bool { name.hasPrefix(restingPrefix) }
}
