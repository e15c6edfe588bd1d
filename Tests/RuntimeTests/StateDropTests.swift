import Checkpoint
import Foundation
import Operators
import Runtime
import StreamModel
import Testing
import Topology

/// Starts that leave state behind: what was named and does not fit is gone, all else goes on.
struct StateDropTests {
  private static func text(_ values: String = "amount: sum(cast(quantity as double))", window: String = "1h") -> String
  {
    """
    weir: 1
    topology: edited
    parallelism: 2
    checkpoint: {directory: checkpoints, interval: 1h}
    sources:
      usage:
        connector: generator
        kind: usage
        rows: 1000000000
        rate: 1000
        records_per_event_second: 1
        anomalies: {duplicates: 0.05}
    steps:
      named: {from: usage, filter: "quantity >= 0"}
      once: {from: named, deduplicate: {key: [record_id], within: 24h}}
      hourly: {from: once, aggregate: {key: [account_id], window: {tumble: \(window)}, values: {records: count(*), \(values)}}}
    sinks:
      kept: {from: once, connector: file, path: kept, format: json}
      hourly: {from: hourly, connector: file, path: hourly, format: json}
    """
  }

  private static func plan(_ folder: URL, _ text: String, _ overrides: [String] = []) throws -> LogicalPlan {
    try TopologyLoader.load(text: text, file: folder.appendingPathComponent("t.yaml").path, overrides: overrides)
  }

  /// Runs the topology, and ends it in the middle of its input, with a last checkpoint. Returns how many rows it has read, and how
  /// many of them came too late for their hour.
  @discardableResult
  private static func runHalf(_ folder: URL) async throws -> (rows: Int, late: Int) {
    let plan = try plan(folder, text())
    let job = try JobSupervisor(plan)
    async let summary = job.run()
    while job.progress.recordsRead < 1000 { await Task.yield() }
    job.requestStop()
    let ended = try await summary
    #expect(!ended.isComplete)
    return (try newest(plan).recordsRead, late(ended))
  }

  /// Goes on until `rows` have been read since the beginning.
  private static func runRest(
    _ folder: URL, _ text: String, rows: Int, dropping drop: StateDrop
  ) async throws -> (summary: JobSummary, notices: [String]) {
    var options = JobOptions()
    options.from = .latest
    options.dropState = drop
    let overrides = ["sources.usage.rate=10000000", "sources.usage.rows=\(rows)"]
    let job = try JobSupervisor(plan(folder, text, overrides), options: options)
    return (try await job.run(), job.notices)
  }

  /// What a sink has written; nothing where it has had nothing to write yet.
  private static func rows(_ folder: URL, _ sink: String) throws -> [[String: Any]] {
    let place = folder.appendingPathComponent(sink)
    guard FileManager.default.fileExists(atPath: place.path) else { return [] }
    return try FileManager.default.contentsOfDirectory(atPath: place.path).flatMap { name in
      try String(contentsOf: place.appendingPathComponent(name), encoding: .utf8).split(separator: "\n").map {
        try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] ?? [:]
      }
    }
  }

  private static func records(_ folder: URL) throws -> Int {
    try rows(folder, "hourly").reduce(0) { $0 + ($1["records"] as? Int ?? 0) }
  }

  private static func duplicates(_ summary: JobSummary) -> Int { rows(of: .duplicates, "once", summary) }
  private static func late(_ summary: JobSummary) -> Int { rows(of: .late, "hourly", summary) }

  private static func rows(of port: SidePort, _ step: String, _ summary: JobSummary) -> Int {
    summary.nodes.first { $0.name == step }?.ports.first { $0.port == port }?.rows ?? 0
  }

  private static func withFolder(_ body: (URL) async throws -> Void) async throws {
    let folder = JobTests.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try await body(folder)
  }

  private static func newest(_ plan: LogicalPlan) throws -> CheckpointManifest {
    let id = try #require(try CheckpointStorage.list(plan.checkpointDirectory).last)
    return try CheckpointStorage.read("\(plan.checkpointDirectory)/checkpoint-\(id)")
  }

  @Test func whatIsDroppedBeginsEmpty_theOtherStepsGoOn_andItIsSaidAndNoted() async throws {
    try await StateDropTests.withFolder { folder in
      let half = try await StateDropTests.runHalf(folder)
      let rows = half.rows + 15_000
      let edited = StateDropTests.text(window: "2h")
      let plan = try StateDropTests.plan(folder, edited)
      let refused = #expect(throws: JobError.self) {
        var options = JobOptions()
        options.from = .latest
        _ = try JobSupervisor(plan, options: options)
      }
      #expect(refused?.description.contains("steps.hourly: window was") == true)
      let before = (kept: try StateDropTests.rows(folder, "kept").count, counted: try StateDropTests.records(folder))
      let stored = try StateDropTests.newest(plan).operators.filter { $0.step == "hourly" }.map(\.entryCount)
      let (summary, notices) = try await StateDropTests.runRest(
        folder, edited, rows: rows, dropping: StateDrop(["hourly"]))
      #expect(summary.isComplete && summary.reconciles)
      #expect(notices.contains { $0.contains("steps.hourly: its state is dropped") }, "\(notices)")
      #expect(summary.droppedState.map(\.step) == ["hourly"])
      let noted = try StateDropTests.newest(plan).droppedStates
      #expect(noted.map(\.step) == ["hourly"] && noted.first?.entryCount == stored.reduce(0, +))
      let kept = try StateDropTests.rows(folder, "kept")
      #expect(stored.reduce(0, +) > 0 && before.counted < before.kept, "there was something to drop")
      let late = StateDropTests.late(summary) - half.late
      #expect(try StateDropTests.records(folder) - before.counted + late == kept.count - before.kept)
      #expect(Set(kept.map { "\($0["record_id"] ?? "")" }).count == kept.count, "what is a duplicate is still known")
      try await StateDropTests.withFolder { other in
        let (undisturbed, _) = try await StateDropTests.runRest(other, edited, rows: rows, dropping: StateDrop())
        #expect(StateDropTests.duplicates(undisturbed) > 0)
        #expect(StateDropTests.duplicates(summary) == StateDropTests.duplicates(undisturbed))
      }
      // What was dropped stays noted, and a start that finds it done does nothing.
      let (again, _) = try await StateDropTests.runRest(
        folder, edited, rows: rows, dropping: StateDrop(["hourly"], isRepeated: true))
      #expect(again.hadNothingNew && again.droppedState.isEmpty)
      #expect(try StateDropTests.newest(plan).droppedStates == noted)
    }
  }

  @Test func aStepThatIsGone_leavesItsStateBehindOnlyWhenToldTo() async throws {
    try await StateDropTests.withFolder { folder in
      let rows = try await StateDropTests.runHalf(folder).rows + 5000
      let edited = StateDropTests.text().replacing(/(?m)^ *hourly: .*\n?/, with: "")
      let fit = try StateFit.check(StateDropTests.plan(folder, edited), from: nil).fit
      #expect(fit.faults.count == 1 && fit.faults[0].contains("the topology has no such step"))
      let (summary, _) = try await StateDropTests.runRest(
        folder, edited, rows: rows, dropping: StateDrop(["steps.hourly"]))
      #expect(summary.isComplete && summary.droppedState.map(\.step) == ["hourly"])
    }
  }

  @Test func whatNeedNotBeDropped_isAFault() async throws {
    try await StateDropTests.withFolder { folder in
      let edited = StateDropTests.text(window: "2h")
      let empty = await #expect(throws: JobError.self) {
        _ = try await StateDropTests.runRest(folder, edited, rows: 5000, dropping: StateDrop(["hourly"]))
      }
      #expect(empty?.description.contains("the run begins anew") == true)
      try await StateDropTests.runHalf(folder)
      let faults = [
        "once": "it fits, and carries over", "named": "it has none",
        "hurly": "neither the topology nor checkpoint 1 has a step of this name",
        "sources.usage": "neither the topology nor checkpoint 1 has a step of this name",
      ]
      for (name, reason) in faults {
        let drop = StateDrop(["hourly", name])
        let refused = await #expect(throws: JobError.self) {
          _ = try await StateDropTests.runRest(folder, edited, rows: 5000, dropping: drop)
        }
        #expect(refused?.description == "\(name): its state cannot be dropped: \(reason)")
      }
      #expect(try StateDropTests.newest(StateDropTests.plan(folder, edited)).id == 1, "nothing was started")
    }
  }

  @Test func stateOfAnOlderLayout_isRefusedByName() async throws {
    try await StateDropTests.withFolder { folder in
      try await StateDropTests.runHalf(folder)
      let plan = try StateDropTests.plan(folder, StateDropTests.text())
      let path = try "\(plan.checkpointDirectory)/checkpoint-\(StateDropTests.newest(plan).id)"
      let old = folder.appendingPathComponent("old").path
      try StateDropTests.copy(path, to: old) { $0.replacing("\nlayout: sums of doubles in bins", with: "") }
      let saved = old + "/checkpoint-1"
      let fit = try StateFit.check(plan, from: saved).fit
      let fault = "steps.hourly: layout was `none` and is `sums of doubles in bins`"
      #expect(fit.faults == [fault])
      var options = JobOptions()
      options.from = .checkpoint(path: saved)
      let refused = #expect(throws: JobError.self) { _ = try JobSupervisor(plan, options: options) }
      #expect(refused?.description.contains(fault) == true)
      let whole = folder.appendingPathComponent("whole").path
      try StateDropTests.copy(path, to: whole) { $0 }
      #expect(try StateFit.check(plan, from: whole + "/checkpoint-1").fit.isCompatible, "it was the layout alone")
    }
  }

  /// A checkpoint with other signatures, as an older version would have written it.
  private static func copy(_ path: String, to directory: String, _ edit: (String) -> String) throws {
    let manifest = try CheckpointStorage.read(path)
    let storage = try CheckpointStorage(directory: directory)
    try FileManager.default.copyItem(
      atPath: CheckpointStorage.stateDirectory(path), toPath: try storage.prepare(manifest.id))
    try storage.commit(
      CheckpointManifest(
        id: manifest.id, topology: manifest.topology, createdAt: manifest.createdAt, isComplete: manifest.isComplete,
        sources: manifest.sources,
        operators: manifest.operators.map {
          .init(
            step: $0.step, role: $0.role, signature: edit($0.signature), watermark: $0.watermark,
            sizeBytes: $0.sizeBytes, entryCount: $0.entryCount)
        }, parts: manifest.parts, files: manifest.files, counters: manifest.counters))
  }
}
