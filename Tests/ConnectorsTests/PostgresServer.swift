import Foundation
import PostgresClient

/// A PostgreSQL server of a test's own: in a folder that goes with it, on a socket in that folder and nowhere else, run by a user
/// without privileges.
final class PostgresServer {
  struct Failure: Error { let reason: String }

  private let folder: String
  private var process: Process?

  /// Debian's `postgresql`, which `scripts/setup` installs.
  private static func program(_ name: String) throws -> String {
    let base = "/usr/lib/postgresql"
    let versions = ((try? FileManager.default.contentsOfDirectory(atPath: base)) ?? []).sorted()
    guard
      let version = versions.last(where: { FileManager.default.isExecutableFile(atPath: "\(base)/\($0)/bin/\(name)") })
    else { throw Failure(reason: "there is no \(base)/*/bin/\(name): run scripts/setup") }
    return "\(base)/\(version)/bin/\(name)"
  }

  init() throws {
    folder =
      FileManager.default.temporaryDirectory.appendingPathComponent("weir-pg-\(UUID().uuidString.prefix(8))").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    if geteuid() == 0, let user = getpwnam("postgres") {
      guard chown(folder, user.pointee.pw_uid, user.pointee.pw_gid) == 0 else {
        throw Failure(reason: "chown \(errno)")
      }
    }
    let setUp = try PostgresServer.run(
      try PostgresServer.program("initdb"),
      ["-D", "\(folder)/data", "-A", "trust", "-U", "weir", "-E", "UTF8", "--locale=C", "--no-sync"])
    setUp.waitUntilExit()
    guard setUp.terminationStatus == 0 else { throw Failure(reason: "initdb ends with \(setUp.terminationStatus)") }
    try start()
  }

  private static func run(_ program: String, _ arguments: [String]) throws -> Process {
    let process = Process()
    let privileges =
      geteuid() == 0 ? ["/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : []
    let command = privileges + [program] + arguments
    process.executableURL = URL(fileURLWithPath: command[0])
    process.arguments = Array(command.dropFirst())
    process.environment = ["PATH": "/usr/bin:/bin", "LC_ALL": "C"]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    return process
  }

  /// Starts the server and waits until it answers.
  func start() throws {
    let process = try PostgresServer.run(
      try PostgresServer.program("postgres"),
      ["-D", "\(folder)/data", "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"])
    self.process = process
    while process.isRunning {
      if (try? PostgresConnection(connection, timeoutMilliseconds: 10_000)) != nil { return }
      sched_yield()
    }
    throw Failure(reason: "postgres ends with \(process.terminationStatus)")
  }

  /// Ends the server with every connection to it.
  func stop() {
    guard let process else { return }
    kill(process.processIdentifier, SIGINT)
    process.waitUntilExit()
    self.process = nil
  }

  deinit {
    stop()
    try? FileManager.default.removeItem(atPath: folder)
  }

  var connection: String { "host=\(folder) user=weir dbname=postgres" }

  func execute(_ statement: String) throws {
    _ = try PostgresConnection(connection, timeoutMilliseconds: 10_000).query(statement, [])
  }
}
