import Foundation
import HTTPClient

/// Questions to a registry and its answers. Blocks the calling thread, which is not one of the cooperative pool.
struct RegistryExchange {
  private let options: RegistryOptions
  private let attempts: Int
  private let authorization: String?

  private static let client = HTTPClient()
  private static let timeoutMilliseconds: Int64 = 10_000
  private static let maxAnswerBytes = 16 << 20
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
    try ask("GET", path, [], what)
  }

  func post(_ path: String, _ body: JSONNode, _ what: String) throws(SchemaRegistryError) -> JSONNode {
    try ask("POST", path, Array(body.description.utf8), what)
  }

  // MARK: - Asking

  private func ask(
    _ method: String, _ path: String, _ body: [UInt8], _ what: String
  ) throws(SchemaRegistryError) -> JSONNode {
    let base = options.url.hasSuffix("/") ? String(options.url.dropLast()) : options.url
    let address = "\(base)/\(path)"
    guard URL(string: address)?.scheme != nil else {
      throw SchemaRegistryError(
        .refused, "the schema registry's address \(options.url) is no URL — correct `registry:`")
    }
    var request = HTTPClient.Request(address, timeoutMilliseconds: RegistryExchange.timeoutMilliseconds)
    request.maxAnswerBytes = RegistryExchange.maxAnswerBytes
    request.method = method
    request.body = body
    request.headers = [("Accept", RegistryExchange.contentType)]
    if !body.isEmpty { request.headers.append(("Content-Type", RegistryExchange.contentType)) }
    if let authorization { request.headers.append(("Authorization", authorization)) }
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

  private func answer(to request: HTTPClient.Request, _ what: String) throws(SchemaRegistryError) -> JSONNode {
    switch RegistryExchange.client.send(request) {
    case .tooLong:
      throw SchemaRegistryError(
        .refused, "\(what): \(options.url) answers with more than \(request.maxAnswerBytes) bytes — check `registry:`")
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
