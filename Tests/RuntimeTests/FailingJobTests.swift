import Foundation
import Testing
import Topology

@testable import Runtime

/// Laws of a job that fails again and again.
@Suite struct FailingJobTests {
  /// A job that fails with the last of its records: the table that this one needs does not answer.
  private static func plan(in folder: URL, attempts: Int) throws -> LogicalPlan {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let records = (1...1000).map { "{\"n\":\($0)}\n" }.joined()
    try Data(records.utf8).write(to: folder.appendingPathComponent("in.json"))
    let text = """
      weir: 1
      topology: failing
      parallelism: 2
      checkpoint: {directory: checkpoints, interval: 1h}
      restart: {attempts: \(attempts), initial_backoff: 1ms, max_backoff: 1ms}
      sources:
        numbers: {connector: file, path: in.json, format: json, schema: {n: int64 not null}}
      steps:
        last: {from: numbers, filter: n = 1000}
        named:
          from: last
          lookup:
            table: {connector: http, url: "http://127.0.0.1:1/{n}", format: json, retry: {attempts: 1}}
            on: {n: n}
            take: {name: string}
            missing: fail
      sinks:
        out: {from: named, connector: blackhole}
      """
    let file = folder.appendingPathComponent("t.yaml")
    try Data(text.utf8).write(to: file)
    return try TopologyLoader.load(file: file.path, overrides: [], environment: [:])
  }

  /// The second attempt, after what may have been an accident, goes at full speed; the third repeats slowly what was in vain.
  @Test(arguments: [(0, false), (1, false), (2, true), (3, true)])
  func fromItsSecondFailureOn_aJobRepeatsSlowlyWhatItFailedIn(attempts: Int, isSlow: Bool) async throws {
    let folder = JobTests.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    var options = JobOptions()
    options.chunkBytes = 4000
    let job = try JobSupervisor(try Self.plan(in: folder, attempts: attempts), options: options)
    let failures = await #expect(throws: JobFailures.self) { _ = try await job.run() }
    #expect(failures?.failureCount == attempts + 1)
    #expect(
      failures?.failures.allSatisfy { $0.reason.contains("steps.named") } == true, "\(String(describing: failures))")
    #expect(job.progress.pace.workedNanoseconds > 0)
    #expect((job.progress.pace.slowNanoseconds > 0) == isSlow)
  }
}
