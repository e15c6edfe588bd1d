import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import ServiceLifecycle
import Synchronization

/// A whole runner: its topologies, and the HTTP server in front of them.
package final class RunnerService: Sendable {
  package struct Settings: Sendable {
    package var directory: String
    package var host: String
    package var port: Int
    /// For `${NAME}` in topologies.
    package var environment: [String: String]
    /// How tokens are checked; nil asks for none, and lets everybody do everything.
    package var tokens: TokenVerifier.Settings?
    /// Requests a second for each token; nil for no bound.
    package var requestsPerSecond: Double?
    package var tls: TLSFiles?

    package init(directory: String, host: String, port: Int, environment: [String: String]) {
      self.directory = directory
      self.host = host
      self.port = port
      self.environment = environment
    }
  }

  /// PEM files for TLS.
  package struct TLSFiles: Sendable {
    package let certificate: String
    package let key: String
    /// Only clients with a certificate of one of these authorities are spoken to; nil speaks to all.
    package let clientAuthorities: String?

    package init(certificate: String, key: String, clientAuthorities: String? = nil) {
      self.certificate = certificate
      self.key = key
      self.clientAuthorities = clientAuthorities
    }
  }

  /// Most clients at a time, where the system lets the process have so many open files; more wait in the system's queue.
  static let maxClients = 16_384

  private let settings: Settings
  private let logger: Logger
  private let runner: Runner
  private let bell = ChangeBell()
  private let api: API
  private let gate: Gate
  private let group = Mutex<ServiceGroup?>(nil)

  package init(_ settings: Settings, logger: Logger) throws {
    self.settings = settings
    self.logger = logger
    runner = try Runner(directory: settings.directory, environment: settings.environment, logger: logger)
    api = API(
      runner: runner, bell: bell, tokens: try PersonalTokens(file: settings.directory + "/mask.key"))
    gate = Gate(
      verifier: try settings.tokens.map { try TokenVerifier($0) },
      limits: settings.requestsPerSecond.map { RateLimits(perSecond: $0) },
      audit: try AuditLog(settings.directory + "/audit.log"))
  }

  /// Runs until SIGTERM or SIGINT: then every job takes its last checkpoint. `onRunning` is told the port.
  package func run(onRunning: @escaping @Sendable (Int) async -> Void) async throws {
    let responder = WebResponder(table: EndpointTable(api.endpoints), gate: gate)
    let server = Application(
      responder: responder, server: try server(),
      configuration: ApplicationConfiguration(
        address: .hostname(settings.host, port: settings.port), serverName: "weir", backlog: 1024,
        availableConnectionsDelegate: MaximumAvailableConnections(clientCount(), logger: logger)),
      onServerRunning: { channel in await onRunning(channel.localAddress?.port ?? 0) }, logger: logger)
    defer { api.shutDown() }
    // Ended in the reverse order, one after another: the server waits for its clients, whose streams the bell ends.
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: [runner, server, BellService(bell: bell)], gracefulShutdownSignals: [.sigterm, .sigint],
        logger: logger))
    self.group.withLock { $0 = group }
    try await group.run()
  }

  /// How many clients there may be at a time; says so where the system does not allow as many as it would serve.
  private func clientCount() -> Int {
    let limit = OpenFiles.raise()
    let count = OpenFiles.clients(ofLimit: limit, wanted: RunnerService.maxClients)
    if count < RunnerService.maxClients {
      logger.warning(
        "the system's limit of open files bounds the clients at a time: others wait to be let in — raise it (ulimit -n)",
        metadata: ["open_files": .stringConvertible(limit), "clients": .stringConvertible(count)])
    }
    return count
  }

  private func server() throws -> HTTPServerBuilder {
    guard let files = settings.tls else { return .http1() }
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: try NIOSSLCertificate.fromPEMFile(files.certificate).map { .certificate($0) },
      privateKey: .privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem)))
    // What came before is broken: RFC 8996.
    configuration.minimumTLSVersion = .tlsv12
    if let authorities = files.clientAuthorities {
      configuration.trustRoots = .file(authorities)
      configuration.certificateVerification = .noHostnameVerification
    }
    return try .tls(.http1(), tlsConfiguration: configuration)
  }

  /// What it can be asked.
  var endpoints: [Endpoint] { api.endpoints }

  /// Stops as a signal does.
  package func stop() async { await group.withLock({ $0 })?.triggerGracefulShutdown() }
}

/// The bell as a service: when the runner is to stop it ends the streams of those who follow views, for which the server would wait.
private struct BellService: Service {
  let bell: ChangeBell

  func run() async throws { await cancelWhenGracefulShutdown { await bell.run() } }
}
