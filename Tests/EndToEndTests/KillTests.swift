import Foundation
import Testing

/// A job that is killed again and again writes what it would have written undisturbed.
@Suite(.serialized) struct KillTests {
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
    let expected = try KillTests.undisturbed()
    for output in KillTests.outputs { #expect(expected[output]?.isEmpty == false, "\(output) is empty") }
    for seed in KillTests.seeds {
      var random = SplitMix(seed)
      let folder = try TestFolder()
      let file = try folder.write("t.yaml", KillTests.topology(rate: 120_000))
      for _ in 0..<(1 + random.below(4)) { try KillTests.runAndKill(file, &random) }
      let arguments = [
        "run", file, "--set", "parallelism=\(1 + random.below(4))", "--set", "sources.usage.rate=10000000",
      ]
      let result = try WeirProcess.run(arguments)
      #expect(result.status == 0, "seed \(seed): \(result.errors)")
      #expect(result.errors.contains("accounted for") || result.errors.contains("no new input"), "seed \(seed)")
      let actual = KillTests.rows(folder)
      for output in KillTests.outputs {
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

  @Test func aDamagedCheckpoint_isRefusedByName_andTheWaysOutAreSpelled() throws {
    let folder = try TestFolder()
    let file = try folder.write("t.yaml", KillTests.topology(rate: 10_000_000))
    #expect(try WeirProcess.run(["run", file]).status == 0)
    let checkpoints = folder.url.appendingPathComponent("checkpoints/killed")
    let newest = try #require(
      folder.contents.filter { $0.contains("/checkpoint-") }.max {
        $0.count == $1.count ? $0 < $1 : $0.count < $1.count
      })
    let path = folder.url.appendingPathComponent(newest)
    let whole = try Data(contentsOf: path)
    var flipped = whole
    flipped[whole.count / 2] ^= 4
    for damaged in [flipped, whole.prefix(whole.count - 5), Data()] {
      try damaged.write(to: path)
      let before = folder.contents
      let result = try WeirProcess.run(["run", file])
      #expect(result.status == 1)
      #expect(result.errors.contains(path.lastPathComponent) && result.errors.contains("damaged"), "\(result.errors)")
      #expect(result.errors.contains("--from none"))
      #expect(folder.contents == before, "a refused start changes nothing")
    }
    try whole.write(to: path)
    let again = try WeirProcess.run(["run", file])
    #expect(again.status == 0 && again.errors.contains("no new input"), "\(again.errors) \(checkpoints.path)")
  }

  @Test func aSecondProcessOnTheSameDirectory_isRefused() throws {
    let folder = try TestFolder()
    let text = KillTests.topology(rate: 5000).replacingOccurrences(of: "rows: 60000", with: "rows: 100000000")
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
    let text = KillTests.topology(rate: 10_000_000)
    let file = try folder.write("t.yaml", text)
    #expect(try WeirProcess.run(["run", file]).status == 0)
    try folder.write("t.yaml", text.replacingOccurrences(of: "session: 30m", with: "session: 20m"))
    let result = try WeirProcess.run(["run", file])
    #expect(result.status == 1 && result.errors.contains("sessions: it was"), "\(result.errors)")
  }
}

/// A small seeded generator (SplitMix64).
struct SplitMix {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }

  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
