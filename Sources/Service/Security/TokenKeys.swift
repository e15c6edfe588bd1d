import Foundation
import JWTKit

/// Public keys that tokens are checked with, out of PEM files and JWK sets.
///
/// Each is bound to one algorithm: a key of a set that names none stands here once for each algorithm of its kind, so that no token
/// decides how a key is used.
struct TokenKeys: Sendable {
  private enum Key: Sendable {
    case rsa(Insecure.RSA.PublicKey)
    case p256(ES256PublicKey)
    case p384(ES384PublicKey)
    case member(JWK)
  }

  private var keys: [(name: String, key: Key)] = []

  init() {}

  /// The keys of a file; a fault of it is said now.
  init(file: String) throws(Problem) {
    guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
      throw Problem(.failed, "\(file): the key cannot be read")
    }
    if text.contains("PRIVATE KEY") { throw TokenKeys.isPrivate(file) }
    if let key = try? Insecure.RSA.PublicKey(pem: text) {
      keys = [("rsa", .rsa(key))]
    } else if let key = try? ES256PublicKey(pem: text) {
      keys = [("p256", .p256(key))]
    } else if let key = try? ES384PublicKey(pem: text) {
      keys = [("p384", .p384(key))]
    } else {
      keys = try TokenKeys.members(of: Data(text.utf8), file)
    }
  }

  /// The keys of a JWK set. As RFC 7517 has it, those of another kind, for another use or with something missing are passed over; a set
  /// that has none is refused, and so is one with a private key.
  init(set bytes: Data, of place: String) throws(Problem) { keys = try TokenKeys.members(of: bytes, place) }

  private static func members(of bytes: Data, _ place: String) throws(Problem) -> [(name: String, key: Key)] {
    let set = (try? JSONSerialization.jsonObject(with: bytes)) as? [String: Any]
    let members = set?["keys"] as? [[String: Any]] ?? []
    if members.contains(where: { $0["d"] != nil }) { throw isPrivate(place) }
    let found = members.flatMap { member in
      keys(of: member).map { (name: member["kid"] as? String ?? "", key: Key.member($0)) }
    }
    if found.isEmpty {
      throw Problem(.failed, "\(place): holds no public key that is known: PEM of RSA, P-256 or P-384, or a JWKS")
    }
    return found
  }

  private static func isPrivate(_ place: String) -> Problem {
    Problem(.failed, "\(place): is a private key — give the public one, which cannot make tokens")
  }

  mutating func add(_ other: TokenKeys) { keys += other.keys }

  /// A member of a set as a key for each algorithm that it may be used with.
  private static func keys(of member: [String: Any]) -> [JWK] {
    if let use = member["use"] as? String, use != "sig" { return [] }
    if let operations = member["key_ops"] as? [String], !operations.contains("verify") { return [] }
    let possible = algorithms(of: member)
    let algorithms = (member["alg"] as? String).map { named in possible.filter { $0 == named } } ?? possible
    return algorithms.compactMap { algorithm in
      var member = member
      member["alg"] = algorithm
      guard let bytes = try? JSONSerialization.data(withJSONObject: member) else { return nil }
      return try? JSONDecoder().decode(JWK.self, from: bytes)
    }
  }

  private static func algorithms(of member: [String: Any]) -> [String] {
    switch (member["kty"] as? String, member["crv"] as? String) {
    case ("RSA", _): ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
    case ("EC", "P-256"): ["ES256"]
    case ("EC", "P-384"): ["ES384"]
    case ("EC", "P-521"): ["ES512"]
    case ("OKP", "Ed25519"): ["EdDSA"]
    default: []
    }
  }

  /// What checks tokens with them. Keys of the same name are all there: the first under its own, the others beside it.
  func collection() async -> JWTKeyCollection {
    let collection = JWTKeyCollection()
    var taken: Set<String> = []
    for (number, entry) in keys.enumerated() {
      let name = taken.insert(entry.name).inserted ? entry.name : "\(entry.name) \(number)"
      let kid = JWKIdentifier(string: name)
      switch entry.key {
      case .rsa(let key): await collection.add(rsa: key, digestAlgorithm: .sha256, kid: kid)
      case .p256(let key): await collection.add(ecdsa: key, kid: kid)
      case .p384(let key): await collection.add(ecdsa: key, kid: kid)
      case .member(var key):
        key.keyIdentifier = kid
        // One whose numbers make no key checks nothing.
        _ = try? await collection.add(jwk: key)
      }
    }
    return collection
  }
}
