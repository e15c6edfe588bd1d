import Foundation
import Runtime
import Testing
import Topology

struct JobTests {
  static func plan(in folder: URL, input: String, onError: String = "dead_letter") throws -> LogicalPlan {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data(input.utf8).write(to: folder.appendingPathComponent("in.json"))
    let text = """
      weir: 1
      topology: totals
      parallelism: 3
      checkpoint: {directory: checkpoints}
      sources:
        usage:
          connector: file
          path: in.json
          format: json
          schema: {account: string not null, quantity: int64, at: timestamp not null}
          event_time: at
          on_error: \(onError)
      steps:
        totals: {from: usage, aggregate: {key: [account], window: {tumble: 1m}, values: {sum: sum(quantity)}}}
      sinks:
        out: {from: totals, connector: file, path: out, format: json}
      """
    let file = folder.appendingPathComponent("t.yaml")
    try Data(text.utf8).write(to: file)
    return try TopologyLoader.load(file: file.path, overrides: [], environment: [:])
  }

  static func folder() -> URL {
    FileManager.default.temporaryDirectory.appendingPathComponent("weir-job-\(UUID().uuidString)")
  }

  static let input = """
    {"account":"a","quantity":1,"at":"2026-01-01T00:00:01Z"}
    {"account":"b","quantity":2,"at":"2026-01-01T00:00:02Z"}
    {"account":
    {"account":"a","quantity":3,"at":"2026-01-01T00:00:03Z"}

    """

  @Test func everyRecordIsCountedOrADeadLetter() async throws {
    let folder = JobTests.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let summary = try await Job(JobTests.plan(in: folder, input: JobTests.input)).run()
    #expect(summary.isComplete && summary.reconciles)
    #expect(summary.deadLetters == 1)
    let source = try #require(summary.nodes.first { $0.kind == .source })
    #expect(source.rowsIn == 4 && source.rowsOut == 3 && source.failed == 1)
  }

  /// A row belongs to four windows, none of which has a result: one row came in, and it was counted.
  @Test func resultsThatFailAreNotTakenForRowsThatCameIn() async throws {
    let folder = JobTests.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    var plan = try JobTests.plan(in: folder, input: JobTests.input)
    let text = try String(contentsOfFile: plan.file, encoding: .utf8)
      .replacing(
        "{tumble: 1m}, values: {sum: sum(quantity)}",
        with: "{hop: 4m, every: 1m}, values: {sum: 1.5 / (sum(quantity) - sum(quantity))}")
    plan = try TopologyLoader.load(text: text, file: plan.file)
    let summary = try await Job(plan).run()
    #expect(summary.reconciles)
    let totals = try #require(summary.nodes.first { $0.kind == .aggregate })
    #expect(totals.rowsIn == 3 && totals.rowsOut == 0 && totals.failed == 0 && totals.failedResults == 8)
    #expect(summary.deadLetters == 9)
  }

  @Test func onErrorFail_failsTheJobNamingThePlace_andNothingBecomesVisible() async throws {
    let folder = JobTests.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let job = try Job(JobTests.plan(in: folder, input: JobTests.input, onError: "fail"))
    do {
      _ = try await job.run()
      Issue.record("the job went on")
    } catch let error as JobError {
      #expect(error.description.contains("in.json, byte 114"), "\(error)")
    }
    let visible =
      (try? FileManager.default.contentsOfDirectory(atPath: folder.appendingPathComponent("out").path)) ?? []
    #expect(visible.allSatisfy { $0.hasPrefix(".") })
  }

  /// A job that fails for ever is started again for ever: nothing of an attempt may stay.
  @Test(arguments: ["dead_letter", "fail"]) func aJobThatHasEnded_isGone(onError: String) async throws {
    let folder = JobTests.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let plan = try JobTests.plan(in: folder, input: JobTests.input, onError: onError)
    weak var ended: Job?
    weak var progress: JobProgress?
    do {
      let job = try Job(plan)
      (ended, progress) = (job, job.progress)
      do { _ = try await job.run() } catch { #expect(onError == "fail", "\(error)") }
    }
    #expect(ended == nil && progress == nil)
  }
}
