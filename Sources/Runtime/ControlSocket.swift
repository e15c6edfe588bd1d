import Checkpoint
import Glibc

/// What one process may ask of another that runs a job, and the answer.
///
/// The job listens on the Unix socket `control` in its checkpoint directory, which only it may hold: whoever can reach the
/// directory can reach the job. One request a connection: a line `savepoint <absolute path>`, answered by a line
/// `done <checkpoint>` or `failed <reason>` when the savepoint is whole, however long that takes.
enum ControlRequest: Equatable, Sendable {
  /// Copy a checkpoint that begins now to this path.
  case savepoint(path: String)

  init?(line: String) {
    guard line.hasPrefix("savepoint /") else { return nil }
    self = .savepoint(path: String(line.dropFirst("savepoint ".count)))
  }

  var line: String {
    switch self {
    case .savepoint(let path): "savepoint \(path)"
    }
  }
}

enum ControlReply: Equatable, Sendable {
  case done(checkpoint: Int64)
  case failed(String)

  init?(line: String) {
    if line.hasPrefix("done "), let id = Int64(line.dropFirst(5)) {
      self = .done(checkpoint: id)
    } else if line.hasPrefix("failed ") {
      self = .failed(String(line.dropFirst(7)))
    } else {
      return nil
    }
  }

  var line: String {
    switch self {
    case .done(let id): "done \(id)"
    case .failed(let reason): "failed \(reason.split(separator: "\n").joined(separator: " "))"
    }
  }
}

/// The socket itself, for both sides.
enum ControlSocket {
  static let name = "control"
  /// Most bytes of a request or reply.
  static let maxLineBytes = 16 << 10
  /// `MSG_NOSIGNAL`: a connection that is gone is an error, not a signal.
  private static let noSignal: Int32 = 0x4000

  /// Calls `body` with the address of the socket in `directory`. A socket's path may have 107 bytes only, so it goes through
  /// the descriptor of the directory.
  static func withAddress(
    in directory: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) -> Int32 {
    let folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { return -1 }
    defer { close(folder) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let path = Array("/proc/self/fd/\(folder)/\(name)".utf8CString)
    withUnsafeMutableBytes(of: &address.sun_path) { target in
      path.withUnsafeBytes { target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0.prefix(target.count))) }
    }
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
  }

  /// The bytes up to a line's end; nil when the other side goes away, says too much, or is silent for `timeout` ms.
  static func readLine(_ connection: Int32, timeoutMilliseconds timeout: Int32) -> String? {
    var line: [UInt8] = []
    var byte: UInt8 = 0
    while line.count < maxLineBytes {
      var request = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
      let ready = poll(&request, 1, timeout)
      if ready < 0 && errno == EINTR { continue }
      guard ready > 0 else { return nil }
      let count = read(connection, &byte, 1)
      if count < 0 && errno == EINTR { continue }
      guard count == 1 else { return nil }
      if byte == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
      line.append(byte)
    }
    return nil
  }

  /// Whether the whole line went out.
  @discardableResult
  static func writeLine(_ connection: Int32, _ line: String) -> Bool {
    var rest = Array((line + "\n").utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, noSignal) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }
}

/// Answers the requests that come to a running job, one after another.
///
/// Made while the job's directory is held, so that a socket that is there is a dead process's. `serve` works in one thread;
/// `close` may be called from any.
final class ControlServer: Sendable {
  private let directory: String
  private let listener: Int32
  /// A pipe: what is written into it ends `serve`.
  private let wake: (read: Int32, write: Int32)
  /// How long a client may take to say what it wants, in ms.
  private static let requestTimeoutMilliseconds: Int32 = 5_000

  init(directory: String) throws(JobError) {
    self.directory = directory
    unlink("\(directory)/\(ControlSocket.name)")
    let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    self.listener = listener
    var ends: [Int32] = [-1, -1]
    let piped = pipe(&ends)
    wake = (ends[0], ends[1])
    for end in ends where end >= 0 { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let mask = umask(0o077)
    let bound = ControlSocket.withAddress(in: directory) { bind(listener, $0, $1) }
    umask(mask)
    // What is open is closed by `deinit`.
    guard listener >= 0, piped == 0, bound == 0, listen(listener, 8) == 0 else {
      let reason = String(cString: strerror(errno))
      throw .operation(step: "control", reason: "\(directory)/\(ControlSocket.name): cannot listen: \(reason)")
    }
  }

  deinit {
    for descriptor in [listener, wake.read, wake.write] where descriptor >= 0 { Glibc.close(descriptor) }
    unlink("\(directory)/\(ControlSocket.name)")
  }

  /// Answers requests until `close`.
  func serve(_ handle: (ControlRequest) -> ControlReply) {
    while true {
      var waits = [
        pollfd(fd: wake.read, events: Int16(POLLIN), revents: 0),
        pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
      ]
      if poll(&waits, 2, -1) < 0 && errno == EINTR { continue }
      if waits[0].revents != 0 { return }
      let connection = accept(listener, nil, nil)
      guard connection >= 0 else { continue }
      _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
      answer(connection, handle)
      Glibc.close(connection)
    }
  }

  private func answer(_ connection: Int32, _ handle: (ControlRequest) -> ControlReply) {
    let line = ControlSocket.readLine(connection, timeoutMilliseconds: ControlServer.requestTimeoutMilliseconds)
    guard let line else { return }
    let reply = ControlRequest(line: line).map(handle) ?? .failed("this version of weir knows no request `\(line)`")
    ControlSocket.writeLine(connection, reply.line)
  }

  /// Ends `serve`, once it has answered the request it is at.
  func close() {
    var byte: UInt8 = 0
    _ = write(wake.write, &byte, 1)
  }
}

/// Asks the process that runs a job.
package enum ControlClient {
  /// Has the job whose checkpoints are in `directory` make a savepoint at `path`, an absolute one, and waits for it. Returns the
  /// checkpoint it is of; nil when no process runs the job.
  package static func savepoint(of directory: String, to path: String) throws(JobError) -> Int64? {
    guard !path.utf8.contains(UInt8(ascii: "\n")) else {
      throw .operation(step: "savepoint", reason: "a path with a line end in it cannot be sent — use another")
    }
    let connection = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard connection >= 0 else {
      throw .operation(step: "savepoint", reason: "no socket: \(String(cString: strerror(errno)))")
    }
    defer { close(connection) }
    let status = ControlSocket.withAddress(in: directory) { connect(connection, $0, $1) }
    if status != 0 && [ENOENT, ECONNREFUSED].contains(errno) { return nil }
    guard status == 0 else {
      let reason = String(cString: strerror(errno))
      throw .operation(step: "savepoint", reason: "\(directory)/\(ControlSocket.name): cannot be reached: \(reason)")
    }
    guard ControlSocket.writeLine(connection, ControlRequest.savepoint(path: path).line),
      let line = ControlSocket.readLine(connection, timeoutMilliseconds: -1), let reply = ControlReply(line: line)
    else {
      throw .operation(step: "savepoint", reason: "the process that runs the job ended before it answered")
    }
    switch reply {
    case .done(let id): return id
    case .failed(let reason): throw .operation(step: "savepoint", reason: reason)
    }
  }
}
