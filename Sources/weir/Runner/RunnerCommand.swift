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

      Whoever asks gives a bearer token: a JWT with the claims sub, exp and role (operator, analyst or portal; of the portal \
      also account), signed with a key of --token-keys or --token-keys-url.
      """)

  @Option(help: "Where the runner keeps what it must know; made where it is not there.")
  var directory: String

  @Option(help: "The address to listen on.")
  var host = "127.0.0.1"

  @Option(help: "The port to listen on; 0 for any that is free.")
  var port = 8080

  @Option(help: "A file with public keys that tokens are signed with: PEM or JWKS. May be repeated.")
  var tokenKeys: [String] = []

  @Option(help: "Where a JWKS with such keys is fetched from.")
  var tokenKeysURL: String?

  @Option(help: "Tokens must be of this issuer.")
  var tokenIssuer: String?

  @Option(help: "Tokens must be for this audience.")
  var tokenAudience: String?

  @Option(help: "Requests a second that each token may make. Default: 200, without tokens no bound.")
  var rateLimit: Double?

  @Option(help: "A PEM file with the server's certificates: speaks TLS.")
  var tlsCertificate: String?

  @Option(help: "A PEM file with the certificate's private key.")
  var tlsKey: String?

  @Option(help: "A PEM file with authorities: only clients with a certificate of one of them are spoken to.")
  var tlsClientCA: String?

  @Flag(help: "Let everybody do everything, without tokens. On a loopback address only.")
  var insecureNoAuth = false

  func run() async throws {
    try check()
    signal(SIGPIPE, SIG_IGN)
    let logger = Logger(label: "weir") { label in StreamLogHandler.standardError(label: label) }
    do {
      let service = try RunnerService(try settings(), logger: logger)
      let address = "\(tlsCertificate == nil ? "http" : "https")://\(host)"
      try await service.run { port in StandardError.write("weir: runner at \(address):\(port)\n") }
    } catch let failure as CommandFailure {
      throw failure
    } catch {
      throw CommandFailure.failed("weir: runner: \(error)")
    }
    Glibc.exit(0)
  }

  private func check() throws {
    let hasKeys = !tokenKeys.isEmpty || tokenKeysURL != nil
    guard hasKeys != insecureNoAuth else {
      throw CommandFailure.wrong(
        hasKeys
          ? "weir: --insecure-no-auth asks for no tokens: leave it or the keys out"
          : "weir: nobody could use it: give --token-keys or --token-keys-url, or --insecure-no-auth on a loopback address"
      )
    }
    guard !insecureNoAuth || RunnerCommand.isLoopback(host) else {
      throw CommandFailure.wrong("weir: --insecure-no-auth is for loopback addresses only, not \(host)")
    }
    guard (tlsCertificate == nil) == (tlsKey == nil), tlsClientCA == nil || tlsCertificate != nil else {
      throw CommandFailure.wrong("weir: TLS needs --tls-certificate and --tls-key")
    }
    guard (0...65535).contains(port) else {
      throw CommandFailure.wrong("weir: --port: \(port) is no port — use 1 to 65535, or 0 for any that is free")
    }
    guard rateLimit.map({ $0 > 0 }) ?? true else { throw CommandFailure.wrong("weir: --rate-limit: is not above 0") }
  }

  private func settings() throws -> RunnerService.Settings {
    var settings = RunnerService.Settings(
      directory: try SavepointCommand.absolute(directory), host: host, port: port, environment: Environment.all)
    if !insecureNoAuth {
      var tokens = TokenVerifier.Settings()
      tokens.keyFiles = tokenKeys
      tokens.keysURL = tokenKeysURL
      tokens.issuer = tokenIssuer
      tokens.audience = tokenAudience
      settings.tokens = tokens
    }
    settings.requestsPerSecond = rateLimit ?? (insecureNoAuth ? nil : RunnerCommand.defaultRateLimit)
    if let tlsCertificate, let tlsKey {
      settings.tls = .init(certificate: tlsCertificate, key: tlsKey, clientAuthorities: tlsClientCA)
    }
    return settings
  }

  static let defaultRateLimit = 200.0

  static func isLoopback(_ host: String) -> Bool {
    host == "localhost" || host == "::1" || (host.hasPrefix("127.") && host.allSatisfy { $0.isNumber || $0 == "." })
  }
}

/// `weir audit`.
struct AuditCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit", abstract: "What a runner wrote down of who did and read what.",
    subcommands: [AuditVerifyCommand.self])
}

/// `weir audit verify`.
struct AuditVerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check that nothing was changed, taken out of or put into an audit log; prints its last hash.",
    discussion: """
      A log that was cut at its end, or written anew as a whole, is whole by itself: keep the hash that is printed elsewhere, \
      and give it later with --holds.
      """)

  @Argument(help: "The file audit.log in a runner's directory.")
  var file: String

  @Option(help: "A hash that was printed before: exit status 1 where no entry has it.")
  var holds: String?

  func run() throws {
    do {
      let head = try AuditLog.verify(file: file, holding: holds)
      StandardError.write("\(file): \(head.count) entries, as they were written\n")
      print(head.hash)
    } catch {
      throw CommandFailure.failed("weir: \(error)")
    }
  }
}
