import Foundation
import Runtime
import Testing
import Topology

/// Jobs with many more subtasks than there is state for.
struct ManySubtasksTests {
  private static func text(parallelism: Int) -> String {
    """
    weir: 1
    topology: many
    parallelism: \(parallelism)
    checkpoint: {directory: checkpoints, interval: 1h}
    state: {memory: 64MB}
    sources:
      usage:
        connector: generator
        kind: usage
        rows: 6000
        rate: 10000000
        records_per_event_second: 1
        anomalies: {duplicates: 0.01, late: 0.01}
    steps:
      once: {from: usage, deduplicate: {key: [record_id], within: 24h}}
      hourly: {from: once, aggregate: {key: [account_id], window: {tumble: 1h}, values: {records: count(*)}}}
      sessions: {from: once, aggregate: {key: [account_id], window: {session: 30m}, values: {last: last(record_id)}}}
    sinks:
      hourly: {from: hourly, connector: file, path: hourly, format: json}
      sessions: {from: sessions, connector: file, path: sessions, format: json}
    """
  }

  /// A job whose state never leaves memory never makes a database, and its last checkpoint has none in it.
  @Test func fewRows_stayInMemory_atAParallelismOf128() async throws {
    let folder = JobTests.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let file = folder.appendingPathComponent("t.yaml").path
    let plan = try TopologyLoader.load(text: Self.text(parallelism: 128), file: file)
    let summary = try await Job(plan).run()
    #expect(summary.isComplete && summary.reconciles)
    let all = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? []
    let ofDatabases = all.filter { $0.hasSuffix("/CURRENT") || $0.hasSuffix(".sst") }
    #expect(all.contains { $0.hasSuffix("/manifest") || $0.contains("checkpoint-") })
    #expect(ofDatabases == [])
  }
}
