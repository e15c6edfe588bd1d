import StreamModel

/// Decides who is let in to an endpoint.
struct Gate: Sendable {
  /// Somebody who was let in.
  struct Pass: Sendable {
    let identity: Identity
  }

  /// Who asks, and whether they may.
  func admit(_ authorization: String?, to endpoint: Endpoint) async throws(Problem) -> Pass {
    Pass(identity: .anonymous)
  }

  /// What became of it.
  func note(_ pass: Pass, _ endpoint: Endpoint, _ request: APIRequest, _ outcome: Result<APIAnswer, Problem>)
    throws(Problem)
  {}
}
