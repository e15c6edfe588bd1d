import Glibc
import State

extension TransactionStart {
  /// What the checkpoint directory keeps of the job's commit point: made at its first start, written anew when a checkpoint
  /// is complete.
  package struct LocalRecord: Equatable, Sendable {
    /// The job's; 0 before it has one.
    package var identity: Int64
    /// The last checkpoint known here to be committed.
    package var completed: Int64
    /// A marker of this number stands for a beginning from nothing, and has no checkpoint; -1 for none.
    package var beganAt: Int64 = 0
    /// What is about to become the job's identity and marker.
    package var next: Successor?

    /// The marker of a job that begins anew.
    package struct Successor: Equatable, Sendable {
      package let number: Int64
      package let identity: Int64
      /// Whether it goes on from a checkpoint, which lies here under `number`.
      package let hasCheckpoint: Bool
      package init(number: Int64, identity: Int64, hasCheckpoint: Bool) {
        self.number = number
        self.identity = identity
        self.hasCheckpoint = hasCheckpoint
      }
    }

    package init(identity: Int64, completed: Int64, beganAt: Int64 = 0, next: Successor? = nil) {
      self.identity = identity
      self.completed = completed
      self.beganAt = beganAt
      self.next = next
    }

    /// What holds once the broker's marker is known: the successor where that is the marker, else what was before it.
    package func settled(by marker: Marker?) -> LocalRecord? {
      if let next, let marker, marker.identity == next.identity {
        return LocalRecord(
          identity: next.identity, completed: next.number, beganAt: next.hasCheckpoint ? -1 : next.number)
      }
      return identity == 0 ? nil : LocalRecord(identity: identity, completed: completed, beganAt: beganAt)
    }
  }
}

extension TransactionStart.LocalRecord {
  private static let name = "commit-point"

  /// Reads the record of a checkpoint directory; nil where there is none.
  package static func read(in directory: String) throws(CheckpointError) -> TransactionStart.LocalRecord? {
    let path = "\(directory)/\(name)"
    let file = open(path, O_RDONLY | O_CLOEXEC)
    if file < 0 && errno == ENOENT { return nil }
    guard file >= 0 else { throw failure(path, "cannot be read") }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 512)
    let count = Glibc.read(file, &bytes, bytes.count)
    guard let record = TransactionStart.LocalRecord(String(decoding: bytes[..<max(0, count)], as: UTF8.self)) else {
      throw CheckpointError("\(path): this record is damaged — restore the checkpoint directory")
    }
    return record
  }

  /// Makes the record durable: written beside the old one, which it then replaces.
  package func write(in directory: String) throws(CheckpointError) {
    let path = "\(directory)/\(TransactionStart.LocalRecord.name)"
    let hidden = "\(directory)/.\(TransactionStart.LocalRecord.name)"
    let text = Array(self.text.utf8)
    let file = open(hidden, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw Self.failure(hidden, "cannot be written") }
    let isWritten = Glibc.write(file, text, text.count) == text.count && fsync(file) == 0
    close(file)
    guard isWritten, rename(hidden, path) == 0 else { throw Self.failure(path, "cannot be written") }
    try CheckpointFiles.synchronize(directory)
  }

  /// Takes the record away: the job's commit point is not Kafka's any more.
  package static func remove(in directory: String) throws(CheckpointError) {
    let path = "\(directory)/\(name)"
    guard unlink(path) == 0 || errno == ENOENT else { throw failure(path, "cannot be removed") }
    try CheckpointFiles.synchronize(directory)
  }

  private static func failure(_ path: String, _ what: String) -> CheckpointError {
    CheckpointFiles.error(path, what)
  }

  // MARK: Text

  /// `kafka identity I completed N began B`, perhaps ` next J number M checkpoint 0|1`, and ` end`.
  var text: String {
    var text = "kafka identity \(identity) completed \(completed) began \(beganAt)"
    if let next { text += " next \(next.identity) number \(next.number) checkpoint \(next.hasCheckpoint ? 1 : 0)" }
    return text + " end\n"
  }

  /// Nil where `text` is no record.
  init?(_ text: String) {
    let words = text.split { $0 == " " || $0 == "\n" }
    guard words.first == "kafka", words.last == "end", [8, 14].contains(words.count) else { return nil }
    var values: [Substring: Int64] = [:]
    for index in stride(from: 1, to: words.count - 1, by: 2) {
      guard let value = Int64(words[index + 1]) else { return nil }
      values[words[index]] = value
    }
    guard let identity = values["identity"], let completed = values["completed"], let began = values["began"] else {
      return nil
    }
    self.init(identity: identity, completed: completed, beganAt: began)
    if words.count == 8 { return }
    guard let next = values["next"], let number = values["number"], let checkpoint = values["checkpoint"] else {
      return nil
    }
    self.next = Successor(number: number, identity: next, hasCheckpoint: checkpoint == 1)
  }
}
