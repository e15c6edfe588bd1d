import ArgumentParser
import Foundation

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// Which runner, and as whom.
struct RunnerOptions: ParsableArguments {
  @Option(help: "The runner's address. Default: WEIR_RUNNER, or http://127.0.0.1:8080.")
  var runner: String?

  @Option(help: "A file that holds a bearer token. Default: the token in WEIR_TOKEN, if there is one.")
  var tokenFile: String?

  @Flag(help: "The runner's answer as JSON.")
  var json = false

  func client() throws -> RunnerClient {
    let address = runner ?? Environment.all["WEIR_RUNNER"] ?? "http://127.0.0.1:8080"
    guard let url = URL(string: address), url.scheme?.hasPrefix("http") == true, url.host != nil else {
      throw CommandFailure.wrong("weir: --runner: `\(address)` is no http address")
    }
    var token = Environment.all["WEIR_TOKEN"]
    if let tokenFile {
      guard let text = try? String(contentsOfFile: tokenFile, encoding: .utf8) else {
        throw CommandFailure.wrong("weir: --token-file: \(tokenFile) cannot be read")
      }
      token = text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
    return RunnerClient(base: address.hasSuffix("/") ? String(address.dropLast()) : address, token: token)
  }
}

/// Speaks to a runner.
struct RunnerClient {
  let base: String
  let token: String?
  /// A savepoint of much state takes long.
  static let timeoutSeconds: TimeInterval = 3600

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
    guard var parts = URLComponents(string: base + path) else {
      throw CommandFailure.wrong("weir: \(base + path): is no address")
    }
    if !query.isEmpty {
      parts.percentEncodedQuery = query.map { "\($0.0)=\(RunnerClient.escaped($0.1))" }.joined(separator: "&")
    }
    guard let url = parts.url else { throw CommandFailure.wrong("weir: \(base + path): is no address") }
    var request = URLRequest(url: url, timeoutInterval: RunnerClient.timeoutSeconds)
    request.httpMethod = method
    request.httpBody = body.map { Data($0.utf8) }
    if let type { request.setValue(type, forHTTPHeaderField: "Content-Type") }
    if let token { request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization") }
    let (bytes, response): (Data, URLResponse)
    do {
      (bytes, response) = try await URLSession.shared.data(for: request)
    } catch {
      throw CommandFailure.failed("weir: the runner at \(base) does not answer: \(error.localizedDescription)")
    }
    let answer = Answer(bytes: bytes)
    guard let status = (response as? HTTPURLResponse)?.statusCode, status < 400 else { throw failure(answer) }
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
