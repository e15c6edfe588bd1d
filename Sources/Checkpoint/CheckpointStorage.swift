import Glibc
import State
import StreamModel

/// What is wrong with a checkpoint directory; the message names the place, what is wrong and the way out.
package struct CheckpointError: Error, Equatable, Sendable, CustomStringConvertible {
  package let description: String
  /// Whether a checkpoint may have been committed all the same: only a new start can tell.
  package let isOutcomeUnknown: Bool
  /// Whether it may pass by itself (a full disk), as opposed to damage or a mistake.
  package let isRetriable: Bool

  package init(_ description: String, isOutcomeUnknown: Bool = false, isRetriable: Bool = false) {
    self.description = description
    self.isOutcomeUnknown = isOutcomeUnknown
    self.isRetriable = isRetriable || isOutcomeUnknown
  }
}

/// The checkpoints of one job: a folder each in a directory of the job's own, held by one process at a time.
///
///     lock              held while a process runs the job
///     live/             the state as the running job has it; nothing after a restart
///     checkpoint-7/     a checkpoint
///       manifest        what it consists of, with a checksum of every file
///       state/          the keyed state: files that later checkpoints share by hard links
///
/// A checkpoint is put together in a hidden folder, made durable and then renamed: that rename is its commit. Files, folders
/// and directory are fsynced in that order, so that after a crash a checkpoint is either whole or not there.
///
/// One owner; the lock on the directory is held from `init` to `deinit`.
package final class CheckpointStorage {
  package let directory: String
  private let lock: Int32
  static let prefix = "checkpoint-"

  /// Makes the directory where it is not there, and takes hold of it.
  package init(directory: String) throws(CheckpointError) {
    self.directory = directory
    try CheckpointStorage.create(directory)
    let path = directory + "/lock"
    lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard lock >= 0 else { throw CheckpointStorage.error(path, "cannot be opened") }
    // `deinit` closes it.
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      throw CheckpointError(
        "\(directory): another process runs this topology — stop it, or give this one another name or checkpoint.directory"
      )
    }
    removeUnfinished()
  }

  deinit { close(lock) }

  private static func error(_ path: String, _ what: String) -> CheckpointError { CheckpointFiles.error(path, what) }

  private static func create(_ directory: String) throws(CheckpointError) {
    var path = directory.hasPrefix("/") ? "" : "."
    for part in directory.split(separator: "/") {
      path += "/" + part
      try CheckpointFiles.makeFolder(path)
    }
  }

  /// Numbers of the checkpoints that are there, ascending.
  package func list() throws(CheckpointError) -> [Int64] { try CheckpointStorage.list(directory) }

  /// Numbers of the checkpoints in a directory, ascending; without taking hold of it.
  package static func list(_ directory: String) throws(CheckpointError) -> [Int64] {
    try CheckpointFiles.names(in: directory).compactMap { name in
      name.hasPrefix(prefix) ? Int64(name.dropFirst(prefix.count)) : nil
    }.sorted()
  }

  private func removeUnfinished() {
    guard let names = try? CheckpointFiles.names(in: directory) else { return }
    for name in names where name.hasPrefix(".\(CheckpointStorage.prefix)") || CheckpointStorage.isResting(name) {
      CheckpointFiles.removeTree(directory + "/" + name)
    }
  }

  package func path(of id: Int64) -> String { "\(directory)/\(CheckpointStorage.prefix)\(id)" }

  /// Where the running job keeps its state.
  package var liveDirectory: String { directory + "/live" }

  /// Where the state of the checkpoint at `path` lies.
  package static func stateDirectory(_ path: String) -> String { path + "/state" }

  private func hiddenPath(of id: Int64) -> String { "\(directory)/.\(CheckpointStorage.prefix)\(id)" }

  /// Makes the hidden folder of checkpoint `id` and returns where its state goes, which is not there yet.
  package func prepare(_ id: Int64) throws(CheckpointError) -> String {
    CheckpointFiles.removeTree(hiddenPath(of: id))
    try CheckpointFiles.makeFolder(hiddenPath(of: id))
    return CheckpointStorage.stateDirectory(hiddenPath(of: id))
  }

  /// Removes what was prepared of checkpoint `id`.
  package func discard(_ id: Int64) { CheckpointFiles.removeTree(hiddenPath(of: id)) }

  /// Makes `manifest`, whose checkpoint was prepared, durable, and with the rename commits it.
  package func commit(_ manifest: CheckpointManifest) throws(CheckpointError) {
    let hidden = hiddenPath(of: manifest.id)
    try CheckpointFiles.write(hidden + "/manifest", ManifestCodec.encode(manifest))
    CrashPoint.reached("manifest-written")
    try CheckpointFiles.synchronize(hidden)
    CrashPoint.reached("checkpoint-durable")
    guard !FaultPoint.fails("checkpoint-rename"), rename(hidden, path(of: manifest.id)) == 0 else {
      throw CheckpointStorage.error(hidden, "cannot be renamed")
    }
    CrashPoint.reached("checkpoint-renamed")
    do {
      try CheckpointFiles.synchronize(directory)
    } catch {
      throw CheckpointError(error.description, isOutcomeUnknown: true)
    }
  }

  /// Reads checkpoint `id` of this directory.
  package func read(_ id: Int64) throws(CheckpointError) -> CheckpointManifest {
    try CheckpointStorage.read(path(of: id))
  }

  /// Reads the manifest of the checkpoint at `path`, refusing one that is not whole.
  package static func read(_ path: String) throws(CheckpointError) -> CheckpointManifest {
    do {
      return try ManifestCodec.decode(try CheckpointFiles.read(path + "/manifest"))
    } catch let error as CheckpointError {
      throw error
    } catch let error as StateError {
      guard case .malformed(let reason) = error else { throw CheckpointError("\(path): damaged") }
      throw CheckpointError("\(path): this checkpoint is damaged: its manifest: \(reason)")
    } catch {
      throw CheckpointError("\(path): \(error)")
    }
  }

  /// Removes checkpoints above `id`, which were written and never committed.
  package func remove(above id: Int64) throws(CheckpointError) {
    for other in try list() where other > id { try remove(other) }
  }

  /// Reads every file of the checkpoint at `path`; throws, naming it, if one is not as `manifest` says.
  package static func verify(_ manifest: CheckpointManifest, at path: String) throws(CheckpointError) {
    let folder = stateDirectory(path)
    for file in manifest.files {
      let place = "\(folder)/\(file.name)"
      let found: (sizeBytes: Int, checksum: UInt64)
      do {
        found = try CheckpointFiles.checksum(place)
      } catch {
        throw CheckpointError("\(path): this checkpoint is damaged: \(error.description)")
      }
      guard found.sizeBytes == file.sizeBytes else {
        throw CheckpointError(
          "\(path): this checkpoint is damaged: \(place) has \(found.sizeBytes) bytes, not \(file.sizeBytes)")
      }
      guard found.checksum == file.checksum else {
        throw CheckpointError("\(path): this checkpoint is damaged: \(place) has another checksum")
      }
    }
  }

  /// Makes the live state that of the checkpoint at `path`, or none: immutable files by hard link, others by copy.
  package func restoreLive(from path: String?) throws(CheckpointError) {
    CheckpointFiles.removeTree(liveDirectory)
    try CheckpointFiles.makeFolder(liveDirectory)
    guard let path else { return }
    let folder = CheckpointStorage.stateDirectory(path)
    guard CheckpointFiles.exists(folder) else { return }
    for name in try CheckpointFiles.names(in: folder) where !name.hasPrefix(".") {
      try CheckpointFiles.duplicate("\(folder)/\(name)", to: "\(liveDirectory)/\(name)", byLink: name.hasSuffix(".sst"))
    }
  }

  /// Removes all but the newest `count` checkpoints and those in `kept`. A file goes with the last checkpoint that has it.
  package func retain(_ count: Int, keeping kept: Set<Int64> = []) throws(CheckpointError) {
    for id in try list().dropLast(max(1, count)) where !kept.contains(id) { try remove(id) }
  }

  private func remove(_ id: Int64) throws(CheckpointError) {
    guard rename(path(of: id), hiddenPath(of: id)) == 0 else {
      throw CheckpointStorage.error(path(of: id), "cannot be removed")
    }
    CrashPoint.reached("old-checkpoint-hidden")
    CheckpointFiles.removeTree(hiddenPath(of: id))
  }
}
