import Foundation
import Runtime
import StreamModel
import Testing
import Topology
import Views

/// Views of whole jobs: what is in them is what a sink has.
struct ViewJobTests {
  static func plan(in folder: URL, from: String = "totals", records: Int = 300, views: String? = nil) throws
    -> LogicalPlan
  {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let input = (0..<records).map { index in
      #"{"account":"acc-\#(index % 7)","quantity":\#(index),"at":"2026-01-01T00:0\#(index % 10):00Z"}"#
    }
    try Data((input.joined(separator: "\n") + "\n").utf8).write(to: folder.appendingPathComponent("in.json"))
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
          watermark: {delay: 1h}
      steps:
        totals: {from: usage, aggregate: {key: [account], window: {tumble: 1m}, values: {sum: sum(quantity)}}}
        latest: {from: totals, extend: {twice: sum * 2}}
      sinks:
        out: {from: totals, connector: file, path: out, format: json}
      views:
        \(views ?? "usage: {from: \(from), key: [account, window_start]}")
      """
    let file = folder.appendingPathComponent("t.yaml")
    try Data(text.utf8).write(to: file)
    return try TopologyLoader.load(file: file.path, overrides: [], environment: [:])
  }

  static func rows(_ views: ViewSet, _ isolation: ViewIsolation = .committed) throws -> [String] {
    let access = try ViewAccess(views, views.stores[0], ViewScope())
    let page = try access.scan(prefix: [], after: nil, limit: 10_000, isolation)
    return (0..<page.rows.count).map { row in
      let values = page.rows.values(at: row)
      guard case .string(let account) = values[0], case .timestamp(let start) = values[1],
        case .int64(let sum) = values[3]
      else { return "\(values)" }
      return "\(account) \(CivilTime.formatTimestamp(start)) \(sum)"
    }
  }

  static func written(_ folder: URL) throws -> [String] {
    let out = folder.appendingPathComponent("out")
    return try FileManager.default.contentsOfDirectory(atPath: out.path).flatMap { name -> [String] in
      try String(contentsOf: out.appendingPathComponent(name), encoding: .utf8).split(separator: "\n").map { line in
        let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
        return "\(object["account"] ?? "") \(object["window_start"] ?? "") \(object["sum"] ?? "")"
      }
    }.sorted()
  }

  /// Behind the step itself, behind one that needs no key of its own, and shared out by another key.
  @Test(arguments: ["totals", "latest"])
  func aViewHoldsWhatASinkHas_whileTheJobRunsAndWhenItHasEnded(from: String) async throws {
    let folder = JobTests.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let plan = try ViewJobTests.plan(in: folder, from: from)
    let views = plan.makeViewSet()
    let summary = try await JobSupervisor(plan, views: views).run()
    #expect(summary.isComplete && summary.reconciles)
    #expect(summary.nodes.contains { $0.kind == .view && $0.name == "usage" && $0.rowsIn == 70 })
    let expected = try ViewJobTests.written(folder)
    #expect(expected.count == 70)
    #expect(try ViewJobTests.rows(views) == expected)
    #expect(try ViewJobTests.rows(views, .live) == expected, "what has ended has nothing that is not committed")
    // Another process that has only the checkpoint.
    #expect(try ViewJobTests.rows(plan.makeViewSet()) == expected)
  }

  @Test func aViewOfRawRecords_isTheLatestOfEachKey() async throws {
    let folder = JobTests.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let plan = try ViewJobTests.plan(
      in: folder, views: "usage: {from: usage, key: [account], retain: 30d, account: account}")
    let views = plan.makeViewSet()
    _ = try await JobSupervisor(plan, views: views).run()
    let access = try ViewAccess(views, views.stores[0], ViewScope(account: "acc-3"))
    let page = try access.scan(prefix: [], after: nil, limit: 10, .committed)
    #expect(page.rows.count == 1 && page.rows.values(at: 0)[1] == .int64(297), "the last record of acc-3")
  }

  @Test func aSavepoint_bringsItsViewsAlong_andAnEditedViewIsRefused() async throws {
    let folder = JobTests.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let plan = try ViewJobTests.plan(in: folder)
    _ = try await JobSupervisor(plan, options: JobOptions()).run()
    let before = try ViewJobTests.rows(plan.makeViewSet())
    let checkpoints = folder.appendingPathComponent("checkpoints/totals")
    let names = try FileManager.default.contentsOfDirectory(atPath: checkpoints.path)
    let saved = checkpoints.appendingPathComponent(try #require(names.filter { $0.hasPrefix("checkpoint-") }.max()))
    // A job elsewhere that goes on from it, and has nothing more to read.
    var moved = plan
    moved.checkpoint.directory = folder.path + "/again"
    var options = JobOptions()
    options.from = .checkpoint(path: saved.path)
    let views = moved.makeViewSet()
    _ = try await JobSupervisor(moved, options: options, views: views).run()
    #expect(before.count == 70)
    #expect(try ViewJobTests.rows(views) == before)
    let fit = try StateFit.check(plan, from: saved.path).fit
    #expect(fit.items.contains { $0.kind == .view && $0.verdict == .carriesOver })
    let edited = try ViewJobTests.plan(in: folder, views: "usage: {from: totals, key: [window_start, account]}")
    #expect(try !StateFit.check(edited, from: saved.path).fit.isCompatible)
    #expect(try StateFit.check(edited, from: saved.path, dropping: StateDrop(["views.usage"])).fit.isCompatible)
    let without = try ViewJobTests.plan(in: folder, views: "other: {from: totals, key: [account]}")
    let other = try StateFit.check(without, from: saved.path).fit
    #expect(other.isCompatible && other.additions.count == 1, "a view that is gone takes nothing with it")
  }
}
