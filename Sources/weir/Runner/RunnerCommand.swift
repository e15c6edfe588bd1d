import ArgumentParser
import Glibc
import Logging
import Service

/// `weir runner`.
struct RunnerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "runner", abstract: "Run many topologies as a service with an HTTP interface.",
    discussion: """
      What is submitted is kept in the directory: after a crash all of it runs again from its checkpoints. SIGTERM ends it \
      with a last checkpoint of every topology and exit status 0.
      """)

  @Option(help: "Where the runner keeps what it must know; made where it is not there.")
  var directory: String

  @Option(help: "The address to listen on.")
  var host = "127.0.0.1"

  @Option(help: "The port to listen on; 0 for any that is free.")
  var port = 8080

  @Flag(help: "Let everybody do everything, without tokens. On a loopback address only.")
  var insecureNoAuth = false

  func run() async throws {
    guard insecureNoAuth else {
      throw CommandFailure.wrong("weir: nobody could use it: give --insecure-no-auth on a loopback address")
    }
    guard RunnerCommand.isLoopback(host) else {
      throw CommandFailure.wrong("weir: --insecure-no-auth is for loopback addresses only, not \(host)")
    }
    signal(SIGPIPE, SIG_IGN)
    let logger = Logger(label: "weir") { label in StreamLogHandler.standardError(label: label) }
    do {
      let service = try RunnerService(
        .init(
          directory: try SavepointCommand.absolute(directory), host: host, port: port, environment: Environment.all),
        logger: logger)
      let host = host
      try await service.run { port in StandardError.write("weir: runner at http://\(host):\(port)\n") }
    } catch let failure as CommandFailure {
      throw failure
    } catch {
      throw CommandFailure.failed("weir: runner: \(error)")
    }
    Glibc.exit(0)
  }

  static func isLoopback(_ host: String) -> Bool {
    host == "localhost" || host == "::1" || (host.hasPrefix("127.") && host.allSatisfy { $0.isNumber || $0 == "." })
  }
}
