import Topology

/// A request as its endpoint gets it: checked against what the endpoint declares.
struct APIRequest: Sendable {
  let identity: Identity
  /// By the names in the endpoint's path, decoded.
  let parameters: [String: String]
  /// What stands in the place of `{name...}`.
  let rest: [String]
  /// In the order in which they came, decoded.
  let query: [(name: String, value: String)]
  var body: [UInt8]
  let lastEventID: String?

  func first(_ name: String) -> String? { query.first { $0.name == name }?.value }
  func all(_ name: String) -> [String] { query.filter { $0.name == name }.map(\.value) }
  /// `?name` and `?name=true` say yes.
  func flag(_ name: String) -> Bool { first(name).map { $0 == "" || $0 == "true" } ?? false }

  func parameter(_ name: String) -> String { parameters[name] ?? "" }

  /// A whole number in `range`.
  func integer(_ name: String, in range: ClosedRange<Int>, otherwise: Int) throws(Problem) -> Int {
    guard let text = first(name) else { return otherwise }
    guard let number = Int(text), range.contains(number) else {
      throw Problem(
        .badRequest, "\(name): `\(text.prefix(40))` is no whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// One of a few words.
  func choice(_ name: String, _ words: [String], otherwise: String) throws(Problem) -> String {
    guard let text = first(name) else { return otherwise }
    guard words.contains(text) else {
      throw Problem(.badRequest, "\(name): `\(text.prefix(40))` is none of \(words.joined(separator: ", "))")
    }
    return text
  }
}

/// What an endpoint answers.
enum APIAnswer: Sendable {
  case json(JSONText, status: Int = 200)
  case bytes([UInt8], type: String, status: Int = 200)
  case events(EventStream)
  case nothing
}

/// Something that can be asked of the runner: method and path, who may, what it takes and gives, and what does it. The table of them
/// decides who may do what, and the OpenAPI document is made of it.
struct Endpoint: Sendable {
  struct Parameter: Sendable {
    enum Kind: Sendable {
      case text
      case flag
      case integer(ClosedRange<Int>)
      case choice([String])
    }
    let name: String
    let kind: Kind
    let about: String
    var isRepeated = false
  }

  enum Body: Sendable {
    case none
    /// A topology's text.
    case topology
    /// An object with these fields.
    case json(schema: String)
  }

  let method: String
  /// `/v1/topologies/{topology}/views/{view}/rows/{key...}`
  let path: String
  let summary: String
  /// Empty: anybody, without a token.
  let roles: Set<Role>
  /// Whether it is part of the interface, as opposed to a page for people.
  var isDocumented = true
  var query: [Parameter] = []
  var body = Body.none
  /// The schema of the answer in the OpenAPI document; nil for no content.
  var answer: String?
  var answerStatus = 200
  var answerType = "application/json"
  /// Problems it may answer with, beside those that every endpoint may.
  var problems: [Problem.Kind] = []
  let handle: @Sendable (APIRequest) async throws -> APIAnswer

  /// Most bytes of a body.
  var maxBodyBytes: Int {
    switch body {
    case .none: 0
    case .topology: 1 << 20
    case .json: 64 << 10
    }
  }
}
