import Topology

/// Topologies: submitting, showing, upgrading.
extension API {
  private static let submissionQuery: [Endpoint.Parameter] = [
    .init(name: "dry_run", kind: .flag, about: "Check it only, and change nothing."),
    .init(
      name: "base", kind: .text,
      about:
        "The absolute folder on the runner's machine that relative paths go from; else one in the runner's directory."),
    .init(name: "file", kind: .text, about: "The file's name, which faults are reported of."),
    .init(name: "set", kind: .text, about: "`path=value` overrides a value of the topology.", isRepeated: true),
  ]

  var topologyEndpoints: [Endpoint] {
    [
      Endpoint(
        method: "GET", path: "/v1/topologies", summary: "All topologies, by name", roles: API.staff,
        answer: "TopologyList", handle: list),
      Endpoint(
        method: "POST", path: "/v1/topologies", summary: "Submit a topology: it is checked, remembered and started",
        roles: [.operator],
        query: API.submissionQuery + [
          .init(
            name: "from", kind: .text,
            about: "Where it begins: `latest` (its newest checkpoint), `none` (anew), or a checkpoint's absolute path.")
        ], body: .topology, answer: "Topology", answerStatus: 201,
        problems: [.topologyInvalid, .conflict, .tooLarge, .unsupportedMediaType, .unavailable], handle: submit),
      Endpoint(
        method: "GET", path: "/v1/topologies/{topology}", summary: "One topology: plan, state, counters, last failure",
        roles: API.staff, answer: "Topology", problems: [.notFound], handle: describe),
      Endpoint(
        method: "GET", path: "/v1/topologies/{topology}/source", summary: "The text as it was submitted",
        roles: [.operator], answer: "Source", answerType: "application/yaml", problems: [.notFound], handle: source),
      Endpoint(
        method: "POST", path: "/v1/topologies/{topology}/upgrade",
        summary: "Put another version in its place, from a savepoint of the old one", roles: [.operator],
        query: API.submissionQuery + [
          .init(
            name: "drop_state", kind: .text,
            about:
              "A step, or `views.` and a view, whose state is left behind because it does not fit; all else is restored.",
            isRepeated: true)
        ], body: .topology, answer: "Upgrade",
        problems: [.notFound, .topologyInvalid, .conflict, .tooLarge, .unsupportedMediaType, .unavailable],
        handle: upgrade),
    ]
  }

  private func list(_ request: APIRequest) -> APIAnswer {
    .json(
      .object([
        ("topologies", .array(runner.topologies.map { TopologyObject.summary($0) })),
        (
          "broken",
          .array(runner.broken.map { .object([("name", .string($0.name)), ("reason", .string($0.reason))]) })
        ),
      ]))
  }

  private func submission(_ request: APIRequest) throws(Problem) -> Runner.Submission {
    guard let text = String(validating: request.body, as: UTF8.self) else {
      throw Problem(.badRequest, "the topology is not UTF-8")
    }
    let file = request.first("file")
    if let file, file.isEmpty || file.contains("/") || file == ".." || file.utf8.contains(0) {
      throw Problem(.badRequest, "file: `\(file.prefix(100))` is no file's name")
    }
    return Runner.Submission(
      text: text, base: try API.path(request.first("base"), "base"), fileName: file, overrides: request.all("set"))
  }

  private func submit(_ request: APIRequest) async throws -> APIAnswer {
    let submission = try submission(request)
    let from = request.first("from") ?? "latest"
    guard ["latest", "none"].contains(from) || from.hasPrefix("/") else {
      throw Problem(.badRequest, "from: `\(from.prefix(200))` is neither latest nor none nor an absolute path")
    }
    if request.flag("dry_run") {
      let plan = try await Blocking.run("submit") { [runner] in try runner.check(submission).plan }
      return .json(.object([("name", .string(plan.name)), ("plan", PlanExplainer.object(plan))]))
    }
    let topology = try await Blocking.run("submit") { [runner] in try runner.submit(submission, from: from) }
    return .json(TopologyObject.description(topology), status: 201)
  }

  private func describe(_ request: APIRequest) throws -> APIAnswer {
    .json(TopologyObject.description(try runner.topology(request.parameter("topology"))))
  }

  private func source(_ request: APIRequest) throws -> APIAnswer {
    .bytes(Array(try runner.topology(request.parameter("topology")).source.utf8), type: "application/yaml")
  }

  private func upgrade(_ request: APIRequest) async throws -> APIAnswer {
    let name = request.parameter("topology")
    _ = try runner.topology(name)
    let submission = try submission(request)
    let drop = request.all("drop_state")
    let isDryRun = request.flag("dry_run")
    return try await Blocking.run("upgrade") { [runner] in
      if isDryRun {
        let fit = try runner.fit(name, try runner.check(submission).plan, dropping: drop)
        return .json(API.upgrade(name, fit?.json, savepoint: nil))
      }
      let (fit, savepoint) = try runner.upgrade(name, submission, dropping: drop)
      return .json(API.upgrade(name, fit?.json, savepoint: savepoint))
    }
  }

  private static func upgrade(_ name: String, _ report: JSONText?, savepoint: String?) -> JSONText {
    .object([
      ("name", .string(name)), ("report", report ?? .null), ("savepoint", savepoint.map { .string($0) } ?? .null),
    ])
  }
}
