/// Finds the endpoint of a path.
struct EndpointTable: Sendable {
  let endpoints: [Endpoint]
  private let patterns: [[Piece]]

  private enum Piece: Sendable, Equatable {
    case literal(String)
    case parameter(String)
    case rest
  }

  struct Match {
    let endpoint: Endpoint
    let parameters: [String: String]
    let rest: [String]
  }

  init(_ endpoints: [Endpoint]) {
    self.endpoints = endpoints
    patterns = endpoints.map { endpoint in
      endpoint.path.split(separator: "/").map { piece in
        guard piece.hasPrefix("{") else { return .literal(String(piece)) }
        return piece.hasSuffix("...}") ? .rest : .parameter(String(piece.dropFirst().dropLast()))
      }
    }
  }

  /// The endpoint for a path's decoded pieces; a literal goes before a parameter. Throws what the request should have been.
  func match(_ method: String, _ path: [String]) throws(Problem) -> Match {
    var allowed: [String] = []
    var found: (match: Match, literals: Int)?
    for (endpoint, pattern) in zip(endpoints, patterns) {
      guard let match = EndpointTable.match(pattern, path, endpoint) else { continue }
      allowed.append(endpoint.method)
      let literals = pattern.filter { if case .literal = $0 { true } else { false } }.count
      if endpoint.method == method, literals > found?.literals ?? -1 { found = (match, literals) }
    }
    if let found { return found.match }
    if allowed.isEmpty { throw Problem(.notFound, "there is nothing at this address") }
    var problem = Problem(.methodNotAllowed, "use \(Set(allowed).sorted().joined(separator: " or ")) here")
    problem.allowed = Set(allowed).sorted()
    throw problem
  }

  private static func match(_ pattern: [Piece], _ path: [String], _ endpoint: Endpoint) -> Match? {
    var parameters: [String: String] = [:]
    for (index, piece) in pattern.enumerated() {
      if piece == .rest {
        guard path.count > index else { return nil }
        return Match(endpoint: endpoint, parameters: parameters, rest: Array(path[index...]))
      }
      guard index < path.count else { return nil }
      switch piece {
      case .literal(let text): if path[index] != text { return nil }
      case .parameter(let name): parameters[name] = path[index]
      case .rest: break
      }
    }
    return pattern.count == path.count ? Match(endpoint: endpoint, parameters: parameters, rest: []) : nil
  }
}

/// The parts of an address.
enum AddressText {
  /// The pieces of a path between slashes, decoded; nil where an escape is none.
  static func path(_ text: String) -> [String]? {
    var pieces: [String] = []
    for piece in text.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
      guard let decoded = decoded(piece) else { return nil }
      pieces.append(decoded)
    }
    if pieces.count > 1, pieces.last == "" { pieces.removeLast() }
    return pieces == [""] ? [] : pieces
  }

  /// `name=value` pairs, decoded; nil where an escape is none.
  static func query(_ text: String) -> [(name: String, value: String)]? {
    var pairs: [(name: String, value: String)] = []
    for pair in text.split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = decoded(parts[0]), let value = decoded(parts.count > 1 ? parts[1] : "") else { return nil }
      pairs.append((name, value))
    }
    return pairs
  }

  private static func decoded(_ text: Substring) -> String? {
    guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else { return nil }
      bytes.append(high << 4 | low)
    }
    return String(validating: bytes, as: UTF8.self)
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 48...57: byte - 48
    case 65...70: byte - 55
    case 97...102: byte - 87
    default: nil
    }
  }
}
