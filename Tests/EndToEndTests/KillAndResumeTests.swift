import EndToEndSupport
import Foundation
import Testing

/// A job that is killed again and again writes what it would have written undisturbed.
/// Seeded kills of usage aggregation with rescaling in between: the committed rows are those of a run never killed.
@Suite(.serialized) struct KillAndResumeTests {
  /// With checkpoints less often than in the long runs, and memory to spare.
  static func topology(rate: Int) -> String {
    KillScenario.windows.topology(rate: rate, interval: "100ms", memory: "256MB")
  }

  /// The seeds to run: `WEIR_KILL_SEED`, or as many as `WEIR_KILL_ROUNDS` says.
  static var seeds: [UInt64] {
    let environment = ProcessInfo.processInfo.environment
    if let seed = environment["WEIR_KILL_SEED"].flatMap(UInt64.init) { return [seed] }
    return Array(1...UInt64(environment["WEIR_KILL_ROUNDS"].flatMap(Int.init) ?? 20))
  }

  static let crashPoints = ["before-manifest", "manifest-durable", "files-renamed"]

  @Test func afterAnyKills_atAnyParallelism_theRowsAreThoseOfAnUndisturbedRun() throws {
    let expected = try KillScenario.windows.undisturbed()
    for seed in KillAndResumeTests.seeds {
      var random = SplitMix(seed)
      let folder = try TestFolder()
      let file = try folder.write("t.yaml", KillAndResumeTests.topology(rate: 120_000))
      for _ in 0..<(1 + random.below(4)) { try KillAndResumeTests.runAndKill(file, &random) }
      let arguments = [
        "run", file, "--set", "parallelism=\(1 + random.below(4))", "--set", "sources.usage.rate=10000000",
      ]
      let result = try WeirProcess.run(arguments)
      #expect(result.status == 0, "seed \(seed): \(result.errors)")
      #expect(result.errors.contains("accounted for") || result.errors.contains("no new input"), "seed \(seed)")
      let differences = KillScenario.windows.outcome(in: folder, errors: result.errors).differences(from: expected)
      #expect(differences == [], "rerun with WEIR_KILL_SEED=\(seed)")
    }
  }

  /// Runs until a random crash point, or until a random checkpoint and a random while later.
  private static func runAndKill(_ file: String, _ random: inout SplitMix) throws {
    let arguments = ["run", "--quiet", file, "--set", "parallelism=\(1 + random.below(4))"]
    if random.below(2) == 0 {
      let point = "\(crashPoints[random.below(crashPoints.count)]):\(1 + random.below(3))"
      _ = try WeirProcess.run(arguments, environment: ["WEIR_CRASH_POINT": point])
      return
    }
    let running = try WeirProcess.start(arguments)
    let deadline = ContinuousClock.now + .milliseconds(20 + random.below(400))
    while running.process.isRunning && ContinuousClock.now < deadline { sched_yield() }
    kill(running.process.processIdentifier, SIGKILL)
    _ = running.wait()
  }
}
