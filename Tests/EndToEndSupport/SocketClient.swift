import Foundation
import Glibc

/// An HTTP/1.1 client that can be as slow, as silent or as rude as a test wants. Blocks: for threads that serve nobody.
package final class SocketClient {
  package struct Answer {
    package let status: Int
    package let headers: [String: String]
    package let body: [UInt8]
    package var text: String { String(decoding: body, as: UTF8.self) }
    package var object: [String: Any] { (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any] ?? [:] }
    package var kind: String { (object["type"] as? String ?? "").replacing("/problems/", with: "") }
  }

  package struct Failure: Error {
    package let reason: String
    package init(reason: String) { self.reason = reason }
  }

  package let descriptor: Int32
  private var pending: [UInt8] = []
  /// How long it waits for bytes before the test fails, in seconds.
  private static let patienceSeconds = 60

  package init(port: Int) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw Failure(reason: "no more files can be opened: ulimit -n") }
    var patience = timeval(tv_sec: SocketClient.patienceSeconds, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port).bigEndian)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let status = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard status == 0 else { throw Failure(reason: "cannot connect: \(String(cString: strerror(errno)))") }
  }

  deinit { close(descriptor) }

  /// Whether all bytes went out.
  @discardableResult
  package func send(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  package func sendHead(_ method: String, _ target: String, headers: [String: String] = [:]) {
    var text = "\(method) \(target) HTTP/1.1\r\nHost: test\r\n"
    for (name, value) in headers { text += "\(name): \(value)\r\n" }
    send(Array((text + "\r\n").utf8))
  }

  package func request(
    _ method: String, _ target: String, headers: [String: String] = [:], body: String? = nil
  ) throws -> Answer {
    var headers = headers
    if let body { headers["Content-Length"] = "\(body.utf8.count)" }
    sendHead(method, target, headers: headers)
    if let body { send(Array(body.utf8)) }
    return try answer()
  }

  /// Reads up to and including `end`.
  package func read(until end: String) throws -> String {
    let end = Array(end.utf8)
    while true {
      if let range = pending.firstRange(of: end) {
        let text = String(decoding: pending[..<range.upperBound], as: UTF8.self)
        pending.removeSubrange(..<range.upperBound)
        return text
      }
      try receive()
    }
  }

  /// What has come and was not read, and whether the connection goes on.
  package func readNow() -> (text: String, isOpen: Bool) {
    var buffer = [UInt8](repeating: 0, count: 1 << 14)
    var count = 0
    repeat {
      errno = 0
      count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
      if count > 0 { pending += buffer[..<count] }
    } while count > 0
    let isOpen = errno == EAGAIN
    defer { pending = [] }
    return (String(decoding: pending, as: UTF8.self), isOpen)
  }

  private func receive() throws {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    guard count > 0 else {
      let cause = count == 0 ? "the server closed it" : String(cString: strerror(errno))
      throw Failure(reason: "the connection ended (\(cause)): \(String(decoding: pending, as: UTF8.self))")
    }
    pending += buffer[..<count]
  }

  private func read(count: Int) throws -> [UInt8] {
    while pending.count < count { try receive() }
    defer { pending.removeFirst(count) }
    return Array(pending[..<count])
  }

  /// The status and headers of the next answer.
  package func head() throws -> (status: Int, headers: [String: String]) {
    let lines = try read(until: "\r\n\r\n").split(separator: "\r\n").map(String.init)
    let status = Int(lines[0].split(separator: " ")[1]) ?? 0
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
    }
    return (status, headers)
  }

  package func answer() throws -> Answer {
    let (status, headers) = try head()
    var body: [UInt8] = []
    if let length = headers["content-length"].flatMap({ Int($0) }) {
      body = try read(count: length)
    } else if headers["transfer-encoding"] == "chunked" {
      while true {
        let size = Int(try read(until: "\r\n").dropLast(2), radix: 16) ?? 0
        body += try read(count: size)
        _ = try read(count: 2)
        if size == 0 { break }
      }
    }
    return Answer(status: status, headers: headers, body: body)
  }

  /// Events of a stream whose head was read, without the framing of chunks.
  package func events(_ count: Int) throws -> [[String: String]] {
    var events: [[String: String]] = []
    while events.count < count {
      var event: [String: String] = [:]
      // A chunk's size and end stand on lines of their own, and are no fields.
      for line in try read(until: "\n\n").split(whereSeparator: \.isNewline) {
        let parts = line.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
        if parts.count == 2 { event[parts[0]] = parts[1] }
      }
      if event["event"] != nil { events.append(event) }
    }
    return events
  }
}
