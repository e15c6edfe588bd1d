import Foundation
import Testing

/// The release binary, run as a user runs it.
enum WeirProcess {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// `WEIR_BINARY`, as `scripts/test` sets it, or the release build of this checkout.
  static var binary: URL {
    ProcessInfo.processInfo.environment["WEIR_BINARY"].map { URL(fileURLWithPath: $0) }
      ?? root.appendingPathComponent(".build/release/weir")
  }

  struct Result {
    let status: Int32
    let output: String
    let errors: String
    var lines: [String] { output.split(separator: "\n").map(String.init) }
  }

  /// Runs `weir` with `arguments` to its end.
  static func run(_ arguments: [String], environment: [String: String] = [:], in folder: URL? = nil) throws -> Result {
    let running = try start(arguments, environment: environment, in: folder)
    return running.wait()
  }

  /// Runs `weir` to its end, and says how much memory it had at most, in kilobytes.
  static func runMeasured(_ arguments: [String]) throws -> (Result, peakKilobytes: Int) {
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
  static func runInShell(_ command: String, _ arguments: [String]) throws -> Result {
    try start(
      ["-c", command, "bash"] + arguments, environment: ["WEIR": binary.path],
      executable: URL(fileURLWithPath: "/bin/bash")
    ).wait()
  }

  /// Runs `weir` as a user whom permissions hold back: for root that is `nobody`, with a copy of the binary, since the checkout
  /// may lie where only root may go.
  static func runUnprivileged(_ arguments: [String], in folder: TestFolder) throws -> Result {
    if geteuid() != 0 { return try run(arguments) }
    let copy = folder.url.appendingPathComponent("weir")
    try FileManager.default.copyItem(at: binary, to: copy)
    return try runInShell(
      "exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"", [copy.path] + arguments)
  }

  /// A process that is still going.
  final class Running {
    let process = Process()
    let outputFile: URL
    let errorFile: URL

    init() {
      let folder = FileManager.default.temporaryDirectory
      outputFile = folder.appendingPathComponent("weir-\(UUID().uuidString).out")
      errorFile = folder.appendingPathComponent("weir-\(UUID().uuidString).err")
    }

    var errorsSoFar: String { (try? String(decoding: Data(contentsOf: errorFile), as: UTF8.self)) ?? "" }
    var outputSoFar: String { (try? String(contentsOf: outputFile, encoding: .utf8)) ?? "" }

    func wait() -> Result {
      process.waitUntilExit()
      let status = process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
      let output = outputSoFar
      let errors = (try? String(decoding: Data(contentsOf: errorFile), as: UTF8.self)) ?? ""
      try? FileManager.default.removeItem(at: outputFile)
      try? FileManager.default.removeItem(at: errorFile)
      return Result(status: status, output: output, errors: errors)
    }
  }

  static func start(
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

/// A folder of a test's own, removed with it.
final class TestFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("weir-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  var path: String { url.path }

  @discardableResult
  func write(_ name: String, _ text: String) throws -> String { try write(name, Data(text.utf8)) }

  @discardableResult
  func write(_ name: String, _ data: Data) throws -> String {
    let file = url.appendingPathComponent(name)
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try data.write(to: file)
    return file.path
  }

  /// Paths below the folder, sorted.
  var contents: [String] {
    let all = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
    return all.sorted()
  }

  /// What the files of one folder hold, by name.
  func filesWithContents(in folder: String) throws -> [String: Data] {
    let base = url.appendingPathComponent(folder)
    return try Dictionary(
      uniqueKeysWithValues: FileManager.default.contentsOfDirectory(atPath: base.path).map { name in
        (name, try Data(contentsOf: base.appendingPathComponent(name)))
      })
  }

  /// Paths below the folder but for the job's checkpoints, sorted.
  var withoutCheckpoints: [String] { contents.filter { !$0.hasPrefix("checkpoints") } }

  /// All lines of the visible files in a sink's folder, sorted.
  func rows(in folder: String) -> [String] {
    let base = url.appendingPathComponent(folder)
    let files = FileManager.default.enumerator(atPath: base.path)?.compactMap { $0 as? String } ?? []
    return files.filter { $0.hasSuffix(".json") && !$0.hasPrefix(".") }.flatMap { file -> [String] in
      let text = (try? String(contentsOf: base.appendingPathComponent(file), encoding: .utf8)) ?? ""
      return text.components(separatedBy: "\n").filter { !$0.isEmpty }
    }.sorted()
  }
}
