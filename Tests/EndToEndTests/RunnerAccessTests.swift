import EndToEndSupport
import Foundation
import Testing

/// Who is let in to a runner, with what other programs make: keys and certificates of OpenSSL's, requests of curl's.
@Suite(.serialized) struct RunnerAccessTests {
  /// Runs a bash command in `folder`; its output.
  private func shell(_ folder: TestFolder, _ command: String) throws -> String {
    let result = try WeirProcess.start(
      ["-euo", "pipefail", "-c", command], in: folder.url, executable: URL(fileURLWithPath: "/bin/bash")
    ).wait()
    try #require(result.status == 0, "\(result.errors)")
    return result.output.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private func token(_ folder: TestFolder, _ arguments: String, key: String = "key.pem") throws -> String {
    try shell(folder, "'\(WeirProcess.root.path)/scripts/token' --key \(key) \(arguments)")
  }

  private func bearer(_ token: String) -> [String] { ["--header", "Authorization: Bearer \(token)"] }

  @Test func tokensOfTheScript_letTheirRolesIn() throws {
    let folder = try TestFolder()
    let staff = try token(folder, "--role operator --subject anna")
    let portal = try token(folder, "--role portal --account acc-000001")
    let expired = try token(folder, "--role operator --hours 0")
    let runner = try RunnerProcess.start(folder, ["--token-keys", folder.path + "/key.pem.public"], token: staff)
    #expect(try runner.weir(["list", "--json"]).status == 0)
    #expect(try runner.curl("/v1/topologies").status == 401)
    #expect(try runner.curl("/v1/topologies", bearer(portal)).status == 403)
    // Clocks may differ by half a minute.
    #expect([200, 401].contains(try runner.curl("/v1/topologies", bearer(expired)).status))
    #expect(runner.end(SIGTERM).status == 0)
    let log = folder.path + "/runner/audit.log"
    #expect(try WeirProcess.run(["audit", "verify", log]).status == 0)
    #expect(try String(contentsOfFile: log, encoding: .utf8).contains(#""who":"anna""#))
  }

  @Test func whereTheAuditLogIsFull_nothingIsAnsweredOrDone_andItGoesOnWholeWhenThereIsRoom() throws {
    let folder = try TestFolder()
    let log = folder.path + "/runner/audit.log"
    let full = try RunnerProcess.start(folder, maxFileKilobytes: 8)
    var count = 0
    while try full.curl("/v1/topologies").status == 200 { count += 1 }
    #expect(count > 10)
    let topology = try folder.write("t.yaml", "weir: 1\ntopology: t\nsources: {}\n")
    let submission = ["--data-binary", "@" + topology, "--header", "Content-Type: text/plain"]
    #expect(try full.curl("/v1/topologies", submission).status == 503)
    #expect(try full.curl("/v1/topologies").status == 503)
    #expect(try full.curl("/healthz").status == 200)
    // Nothing of a line stands at its end.
    let verified = try WeirProcess.run(["audit", "verify", log])
    #expect(verified.status == 0 && verified.errors.contains(": \(count) entries"), "\(verified.errors)")
    #expect(full.end(SIGTERM).status == 0)

    let roomy = try RunnerProcess.start(folder)
    #expect(try roomy.curl("/v1/topologies").status == 200)
    #expect(roomy.end(SIGTERM).status == 0)
    #expect(try WeirProcess.run(["audit", "verify", log]).errors.contains(": \(count + 1) entries"))
  }

  @Test func overTLS_onlyClientsWithACertificateOfTheAuthorityAreSpokenTo() throws {
    let folder = try TestFolder()
    _ = try shell(
      folder,
      """
      for who in good other; do
        openssl req -x509 -newkey rsa:2048 -nodes -keyout $who-ca.key -out $who-ca.pem -subj "/CN=$who" -days 2 2> /dev/null
        openssl req -newkey rsa:2048 -nodes -keyout $who.key -out $who.csr -subj "/CN=localhost" 2> /dev/null
        printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\\n' > $who.ext
        openssl x509 -req -in $who.csr -CA $who-ca.pem -CAkey $who-ca.key -CAcreateserial -out $who.pem -days 2 \
          -extfile $who.ext 2> /dev/null
      done
      """)
    let staff = try token(folder, "--role operator")
    let (path, keys) = (folder.path, ["--token-keys", folder.path + "/key.pem.public"])
    let tls = ["--tls-certificate", path + "/good.pem", "--tls-key", path + "/good.key"]
    func trusting(_ authority: String) -> [String] { ["--cacert", "\(path)/\(authority)-ca.pem"] }
    func showing(_ who: String) -> [String] { ["--cert", "\(path)/\(who).pem", "--key", "\(path)/\(who).key"] }

    let open = try RunnerProcess.start(folder, keys + tls)
    #expect(open.address.hasPrefix("https://"))
    #expect(try open.curl("/healthz", trusting("good")).status == 200)
    #expect(try open.curl("/healthz", trusting("other")).status == 0)
    let old = trusting("good") + ["--tls-max", "1.1", "--ciphers", "DEFAULT:@SECLEVEL=0"]
    #expect(try open.curl("/healthz", old).status == 0)
    let listed = try WeirProcess.run(
      ["list", "--once", "--tls-ca", path + "/good-ca.pem", "--runner", open.address],
      environment: ["WEIR_TOKEN": staff])
    #expect(listed.status == 0, "\(listed.errors)")
    let doubted = try WeirProcess.run(
      ["list", "--once", "--tls-ca", path + "/other-ca.pem", "--runner", open.address],
      environment: ["WEIR_TOKEN": staff])
    #expect(doubted.status == 1)
    #expect(try open.curl("/v1/topologies", trusting("good") + bearer(staff)).status == 200)
    #expect(open.end(SIGTERM).status == 0)

    let closed = try RunnerProcess.start(folder, keys + tls + ["--tls-client-ca", path + "/good-ca.pem"])
    #expect(try closed.curl("/healthz", trusting("good")).status == 0)
    #expect(try closed.curl("/healthz", trusting("good") + showing("other")).status == 0)
    #expect(try closed.curl("/healthz", trusting("good") + showing("good")).status == 200)
    #expect(try closed.curl("/v1/topologies", trusting("good") + showing("good")).status == 401)
    #expect(try closed.curl("/v1/topologies", trusting("good") + showing("good") + bearer(staff)).status == 200)
    for (who, status) in [("good", Int32(0)), ("other", 1)] {
      let listed = try WeirProcess.run(
        [
          "list", "--once", "--runner", closed.address, "--tls-ca", path + "/good-ca.pem",
          "--tls-certificate", "\(path)/\(who).pem", "--tls-key", "\(path)/\(who).key",
        ], environment: ["WEIR_TOKEN": staff])
      #expect(listed.status == status, "\(who): \(listed.errors)")
    }
    #expect(closed.end(SIGTERM).status == 0)
  }

  @Test func keysThatAreServed_areFetched() throws {
    let folder = try TestFolder()
    let staff = try token(folder, "--role operator")
    let strange = try token(folder, "--role operator", key: "strange.pem")
    _ = try shell(
      folder,
      """
      mkdir served
      modulus=$(openssl rsa -pubin -in key.pem.public -noout -modulus 2> /dev/null | cut -d= -f2 \
        | python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))' \
        | openssl base64 -A | tr '+/' '-_' | tr -d '=')
      printf '{"keys":[{"kty":"RSA","use":"enc","alg":"RSA-OAEP","n":"AQAB","e":"AQAB"},
        {"kty":"RSA","kid":"one","n":"%s","e":"AQAB"}]}' "$modulus" > served/keys.json
      """)
    // The set leaves the algorithm open: no token decides it, whoever made that.
    func part(_ text: String) -> String {
      Data(text.utf8).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
    let forged = part(#"{"alg":"PS512","kid":"one"}"#) + "." + part(#"{"sub":"x","role":"operator"}"#) + ".AAAA"
    let server = try WeirProcess.start(
      ["-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", folder.path + "/served", "0"],
      executable: URL(fileURLWithPath: "/usr/bin/python3"))
    defer {
      kill(server.process.processIdentifier, SIGKILL)
      _ = server.wait()
    }
    while !server.outputSoFar.contains("(http://") {
      try #require(server.process.isRunning, "\(server.errorsSoFar)")
      sched_yield()
    }
    let place = try #require(server.outputSoFar.firstMatch(of: /\((http:[^)]*)\)/)?.1)
    let runner = try RunnerProcess.start(folder, ["--token-keys-url", "\(place)keys.json"])
    #expect(try runner.curl("/v1/topologies", bearer(forged)).status == 401)
    #expect(try runner.curl("/v1/topologies", bearer(staff)).status == 200)
    for _ in 0..<5 { #expect(try runner.curl("/v1/topologies", bearer(strange)).status == 401) }
    #expect(try runner.curl("/v1/topologies", bearer(staff)).status == 200)
    // Tokens that nobody's key has signed do not make it ask again and again.
    #expect(server.errorsSoFar.matches(of: /GET \/keys.json/).count <= 2)
    #expect(runner.end(SIGTERM).status == 0)
  }
}
