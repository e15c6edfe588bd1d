import EndToEndSupport
import Foundation
import Testing

/// Savepoints of running and stopped jobs, and what can be done with them.
@Suite(.serialized) struct SavepointTests {
  static let scenario = KillScenario.windows

  /// Starts a slow run, makes a savepoint at `save` of its folder, and kills the run.
  private func savepoint() throws -> (folder: TestFolder, file: String, path: String) {
    let folder = try TestFolder()
    let file = try folder.write("t.yaml", SavepointTests.scenario.topology(rate: 20_000, interval: "1h"))
    let running = try WeirProcess.start(["run", file])
    while !folder.contents.contains("checkpoints/killed/control") && running.process.isRunning { sched_yield() }
    let result = try WeirProcess.run(["savepoint", file, folder.path + "/save"])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.lines == [folder.path + "/save"])
    #expect(running.process.isRunning, "the job goes on")
    kill(running.process.processIdentifier, SIGKILL)
    _ = running.wait()
    return (folder, file, folder.path + "/save")
  }

  @Test func aSavepointOfARunningJob_isRestoredAtAnyParallelism() throws {
    let expected = try SavepointTests.scenario.undisturbed()
    let (folder, file, path) = try savepoint()
    let before = SavepointTests.scenario.outcome(in: folder, errors: "")
    // It stands alone: without the job's checkpoints, in a directory of its own.
    try FileManager.default.removeItem(at: folder.url.appendingPathComponent("checkpoints"))
    for parallelism in [1, 3, 128] {
      let place = "\(folder.path)/again-\(parallelism)"
      var arguments = ["run", file, "--from", path, "--set", "parallelism=\(parallelism)"]
      arguments += ["--set", "sources.usage.rate=10000000", "--set", "checkpoint.directory=\(place)/checkpoints"]
      for output in ["hourly", "sessions", "duplicates"] {
        arguments += ["--set", "sinks.\(output).path=\(place)/\(output)"]
      }
      let result = try WeirProcess.run(arguments + ["--set", "dead_letters.path=\(place)/dead"])
      #expect(result.status == 0, "\(parallelism): \(result.errors)")
      var whole = SavepointTests.scenario.outcome(in: folder, errors: result.errors)
      for (name, _) in SavepointTests.scenario.outputs {
        let since = folder.rows(in: "again-\(parallelism)/\(name)").map {
          name == "dead" ? $0.replacing(/"failed_at":"[^"]*",/, with: "") : $0
        }
        whole.rows[name] = ((before.rows[name] ?? []) + since).sorted()
      }
      #expect(whole.differences(from: expected) == [], "parallelism \(parallelism)")
    }
  }

  @Test func aSavepointThatIsDamaged_isRefusedByName() throws {
    let (folder, file, path) = try savepoint()
    let state = try #require(folder.contents.first { $0.hasPrefix("save/state/") && $0.hasSuffix(".sst") })
    let place = folder.url.appendingPathComponent(state)
    var bytes = try Data(contentsOf: place)
    bytes[bytes.count / 3] ^= 1
    try bytes.write(to: place)
    let result = try WeirProcess.run(["run", file, "--from", path])
    #expect(result.status == 1 && result.errors.contains(place.lastPathComponent), "\(result.errors)")
  }

  @Test func aSavepointReplacesNothing_andOfATopologyThatNeverRanThereIsNone() throws {
    let folder = try TestFolder()
    let file = try folder.write("t.yaml", SavepointTests.scenario.topology(rate: 10_000_000))
    let never = try WeirProcess.run(["savepoint", file, folder.path + "/save"])
    #expect(never.status == 1 && never.errors.contains("never run"), "\(never.errors)")
    #expect(try WeirProcess.run(["run", file]).status == 0)
    let stopped = try WeirProcess.run(["savepoint", file, folder.path + "/save"])
    #expect(stopped.status == 0, "\(stopped.errors)")
    let taken = try WeirProcess.run(["savepoint", file, folder.path + "/save"])
    #expect(taken.status == 1 && taken.errors.contains("already"), "\(taken.errors)")
    let again = try WeirProcess.run(["run", file, "--from", folder.path + "/save"])
    #expect(again.status == 0 && again.errors.contains("no new input"), "\(again.errors)")
  }

  @Test func checkpointsAreListedAndInspected() throws {
    let folder = try TestFolder()
    let file = try folder.write("t.yaml", SavepointTests.scenario.topology(rate: 10_000_000))
    let none = try WeirProcess.run(["checkpoints", "list", file])
    #expect(none.status == 0 && none.output.isEmpty && none.errors.contains("no checkpoints"))
    #expect(try WeirProcess.run(["run", file]).status == 0)
    let list = try WeirProcess.run(["checkpoints", "list", file])
    #expect(list.lines.count >= 2 && list.output.contains("all input read"), "\(list.output)")
    let inspected = try WeirProcess.run(["checkpoints", "inspect", file])
    #expect(inspected.status == 0, "\(inspected.errors)")
    for text in ["once", "hourly", "sessions", "60,", "deduplicate", "end of input", "every file is whole"] {
      #expect(inspected.output.contains(text), "\(text) is missing: \(inspected.output)")
    }
    let json = try WeirProcess.run(["checkpoints", "inspect", file, "--json"])
    let object = try #require(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
    // Three steps, and the sort that sessions behind another keyed step need.
    #expect((object["operators"] as? [[String: Any]])?.count == 4)
    let listed = try WeirProcess.run(["checkpoints", "list", file, "--json"])
    let array = try #require(try JSONSerialization.jsonObject(with: Data(listed.output.utf8)) as? [[String: Any]])
    #expect((array.last?["id"] as? Int64) == (object["id"] as? Int64))
  }
}
