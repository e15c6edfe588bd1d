import EndToEndSupport
import Foundation
import Testing

/// A job that fails starts again from its last checkpoint in the same process, or says why it does not.
@Suite(.serialized) struct RestartTests {
  static let scenario = KillScenario.windows

  private func run(
    _ folder: TestFolder, faults: String, settings: [String] = [], rate: Int = 400_000
  ) throws -> WeirProcess.Result {
    let file = try folder.write("t.yaml", RestartTests.scenario.topology(rate: rate))
    return try WeirProcess.run(
      ["run", file] + settings.flatMap { ["--set", $0] }, environment: ["WEIR_FAULT": faults])
  }

  @Test(arguments: [
    "sink-write:ENOSPC:3", "sink-sync:EIO:2", "sink-directory-sync:EIO:4", "part-link:EIO:3",
    "sink-write:ENOSPC:2,sink-sync:EIO:3,part-link:EIO:5",
  ]) func aFaultThatPasses_costsARestartAndNoRow(_ faults: String) throws {
    let folder = try TestFolder()
    let result = try run(folder, faults: faults)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("attempt 1 to go on"), "\(result.errors)")
    #expect(result.errors.contains("started again"), "\(result.errors)")
    let outcome = RestartTests.scenario.outcome(in: folder, errors: result.errors)
    #expect(outcome.differences(from: try RestartTests.scenario.undisturbed()) == [])
    #expect(folder.contents.filter { $0.hasSuffix(".pending") } == [])
  }

  @Test func aFaultThatStays_endsInQuarantine_listingEveryFailure() throws {
    let folder = try TestFolder()
    let result = try run(folder, faults: "sink-sync:EIO", settings: ["restart.attempts=2"])
    #expect(result.status == 1)
    #expect(result.errors.contains("it failed 3 times without a checkpoint in between"), "\(result.errors)")
    let listed = result.errors.split(separator: "\n").filter {
      $0.hasPrefix("  20") && $0.contains("Input/output error")
    }
    #expect(listed.count == 3, "\(result.errors)")
    for (name, _) in RestartTests.scenario.outputs { #expect(folder.rows(in: name) == [], "\(name)") }
    let mended = try run(folder, faults: "")
    #expect(mended.status == 0, "\(mended.errors)")
    let outcome = RestartTests.scenario.outcome(in: folder, errors: mended.errors)
    #expect(outcome.differences(from: try RestartTests.scenario.undisturbed()) == [])
  }

  @Test func aFaultBetweenCheckpointsForEver_isNoReasonToGiveUp() throws {
    let folder = try TestFolder()
    let faults = (0..<6).map { "sink-write:ENOSPC:\(40 + $0 * 40)" }.joined(separator: ",")
    let result = try run(
      folder, faults: faults, settings: ["restart.attempts=1", "checkpoint.interval=5ms"], rate: 60_000)
    #expect(result.status == 0, "\(result.errors)")
    let outcome = RestartTests.scenario.outcome(in: folder, errors: result.errors)
    #expect(outcome.differences(from: try RestartTests.scenario.undisturbed()) == [])
  }

  /// The third attempt and those after it repeat slowly what the others failed in.
  @Test func aFaultThatPassesAfterSeveralAttempts_costsNoRow() throws {
    let folder = try TestFolder()
    // Several sinks may fail in one attempt: at least three attempts fail.
    let result = try run(
      folder, faults: "sink-sync:EIO:1-12", settings: ["restart.initial_backoff=10ms", "restart.attempts=20"])
    #expect(result.status == 0 && result.errors.contains("attempt 3 to go on"), "\(result.errors)")
    let outcome = RestartTests.scenario.outcome(in: folder, errors: result.errors)
    #expect(outcome.differences(from: try RestartTests.scenario.undisturbed()) == [])
  }

  @Test func onErrorFail_isNotTriedAgain() throws {
    let folder = try TestFolder()
    try folder.write("in.json", RunTests.tenRows + "{\n")
    let text = RunTests.hourly("in.json").replacingOccurrences(
      of: "    format: json\n    schema", with: "    format: json\n    on_error: fail\n    schema")
    #expect(text.contains("on_error"))
    let result = try WeirProcess.run(["run", try folder.write("t.yaml", text)])
    #expect(result.status == 1)
    #expect(result.errors.contains("on_error: fail") && !result.errors.contains("attempt"), "\(result.errors)")
  }

  @Test func withoutAttempts_theFirstFailureEndsTheRun() throws {
    let folder = try TestFolder()
    let result = try run(folder, faults: "sink-sync:EIO:1", settings: ["restart.attempts=0"])
    #expect(result.status == 1 && result.errors.contains("Input/output error"), "\(result.errors)")
    #expect(!result.errors.contains("attempt"), "\(result.errors)")
  }

  @Test func aStopWhileAJobWaitsToBeStartedAgain_endsItAtOnce() throws {
    let folder = try TestFolder()
    let file = try folder.write("t.yaml", RestartTests.scenario.topology(rate: 400_000))
    let running = try WeirProcess.start(
      ["run", file, "--set", "restart.initial_backoff=1h", "--set", "restart.max_backoff=1h"],
      environment: ["WEIR_FAULT": "sink-sync:EIO:1"])
    while !running.errorsSoFar.contains("attempt 1") && running.process.isRunning { sched_yield() }
    kill(running.process.processIdentifier, SIGTERM)
    let result = running.wait()
    #expect(result.status == 130, "\(result.errors)")
  }

  /// The first attempt begins anew although there are checkpoints; so must the second, which has none of its own yet.
  @Test func aRunThatBeganAnew_beginsAnewWhenItFailsBeforeItsFirstCheckpoint() throws {
    let folder = try TestFolder()
    let first = try run(folder, faults: "")
    #expect(first.status == 0, "\(first.errors)")
    let rows = folder.rows(in: "hourly")
    for name in ["hourly", "sessions", "duplicates", "dead"] {
      try FileManager.default.removeItem(at: folder.url.appendingPathComponent(name))
    }
    let file = folder.path + "/t.yaml"
    let again = try WeirProcess.run(
      ["run", file, "--from", "none", "--set", "checkpoint.interval=1h", "--set", "sources.usage.rate=10000000"],
      environment: ["WEIR_FAULT": "sink-sync:EIO:1"])
    #expect(again.status == 0 && again.errors.contains("attempt 1"), "\(again.errors)")
    #expect(folder.rows(in: "hourly") == rows)
  }
}
