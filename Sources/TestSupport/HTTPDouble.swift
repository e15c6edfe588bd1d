import Glibc
import Synchronization

/// A small HTTP server on loopback that answers as a test says, and notes what it was asked.
///
/// Each connection is served on a thread of its own, one request after another.
package final class HTTPDouble: Sendable {
  package enum Answer: Sendable {
    case reply(status: Int, String)
    /// Bytes instead of an answer, whatever they mean; then the connection is closed.
    case bytes(String)
    /// No answer until the server is stopped or `release` is called; then the connection is closed.
    case silence
  }

  private struct State {
    var answer: @Sendable (String) -> Answer
    var requests: [String] = []
    var headers: [[String]] = []
    var connections: Set<Int32> = []
    var connectionCount = 0
    var releases = 0
    var isStopped = false
  }

  package let port: UInt16
  private let descriptor: Int32
  private let state: Mutex<State>

  /// `answer` is given the path and query of a request. With `port` 0 the system chooses one.
  package init(port wanted: UInt16 = 0, answer: @escaping @Sendable (String) -> Answer) {
    state = Mutex(State(answer: answer))
    let listening = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var reuse: Int32 = 1
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = wanted.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    port = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        precondition(bind(listening, generic, length) == 0, "port \(wanted): \(String(cString: strerror(errno)))")
        precondition(listen(listening, 128) == 0)
        getsockname(listening, generic, &length)
      }
      return UInt16(bigEndian: pointer.pointee.sin_port)
    }
    descriptor = listening
    HTTPDouble.onThread { [self] in
      while true {
        let connection = accept(listening, nil, nil)
        if connection < 0 { break }
        let isStopped = state.withLock { state in
          if !state.isStopped { state.connections.insert(connection) }
          state.connectionCount += 1
          return state.isStopped
        }
        if isStopped { Glibc.close(connection) } else { HTTPDouble.onThread { [self] in serve(connection) } }
      }
      Glibc.close(listening)
    }
  }

  package var url: String { "http://127.0.0.1:\(port)" }
  /// The path and query of every request so far.
  package var requests: [String] { state.withLock { $0.requests } }
  /// The header lines of every request so far.
  package var headers: [[String]] { state.withLock { $0.headers } }
  /// How many connections were made so far.
  package var connectionCount: Int { state.withLock { $0.connectionCount } }
  package func answer(with answer: @escaping @Sendable (String) -> Answer) { state.withLock { $0.answer = answer } }
  /// Ends every silence so far.
  package func release() { state.withLock { $0.releases += 1 } }

  /// Closes everything; nobody answers at the port any more.
  package func stop() {
    let open = state.withLock { state in
      state.isStopped = true
      return state.connections
    }
    shutdown(descriptor, Int32(SHUT_RDWR))
    for connection in open { shutdown(connection, Int32(SHUT_RDWR)) }
  }

  // MARK: Connections

  private func serve(_ connection: Int32) {
    defer {
      state.withLock { _ = $0.connections.remove(connection) }
      Glibc.close(connection)
    }
    var received: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let end = Array("\r\n\r\n".utf8)
    while true {
      while let header = HTTPDouble.range(of: end, in: received) {
        let text = String(decoding: received[..<header], as: UTF8.self)
        received.removeFirst(header + end.count)
        if !reply(to: text, on: connection) { return }
      }
      let count = read(connection, &buffer, buffer.count)
      if count <= 0 { return }
      received += buffer[..<count]
    }
  }

  private static func range(of end: [UInt8], in bytes: [UInt8]) -> Int? {
    guard bytes.count >= end.count else { return nil }
    return (0...(bytes.count - end.count)).first { bytes[$0...].starts(with: end) }
  }

  /// Whether the connection stays open.
  private func reply(to header: String, on connection: Int32) -> Bool {
    let words = header.split(separator: "\r\n").first?.split(separator: " ") ?? []
    guard words.count == 3 else { return false }
    let path = String(words[1])
    let (answer, releases) = state.withLock { state in
      state.requests.append(path)
      state.headers.append(header.split(separator: "\r\n").dropFirst().map(String.init))
      return (state.answer, state.releases)
    }
    switch answer(path) {
    case .reply(let status, let body):
      return send(
        "HTTP/1.1 \(status) X\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)",
        to: connection)
    case .bytes(let text):
      _ = send(text, to: connection)
      return false
    case .silence:
      var watched = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
      while state.withLock({ $0.releases == releases && !$0.isStopped }) {
        if poll(&watched, 1, 5) != 0 { break }
      }
      return false
    }
  }

  private func send(_ text: String, to connection: Int32) -> Bool {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let sent = bytes.withUnsafeBytes { Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      if sent <= 0 { return false }
      bytes = bytes.dropFirst(sent)
    }
    return true
  }

  /// Runs `body` on a thread of its own.
  package static func onThread(_ body: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<Body>.fromOpaque(argument.unsafelyUnwrapped).takeRetainedValue().run()
        return nil
      }, Unmanaged.passRetained(Body(run: body)).toOpaque())
    precondition(status == 0)
    pthread_detach(thread)
  }

  private final class Body {
    let run: @Sendable () -> Void
    init(run: @escaping @Sendable () -> Void) { self.run = run }
  }
}
