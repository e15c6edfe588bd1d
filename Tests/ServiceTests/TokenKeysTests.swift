import Foundation
import JWTKit
import Synchronization
import TestSupport
import Testing

@testable import Service

extension ServiceTests {
  /// Keys that tokens are checked with.
  struct TokenKeysTests {
    private static func member(_ key: ES256PrivateKey, _ more: [String: Any] = [:]) -> [String: Any] {
      let point = key.publicKey.parameters
      return ["kty": "EC", "crv": "P-256", "x": point?.x ?? "", "y": point?.y ?? ""].merging(more) { $1 }
    }

    private static func text(_ members: [[String: Any]]) throws -> String {
      String(decoding: try JSONSerialization.data(withJSONObject: ["keys": members]), as: UTF8.self)
    }

    private static func keys(_ members: [[String: Any]]) throws -> TokenKeys {
      try TokenKeys(set: Data(try text(members).utf8), of: "keys.json")
    }

    private static func admits(
      _ keys: TokenKeys, _ key: ES256PrivateKey, named name: String? = nil
    ) async throws -> Bool {
      struct Claims: JWTPayload {
        var sub = "x"
        func verify(using algorithm: some JWTAlgorithm) async throws {}
      }
      let signer = await JWTKeyCollection().add(ecdsa: key)
      var header = JWTHeader()
      header.kid = name
      let token = try await signer.sign(Claims(), header: header)
      return (try? await keys.collection().verify(token, as: Claims.self, iteratingKeys: true)) != nil
    }

    /// As sets of others are: https://www.rfc-editor.org/rfc/rfc7517#section-5
    @Test func membersOfASet_thatAreForSomethingElse_arePassedOver() async throws {
      let (good, other, encrypting) = (ES256PrivateKey(), ES256PrivateKey(), ES256PrivateKey())
      let keys = try TokenKeysTests.keys([
        ["kty": "oct", "k": "c2VjcmV0"], ["kty": "strange"],
        ["kty": "RSA", "alg": "RSA-OAEP", "use": "enc", "n": "AQAB", "e": "AQAB"], ["kty": "RSA", "e": "AQAB"],
        TokenKeysTests.member(encrypting, ["use": "enc"]), TokenKeysTests.member(other, ["alg": "ES384"]),
        TokenKeysTests.member(good, ["use": "sig", "kid": "one"]),
      ])
      #expect(try await TokenKeysTests.admits(keys, good, named: "one"))
      #expect(try await TokenKeysTests.admits(keys, good, named: "two"))
      #expect(try await TokenKeysTests.admits(keys, good))
      #expect(try await !TokenKeysTests.admits(keys, encrypting))
      #expect(try await !TokenKeysTests.admits(keys, other))
    }

    @Test func keysOfOneName_orOfNone_allCheck() async throws {
      let all = (0..<4).map { _ in ES256PrivateKey() }
      let keys = try TokenKeysTests.keys(
        [TokenKeysTests.member(all[0], ["kid": "a"]), TokenKeysTests.member(all[1], ["kid": "a"])]
          + all[2...].map { TokenKeysTests.member($0) })
      for key in all { #expect(try await TokenKeysTests.admits(keys, key)) }
      let folder = FileManager.default.temporaryDirectory.appendingPathComponent("weir-keys-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: folder) }
      var files = TokenKeys()
      for (number, key) in all.enumerated() {
        let file = folder.appendingPathComponent("\(number).pem").path
        try key.publicKey.pemRepresentation.write(toFile: file, atomically: true, encoding: .utf8)
        files.add(try TokenKeys(file: file))
      }
      for key in all { #expect(try await TokenKeysTests.admits(files, key)) }
    }

    @Test func aSetWithoutKeys_orWithAPrivateOne_isRefused() throws {
      let key = ES256PrivateKey()
      for members in [[], [["kty": "oct", "k": "AA"]], [TokenKeysTests.member(key, ["d": "AA"])]] as [[[String: Any]]] {
        #expect(throws: Problem.self) { try TokenKeysTests.keys(members) }
      }
      #expect(throws: Problem.self) { try TokenKeys(set: Data("no JSON".utf8), of: "keys.json") }
    }

    /// A verifier that fetches keys anew for each token.
    private func verifier(_ double: HTTPDouble) throws -> TokenVerifier {
      var settings = TokenVerifier.Settings()
      settings.keysURL = "http://127.0.0.1:\(double.port)/keys.json"
      settings.keysAgeMilliseconds = -1
      return try TokenVerifier(settings)
    }

    @Test func aKeyThatIsTakenOutWhereKeysComeFrom_opensNothingAnyMore() async throws {
      let (old, new) = (TestTokens(), TestTokens())
      let served = Mutex(try TokenKeysTests.text([TokenKeysTests.member(old.key)]))
      let double = HTTPDouble { _ in .reply(status: 200, served.withLock { $0 }) }
      defer { double.stop() }
      let verifier = try verifier(double)
      let (olds, news) = (try await old.token("operator"), try await new.token("operator"))
      #expect(try await verifier.identity("Bearer \(olds)").role == .operator)
      await #expect(throws: Problem.self) { try await verifier.identity("Bearer \(news)") }
      let text = try TokenKeysTests.text([TokenKeysTests.member(new.key)])
      served.withLock { $0 = text }
      #expect(try await verifier.identity("Bearer \(news)").role == .operator)
      let refused = await #expect(throws: Problem.self) { try await verifier.identity("Bearer \(olds)") }
      #expect(refused?.kind == .unauthorized)
    }

    @Test func whereKeysCannotBeFetched_theOldOnesHold_andWithoutAnyNobodyIsCalledAForger() async throws {
      let tokens = TestTokens()
      let token = try await tokens.token("operator")
      let isThere = Mutex(false)
      let text = try TokenKeysTests.text([TokenKeysTests.member(tokens.key)])
      let double = HTTPDouble { _ in
        isThere.withLock { $0 } ? .reply(status: 200, text) : .reply(status: 500, "")
      }
      defer { double.stop() }
      let verifier = try verifier(double)
      let first = await #expect(throws: Problem.self) { try await verifier.identity("Bearer \(token)") }
      #expect(first?.kind == .unavailable && first?.retryAfterSeconds == 1)
      isThere.withLock { $0 = true }
      while (try? await verifier.identity("Bearer \(token)")) == nil { sched_yield() }
      isThere.withLock { $0 = false }
      for _ in 0..<3 { #expect(try await verifier.identity("Bearer \(token)").role == .operator) }
    }
  }
}
