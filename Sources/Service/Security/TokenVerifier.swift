import Foundation
import HTTPClient
import JWTKit
import Runtime
import StreamModel

/// Tells from a bearer token who asks: a JWT signed by a key that the runner was given.
///
/// Claims: `sub` (who), `role` (operator, analyst, portal), `exp`, of the portal also `account`; `nbf`, `iss` and `aud` are held to what
/// was asked for. Asymmetric algorithms only: whoever can check a token cannot make one.
package actor TokenVerifier {
  package struct Settings: Sendable {
    /// PEM files of public keys, and JWKS files.
    package var keyFiles: [String] = []
    /// Where a JWKS is fetched from: for the first token, when a token is signed with a key that is not known, and when what was fetched
    /// has become old.
    package var keysURL: String?
    /// How long what was fetched holds, in ms: a key that is taken out there opens nothing any more after that.
    package var keysAgeMilliseconds: Int64 = 300_000
    package var issuer: String?
    package var audience: String?
    package init() {}
  }

  /// How often keys are fetched at most for tokens that name one nobody has, in ms: they must not make the runner ask all the time.
  static let leastFetchMilliseconds: Int64 = 30_000
  /// How often where keys are needed and there was no answer.
  static let retryMilliseconds: Int64 = 1000
  /// How far clocks may differ, in seconds.
  static let leewaySeconds: TimeInterval = 30
  static let maxTokenBytes = 8 << 10
  static let maxKeySetBytes = 1 << 20
  private static let fetchMilliseconds: Int64 = 5000
  private static let algorithms: Set<String> = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
  ]

  private let settings: Settings
  /// Out of files.
  private let fixed: TokenKeys
  private var keys: JWTKeyCollection?
  /// When keys were asked for last, and when they were given, in monotonic ms.
  private var lastFetch: Int64?
  private var lastFetched: Int64?
  private var isFetching = false
  private var waiting: [CheckedContinuation<Void, Never>] = []

  /// Reads the key files: a fault of one is said now.
  package init(_ settings: Settings) throws {
    self.settings = settings
    var fixed = TokenKeys()
    for file in settings.keyFiles { fixed.add(try TokenKeys(file: file)) }
    self.fixed = fixed
  }

  /// Who the token says asks. Throws `unauthorized`, with a reason that tells nothing of keys.
  func identity(_ authorization: String?) async throws(Problem) -> Identity {
    guard let authorization else { throw Problem(.unauthorized, "give a bearer token") }
    let parts = authorization.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[0].lowercased() == "bearer", parts[1].utf8.count <= TokenVerifier.maxTokenBytes else {
      throw Problem(.unauthorized, "the authorization is no bearer token")
    }
    return try identity(of: try await claims(String(parts[1])))
  }

  private func claims(_ token: String) async throws(Problem) -> TokenClaims {
    guard let header = TokenHeader(token), TokenVerifier.algorithms.contains(header.alg) else {
      throw Problem(.unauthorized, "the token is not signed as it must be")
    }
    if let claims = await verified(token, with: await known()) { return claims }
    // A key that is new where keys come from: once more with fresh ones.
    if await fetch(after: TokenVerifier.leastFetchMilliseconds), let claims = await verified(token, with: await known())
    {
      return claims
    }
    guard settings.keysURL == nil || lastFetched != nil else {
      var problem = Problem(.unavailable, "the keys that tokens are checked with cannot be fetched")
      problem.retryAfterSeconds = Int(TokenVerifier.retryMilliseconds / 1000)
      throw problem
    }
    throw Problem(.unauthorized, "the token's signature is not that of a known key")
  }

  private func verified(_ token: String, with keys: JWTKeyCollection) async -> TokenClaims? {
    try? await keys.verify(token, as: TokenClaims.self, iteratingKeys: true)
  }

  private func identity(of claims: TokenClaims) throws(Problem) -> Identity {
    let now = Date()
    guard let expires = claims.exp?.addingTimeInterval(TokenVerifier.leewaySeconds), expires > now else {
      throw Problem(.unauthorized, claims.exp == nil ? "the token never expires" : "the token has expired")
    }
    if let from = claims.nbf, from.addingTimeInterval(-TokenVerifier.leewaySeconds) > now {
      throw Problem(.unauthorized, "the token is not valid yet")
    }
    if let issuer = settings.issuer, claims.iss != issuer {
      throw Problem(.unauthorized, "the token is of another issuer")
    }
    if let audience = settings.audience, !claims.aud.contains(audience) {
      throw Problem(.unauthorized, "the token is for another service")
    }
    guard let subject = claims.sub, !subject.isEmpty else { throw Problem(.unauthorized, "the token names nobody") }
    guard let role = claims.role.flatMap(Role.init(rawValue:)) else {
      throw Problem(.unauthorized, "the token has no role that is known")
    }
    if role == .portal, claims.account?.isEmpty ?? true {
      throw Problem(.unauthorized, "the token is the portal's and names no account")
    }
    return Identity(
      subject: subject, role: role, account: role == .portal ? claims.account : nil,
      expiresAt: Int64(min(expires.timeIntervalSince1970 * 1000, 0x1p62)))
  }

  // MARK: Keys

  /// Those of the files, and those that were fetched: anew where they are old. As long as they cannot be fetched the old ones hold.
  private func known() async -> JWTKeyCollection {
    if let lastFetched {
      let isOld = TokenVerifier.now() - lastFetched > settings.keysAgeMilliseconds
      let pause = min(settings.keysAgeMilliseconds, TokenVerifier.leastFetchMilliseconds)
      if isOld, !isFetching { _ = await fetch(after: pause) }
    } else {
      _ = await fetch(after: TokenVerifier.retryMilliseconds)
    }
    if let keys { return keys }
    let made = await fixed.collection()
    if let keys { return keys }
    keys = made
    return made
  }

  /// Fetches keys, if there is a place to fetch them from and they were not asked for so lately; says whether there are new ones. Who comes
  /// while they are fetched waits for that.
  private func fetch(after milliseconds: Int64) async -> Bool {
    guard let place = settings.keysURL else { return false }
    if isFetching {
      await withCheckedContinuation { waiting.append($0) }
      return true
    }
    if let lastFetch, TokenVerifier.now() - lastFetch < milliseconds { return false }
    isFetching = true
    lastFetch = TokenVerifier.now()
    let fetched = await TokenVerifier.keySet(at: place)
    if var fetched {
      fetched.add(fixed)
      keys = await fetched.collection()
      lastFetched = TokenVerifier.now()
    }
    isFetching = false
    for continuation in waiting { continuation.resume() }
    waiting = []
    return fetched != nil
  }

  private static func keySet(at place: String) async -> TokenKeys? {
    var request = HTTPClient.Request(place, timeoutMilliseconds: TokenVerifier.fetchMilliseconds)
    request.maxAnswerBytes = TokenVerifier.maxKeySetBytes
    let executor = DedicatedThreadExecutor(name: "keys")
    defer { executor.shutDown() }
    let reply = await withTaskExecutorPreference(executor) { [request] in await answer(to: request) }
    guard case .answer(status: 200, let bytes) = reply else { return nil }
    return try? TokenKeys(set: Data(bytes), of: place)
  }

  private nonisolated static func answer(to request: HTTPClient.Request) async -> HTTPClient.Reply {
    HTTPClient().send(request)
  }

  private static func now() -> Int64 { Clock.monotonicNanoseconds() / 1_000_000 }
}

/// What a token says. A claim of another kind than it must be is none.
private struct TokenClaims: JWTPayload {
  var sub: String?
  var role: String?
  var account: String?
  var iss: String?
  var exp: Date?
  var nbf: Date?
  var aud: [String]

  private enum CodingKeys: String, CodingKey { case sub, role, account, iss, exp, nbf, aud }

  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    func text(_ key: CodingKeys) -> String? { try? values.decode(String.self, forKey: key) }
    sub = text(.sub)
    role = text(.role)
    account = text(.account)
    iss = text(.iss)
    exp = (try? values.decode(Double.self, forKey: .exp)).map { Date(timeIntervalSince1970: $0) }
    // One that is no time would be taken for none.
    nbf = try values.decodeIfPresent(Double.self, forKey: .nbf).map { Date(timeIntervalSince1970: $0) }
    aud = text(.aud).map { [$0] } ?? (try? values.decode([String].self, forKey: .aud)) ?? []
  }

  func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encodeIfPresent(sub, forKey: .sub)
    try values.encodeIfPresent(role, forKey: .role)
  }

  /// Times and names are held to the verifier's settings, which the payload does not know.
  func verify(using algorithm: some JWTAlgorithm) async throws {}
}

/// The part of a token that says how it is signed; nil where it is no token.
private struct TokenHeader {
  let alg: String

  init?(_ token: String) {
    let parts = token.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, !parts[2].isEmpty else { return nil }
    var text = String(parts[0]).replacing("-", with: "+").replacing("_", with: "/")
    text += String(repeating: "=", count: (4 - text.count % 4) % 4)
    guard let bytes = Data(base64Encoded: text),
      let header = (try? JSONSerialization.jsonObject(with: bytes)) as? [String: Any],
      let alg = header["alg"] as? String,
      // What a token says must be understood is not, whatever it is: RFC 7515, 4.1.11.
      header["crit"] == nil
    else { return nil }
    self.alg = alg
  }
}
