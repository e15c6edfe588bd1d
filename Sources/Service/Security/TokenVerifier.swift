import Foundation
import JWTKit
import StreamModel

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// Tells from a bearer token who asks: a JWT signed by a key that the runner was given.
///
/// Claims: `sub` (who), `role` (operator, analyst, portal), `exp`, of the portal also `account`; `nbf`, `iss` and `aud` are held to what
/// was asked for. Asymmetric algorithms only: whoever can check a token cannot make one.
package actor TokenVerifier {
  package struct Settings: Sendable {
    /// PEM files of public keys, and JWKS files.
    package var keyFiles: [String] = []
    /// Where a JWKS is fetched from, at the start and when a token names a key that is not known.
    package var keysURL: String?
    package var issuer: String?
    package var audience: String?
    package init() {}
  }

  /// How often keys are fetched at most, in ms: tokens that name keys nobody has must not make the runner ask all the time.
  static let leastFetchMilliseconds: Int64 = 30_000
  /// How far clocks may differ, in seconds.
  static let leewaySeconds: TimeInterval = 30
  static let maxTokenBytes = 8 << 10
  static let maxKeySetBytes = 1 << 20
  private static let algorithms: Set<String> = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
  ]

  private let settings: Settings
  private let fixed: [FixedKey]
  private var keys: JWTKeyCollection?
  private var lastFetch: Int64?

  /// Reads the key files: a fault of one is said now.
  package init(_ settings: Settings) throws {
    self.settings = settings
    fixed = try settings.keyFiles.map { try FixedKey(file: $0) }
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
    do {
      return try await known().verify(token, as: TokenClaims.self, iteratingKeys: true)
    } catch let problem as Problem {
      throw problem
    } catch {
      // A key that is new where keys come from: once more with fresh ones.
      do {
        guard try await refresh() else { throw error }
        return try await known().verify(token, as: TokenClaims.self, iteratingKeys: true)
      } catch {
        throw Problem(.unauthorized, "the token's signature is not that of a known key")
      }
    }
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

  private func known() async throws -> JWTKeyCollection {
    if let keys { return keys }
    let made = JWTKeyCollection()
    for key in fixed { try await key.add(to: made) }
    if settings.keysURL != nil { try await fetch(into: made) }
    keys = made
    return made
  }

  /// Fetches keys again, if there is a place to fetch them from and it is time.
  private func refresh() async throws -> Bool {
    guard settings.keysURL != nil, let keys else { return false }
    if let lastFetch, Clock.monotonicNanoseconds() / 1_000_000 - lastFetch < TokenVerifier.leastFetchMilliseconds {
      return false
    }
    try await fetch(into: keys)
    return true
  }

  private func fetch(into keys: JWTKeyCollection) async throws {
    guard let text = settings.keysURL, let url = URL(string: text) else { return }
    lastFetch = Clock.monotonicNanoseconds() / 1_000_000
    let request = URLRequest(url: url, timeoutInterval: 5)
    let (bytes, response) = try await URLSession.shared.data(for: request)
    guard (response as? HTTPURLResponse)?.statusCode == 200, bytes.count <= TokenVerifier.maxKeySetBytes else {
      throw Problem(.unavailable, "the keys that tokens are checked with cannot be fetched")
    }
    try await keys.add(jwksJSON: String(decoding: bytes, as: UTF8.self))
  }
}

/// What a token says.
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
    sub = try values.decodeIfPresent(String.self, forKey: .sub)
    role = try values.decodeIfPresent(String.self, forKey: .role)
    account = try values.decodeIfPresent(String.self, forKey: .account)
    iss = try values.decodeIfPresent(String.self, forKey: .iss)
    exp = try values.decodeIfPresent(Double.self, forKey: .exp).map { Date(timeIntervalSince1970: $0) }
    nbf = try values.decodeIfPresent(Double.self, forKey: .nbf).map { Date(timeIntervalSince1970: $0) }
    if let one = try? values.decodeIfPresent(String.self, forKey: .aud) {
      aud = [one]
    } else {
      aud = try values.decodeIfPresent([String].self, forKey: .aud) ?? []
    }
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
      let alg = header["alg"] as? String
    else { return nil }
    self.alg = alg
  }
}

/// A key out of a file.
private enum FixedKey: Sendable {
  case rsa(Insecure.RSA.PublicKey)
  case p256(ES256PublicKey)
  case p384(ES384PublicKey)
  case keySet(JWKS)

  init(file: String) throws {
    guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
      throw Problem(.failed, "\(file): the key cannot be read")
    }
    if text.contains("PRIVATE KEY") {
      throw Problem(.failed, "\(file): is a private key — give the public one, which cannot make tokens")
    }
    if let keys = try? JSONDecoder().decode(JWKS.self, from: Data(text.utf8)) {
      self = .keySet(keys)
    } else if let key = try? Insecure.RSA.PublicKey(pem: text) {
      self = .rsa(key)
    } else if let key = try? ES256PublicKey(pem: text) {
      self = .p256(key)
    } else if let key = try? ES384PublicKey(pem: text) {
      self = .p384(key)
    } else {
      throw Problem(.failed, "\(file): holds no public key that is known: PEM of RSA, P-256 or P-384, or a JWKS")
    }
  }

  func add(to keys: JWTKeyCollection) async throws {
    switch self {
    case .rsa(let key): await keys.add(rsa: key, digestAlgorithm: .sha256, kid: "rsa")
    case .p256(let key): await keys.add(ecdsa: key, kid: "p256")
    case .p384(let key): await keys.add(ecdsa: key, kid: "p384")
    case .keySet(let set): try await keys.add(jwks: set)
    }
  }
}
