import Foundation

/// The release binary, run as a user runs it.
package enum WeirProcess {
  package static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// `WEIR_BINARY`, as `scripts/test` sets it, or the release build of this checkout.
  package static var binary: URL {
    ProcessInfo.processInfo.environment["WEIR_BINARY"].map { URL(fileURLWithPath: $0) }
      ?? root.appendingPathComponent(".build/release/weir")
  }

  package struct Result {
    package let status: Int32
    package let output: String
    package let errors: String
    package var lines: [String] { output.split(separator: "\n").map(String.init) }
  }

  /// Runs `weir` with `arguments` to its end.
  package static func run(_ arguments: [String], environment: [String: String] = [:], in folder: URL? = nil) throws
    -> Result
  {
    let running = try start(arguments, environment: environment, in: folder)
    return running.wait()
  }

  /// Runs `weir` to its end, and says how much memory it had at most, in kilobytes.
  package static func runMeasured(_ arguments: [String]) throws -> (Result, peakKilobytes: Int) {
    let running = try start(arguments)
    let status = "/proc/\(running.process.processIdentifier)/status"
    var peak = 0
    while running.process.isRunning {
      let text = (try? String(contentsOfFile: status, encoding: .utf8)) ?? ""
      let line = text.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
      peak = max(peak, Int(line.filter(\.isNumber)) ?? 0)
      sched_yield()
    }
    return (running.wait(), peak)
  }

  /// Runs a bash command that finds the binary as `$WEIR` and `arguments` as `$1`, `$2` and so on.
  package static func runInShell(_ command: String, _ arguments: [String]) throws -> Result {
    try start(
      ["-c", command, "bash"] + arguments, environment: ["WEIR": binary.path],
      executable: URL(fileURLWithPath: "/bin/bash")
    ).wait()
  }

  /// Runs `weir` as a user whom permissions hold back: for root that is `nobody`, with a copy of the binary, since the checkout
  /// may lie where only root may go.
  package static func runUnprivileged(_ arguments: [String], in folder: TestFolder) throws -> Result {
    if geteuid() != 0 { return try run(arguments) }
    let copy = folder.url.appendingPathComponent("weir")
    try FileManager.default.copyItem(at: binary, to: copy)
    return try runInShell(
      "exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"", [copy.path] + arguments)
  }

  /// A process that is still going.
  package final class Running {
    package let process = Process()
    fileprivate let outputFile: URL
    fileprivate let errorFile: URL

    fileprivate init() {
      let folder = FileManager.default.temporaryDirectory
      outputFile = folder.appendingPathComponent("weir-\(UUID().uuidString).out")
      errorFile = folder.appendingPathComponent("weir-\(UUID().uuidString).err")
    }

    package func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    package var errorsSoFar: String { Running.text(of: errorFile) }
    package var outputSoFar: String { Running.text(of: outputFile) }

    /// What a file holds; bytes that are no UTF-8 are replaced.
    private static func text(of file: URL) -> String {
      (try? Data(contentsOf: file)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    package func wait() -> Result {
      process.waitUntilExit()
      let status = process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
      let result = Result(status: status, output: outputSoFar, errors: errorsSoFar)
      for file in [outputFile, errorFile] { try? FileManager.default.removeItem(at: file) }
      return result
    }
  }

  package static func start(
    _ arguments: [String], environment: [String: String] = [:], in folder: URL? = nil, executable: URL? = nil
  ) throws -> Running {
    let running = Running()
    running.process.executableURL = executable ?? binary
    running.process.arguments = arguments
    running.process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
    if let folder { running.process.currentDirectoryURL = folder }
    for file in [running.outputFile, running.errorFile] {
      _ = FileManager.default.createFile(atPath: file.path, contents: nil)
    }
    running.process.standardInput = FileHandle.nullDevice
    running.process.standardOutput = try FileHandle(forWritingTo: running.outputFile)
    running.process.standardError = try FileHandle(forWritingTo: running.errorFile)
    try running.process.run()
    return running
  }
}
