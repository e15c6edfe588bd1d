import ArgumentParser
import Foundation
import Service

/// Which runner, and as whom.
struct RunnerOptions: ParsableArguments {
  @Option(help: "The runner's address. Default: WEIR_RUNNER, or http://127.0.0.1:8080.")
  var runner: String?

  @Option(help: "A file that holds a bearer token. Default: the token in WEIR_TOKEN, if there is one.")
  var tokenFile: String?

  @Option(help: "A PEM file with the authorities that the runner's certificate may be of. Default: the system's.")
  var tlsCA: String?

  @Option(help: "A PEM file with a certificate to show to a runner that speaks to no others.")
  var tlsCertificate: String?

  @Option(help: "A PEM file with that certificate's private key.")
  var tlsKey: String?

  @Flag(help: "The runner's answer as JSON.")
  var json = false

  func client() throws -> RunnerClient {
    let base = runner ?? Environment.all["WEIR_RUNNER"] ?? "http://127.0.0.1:8080"
    guard let url = URLComponents(string: base), let host = url.host, ["http", "https"].contains(url.scheme) else {
      throw CommandFailure.wrong("weir: --runner: `\(base)` is no http address")
    }
    guard (tlsCertificate == nil) == (tlsKey == nil) else {
      throw CommandFailure.wrong("weir: a certificate to show needs --tls-certificate and --tls-key")
    }
    let isTLS = url.scheme == "https"
    let address = RunnerConnection.Address(
      host: host.trimmingCharacters(in: CharacterSet(charactersIn: "[]")), port: url.port ?? (isTLS ? 443 : 80),
      isTLS: isTLS)
    var files = RunnerConnection.TLSFiles()
    files.authorities = tlsCA
    files.certificate = tlsCertificate
    files.key = tlsKey
    let connection: RunnerConnection
    do { connection = try RunnerConnection(address, tls: files) } catch {
      throw CommandFailure.wrong("weir: --tls-ca, --tls-certificate, --tls-key: \(error)")
    }
    var token = Environment.all["WEIR_TOKEN"]
    if let tokenFile {
      guard let text = try? String(contentsOfFile: tokenFile, encoding: .utf8) else {
        throw CommandFailure.wrong("weir: --token-file: \(tokenFile) cannot be read")
      }
      token = text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
    return RunnerClient(
      connection: connection, base: base, path: url.path.hasSuffix("/") ? String(url.path.dropLast()) : url.path,
      token: token)
  }
}

/// Speaks to a runner.
struct RunnerClient {
  let connection: RunnerConnection
  /// The runner's address as it was given.
  let base: String
  /// What stands before all paths.
  let path: String
  let token: String?

  struct Answer {
    let bytes: Data
    var text: String { String(decoding: bytes, as: UTF8.self) }
    /// The object in it.
    var object: [String: Any] { (try? JSONSerialization.jsonObject(with: bytes)) as? [String: Any] ?? [:] }
  }

  /// What the runner answers; a problem ends the command, a faulty topology with every fault on a line of its own.
  func send(
    _ method: String, _ path: String, query: [(String, String)] = [], body: String? = nil, type: String? = nil
  ) async throws -> Answer {
    var target = self.path + path
    if !query.isEmpty {
      target += "?" + query.map { "\($0.0)=\(RunnerClient.escaped($0.1))" }.joined(separator: "&")
    }
    var headers: [(String, String)] = []
    if let type { headers.append(("Content-Type", type)) }
    if let token { headers.append(("Authorization", "Bearer \(token)")) }
    let status: Int
    let bytes: [UInt8]
    do {
      (status, bytes) = try await connection.send(method, target, headers: headers, body: Array((body ?? "").utf8))
    } catch {
      throw CommandFailure.failed("weir: the runner at \(base) does not answer: \(error)")
    }
    let answer = Answer(bytes: Data(bytes))
    guard status < 400 else { throw failure(answer) }
    return answer
  }

  private func failure(_ answer: Answer) -> CommandFailure {
    let problem = answer.object
    let detail = problem["detail"] as? String ?? answer.text
    let kind = problem["type"] as? String ?? ""
    let faults = (problem["faults"] as? [[String: Any]] ?? []).map { fault in
      let line = fault["line"] as? Int ?? 0
      let place = "\(fault["file"] ?? "")" + (line > 0 ? ":\(line):\(fault["column"] ?? 0)" : "")
      let path = fault["path"] as? String ?? ""
      return "\(place): \(path.isEmpty ? "" : path + ": ")\(fault["message"] ?? "") — \(fault["mend"] ?? "")"
    }
    if !faults.isEmpty { return .wrong(faults.joined(separator: "\n")) }
    return ["/problems/bad-request", "/problems/unsupported-media-type"].contains(kind)
      ? .wrong("weir: \(detail)") : .failed("weir: \(detail)")
  }

  /// A part of an address.
  static func escaped(_ text: String) -> String {
    var allowed = CharacterSet.alphanumerics
    allowed.insert(charactersIn: "-._~")
    return text.addingPercentEncoding(withAllowedCharacters: allowed) ?? text
  }
}
