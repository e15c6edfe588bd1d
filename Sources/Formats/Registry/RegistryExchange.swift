import Foundation
import Synchronization

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// Questions to a registry and its answers. Blocks the calling thread, which is not one of the cooperative pool.
struct RegistryExchange {
  private let options: RegistryOptions
  private let attempts: Int
  private let authorization: String?

  private static let timeoutSeconds: TimeInterval = 10
  private static let contentType = "application/vnd.schemaregistry.v1+json"
  private static let firstBackoffMicroseconds: UInt32 = 200_000
  /// The most bytes of an answer that a message shows.
  private static let maxShownBytes = 300

  init(_ options: RegistryOptions, attempts: Int) {
    self.options = options
    self.attempts = attempts
    let environment = ProcessInfo.processInfo.environment
    authorization = environment["\(options.credentialsName)_USER"].map { user in
      let password = environment["\(options.credentialsName)_PASSWORD"] ?? ""
      return "Basic " + Base64.encode(Array("\(user):\(password)".utf8))
    }
  }

  /// A part of a path, so that it is one whatever is in it.
  static func escaped(_ text: String) -> String {
    var allowed = CharacterSet.alphanumerics
    allowed.insert(charactersIn: "-._~")
    return text.addingPercentEncoding(withAllowedCharacters: allowed) ?? text
  }

  func get(_ path: String, _ what: String) throws(SchemaRegistryError) -> JSONNode {
    try ask("GET", path, nil, what)
  }

  func post(_ path: String, _ body: JSONNode, _ what: String) throws(SchemaRegistryError) -> JSONNode {
    try ask("POST", path, Data(body.description.utf8), what)
  }

  // MARK: - Asking

  private func ask(
    _ method: String, _ path: String, _ body: Data?, _ what: String
  ) throws(SchemaRegistryError) -> JSONNode {
    let base = options.url.hasSuffix("/") ? String(options.url.dropLast()) : options.url
    guard let url = URL(string: "\(base)/\(path)") else {
      throw SchemaRegistryError(
        .refused, "the schema registry's address \(options.url) is no URL — correct `registry:`")
    }
    var request = URLRequest(url: url, timeoutInterval: RegistryExchange.timeoutSeconds)
    request.httpMethod = method
    request.httpBody = body
    request.setValue(RegistryExchange.contentType, forHTTPHeaderField: "Accept")
    if body != nil { request.setValue(RegistryExchange.contentType, forHTTPHeaderField: "Content-Type") }
    if let authorization { request.setValue(authorization, forHTTPHeaderField: "Authorization") }
    var backoff = RegistryExchange.firstBackoffMicroseconds
    for attempt in 1... {
      do throws(SchemaRegistryError) {
        return try answer(to: request, what)
      } catch {
        if error.kind != .unavailable || attempt >= attempts { throw error }
        usleep(backoff)
        backoff *= 2
      }
    }
    preconditionFailure("the last attempt returns or throws")
  }

  /// What came back: a status and a body, or why nothing did.
  private enum Reply: Sendable {
    case answer(status: Int, Data)
    case nothing(String)
  }

  private func answer(to request: URLRequest, _ what: String) throws(SchemaRegistryError) -> JSONNode {
    switch RegistryExchange.send(request) {
    case .nothing(let reason):
      throw SchemaRegistryError(
        .unavailable, "\(what): the schema registry at \(options.url) does not answer: \(reason) — check that it runs")
    case .answer(let status, let body):
      let text = String(decoding: body, as: UTF8.self)
      guard (200..<300).contains(status) else { throw refusal(status, text, what) }
      do { return try JSONNode.parse(text) } catch {
        throw SchemaRegistryError(
          .refused, "\(what): \(options.url) does not answer as a schema registry does: \(error) — check `registry:`")
      }
    }
  }

  private static func send(_ request: URLRequest) -> Reply {
    let box = ReplyBox()
    let task = URLSession.shared.dataTask(with: request) { data, response, error in
      if let response = response as? HTTPURLResponse {
        box.put(.answer(status: response.statusCode, data ?? Data()))
      } else {
        box.put(.nothing(error?.localizedDescription ?? "no answer"))
      }
    }
    task.resume()
    return box.take()
  }

  /// Where one reply is waited for.
  private final class ReplyBox: Sendable {
    private let reply = Mutex<Reply?>(nil)
    private let arrived = DispatchSemaphore(value: 0)

    func put(_ reply: Reply) {
      self.reply.withLock { $0 = reply }
      arrived.signal()
    }

    func take() -> Reply {
      arrived.wait()
      return reply.withLock { $0 } ?? .nothing("no answer")
    }
  }

  // MARK: - Refusals

  private func refusal(_ status: Int, _ text: String, _ what: String) -> SchemaRegistryError {
    let message = (try? JSONNode.parse(text))?["message"]?.text ?? text
    let shown = String(decoding: Array(message.utf8.prefix(RegistryExchange.maxShownBytes)), as: UTF8.self)
    switch status {
    case 401, 403:
      let name = options.credentialsName
      return SchemaRegistryError(
        .refused,
        "\(what): the schema registry at \(options.url) refuses access (\(status)) — set \(name)_USER and \(name)_PASSWORD"
      )
    case 404: return SchemaRegistryError(.absent, "\(what) is not in the schema registry at \(options.url): \(shown)")
    case 409:
      return SchemaRegistryError(
        .incompatible,
        "\(what) is incompatible with the version before, says the schema registry: \(shown)")
    case 429, 500...:
      return SchemaRegistryError(
        .unavailable, "\(what): the schema registry at \(options.url) fails (\(status)): \(shown) — see its log")
    default:
      return SchemaRegistryError(
        .refused, "\(what): the schema registry at \(options.url) refuses it (\(status)): \(shown)")
    }
  }
}
