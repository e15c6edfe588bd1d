import EndToEndSupport
import Foundation
import Testing

/// What a start does with checkpoints that are damaged, taken, or of another topology.
@Suite(.serialized) struct CheckpointDamageTests {
  static func topology(rate: Int) -> String { KillScenario.windows.topology(rate: rate) }

  /// A finished run, stopped before its input ended so that windows are open and state is there.
  private func stoppedRun() throws -> (folder: TestFolder, file: String, newest: URL) {
    let folder = try TestFolder()
    let file = try folder.write("t.yaml", CheckpointDamageTests.topology(rate: 30_000))
    // One checkpoint, the one of the stop, with all the output.
    let running = try WeirProcess.start(["run", file, "--set", "checkpoint.interval=1h"])
    while !folder.contents.contains(where: { $0.hasPrefix("hourly/") }) && running.process.isRunning { sched_yield() }
    kill(running.process.processIdentifier, SIGTERM)
    #expect(running.wait().status == 130)
    return (folder, file, try newest(folder))
  }

  private func newest(_ folder: TestFolder) throws -> URL {
    let base = folder.url.appendingPathComponent("checkpoints/killed")
    let numbers = try FileManager.default.contentsOfDirectory(atPath: base.path).compactMap { name in
      name.hasPrefix("checkpoint-") ? Int(name.dropFirst("checkpoint-".count)) : nil
    }
    return base.appendingPathComponent("checkpoint-\(try #require(numbers.max()))")
  }

  private func files(of checkpoint: URL) throws -> [URL] {
    let state = checkpoint.appendingPathComponent("state")
    let names = try FileManager.default.contentsOfDirectory(atPath: state.path).sorted()
    return [checkpoint.appendingPathComponent("manifest")] + names.map { state.appendingPathComponent($0) }
  }

  @Test func damageToAnyFileOfACheckpoint_isRefusedByName_andTheWaysOutAreSpelled() throws {
    let (folder, file, newest) = try stoppedRun()
    let files = try files(of: newest)
    #expect(files.contains { $0.pathExtension == "sst" }, "\(files)")
    for path in files {
      let whole = try Data(contentsOf: path)
      var flipped = whole
      if !whole.isEmpty { flipped[whole.count / 2] ^= 4 }
      let damages: [Data?] = whole.isEmpty ? [nil] : [flipped, whole.prefix(whole.count - 1), Data(), nil]
      for damage in damages {
        try FileManager.default.removeItem(at: path)
        if let damage { try damage.write(to: path) }
        let before = folder.contents
        let result = try WeirProcess.run(["run", file])
        let what = "\(path.lastPathComponent), \(damage.map { "\($0.count) bytes" } ?? "missing")"
        #expect(result.status == 1, "\(what)")
        #expect(result.errors.contains(newest.lastPathComponent), "\(what): \(result.errors)")
        #expect(result.errors.contains(path.lastPathComponent), "\(what): \(result.errors)")
        #expect(result.errors.contains("--from none") && result.errors.contains("--from PATH"), "\(result.errors)")
        #expect(folder.contents == before, "a refused start changes nothing")
        #expect(try WeirProcess.run(["checkpoints", "inspect", newest.path]).status == 1, "\(what)")
        try whole.write(to: path)
      }
    }
    let again = try WeirProcess.run(["run", file, "--set", "sources.usage.rate=10000000"])
    #expect(again.status == 0, "\(again.errors)")
  }

  @Test func damageToACheckpointThatCommittedNoOutput_letsTheOneBeforeItDo() throws {
    let folder = try TestFolder()
    // Windows of a day, and no dead letters: output comes with the last checkpoint only.
    let text = CheckpointDamageTests.topology(rate: 20_000)
      .replacingOccurrences(of: "tumble: 1h", with: "tumble: 365d")
      .replacingOccurrences(of: "session: 30m", with: "session: 365d")
      .replacing(#/\n +anomalies: .*/#, with: "")
    let file = try folder.write("t.yaml", text)
    let running = try WeirProcess.start(["run", file])
    while !folder.contents.contains("checkpoints/killed/checkpoint-3") && running.process.isRunning { sched_yield() }
    kill(running.process.processIdentifier, SIGKILL)
    _ = running.wait()
    let damaged = try newest(folder)
    let state = try #require(
      try files(of: damaged).filter { url in
        url.pathExtension == "sst"
          && !folder.contents.contains { path in
            path.hasSuffix(url.lastPathComponent) && path.contains("/checkpoint-")
              && !path.contains(damaged.lastPathComponent)
          }
      }.first ?? (try files(of: damaged).first { $0.lastPathComponent.hasPrefix("MANIFEST") }))
    try FileManager.default.removeItem(at: state)
    let result = try WeirProcess.run(["run", file, "--set", "sources.usage.rate=10000000"])
    #expect(result.status == 0, "\(result.errors)")
    #expect(
      result.errors.contains("it committed no output, so the run goes on from the one before"), "\(result.errors)")
    let other = try TestFolder()
    let undisturbed = try WeirProcess.run([
      "run", try other.write("t.yaml", text), "--set", "sources.usage.rate=10000000",
    ])
    #expect(undisturbed.status == 0)
    for name in ["hourly", "sessions"] { #expect(folder.rows(in: name) == other.rows(in: name)) }
  }

  @Test func outputThatReadersTookAway_isNotMissed() throws {
    let (folder, file, _) = try stoppedRun()
    for name in ["hourly", "sessions", "duplicates", "dead"] {
      try? FileManager.default.removeItem(at: folder.url.appendingPathComponent(name))
    }
    let again = try WeirProcess.run(["run", file, "--set", "sources.usage.rate=10000000"])
    #expect(again.status == 0, "\(again.errors)")
  }

  @Test func aSecondProcessOnTheSameDirectory_isRefused() throws {
    let folder = try TestFolder()
    let text = CheckpointDamageTests.topology(rate: 5000).replacingOccurrences(
      of: "rows: 60000", with: "rows: 100000000")
    let file = try folder.write("t.yaml", text)
    let first = try WeirProcess.start(["run", file])
    while !folder.contents.contains("checkpoints/killed/checkpoint-1") && first.process.isRunning { sched_yield() }
    let second = try WeirProcess.run(["run", file])
    #expect(second.status == 1 && second.errors.contains("another process"), "\(second.errors)")
    kill(first.process.processIdentifier, SIGTERM)
    #expect(first.wait().status == 130)
  }

  @Test func aChangedStep_isRefusedBeforeAnythingStarts() throws {
    let folder = try TestFolder()
    let text = CheckpointDamageTests.topology(rate: 10_000_000)
    let file = try folder.write("t.yaml", text)
    #expect(try WeirProcess.run(["run", file]).status == 0)
    try folder.write("t.yaml", text.replacingOccurrences(of: "session: 30m", with: "session: 20m"))
    let result = try WeirProcess.run(["run", file])
    #expect(
      result.status == 1 && result.errors.contains("steps.sessions: window was `session 1800000 ms`"),
      "\(result.errors)")
  }
}
