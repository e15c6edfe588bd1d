import EndToEndSupport
import Foundation
import Testing

/// A runner in a process of its own, and what it is asked with.
struct RunnerProcess {
  let running: WeirProcess.Running
  let address: String
  let token: String?

  /// Starts one in `folder`, on a free port, and returns when it answers. `maxFileKilobytes`: how large its files may become.
  static func start(
    _ folder: TestFolder, _ arguments: [String] = ["--insecure-no-auth"], token: String? = nil,
    maxFileKilobytes: Int? = nil, environment: [String: String] = [:]
  ) throws -> RunnerProcess {
    let command = ["runner", "--directory", folder.path + "/runner", "--port", "0"] + arguments
    let running: WeirProcess.Running
    if let maxFileKilobytes {
      let limit = "trap '' XFSZ; ulimit -f \(maxFileKilobytes); exec \"$@\""
      running = try WeirProcess.start(
        ["-c", limit, "bash", WeirProcess.binary.path] + command, executable: URL(fileURLWithPath: "/bin/bash"))
    } else {
      running = try WeirProcess.start(command, environment: environment)
    }
    while true {
      if let line = running.errorsSoFar.split(separator: "\n").first(where: { $0.hasPrefix("weir: runner at ") }) {
        return RunnerProcess(
          running: running, address: String(line.dropFirst("weir: runner at ".count)), token: token)
      }
      try #require(running.process.isRunning, "\(running.errorsSoFar)")
      sched_yield()
    }
  }

  func weir(_ arguments: [String]) throws -> WeirProcess.Result {
    try WeirProcess.run(arguments, environment: ["WEIR_RUNNER": address, "WEIR_TOKEN": token ?? ""])
  }

  /// Waits until what `weir status` says of a topology is so.
  @discardableResult
  func wait(_ name: String, until isSo: ([String: Any]) -> Bool) throws -> [String: Any] {
    let deadline = Date().addingTimeInterval(120)
    while true {
      let result = try weir(["status", name, "--json"])
      try #require(result.status == 0, "\(result.errors)")
      let topology = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any] ?? [:]
      if isSo(topology) { return topology }
      try #require(Date() < deadline, "\(result.output.prefix(300))")
    }
  }

  /// Ends it by a signal; what it left.
  func end(_ signal: Int32) -> WeirProcess.Result {
    kill(running.process.processIdentifier, signal)
    return running.wait()
  }

  /// What `curl` gets of `path`: the status, 0 where there was no answer at all, and the body.
  func curl(_ path: String, _ arguments: [String] = []) throws -> (status: Int, body: String) {
    let result = try WeirProcess.start(
      ["--silent", "--max-time", "60", "--write-out", "\n%{http_code}"] + arguments + [address + path],
      executable: URL(fileURLWithPath: "/usr/bin/curl")
    ).wait()
    let end = result.output.lastIndex(of: "\n") ?? result.output.startIndex
    return (
      Int(result.output[end...].filter(\.isNumber)) ?? 0, String(result.output[..<end])
    )
  }
}
