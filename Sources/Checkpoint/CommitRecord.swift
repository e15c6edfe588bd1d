import Glibc
import State

extension TransactionStart.LocalRecord {
  private static let name = "commit-point"

  /// Reads the record of a checkpoint directory; nil where there is none.
  package static func read(in directory: String) throws(CheckpointError) -> TransactionStart.LocalRecord? {
    let path = "\(directory)/\(name)"
    let file = open(path, O_RDONLY | O_CLOEXEC)
    if file < 0 && errno == ENOENT { return nil }
    guard file >= 0 else { throw CheckpointError("\(path): cannot be read: \(String(cString: strerror(errno)))") }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = Glibc.read(file, &bytes, bytes.count)
    let words = String(decoding: bytes[..<max(0, count)], as: UTF8.self).split { $0 == " " || $0 == "\n" }
    guard words.count == 6, words[0] == "kafka", words[1] == "identity", let identity = Int64(words[2]),
      words[3] == "completed", let completed = Int64(words[4]), words[5] == "end"
    else { throw CheckpointError("\(path): this record is damaged — restore the checkpoint directory") }
    return TransactionStart.LocalRecord(identity: identity, completed: completed)
  }

  /// Makes the record durable: written beside the old one, which it then replaces.
  package func write(in directory: String) throws(CheckpointError) {
    let path = "\(directory)/\(TransactionStart.LocalRecord.name)"
    let hidden = "\(directory)/.\(TransactionStart.LocalRecord.name)"
    let text = Array("kafka identity \(identity) completed \(completed) end\n".utf8)
    let file = open(hidden, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw Self.failure(hidden, "cannot be written") }
    let isWritten = Glibc.write(file, text, text.count) == text.count && fsync(file) == 0
    close(file)
    guard isWritten, rename(hidden, path) == 0 else { throw Self.failure(path, "cannot be written") }
    let handle = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard handle >= 0 else { throw Self.failure(directory, "cannot be opened") }
    defer { close(handle) }
    guard fsync(handle) == 0 else { throw Self.failure(directory, "cannot be made durable") }
  }

  private static func failure(_ path: String, _ what: String) -> CheckpointError {
    CheckpointError("\(path): \(what): \(String(cString: strerror(errno)))")
  }
}
