import Crypto
import Foundation
import JWTKit

@testable import Service

/// Signs tokens, and gives a runner what it needs to check them.
struct TestTokens {
  let key = ES256PrivateKey()

  private struct Claims: JWTPayload {
    var sub: String?
    var role: String?
    var account: String?
    var iss: String?
    var aud: String?
    var exp: Int?
    var nbf: Int?
    func verify(using algorithm: some JWTAlgorithm) async throws {}
  }

  /// The public key in a file of `folder`.
  func settings(in folder: URL) throws -> TokenVerifier.Settings {
    let file = folder.appendingPathComponent("key.pem")
    try key.publicKey.pemRepresentation.write(to: file, atomically: true, encoding: .utf8)
    var settings = TokenVerifier.Settings()
    settings.keyFiles = [file.path]
    settings.audience = "weir"
    return settings
  }

  func token(
    _ role: String?, account: String? = nil, subject: String? = nil, audience: String = "weir", expiresIn: Int? = 600,
    notBefore: Int? = nil, with other: ES256PrivateKey? = nil
  ) async throws -> String {
    let now = Int(Date().timeIntervalSince1970)
    let claims = Claims(
      sub: subject ?? "\(role ?? "nobody")-\(account ?? "")", role: role, account: account, iss: "test", aud: audience,
      exp: expiresIn.map { now + $0 }, nbf: notBefore.map { now + $0 })
    return try await JWTKeyCollection().add(ecdsa: other ?? key).sign(claims)
  }

  /// The same claims as an operator's token, with a header and a signature of the test's own.
  func rawToken(header: String, signature: (String) -> String) -> String {
    let exp = Int(Date().timeIntervalSince1970) + 600
    return rawToken(
      header: header, payload: #"{"sub":"x","role":"operator","aud":"weir","exp":\#(exp)}"#, signature: signature)
  }

  /// These claims, well signed, whatever they are.
  func signed(_ claims: String, header: String = #"{"alg":"ES256"}"#) -> String {
    let exp = Int(Date().timeIntervalSince1970) + 600
    return rawToken(header: header, payload: #"{"aud":"weir","exp":\#(exp),\#(claims)}"#) { text in
      let digest = SHA256.hash(data: Data(text.utf8))
      let signature = try? P256.Signing.PrivateKey(pemRepresentation: key.pemRepresentation).signature(for: digest)
      return TestTokens.base64URL(signature?.rawRepresentation ?? Data())
    }
  }

  private func rawToken(header: String, payload: String, signature: (String) -> String) -> String {
    let text = TestTokens.base64URL(Data(header.utf8)) + "." + TestTokens.base64URL(Data(payload.utf8))
    return text + "." + signature(text)
  }

  static func base64URL(_ data: Data) -> String {
    data.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
  }
}

extension TestRunner {
  /// A runner that asks for tokens; `body` gets a signed one by role and account.
  static func withTokens(
    folder: URL? = nil, _ adapt: @Sendable @escaping (inout RunnerService.Settings) -> Void = { _ in },
    _ body: @Sendable @escaping (TestRunner, Tokens) throws -> Void
  ) async throws {
    let tokens = TestTokens()
    let keys = FileManager.default.temporaryDirectory.appendingPathComponent("weir-keys-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: keys, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: keys) }
    let settings = try tokens.settings(in: keys)
    let ready = Tokens(
      operator: try await tokens.token("operator"), analyst: try await tokens.token("analyst"),
      portal: try await tokens.token("portal", account: "acc-000003"),
      otherPortal: try await tokens.token("portal", account: "acc-000004"))
    try await with(folder: folder) { runner in
      runner.tokens = settings
      adapt(&runner)
    } _: { runner in
      try body(runner, ready)
    }
  }

  struct Tokens: Sendable {
    let `operator`: String
    let analyst: String
    let portal: String
    let otherPortal: String

    func of(_ role: Role) -> String {
      switch role {
      case .operator: `operator`
      case .analyst: analyst
      case .portal: portal
      }
    }
  }

  static func bearer(_ token: String) -> [String: String] { ["Authorization": "Bearer \(token)"] }
}
