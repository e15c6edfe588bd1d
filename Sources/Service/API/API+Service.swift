import Topology

/// What the runner says of itself: health, metrics, its own document.
extension API {
  var serviceEndpoints: [Endpoint] {
    [
      Endpoint(
        method: "GET", path: "/healthz", summary: "Whether the process answers", roles: [], answer: "Text",
        answerType: "text/plain",
        handle: { _ in .bytes(Array("ok\n".utf8), type: "text/plain") }),
      Endpoint(
        method: "GET", path: "/readyz",
        summary: "Whether the runner itself can be relied on, however its topologies are", roles: [], answer: "Text",
        answerType: "text/plain", problems: [.unavailable], handle: ready),
      Endpoint(
        method: "GET", path: "/metrics", summary: "Counters and gauges as Prometheus reads them", roles: [.operator],
        answer: "Text", answerType: "text/plain; version=0.0.4", problems: [.unavailable], handle: metrics),
      Endpoint(
        method: "GET", path: "/v1/openapi.json", summary: "This document", roles: [], answer: "Document",
        handle: { _ in .json(OpenAPI.document(endpoints)) }),
    ]
  }

  private func ready(_ request: APIRequest) throws -> APIAnswer {
    if let reason = runner.unreadiness { throw Problem(.unavailable, reason) }
    return .bytes(Array("ready\n".utf8), type: "text/plain")
  }

  private func metrics(_ request: APIRequest) async throws -> APIAnswer {
    let followers = bell.count
    let text = try await Blocking.run("metrics") { [runner] in MetricsText.render(runner, followers: followers) }
    return .bytes(Array(text.utf8), type: "text/plain; version=0.0.4")
  }
}
