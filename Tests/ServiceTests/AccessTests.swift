import Crypto
import EndToEndSupport
import Foundation
import JWTKit
import Testing

@testable import Service

extension ServiceTests {
  /// Who may do and see what.
  struct AccessTests {
    /// An address of the endpoint, of a topology that is there where `topology` is.
    private func target(_ endpoint: Endpoint, topology: String = "none") -> String {
      endpoint.path.replacing("{topology}", with: topology).replacing("{view}", with: "usage")
        .replacing("{key...}", with: "acc-000003/sms/0")
    }

    @Test func everyEndpoint_letsItsRolesInAndNobodyElse() async throws {
      try await TestRunner.withTokens { runner, tokens in
        let endpoints = runner.service.endpoints
        #expect(endpoints.count > 20)
        for endpoint in endpoints {
          let target = target(endpoint)
          let body = endpoint.method == "POST" ? "{}" : nil
          let anonymous = try runner.request(endpoint.method, target, body: body)
          #expect(
            (anonymous.status == 401) == !endpoint.roles.isEmpty, "\(endpoint.method) \(target): \(anonymous.status)")
          if anonymous.status == 401 { #expect(anonymous.headers["www-authenticate"] == "Bearer") }
          for role in Role.allCases where !endpoint.roles.isEmpty {
            let answer = try runner.request(
              endpoint.method, target, body: body, headers: TestRunner.bearer(tokens.of(role)))
            let isLetIn = ![401, 403].contains(answer.status)
            #expect(isLetIn == endpoint.roles.contains(role), "\(role) \(endpoint.method) \(target): \(answer.text)")
          }
        }
      }
    }

    @Test func aPortalToken_seesItsAccountsRowsAndNoOthers_onEveryWay() async throws {
      try await TestRunner.withTokens { runner, tokens in
        let staff = TestRunner.bearer(tokens.operator)
        let portal = TestRunner.bearer(tokens.portal)
        let submitted = try runner.request(
          "POST", "/v1/topologies", body: TestRunner.usage("live", rows: nil, rate: 3_000), headers: staff)
        #expect(submitted.status == 201)
        while (try runner.rows("live", "usage", limit: 100, headers: staff)).count < 60 { sched_yield() }
        let base = "/v1/topologies/live/views"
        for isolation in ["live", "committed"] {
          for view in ["usage", "latest"] {
            for prefix in ["", "&prefix=acc-000003", "&prefix=acc-000004", "&prefix=acc-00000"] {
              let rows = try runner.rows("live", view, "isolation=\(isolation)\(prefix)", limit: 3, headers: portal)
              #expect(rows.allSatisfy { $0["account_id"] as? String == "acc-000003" }, "\(view) \(prefix)")
              let isOwn = ["", "&prefix=acc-000003"].contains(prefix)
              #expect(rows.isEmpty == !isOwn, "\(view) \(prefix) \(rows.count)")
            }
          }
          let own = try runner.request("GET", "\(base)/latest/rows/acc-000003?isolation=\(isolation)", headers: portal)
          #expect(own.status == 200 && own.object["account_id"] as? String == "acc-000003")
          let others = try runner.request(
            "GET", "\(base)/latest/rows/acc-000004?isolation=\(isolation)", headers: portal)
          let nobodys = try runner.request(
            "GET", "\(base)/latest/rows/acc-999999?isolation=\(isolation)", headers: portal)
          #expect(others.status == 404 && others.text == nobodys.text, "not even whether it is there")
          // A cursor of somebody else's scan.
          let page = try runner.request("GET", "\(base)/latest/rows?limit=5&isolation=\(isolation)", headers: staff)
          let cursor = try #require(page.object["next"] as? String)
          for (view, headers) in [("latest", portal), ("usage", staff)] {
            let stolen = try runner.request(
              "GET", "\(base)/\(view)/rows?cursor=\(cursor)&isolation=\(isolation)", headers: headers)
            #expect(stolen.status == 400, "\(view)")
          }
          let client = try SocketClient(port: runner.port)
          client.sendHead("GET", "\(base)/latest/changes?isolation=\(isolation)", headers: portal)
          #expect(try client.head().status == 200)
          let events = try client.events(20).filter { $0["event"] == "upsert" }
          #expect(
            events.count > 10 && events.allSatisfy { $0["data"]?.contains(#""account_id":"acc-000003""#) == true })
        }
        // A view that does not say whose its rows are.
        for target in [
          "\(base)/services", "\(base)/services/rows", "\(base)/services/changes", "\(base)/services/rows/a/b/0",
        ] {
          #expect(try runner.request("GET", target, headers: portal).status == 403)
        }
        let shown = try runner.request("GET", base, headers: portal).object["views"] as? [[String: Any]] ?? []
        #expect(shown.map { $0["name"] as? String } == ["usage", "latest"])
        #expect(try runner.rows("live", "latest", headers: TestRunner.bearer(tokens.otherPortal)).count == 1)
      }
    }

    @Test func personalFields_areTokensToAnalysts() async throws {
      try await TestRunner.withTokens { runner, tokens in
        let staff = TestRunner.bearer(tokens.operator)
        _ = try runner.request("POST", "/v1/topologies", body: TestRunner.usage("usage"), headers: staff)
        while (try runner.request("GET", "/v1/topologies/usage", headers: staff).object["state"] as? String) != "done" {
          sched_yield()
        }
        let plain = try runner.rows("usage", "latest", headers: staff).map { "\($0["msisdn"] ?? "")" }
        let masked = try runner.rows("usage", "latest", headers: TestRunner.bearer(tokens.analyst)).map {
          "\($0["msisdn"] ?? "")"
        }
        #expect(plain.allSatisfy { $0.hasPrefix("+") })
        #expect(masked.allSatisfy { $0.count == 36 && $0.hasPrefix("tok_") })
        #expect(Set(zip(plain, masked).map { "\($0) \($1)" }).count == Set(plain).count, "one token a value")
        let own = try runner.rows("usage", "latest", headers: TestRunner.bearer(tokens.portal))
        #expect(own.count == 1 && "\(own[0]["msisdn"] ?? "")".hasPrefix("+"), "one's own number is no secret")
      }
    }

    @Test func tokensThatAreNotAsTheyMustBe_areRefused() async throws {
      let tokens = TestTokens()
      let folder = FileManager.default.temporaryDirectory.appendingPathComponent("weir-keys-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: folder) }
      let settings = try tokens.settings(in: folder)
      let good = try await tokens.token("operator")
      let publicKey = tokens.key.publicKey.pemRepresentation
      var bad: [(String, String)] = [
        ("of another key", try await tokens.token("operator", with: ES256PrivateKey())),
        ("expired", try await tokens.token("operator", expiresIn: -60)),
        ("without an end", try await tokens.token("operator", expiresIn: nil)),
        ("not valid yet", try await tokens.token("operator", notBefore: 300)),
        ("for another service", try await tokens.token("operator", audience: "bank")),
        ("of no role", try await tokens.token(nil)), ("of a role that is none", try await tokens.token("root")),
        (
          "with something that must be understood",
          tokens.signed(#""sub":"x","role":"operator""#, header: #"{"alg":"ES256","crit":["b64"],"b64":true}"#)
        ),
        ("of several roles", tokens.signed(#""sub":"x","role":["operator"]"#)),
        ("of a number", tokens.signed(#""role":"operator","sub":7"#)),
        ("of the portal without an account", try await tokens.token("portal")),
        ("of nobody", try await tokens.token("operator", subject: "")),
        ("alg none", tokens.rawToken(header: #"{"alg":"none"}"#) { _ in "" }),
        ("alg none, signed", tokens.rawToken(header: #"{"alg":"none","typ":"JWT"}"#) { _ in "AAAA" }),
        ("alg None", tokens.rawToken(header: #"{"alg":"None"}"#) { _ in "AAAA" }),
        (
          "HS256 with the public key",
          tokens.rawToken(header: #"{"alg":"HS256","typ":"JWT"}"#) { text in
            let key = SymmetricKey(data: Array(publicKey.utf8))
            return TestTokens.base64URL(Data(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key)))
          }
        ),
        (
          "ES256 with a signature of zeros",
          tokens.rawToken(header: #"{"alg":"ES256"}"#) { _ in
            TestTokens.base64URL(Data(count: 64))
          }
        ),
        ("no token", "x"), ("empty", ""), ("long", String(repeating: "a", count: 100_000)), ("dots", "..."),
      ]
      let parts = good.split(separator: ".")
      let swapped = TestTokens.base64URL(Data(#"{"sub":"x","role":"operator","aud":"weir","exp":99999999999}"#.utf8))
      bad.append(("with other claims", "\(parts[0]).\(swapped).\(parts[2])"))
      let cases = bad
      try await TestRunner.with {
        $0.tokens = settings
      } _: { runner in
        #expect(try runner.request("GET", "/v1/topologies", headers: TestRunner.bearer(good)).status == 200)
        let signed = tokens.signed(#""sub":"x","role":"operator""#)
        #expect(try runner.request("GET", "/v1/topologies", headers: TestRunner.bearer(signed)).status == 200)
        for (what, token) in cases {
          let answer = try runner.request("GET", "/v1/topologies", headers: TestRunner.bearer(token))
          // One that is too long for a header is refused before it is looked at.
          let refusals = what == "long" ? [400, 401, 431] : [401]
          #expect(refusals.contains(answer.status), "\(what): \(answer.status) \(answer.text)")
        }
        for header in ["Basic \(good)", good, "Bearer", "bearer  \(good)x"] {
          let answer = try runner.request("GET", "/v1/topologies", headers: ["Authorization": header])
          #expect(answer.status == 401, "\(header.prefix(20))")
        }
      }
    }

    /// The clocks' leeway is 30 s: this token holds for 20 more.
    @Test func aStreamOfEvents_endsWhenItsTokenDoes() async throws {
      let tokens = TestTokens()
      let folder = FileManager.default.temporaryDirectory.appendingPathComponent("weir-keys-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: folder) }
      let settings = try tokens.settings(in: folder)
      let staff = TestRunner.bearer(try await tokens.token("operator"))
      let portal = TestRunner.bearer(try await tokens.token("portal", account: "acc-000003", expiresIn: -10))
      try await TestRunner.with {
        $0.tokens = settings
      } _: { runner in
        let usage = TestRunner.usage("live", rows: nil, rate: 500)
        #expect(try runner.request("POST", "/v1/topologies", body: usage, headers: staff).status == 201)
        let client = try SocketClient(port: runner.port)
        client.sendHead("GET", "/v1/topologies/live/views/latest/changes?isolation=live", headers: portal)
        #expect(try client.head().status == 200)
        #expect(try client.events(1)[0]["event"] == "open")
        _ = try client.read(until: "\r\n0\r\n\r\n")
        let again = try runner.request("GET", "/v1/topologies/live/views", headers: portal)
        #expect(again.status == 401)
      }
    }

    @Test func aTokenThatAsksTooOften_isToldWhenToComeBack_andHoldsUpNoOther() async throws {
      try await TestRunner.withTokens {
        $0.requestsPerSecond = 5
      } _: { runner, tokens in
        var statuses: [Int] = []
        for _ in 0..<30 {
          statuses.append(
            try runner.request("GET", "/v1/topologies", headers: TestRunner.bearer(tokens.analyst)).status)
        }
        #expect(statuses.prefix(10).allSatisfy { $0 == 200 } && statuses.contains(429))
        let refused = try runner.request("GET", "/v1/topologies", headers: TestRunner.bearer(tokens.analyst))
        if refused.status == 429 { #expect(Int(refused.headers["retry-after"] ?? "") ?? 0 > 0) }
        #expect(try runner.request("GET", "/v1/topologies", headers: TestRunner.bearer(tokens.operator)).status == 200)
      }
    }

    @Test func rateLimits_fillSteadily() throws {
      let limits = RateLimits(perSecond: 2)
      for _ in 0..<4 { try limits.take("a", now: 0) }
      #expect(throws: Problem.self) { try limits.take("a", now: 0) }
      try limits.take("b", now: 0)
      try limits.take("a", now: 500_000_000)
      #expect(throws: Problem.self) { try limits.take("a", now: 500_000_000) }
    }
  }
}
