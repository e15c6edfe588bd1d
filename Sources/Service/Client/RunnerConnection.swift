import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Asks a runner, one request a connection: over TLS with authorities of one's own, and a certificate to show, where it wants that.
package struct RunnerConnection: Sendable {
  /// Where a runner is.
  package struct Address: Sendable {
    package let host: String
    package let port: Int
    package let isTLS: Bool

    package init(host: String, port: Int, isTLS: Bool) {
      self.host = host
      self.port = port
      self.isTLS = isTLS
    }
  }

  /// PEM files; nil for the system's authorities, and for no certificate to show.
  package struct TLSFiles: Sendable {
    package var authorities: String?
    package var certificate: String?
    package var key: String?
    package init() {}
  }

  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  private static let connectSeconds: Int64 = 30

  private let address: Address
  private let context: NIOSSLContext?

  /// Reads the files: a fault of one is said now.
  package init(_ address: Address, tls: TLSFiles = TLSFiles()) throws {
    self.address = address
    context = address.isTLS ? try NIOSSLContext(configuration: try RunnerConnection.configuration(tls)) : nil
  }

  private static func configuration(_ files: TLSFiles) throws -> TLSConfiguration {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = .tlsv12
    if let authorities = files.authorities { configuration.trustRoots = .file(authorities) }
    if let certificate = files.certificate, let key = files.key {
      configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) }
      configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
    }
    return configuration
  }

  /// What is answered, whole.
  package func send(
    _ method: String, _ target: String, headers: [(String, String)], body: [UInt8]
  ) async throws -> (status: Int, body: [UInt8]) {
    let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .connectTimeout(.seconds(RunnerConnection.connectSeconds))
      .connect(host: address.host, port: address.port) { channel in
        channel.eventLoop.makeCompletedFuture { try prepare(channel) }
      }
    var head = HTTPRequestHead(version: .http1_1, method: HTTPMethod(rawValue: method), uri: target)
    head.headers = HTTPHeaders(
      headers + [("Host", address.authority), ("Content-Length", "\(body.count)"), ("Connection", "close")])
    let request = head
    return try await channel.executeThenClose { inbound, outbound in
      // All at once: a request without a body is whole with its head, and may be answered, and the connection closed, behind it.
      var parts: [HTTPClientRequestPart] = [.head(request), .end(nil)]
      if !body.isEmpty { parts.insert(.body(.byteBuffer(ByteBuffer(bytes: body))), at: 1) }
      try await outbound.write(contentsOf: parts)
      return try await RunnerConnection.answer(inbound)
    }
  }

  private typealias Asking = NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>

  private func prepare(_ channel: any Channel) throws -> Asking {
    if let context {
      let name = address.isNumeric ? nil : address.host
      try channel.pipeline.syncOperations.addHandler(try NIOSSLClientHandler(context: context, serverHostname: name))
    }
    try channel.pipeline.syncOperations.addHTTPClientHandlers()
    return try Asking(wrappingChannelSynchronously: channel)
  }

  private static func answer(
    _ parts: NIOAsyncChannelInboundStream<HTTPClientResponsePart>
  ) async throws -> (status: Int, body: [UInt8]) {
    var status: Int?
    var body: [UInt8] = []
    for try await part in parts {
      switch part {
      case .head(let head): status = Int(head.status.code)
      case .body(let bytes): body += bytes.readableBytesView
      case .end: if let status { return (status, body) }
      }
    }
    throw Failure(description: "it ended the connection")
  }
}

extension RunnerConnection.Address {
  /// Whether the host is an address and no name: its certificate must be of the address.
  fileprivate var isNumeric: Bool { (try? SocketAddress(ipAddress: host, port: port)) != nil }

  fileprivate var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
