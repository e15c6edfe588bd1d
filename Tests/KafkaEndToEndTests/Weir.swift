import Foundation
import Testing

/// The release binary, run as a user runs it.
enum Weir {
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
  }

  /// A process that is still going.
  final class Running {
    let process = Process()
    private let outputFile: URL
    private let errorFile: URL

    init(_ arguments: [String], environment: [String: String]) throws {
      let folder = FileManager.default.temporaryDirectory
      outputFile = folder.appendingPathComponent("weir-\(UUID().uuidString).out")
      errorFile = folder.appendingPathComponent("weir-\(UUID().uuidString).err")
      process.executableURL = Weir.binary
      process.arguments = arguments
      process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
      for file in [outputFile, errorFile] { _ = FileManager.default.createFile(atPath: file.path, contents: nil) }
      process.standardInput = FileHandle.nullDevice
      process.standardOutput = try FileHandle(forWritingTo: outputFile)
      process.standardError = try FileHandle(forWritingTo: errorFile)
      try process.run()
    }

    func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    var errorsSoFar: String { Running.text(of: errorFile) }

    /// What a file holds; bytes that are no UTF-8 are replaced.
    private static func text(of file: URL) -> String {
      (try? Data(contentsOf: file)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    func wait() -> Result {
      process.waitUntilExit()
      let status = process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
      let result = Result(
        status: status, output: Running.text(of: outputFile), errors: errorsSoFar)
      for file in [outputFile, errorFile] { try? FileManager.default.removeItem(at: file) }
      return result
    }
  }

  static func start(_ arguments: [String], environment: [String: String] = [:]) throws -> Running {
    try Running(arguments, environment: environment)
  }

  static func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Result {
    try start(arguments, environment: environment).wait()
  }
}

/// A folder of a test's own, removed with it.
final class Folder {
  let url: URL
  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("weir-kafka-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }
  deinit { try? FileManager.default.removeItem(at: url) }

  @discardableResult
  func write(_ name: String, _ text: String) throws -> String {
    let file = url.appendingPathComponent(name)
    try text.write(to: file, atomically: true, encoding: .utf8)
    return file.path
  }

  /// Copies a tree, sockets and all.
  static func copy(_ source: String, to target: String) throws {
    let copy = Process()
    copy.executableURL = URL(fileURLWithPath: "/bin/cp")
    copy.arguments = ["-a", source, target]
    try copy.run()
    copy.waitUntilExit()
    try #require(copy.terminationStatus == 0, "\(source) cannot be copied")
  }

  /// All lines of the visible files in a sink's folder, sorted.
  func rows(in folder: String) -> [String] {
    let base = url.appendingPathComponent(folder)
    let files = FileManager.default.enumerator(atPath: base.path)?.compactMap { $0 as? String } ?? []
    return files.filter { $0.hasSuffix(".json") && !$0.hasPrefix(".") }.flatMap { file -> [String] in
      let text = (try? String(contentsOf: base.appendingPathComponent(file), encoding: .utf8)) ?? ""
      return text.split(separator: "\n").map(String.init)
    }.sorted()
  }
}
