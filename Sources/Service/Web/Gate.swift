import StreamModel
import Topology

/// Decides who is let in to an endpoint, and writes down what became of it.
struct Gate: Sendable {
  /// Somebody who was let in.
  struct Pass: Sendable {
    let identity: Identity
  }

  /// Nil where everybody may do everything.
  let verifier: TokenVerifier?
  /// Nil for no bound.
  let limits: RateLimits?
  let audit: AuditLog

  /// All who show no token that holds share one bound: no token has this subject.
  private static let nobody = ""

  /// Who asks, and whether they may.
  func admit(_ authorization: String?, to endpoint: Endpoint) async throws(Problem) -> Pass {
    if endpoint.roles.isEmpty { return Pass(identity: .anonymous) }
    guard let verifier else {
      try limits?.take(Identity.anonymous.subject)
      return Pass(identity: .anonymous)
    }
    let identity: Identity
    do {
      identity = try await verifier.identity(authorization)
    } catch {
      // Nobody writes the log full without a token.
      try limits?.take(Gate.nobody)
      try audit.add(
        [("who", .null), ("what", .string("\(endpoint.method) \(endpoint.path)")), ("refused", .string(error.detail))],
        isChange: false)
      throw error
    }
    try limits?.take(identity.subject)
    guard endpoint.roles.contains(identity.role) else {
      let problem = Problem(.forbidden, "this is not for the role \(identity.role.rawValue)")
      try audit.add(
        Gate.who(identity) + [
          ("what", .string("\(endpoint.method) \(endpoint.path)")), ("refused", .string(problem.detail)),
        ], isChange: false)
      throw problem
    }
    return Pass(identity: identity)
  }

  /// What is about to be changed: written down durably before it is, whatever becomes of the change or of the runner.
  func announce(_ pass: Pass, _ endpoint: Endpoint, _ request: APIRequest) throws(Problem) {
    if endpoint.method == "GET" { return }
    try audit.add(Gate.fields(pass, endpoint, request) + [("begins", .flag(true))], isChange: true)
  }

  /// What became of it. What changes something is written down durably.
  func note(
    _ pass: Pass, _ endpoint: Endpoint, _ request: APIRequest, _ outcome: Result<APIAnswer, Problem>
  ) throws(Problem) {
    if endpoint.roles.isEmpty || endpoint.path == "/metrics" { return }
    var fields = Gate.fields(pass, endpoint, request)
    switch outcome {
    case .success: fields.append(("status", .integer(Int64(endpoint.answerStatus))))
    case .failure(let problem):
      fields += [("status", .integer(Int64(problem.kind.status))), ("refused", .string(problem.detail))]
    }
    try audit.add(fields, isChange: endpoint.method != "GET")
  }

  private static func fields(_ pass: Pass, _ endpoint: Endpoint, _ request: APIRequest) -> [(String, JSONText)] {
    var fields = who(pass.identity) + [("what", .string("\(endpoint.method) \(endpoint.path)"))]
    let target = request.parameters.sorted { $0.key < $1.key }.map { ($0.key, JSONText.string($0.value)) }
    if !target.isEmpty { fields.append(("target", .object(target))) }
    if !request.rest.isEmpty { fields.append(("key", .array(request.rest.map { .string($0) }))) }
    var query: [(String, JSONText)] = []
    for (name, _) in request.query where !query.contains(where: { $0.0 == name }) {
      let values = request.all(name).map { JSONText.string($0) }
      query.append((name, values.count == 1 ? values[0] : .array(values)))
    }
    if !query.isEmpty { fields.append(("query", .object(query))) }
    return fields
  }

  private static func who(_ identity: Identity) -> [(String, JSONText)] {
    [("who", .string(identity.subject)), ("role", .string(identity.role.rawValue))]
      + (identity.account.map { [("account", .string($0))] } ?? [])
  }
}
