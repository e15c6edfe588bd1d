import EndToEndSupport
import Foundation
import Testing

/// A job that is killed again and again writes, and counts, what it would have undisturbed.
/// Long runs over every operator with state, and every crash point: where `WEIR_KILL_ROUNDS` or `WEIR_KILL_SEED` asks for
/// them, as the nightly script does.
@Suite(.serialized, .enabled(if: LongKillRuns.areAskedFor)) struct KillTests {
  /// The seeds to run: `WEIR_KILL_SEED`, or as many as `WEIR_KILL_ROUNDS` says.
  static var seeds: [UInt64] {
    let environment = ProcessInfo.processInfo.environment
    if let seed = environment["WEIR_KILL_SEED"].flatMap(UInt64.init) { return [seed] }
    return Array(1...UInt64(environment["WEIR_KILL_ROUNDS"].flatMap(Int.init) ?? 20))
  }

  /// Odd seeds run the first scenario, even ones the second.
  @Test(arguments: KillScenario.all)
  func afterAnyKills_atAnyParallelism_rowsAndCountersAreThoseOfAnUndisturbedRun(_ scenario: KillScenario) throws {
    let expected = try scenario.undisturbed()
    for seed in KillTests.seeds where (seed % 2 == 1) == (scenario.name == KillScenario.all[0].name) {
      var random = SplitMix(seed)
      let folder = try TestFolder()
      let file = try folder.write("t.yaml", scenario.topology(rate: 120_000))
      for _ in 0..<(1 + random.below(5)) { try KillTests.runAndKill(file, &random) }
      let result = try KillTests.finish(file, parallelism: 1 + random.below(4))
      let rerun = "rerun with WEIR_KILL_SEED=\(seed)"
      #expect(result.status == 0, "\(rerun): \(result.errors)")
      #expect(result.errors.contains("every record is accounted for"), "\(rerun): \(result.errors)")
      let differences = scenario.outcome(in: folder, errors: result.errors).differences(from: expected)
      #expect(differences == [], "\(rerun)")
      // A long run says how far it is.
      FileHandle.standardError.write(Data("\(scenario.name): seed \(seed) compared\n".utf8))
    }
  }

  private static func finish(_ file: String, parallelism: Int) throws -> WeirProcess.Result {
    try WeirProcess.run([
      "run", file, "--set", "parallelism=\(parallelism)", "--set", "sources.usage.rate=10000000",
    ])
  }

  /// Runs until a random crash point, or for a random while.
  private static func runAndKill(_ file: String, _ random: inout SplitMix) throws {
    let arguments = ["run", "--quiet", file, "--set", "parallelism=\(1 + random.below(4))"]
    if random.below(2) == 0 {
      let points = KillScenario.crashPoints
      let point = "\(points[random.below(points.count)]):\(1 + random.below(4))"
      _ = try WeirProcess.run(arguments, environment: ["WEIR_CRASH_POINT": point])
      return
    }
    let running = try WeirProcess.start(arguments)
    let deadline = ContinuousClock.now + .milliseconds(20 + random.below(400))
    while running.process.isRunning && ContinuousClock.now < deadline { sched_yield() }
    kill(running.process.processIdentifier, SIGKILL)
    _ = running.wait()
  }

  @Test func afterACrashBetweenAnyTwoStepsOfACheckpoint_rowsAndCountersAreThoseOfAnUndisturbedRun() throws {
    let scenario = KillScenario.windows
    let expected = try scenario.undisturbed()
    for point in KillScenario.crashPoints {
      for times in [1, 2] {
        let folder = try TestFolder()
        let file = try folder.write("t.yaml", scenario.topology(rate: 60_000))
        // A start passes some points once: there the second time is the second start.
        for _ in 1..<times where point.hasPrefix("restored") || point.hasPrefix("left") {
          _ = try WeirProcess.run(["run", file], environment: ["WEIR_CRASH_POINT": "manifest-durable"])
        }
        let isAtStart = point.hasPrefix("restored") || point.hasPrefix("left")
        let crashed = try WeirProcess.run(
          ["run", file], environment: ["WEIR_CRASH_POINT": "\(point):\(isAtStart ? 1 : times)"])
        #expect(crashed.status == 128 + SIGKILL, "\(point) is never reached: \(crashed.errors)")
        let result = try KillTests.finish(file, parallelism: 3)
        #expect(result.status == 0, "\(point): \(result.errors)")
        let differences = scenario.outcome(in: folder, errors: result.errors).differences(from: expected)
        #expect(differences == [], "after a crash at \(point):\(times)")
        #expect(folder.contents.filter { $0.hasSuffix(".pending") } == [], "\(point)")
      }
    }
  }
}

/// Whether this run is to take long.
enum LongKillRuns {
  static let areAskedFor = ["WEIR_KILL_ROUNDS", "WEIR_KILL_SEED"].contains {
    ProcessInfo.processInfo.environment[$0] != nil
  }
}
