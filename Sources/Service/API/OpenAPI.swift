import Topology

/// The OpenAPI 3.1 document of the runner, made of the table of its endpoints.
enum OpenAPI {
  static func document(_ endpoints: [Endpoint]) -> JSONText {
    var paths: [(String, [(String, JSONText)])] = []
    for endpoint in endpoints where endpoint.isDocumented {
      let path = endpoint.path.replacing("...}", with: "}")
      let operation = (endpoint.method.lowercased(), operation(endpoint))
      if let index = paths.firstIndex(where: { $0.0 == path }) {
        paths[index].1.append(operation)
      } else {
        paths.append((path, [operation]))
      }
    }
    return .object([
      ("openapi", .string("3.1.0")),
      (
        "info",
        .object([
          ("title", .string("Weir")), ("version", .string("1")),
          (
            "description",
            .string("Submits and upgrades topologies of a Weir runner, reads their views, and shows how they do.")
          ),
        ])
      ),
      ("paths", .object(paths.map { ($0.0, .object($0.1)) })),
      (
        "components",
        .object([
          ("schemas", .object(OpenAPISchemas.all)),
          (
            "securitySchemes",
            .object([
              (
                "bearer",
                .object([
                  ("type", .string("http")), ("scheme", .string("bearer")), ("bearerFormat", .string("JWT")),
                ])
              )
            ])
          ),
        ])
      ),
    ])
  }

  private static func operation(_ endpoint: Endpoint) -> JSONText {
    var fields: [(String, JSONText)] = [
      ("summary", .string(endpoint.summary)), ("operationId", .string(operationID(endpoint))),
    ]
    if !endpoint.roles.isEmpty {
      let roles = Role.allCases.filter(endpoint.roles.contains).map(\.rawValue)
      fields.append(("description", .string("For \(roles.joined(separator: ", ")).")))
      fields.append(("security", .array([.object([("bearer", .array([]))])])))
    }
    let parameters = pathParameters(endpoint) + endpoint.query.map(queryParameter) + headers(endpoint)
    if !parameters.isEmpty { fields.append(("parameters", .array(parameters))) }
    if let body = body(endpoint.body) { fields.append(("requestBody", body)) }
    fields.append(("responses", .object(responses(endpoint))))
    return .object(fields)
  }

  private static func operationID(_ endpoint: Endpoint) -> String {
    let words = endpoint.path.split { !$0.isLetter && !$0.isNumber }.map(String.init)
    return ([endpoint.method.lowercased()] + words).joined(separator: "_")
  }

  private static func pathParameters(_ endpoint: Endpoint) -> [JSONText] {
    endpoint.path.split(separator: "/").filter { $0.hasPrefix("{") }.map { piece in
      let name = String(piece.dropFirst().dropLast()).replacing("...", with: "")
      return .object([
        ("name", .string(name)), ("in", .string("path")), ("required", .flag(true)),
        ("schema", .object([("type", .string("string")), ("minLength", .integer(1))])),
      ])
    }
  }

  private static func queryParameter(_ parameter: Endpoint.Parameter) -> JSONText {
    let item: JSONText
    switch parameter.kind {
    case .text: item = .object([("type", .string("string"))])
    case .flag: item = .object([("type", .string("boolean"))])
    case .integer(let range):
      item = .object([
        ("type", .string("integer")), ("minimum", .integer(Int64(range.lowerBound))),
        ("maximum", .integer(Int64(range.upperBound))),
      ])
    case .choice(let words):
      item = .object([("type", .string("string")), ("enum", .array(words.map { .string($0) }))])
    }
    let schema: JSONText =
      parameter.isRepeated ? .object([("type", .string("array")), ("items", item)]) : item
    return .object([
      ("name", .string(parameter.name)), ("in", .string("query")), ("description", .string(parameter.about)),
      ("schema", schema),
    ])
  }

  private static func headers(_ endpoint: Endpoint) -> [JSONText] {
    guard endpoint.answerType == "text/event-stream" else { return [] }
    return [
      .object([
        ("name", .string("Last-Event-ID")), ("in", .string("header")),
        ("description", .string("The id of the last event that was seen.")),
        ("schema", .object([("type", .string("string")), ("pattern", .string("^[0-9]+-[0-9]+$"))])),
      ])
    ]
  }

  private static func body(_ body: Endpoint.Body) -> JSONText? {
    switch body {
    case .none: nil
    case .topology:
      .object([
        ("required", .flag(true)),
        (
          "content", .object([("application/yaml", .object([("schema", .object([("type", .string("string"))]))]))])
        ),
      ])
    case .json(let schema):
      .object([("content", .object([("application/json", .object([("schema", reference(schema))]))]))])
    }
  }

  private static func reference(_ schema: String) -> JSONText {
    .object([("$ref", .string("#/components/schemas/\(schema)"))])
  }

  private static func responses(_ endpoint: Endpoint) -> [(String, JSONText)] {
    var statuses: [Int: [Problem.Kind]] = [:]
    var kinds = Set(endpoint.problems + [.badRequest, .failed])
    if !endpoint.roles.isEmpty { kinds.formUnion([.unauthorized, .forbidden, .tooManyRequests]) }
    if endpoint.problems.contains(.conflict) { kinds.insert(.incompatible) }
    for kind in kinds.sorted(by: { $0.rawValue < $1.rawValue }) { statuses[kind.status, default: []].append(kind) }
    let answer: (String, JSONText) = (
      "\(endpoint.answerStatus)",
      .object([
        ("description", .string("As asked")),
        (
          "content",
          .object([(endpoint.answerType, .object([("schema", reference(endpoint.answer ?? "Text"))]))])
        ),
      ])
    )
    // A topology that is only checked is no new one.
    let dryRun: [(String, JSONText)] =
      endpoint.answerStatus == 201 && endpoint.query.contains { $0.name == "dry_run" }
      ? [
        (
          "200",
          .object([
            ("description", .string("Checked only")),
            ("content", .object([("application/json", .object([("schema", reference("Checked"))]))])),
          ])
        )
      ] : []
    return dryRun + [answer]
      + statuses.sorted { $0.key < $1.key }.map { status, kinds in
        (
          "\(status)",
          .object([
            ("description", .string(kinds.map(\.title).joined(separator: "; "))),
            ("content", .object([("application/problem+json", .object([("schema", reference("Problem"))]))])),
          ])
        )
      }
  }
}
