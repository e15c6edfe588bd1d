import EndToEndSupport
import Foundation
import Logging
import Runtime
import Synchronization

@testable import Service

/// A runner in this process, on a port of its own, in a folder of its own.
struct TestRunner {
  let port: Int
  let folder: URL
  let service: RunnerService

  /// Calls `body`, on a thread that may block, with a runner that works; stops it then as a signal does.
  static func with(
    folder: URL? = nil, _ adapt: @Sendable (inout RunnerService.Settings) -> Void = { _ in },
    _ body: @Sendable @escaping (TestRunner) throws -> Void
  ) async throws {
    let isOwn = folder == nil
    let folder =
      folder ?? FileManager.default.temporaryDirectory.appendingPathComponent("weir-runner-\(UUID().uuidString)")
    defer { if isOwn { try? FileManager.default.removeItem(at: folder) } }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    var settings = RunnerService.Settings(
      directory: folder.path + "/runner", host: "127.0.0.1", port: 0, environment: [:])
    adapt(&settings)
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let service = try RunnerService(settings, logger: logger)
    let (ports, continuation) = AsyncStream<Int>.makeStream()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        defer { continuation.finish() }
        try await service.run { continuation.yield($0) }
      }
      var iterator = ports.makeAsyncIterator()
      if let port = await iterator.next() {
        let executor = DedicatedThreadExecutor(name: "client")
        defer { executor.shutDown() }
        let outcome = await withTaskExecutorPreference(executor) {
          Result { try body(TestRunner(port: port, folder: folder, service: service)) }
        }
        await service.stop()
        try await group.waitForAll()
        try outcome.get()
      } else {
        try await group.waitForAll()
      }
    }
  }

  func request(
    _ method: String, _ target: String, body: String? = nil, headers: [String: String] = [:]
  ) throws -> SocketClient.Answer {
    try SocketClient(port: port).request(method, target, headers: headers, body: body)
  }

  func submit(_ text: String, _ query: String = "") throws -> SocketClient.Answer {
    try request("POST", "/v1/topologies" + query, body: text)
  }

  func describe(_ name: String) throws -> [String: Any] { try request("GET", "/v1/topologies/\(name)").object }

  /// Waits until a topology is in one of these states; what it says then.
  @discardableResult
  func wait(_ name: String, _ states: String..., until isSo: ([String: Any]) -> Bool = { _ in true }) throws
    -> [String: Any]
  {
    let deadline = Date().addingTimeInterval(60)
    // One connection for all that is asked: a new one each time would use up the ports.
    let client = try SocketClient(port: port)
    while true {
      let topology = try client.request("GET", "/v1/topologies/\(name)").object
      if states.contains(topology["state"] as? String ?? ""), isSo(topology) { return topology }
      guard Date() < deadline else {
        throw SocketClient.Failure(
          reason: "\(name): still \(topology["state"] ?? ""): \(topology["last_failure"] ?? "")")
      }
      sched_yield()
    }
  }

  /// All pages of a scan.
  func rows(
    _ topology: String, _ view: String, _ query: String = "", limit: Int = 1000, headers: [String: String] = [:]
  )
    throws -> [[String: Any]]
  {
    var rows: [[String: Any]] = []
    var cursor: String?
    repeat {
      let target =
        "/v1/topologies/\(topology)/views/\(view)/rows?limit=\(limit)"
        + (query.isEmpty ? "" : "&\(query)") + (cursor.map { "&cursor=\($0)" } ?? "")
      let page = try request("GET", target, headers: headers)
      guard page.status == 200 else { throw SocketClient.Failure(reason: page.text) }
      rows += page.object["rows"] as? [[String: Any]] ?? []
      cursor = page.object["next"] as? String
    } while cursor != nil
    return rows
  }

  /// Usage by account and hour, from generated records: `rows` of them, or without end at `rate`.
  static func usage(
    _ name: String, rows: Int? = 20_000, rate: Int? = nil, interval: String = "200ms", parallelism: Int = 2
  )
    -> String
  {
    """
    weir: 1
    topology: \(name)
    parallelism: \(parallelism)
    checkpoint: {interval: \(interval)}
    sources:
      usage:
        connector: generator
        kind: usage
        accounts: 20
        \(rows.map { "rows: \($0)" } ?? "seed: 1")
        \(rate.map { "rate: \($0)" } ?? "seed: 1")
        records_per_event_second: 2
        anomalies: {corrupt: 0.01}
        format: json
        schema:
          account_id: string not null
          msisdn: string
          service: string
          started_at: timestamp not null
          quantity: decimal(18,3)
        event_time: started_at
    steps:
      hourly:
        from: usage
        aggregate:
          key: [account_id, service]
          window: {tumble: 1h}
          values: {records: count(*), quantity: sum(quantity)}
    views:
      usage: {from: hourly, key: [account_id, service, window_start], account: account_id, retain: 35d}
      latest: {from: usage, key: [account_id], account: account_id, mask: [msisdn]}
      services: {from: hourly, key: [service, account_id, window_start]}
    """.replacing("seed: 1\n    seed: 1", with: "seed: 1")
  }
}
