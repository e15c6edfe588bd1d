import Crypto
import Glibc
import StreamModel
import Synchronization
import Topology

/// Who did and read what, in the order in which it happened: one JSON object a line, each with the hash of the one before, so that a line
/// that is changed, taken out or put in is found.
///
/// A line's hash is the SHA-256 of the previous hash and of the line up to its own. What changes something is durable before it is
/// answered; reads are in the system's hands. Whoever can write the file can write all of it anew: keep the last hash elsewhere
/// (`weir audit verify` prints it) to notice that, too.
package final class AuditLog: Sendable {
  fileprivate struct State {
    let file: Int32
    var count: Int64
    var previous: String
    /// Where the last whole entry ends.
    var end: off_t
    /// Whether part of an entry stands behind that: the disk was full.
    var isTorn = false
  }

  package static let origin = String(repeating: "0", count: 64)
  private let state: Mutex<State>

  /// Goes on behind what is in the file. A last line that a crash has cut off is taken out; anything else that is wrong is refused.
  package init(_ path: String) throws {
    let bytes = try DurableFile.read(path) ?? []
    let whole = (bytes.lastIndex(of: 10) ?? -1) + 1
    let head = try AuditLog.verify(bytes[..<whole], path)
    let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard file >= 0, ftruncate(file, off_t(whole)) == 0 else {
      throw DurableFile.Failure(path, "cannot be opened")
    }
    state = Mutex(State(file: file, count: head.count, previous: head.hash, end: off_t(whole)))
  }

  deinit { state.withLock { _ = close($0.file) } }

  private static func isDurable(_ file: Int32) -> Bool { !FaultPoint.fails("audit-sync") && fdatasync(file) == 0 }

  /// Adds an entry; `isChange`: it is durable when this returns. One that cannot be added whole is taken back, so that the log goes on
  /// when there is room again.
  func add(_ fields: [(String, JSONText)], isChange: Bool) throws(Problem) {
    let isWritten = state.withLock { state -> Bool in
      let number: (String, JSONText) = ("n", .integer(state.count + 1))
      let time: (String, JSONText) = ("at", .string(CivilTime.formatTimestamp(Clock.wallMilliseconds())))
      let body = JSONText.object([number, time] + fields).line.dropLast()
      let hash = AuditLog.hash(state.previous, Array(body.utf8)[...])
      let line = Array("\(body),\"hash\":\"\(hash)\"}\n".utf8)
      guard state.mend() else { return false }
      state.isTorn = true
      let written = line.withUnsafeBytes { Glibc.write(state.file, $0.baseAddress, $0.count) }
      guard written == line.count, !isChange || AuditLog.isDurable(state.file) else {
        _ = state.mend()
        return false
      }
      state.isTorn = false
      state.end += off_t(line.count)
      state.count += 1
      state.previous = hash
      return true
    }
    if !isWritten {
      throw Problem(.unavailable, "it cannot be written down who asked for what, so nothing is answered")
    }
  }

  private static func hash(_ previous: String, _ body: ArraySlice<UInt8>) -> String {
    var digest = SHA256()
    digest.update(data: Array(previous.utf8))
    digest.update(data: body)
    return Hexadecimal.text(Array(digest.finalize()))
  }

  // MARK: Verifying

  /// The last entry's hash, and how many there are.
  package struct Head: Sendable, Equatable {
    package var count: Int64
    package var hash: String
  }

  /// What is wrong with a log, and where.
  package struct Broken: Error, CustomStringConvertible {
    package let description: String
  }

  /// Checks the log in a file. `holding`: the hash of an entry that must be in it.
  package static func verify(file path: String, holding hash: String? = nil) throws -> Head {
    guard let bytes = try DurableFile.read(path) else { throw Broken(description: "\(path): there is no log") }
    return try verify(bytes[...], path, holding: hash)
  }

  private static let mark = Array(",\"hash\":\"".utf8)

  private static func verify(_ bytes: ArraySlice<UInt8>, _ path: String, holding expected: String? = nil) throws -> Head
  {
    var head = Head(count: 0, hash: origin)
    var isHeld = expected == nil || expected == origin
    guard !bytes.isEmpty else { return head }
    guard bytes.last == 10 else { throw Broken(description: "\(path): the last line is cut off") }
    for line in bytes.dropLast().split(separator: 10, omittingEmptySubsequences: false) {
      let number = head.count + 1
      // `,"hash":"` and 64 digits and `"}` at the end.
      let end = line.endIndex - 66 - mark.count
      guard end > line.startIndex, line[end..<end + mark.count].elementsEqual(mark) else {
        throw Broken(description: "\(path): line \(number) is no entry")
      }
      let body = line[..<end]
      let given = String(decoding: line[(end + mark.count)..<(line.endIndex - 2)], as: UTF8.self)
      guard body.starts(with: Array("{\"n\":\(number),".utf8)), given == hash(head.hash, body) else {
        throw Broken(
          description:
            "\(path): line \(number) is not what was written: it or a line before it was changed, taken out or put in")
      }
      head = Head(count: number, hash: given)
      isHeld = isHeld || given == expected
    }
    if !isHeld {
      throw Broken(
        description: "\(path): no entry has the hash \(expected ?? ""): its end is gone, or it is another log")
    }
    return head
  }
}

extension AuditLog.State {
  /// Takes away what stands behind the last whole entry; false where that cannot be done now.
  fileprivate mutating func mend() -> Bool {
    if isTorn { isTorn = ftruncate(file, end) != 0 }
    return !isTorn
  }
}
