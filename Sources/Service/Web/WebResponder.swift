import HTTPTypes
import Hummingbird
import Logging
import Topology

/// Answers HTTP requests out of the table of endpoints: who asks, whether they may, whether the request is as declared; then the
/// endpoint's own work. What goes wrong is an RFC 9457 problem.
struct WebResponder: HTTPResponder {
  typealias Context = BasicRequestContext

  let table: EndpointTable
  let gate: Gate

  func respond(to request: Request, context: Context) async throws -> Response {
    do throws(Problem) {
      return try await answer(request, context)
    } catch {
      return WebResponder.response(error, request.uri.path)
    }
  }

  private func answer(_ request: Request, _ context: Context) async throws(Problem) -> Response {
    guard let path = AddressText.path(request.uri.path), let query = AddressText.query(request.uri.query ?? "") else {
      throw Problem(.badRequest, "the address has a `%` that is no escape of UTF-8")
    }
    let match = try table.match(request.method.rawValue, path)
    let endpoint = match.endpoint
    let pass = try await gate.admit(request.headers[.authorization], to: endpoint)
    var asked = APIRequest(
      identity: pass.identity, parameters: match.parameters, rest: match.rest, query: query, body: [],
      lastEventID: request.headers[WebResponder.lastEventID])
    let outcome: Result<APIAnswer, Problem>
    do {
      try WebResponder.check(query, endpoint)
      asked.body = try await WebResponder.body(of: request, endpoint)
      try gate.announce(pass, endpoint, asked)
      outcome = .success(try await endpoint.handle(asked))
    } catch let problem as Problem {
      outcome = .failure(problem)
    } catch {
      context.logger.error(
        "a request failed", metadata: ["path": .string(request.uri.path), "reason": .string("\(error)")])
      outcome = .failure(Problem(.failed, "\(error)"))
    }
    try gate.note(pass, endpoint, asked, outcome)
    return WebResponder.response(try outcome.get())
  }

  // MARK: The request

  private static let lastEventID = HTTPField.Name("Last-Event-ID") ?? .eTag

  private static func check(_ query: [(name: String, value: String)], _ endpoint: Endpoint) throws(Problem) {
    var seen: Set<String> = []
    for (name, _) in query {
      guard let parameter = endpoint.query.first(where: { $0.name == name }) else {
        throw Problem(.badRequest, "there is no query parameter `\(name.prefix(60))` here")
      }
      guard seen.insert(name).inserted || parameter.isRepeated else {
        throw Problem(.badRequest, "the query parameter `\(name)` comes twice")
      }
      guard case .flag = parameter.kind else { continue }
      for value in query where value.name == name && !["", "true", "false"].contains(value.value) {
        throw Problem(.badRequest, "\(name): is true or false")
      }
    }
  }

  /// Reads no more than the endpoint allows; the rest is not read at all.
  private static func body(of request: Request, _ endpoint: Endpoint) async throws(Problem) -> [UInt8] {
    if case .none = endpoint.body { return [] }
    let limit = endpoint.maxBodyBytes
    if let text = request.headers[.contentLength], let length = Int(text), length > limit {
      throw Problem(.tooLarge, "the body has \(length) bytes; at most \(limit) are read here")
    }
    try checkType(request.headers[.contentType], endpoint.body)
    var bytes: [UInt8] = []
    do {
      for try await part in request.body {
        guard bytes.count + part.readableBytes <= limit else {
          throw Problem(.tooLarge, "the body has more than \(limit) bytes, which is the most that is read here")
        }
        bytes.append(contentsOf: part.readableBytesView)
      }
    } catch let problem as Problem {
      throw problem
    } catch {
      throw Problem(.badRequest, "the body did not arrive whole")
    }
    return bytes
  }

  private static func checkType(_ header: String?, _ body: Endpoint.Body) throws(Problem) {
    let type = header?.split(separator: ";").first.map { $0.lowercased().trimmed() } ?? ""
    switch body {
    case .none: break
    case .topology:
      if !["", "application/yaml", "application/x-yaml", "text/yaml", "text/plain"].contains(type) {
        throw Problem(.unsupportedMediaType, "a topology is application/yaml, not `\(type.prefix(60))`")
      }
    case .json:
      if !["", "application/json"].contains(type) {
        throw Problem(.unsupportedMediaType, "the body is application/json, not `\(type.prefix(60))`")
      }
    }
  }

  // MARK: The answer

  /// Pages run the runner's own scripts and no others, and stand in nobody's frame.
  private static let contentPolicy =
    "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

  private static func response(_ answer: APIAnswer) -> Response {
    switch answer {
    case .json(let value, let status):
      return response(status: status, "application/json", ByteBuffer(string: value.text + "\n"))
    case .bytes(let bytes, let type, let status): return response(status: status, type, ByteBuffer(bytes: bytes))
    case .nothing: return Response(status: .noContent)
    case .events(let events): return response(events)
    }
  }

  private static func response(status: Int, _ type: String, _ body: ByteBuffer) -> Response {
    Response(
      status: .init(code: status),
      headers: [
        .contentType: type, .contentLength: "\(body.readableBytes)", .cacheControl: "no-store",
        .xContentTypeOptions: "nosniff", .contentSecurityPolicy: contentPolicy,
      ], body: ResponseBody(byteBuffer: body))
  }

  /// Also for a problem that is found before an endpoint is.
  static func response(_ problem: Problem, _ path: String) -> Response {
    var response = response(
      status: problem.kind.status, "application/problem+json", ByteBuffer(string: problem.json.text + "\n"))
    if !problem.allowed.isEmpty { response.headers[.allow] = problem.allowed.joined(separator: ", ") }
    if problem.kind == .unauthorized { response.headers[.wwwAuthenticate] = "Bearer" }
    if let seconds = problem.retryAfterSeconds { response.headers[.retryAfter] = "\(seconds)" }
    // What of the body was not read would be taken for the next request.
    if problem.kind == .tooLarge { response.headers[.connection] = "close" }
    return response
  }

  private static func response(_ events: EventStream) -> Response {
    Response(
      status: .ok,
      headers: [.contentType: "text/event-stream", .cacheControl: "no-store", .xContentTypeOptions: "nosniff"],
      body: ResponseBody { writer in
        var rings = events.bell().makeAsyncIterator()
        while let step = try await events.next() {
          if !step.text.isEmpty { try await writer.write(ByteBuffer(bytes: step.text)) }
          if step.hasMore { continue }
          guard await rings.next() != nil else { break }
        }
        try await writer.finish(nil)
      })
  }
}

extension String {
  fileprivate func trimmed() -> String { String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
}
