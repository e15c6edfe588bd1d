import EndToEndSupport
import Foundation
import Testing

/// A job that is killed again and again writes what it would have written undisturbed.
/// Seeded kills of usage aggregation with rescaling in between: the committed rows are those of a run never killed.
@Suite(.serialized) struct KillAndResumeTests {
  static func topology(rate: Int, interval: String = "100ms") -> String {
    """
    weir: 1
    topology: killed
    checkpoint: {interval: \(interval), directory: checkpoints}
    dead_letters: {connector: file, path: dead, format: json}
    sources:
      usage:
        connector: generator
        kind: usage
        rows: 60000
        rate: \(rate)
        records_per_event_second: 1
        anomalies: {duplicates: 0.01, missing: 0.005, corrupt: 0.005, late: 0.01}
    steps:
      once: {from: usage, deduplicate: {key: [record_id], within: 24h}}
      hourly:
        from: once
        aggregate: {key: [account_id, service], window: {tumble: 1h}, values: {records: count(*), quantity: sum(quantity)}}
      sessions:
        from: once
        aggregate: {key: [account_id], window: {session: 30m}, values: {records: count(*), last: last(record_id)}}
    sinks:
      hourly: {from: hourly, connector: file, path: hourly, format: json}
      sessions: {from: sessions, connector: file, path: sessions, format: json}
      duplicates: {from: once.duplicates, connector: file, path: duplicates, format: json}
    """
  }

  static let outputs = ["hourly", "sessions", "duplicates", "dead"]

  /// A dead letter without the time at which it failed.
  static func rows(_ folder: TestFolder) -> [String: [String]] {
    Dictionary(
      uniqueKeysWithValues: outputs.map { output in
        (output, folder.rows(in: output).map { $0.replacing(/"failed_at":"[^"]*",/, with: "") }.sorted())
      })
  }

  static func undisturbed() throws -> [String: [String]] {
    let folder = try TestFolder()
    let result = try WeirProcess.run(["run", try folder.write("t.yaml", topology(rate: 10_000_000))])
    #expect(result.status == 0, "\(result.errors)")
    return rows(folder)
  }

  /// The seeds to run: `WEIR_KILL_SEED`, or as many as `WEIR_KILL_ROUNDS` says.
  static var seeds: [UInt64] {
    let environment = ProcessInfo.processInfo.environment
    if let seed = environment["WEIR_KILL_SEED"].flatMap(UInt64.init) { return [seed] }
    return Array(1...UInt64(environment["WEIR_KILL_ROUNDS"].flatMap(Int.init) ?? 20))
  }

  static let crashPoints = ["before-manifest", "manifest-durable", "files-renamed"]

  @Test func afterAnyKills_atAnyParallelism_theRowsAreThoseOfAnUndisturbedRun() throws {
    let expected = try KillAndResumeTests.undisturbed()
    for output in KillAndResumeTests.outputs { #expect(expected[output]?.isEmpty == false, "\(output) is empty") }
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
      let actual = KillAndResumeTests.rows(folder)
      for output in KillAndResumeTests.outputs {
        #expect(expected[output] == actual[output], "\(output) differs: rerun with WEIR_KILL_SEED=\(seed)")
      }
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
