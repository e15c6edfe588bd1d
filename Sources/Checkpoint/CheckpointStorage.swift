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

/// The checkpoints of one job: one file each in a directory of the job's own, held by one process at a time.
///
/// A checkpoint is written under a hidden name, made durable and then renamed to `checkpoint-<id>`: that rename is its commit.
/// Files and directory are fsynced in that order, so that after a crash a checkpoint is either whole or not there.
///
/// One owner; the lock on the directory is held from `init` to `deinit`.
package final class CheckpointStorage {
  package let directory: String
  private let lock: Int32
  private static let prefix = "checkpoint-"

  /// Makes the directory where it is not there, and takes hold of it.
  package init(directory: String) throws(CheckpointError) {
    self.directory = directory
    try CheckpointStorage.create(directory)
    let path = directory + "/lock"
    lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard lock >= 0 else { throw CheckpointStorage.error(path, "cannot be opened") }
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      close(lock)
      throw CheckpointError(
        "\(directory): another process runs this topology — stop it, or give this one another name or checkpoint.directory"
      )
    }
    removeUnfinished()
  }

  deinit { close(lock) }

  private static func error(_ path: String, _ what: String) -> CheckpointError {
    let code = errno
    return CheckpointError(
      "\(path): \(what): \(String(cString: strerror(code)))",
      isRetriable: [ENOSPC, EDQUOT, EMFILE, ENFILE, EIO, ESTALE, EBUSY, ENOMEM].contains(code))
  }

  private static func create(_ directory: String) throws(CheckpointError) {
    var path = directory.hasPrefix("/") ? "" : "."
    for part in directory.split(separator: "/") {
      path += "/" + part
      if mkdir(path, 0o755) != 0 && errno != EEXIST { throw error(path, "cannot be made") }
    }
  }

  /// Numbers of the checkpoints that are there, ascending.
  package func list() throws(CheckpointError) -> [Int64] { try CheckpointStorage.list(directory) }

  /// Numbers of the checkpoints in a directory, ascending; without taking hold of it.
  package static func list(_ directory: String) throws(CheckpointError) -> [Int64] {
    try names(in: directory).compactMap { name in
      name.hasPrefix(prefix) ? Int64(name.dropFirst(prefix.count)) : nil
    }.sorted()
  }

  private static func names(in directory: String) throws(CheckpointError) -> [String] {
    guard let stream = opendir(directory) else { throw error(directory, "cannot be read") }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      names.append(
        withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
    }
    return names
  }

  private func removeUnfinished() {
    guard let names = try? CheckpointStorage.names(in: directory) else { return }
    for name in names where name.hasPrefix(".\(CheckpointStorage.prefix)") { unlink(directory + "/" + name) }
  }

  package func path(of id: Int64) -> String { "\(directory)/\(CheckpointStorage.prefix)\(id)" }

  /// Makes `manifest` durable and, with the rename, commits it.
  package func write(_ manifest: CheckpointManifest) throws(CheckpointError) {
    let hidden = "\(directory)/.\(CheckpointStorage.prefix)\(manifest.id)"
    try writeFile(hidden, ManifestCodec.encode(manifest))
    guard rename(hidden, path(of: manifest.id)) == 0 else { throw CheckpointStorage.error(hidden, "cannot be renamed") }
    do {
      try synchronizeDirectory()
    } catch {
      throw CheckpointError(error.description, isOutcomeUnknown: true)
    }
  }

  private func writeFile(_ path: String, _ bytes: [UInt8]) throws(CheckpointError) {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw CheckpointStorage.error(path, "cannot be written") }
    defer { close(file) }
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress.map { $0 + written }, $0.count - written) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw CheckpointStorage.error(path, "cannot be written") }
      written += count
    }
    guard fsync(file) == 0 else { throw CheckpointStorage.error(path, "cannot be made durable") }
  }

  private func synchronizeDirectory() throws(CheckpointError) {
    let handle = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard handle >= 0 else { throw CheckpointStorage.error(directory, "cannot be opened") }
    defer { close(handle) }
    guard fsync(handle) == 0 else { throw CheckpointStorage.error(directory, "cannot be made durable") }
  }

  /// Reads checkpoint `id` of this directory.
  package func read(_ id: Int64) throws(CheckpointError) -> CheckpointManifest {
    try CheckpointStorage.read(path(of: id))
  }

  /// Reads a checkpoint file, refusing one that is not whole.
  package static func read(_ path: String) throws(CheckpointError) -> CheckpointManifest {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw error(path, "cannot be read") }
    defer { close(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = Glibc.read(file, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw error(path, "cannot be read") }
      if count == 0 { break }
      bytes.append(contentsOf: buffer[..<count])
    }
    do {
      return try ManifestCodec.decode(bytes)
    } catch {
      guard case .malformed(let reason) = error else { throw CheckpointError("\(path): damaged") }
      throw CheckpointError("\(path): this checkpoint is damaged: \(reason)")
    }
  }

  /// Removes all but the newest `count` checkpoints.
  package func retain(_ count: Int) throws(CheckpointError) {
    for id in try list().dropLast(max(1, count)) { unlink(path(of: id)) }
  }
}
