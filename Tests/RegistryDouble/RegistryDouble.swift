import Foundation
import Synchronization

/// A small schema registry on loopback: registers, hands out, and refuses what drops a field without a default.
package final class RegistryDouble: Sendable {
  private struct State {
    var schemas: [String] = []
    var subjects: [String: [Int]] = [:]
    var requests: [String] = []
    var failuresLeft = 0
  }

  package let port: UInt16
  private let descriptor: Int32
  private let state = Mutex(State())
  /// What `Authorization` must say; nil for anybody.
  private let authorization: String?

  package init(authorization: String? = nil) {
    self.authorization = authorization
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listening = descriptor
    port = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        precondition(bind(listening, generic, length) == 0 && listen(listening, 16) == 0)
        getsockname(listening, generic, &length)
      }
      return UInt16(bigEndian: pointer.pointee.sin_port)
    }
    Thread.detachNewThread { [self] in
      while true {
        let connection = accept(listening, nil, nil)
        if connection < 0 { break }
        serve(connection)
      }
      close(listening)
    }
  }

  /// Ends the thread; nothing may be asked any more.
  package func stop() {
    shutdown(descriptor, Int32(SHUT_RDWR))
  }

  package var url: String { "http://127.0.0.1:\(port)" }
  package var requests: [String] { state.withLock { $0.requests } }
  package func failNext(_ count: Int) { state.withLock { $0.failuresLeft = count } }

  private func serve(_ connection: Int32) {
    defer { close(connection) }
    var received: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = read(connection, &buffer, buffer.count)
      if count <= 0 { return }
      received += buffer[..<count]
      let text = String(decoding: received, as: UTF8.self)
      guard let headerEnd = text.range(of: "\r\n\r\n") else { continue }
      let header = String(text[..<headerEnd.lowerBound])
      let length =
        header.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
        .flatMap { Int($0.split(separator: ":")[1].trimmingCharacters(in: .whitespaces)) } ?? 0
      let body = String(text[headerEnd.upperBound...])
      if body.utf8.count < length { continue }
      let (status, answer) = answer(header, body)
      let reply =
        "HTTP/1.1 \(status) X\r\nContent-Type: application/json\r\nContent-Length: \(answer.utf8.count)\r\nConnection: close\r\n\r\n\(answer)"
      _ = reply.withCString { write(connection, $0, strlen($0)) }
      return
    }
  }

  private func answer(_ header: String, _ body: String) -> (Int, String) {
    let line = header.split(separator: "\r\n").first.map(String.init) ?? ""
    let words = line.split(separator: " ")
    guard words.count == 3 else { return (400, "{}") }
    if let authorization, !header.contains("Authorization: \(authorization)") {
      return (401, #"{"error_code":401,"message":"no"}"#)
    }
    return state.withLock { state in
      state.requests.append("\(words[0]) \(words[1])")
      if state.failuresLeft > 0 {
        state.failuresLeft -= 1
        return (503, "busy")
      }
      return RegistryDouble.answer(String(words[0]), String(words[1]), body, &state)
    }
  }

  private static func answer(_ method: String, _ path: String, _ body: String, _ state: inout State) -> (Int, String) {
    let parts = path.split(separator: "?")[0].split(separator: "/").map(String.init)
    if method == "GET", parts.count == 3, parts[0] == "schemas", let number = Int(parts[2]) {
      guard number >= 1, number <= state.schemas.count else {
        return (404, #"{"error_code":40403,"message":"Schema \#(number) not found"}"#)
      }
      return (200, object(["schema": state.schemas[number - 1]]))
    }
    guard method == "POST", let schema = parse(body)["schema"] as? String else { return (404, "{}") }
    if parts[0] == "compatibility" {
      return (200, #"{"is_compatible":false,"messages":["READER_FIELD_MISSING_DEFAULT_VALUE: extra"]}"#)
    }
    let subject = parts[1]
    let known = state.schemas.firstIndex(of: schema).map { $0 + 1 }
    if parts.count == 2 {
      guard let known, state.subjects[subject]?.contains(known) == true else {
        return (404, #"{"error_code":40401,"message":"Subject '\#(subject)' not found."}"#)
      }
      return (200, #"{"id":\#(known)}"#)
    }
    if let latest = state.subjects[subject]?.last, latest != known, !addsNullable(schema, to: state.schemas[latest - 1])
    {
      return (409, #"{"error_code":409,"message":"Schema being registered is incompatible"}"#)
    }
    let number = known ?? state.schemas.count + 1
    if known == nil { state.schemas.append(schema) }
    if state.subjects[subject]?.contains(number) != true { state.subjects[subject, default: []].append(number) }
    return (200, #"{"id":\#(number)}"#)
  }

  /// Whether every field that `schema` has and `older` lacks has a default.
  private static func addsNullable(_ schema: String, to older: String) -> Bool {
    let known = Set(fields(of: older).compactMap { $0["name"] as? String })
    return fields(of: schema).allSatisfy { known.contains($0["name"] as? String ?? "") || $0["default"] != nil }
  }

  private static func fields(of schema: String) -> [[String: Any]] { parse(schema)["fields"] as? [[String: Any]] ?? [] }

  private static func parse(_ text: String) -> [String: Any] {
    ((try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any]) ?? [:]
  }

  private static func object(_ members: [String: String]) -> String {
    (try? JSONSerialization.data(withJSONObject: members)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }
}
