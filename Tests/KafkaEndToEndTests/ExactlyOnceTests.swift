import EndToEndSupport
import Foundation
import Testing

/// Every result exactly once for a committed reader, whatever happens to the process.
@Suite(.serialized) struct ExactlyOnceTests {
  static let records = 20_000
  static let crashPoints = [
    "ids-taken", "identity-kept", "marker-made", "before-state", "state-durable", "before-manifest", "manifest-durable",
    "commit-staged", "commit-sent",
    "commit-acknowledged", "files-renamed",
  ]

  /// The input, and what an undisturbed run makes of it.
  struct Undisturbed {
    let usage: UsageTopic
    let rows: [String: [String]]
  }

  static let undisturbed = Result { () throws -> Undisturbed in
    let broker = try Broker.get()
    let usage = try UsageTopic(broker, records: records)
    let output = try UsageTopic.Output(broker, job: "undisturbed")
    let folder = try TestFolder()
    let result = try WeirProcess.run(["run", try folder.write("t.yaml", usage.topology(output, interval: "10s"))])
    try #require(result.status == 0, "\(result.errors)")
    let rows = try output.rows(broker)
    for (name, own) in rows {
      try #require(!own.isEmpty, "an undisturbed run gives nothing for \(name): \(result.errors)")
    }
    return Undisturbed(usage: usage, rows: rows)
  }

  @Test func fromTopicToTopic_everyRecordIsAccountedFor() throws {
    let broker = try Broker.get()
    let undisturbed = try ExactlyOnceTests.undisturbed.get()
    let output = try UsageTopic.Output(broker, job: "plain")
    let folder = try TestFolder()
    let file = try folder.write("t.yaml", undisturbed.usage.topology(output))
    let result = try WeirProcess.run(["run", file])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("every record is accounted for"), "\(result.errors)")
    let rows = try output.rows(broker)
    #expect(rows == undisturbed.rows)
    #expect(rows["hourly"]?.isEmpty == false && rows["dead"]?.isEmpty == false)
    #expect(folder.rows(in: "copy") == rows["hourly"], "the file sink has the same rows")
    try undisturbed.usage.expectOffsetsAtEnd(output.job, "offsets are committed with the output")
    let again = try WeirProcess.run(["run", file])
    #expect(again.status == 0 && again.errors.contains("no new input"), "\(again.errors)")
    #expect(try output.rows(broker) == rows)
  }

  /// The seeds to run: `WEIR_KILL_SEED`, or as many as `WEIR_KILL_ROUNDS` says.
  static var seeds: [UInt64] {
    let environment = ProcessInfo.processInfo.environment
    if let seed = environment["WEIR_KILL_SEED"].flatMap(UInt64.init) { return [seed] }
    return Array(1...(environment["WEIR_KILL_ROUNDS"].flatMap(UInt64.init) ?? 20))
  }

  @Test func killedAtEveryPoint_everyResultComesOnce_andOffsetsMatchTheOutput() throws {
    let broker = try Broker.get()
    let undisturbed = try ExactlyOnceTests.undisturbed.get()
    for seed in ExactlyOnceTests.seeds {
      var random = SplitMix(seed)
      let output = try UsageTopic.Output(broker, job: "killed")
      let folder = try TestFolder()
      let file = try folder.write("t.yaml", undisturbed.usage.topology(output, rate: 40_000, interval: "50ms"))
      // Every point comes up by itself; those after are drawn.
      let first = ExactlyOnceTests.crashPoints[Int(seed) % ExactlyOnceTests.crashPoints.count]
      try ExactlyOnceTests.run(file, dyingAt: "\(first):\(1 + random.below(2))", &random)
      for _ in 0..<random.below(3) {
        let point = ExactlyOnceTests.crashPoints[random.below(ExactlyOnceTests.crashPoints.count)]
        try ExactlyOnceTests.run(file, dyingAt: "\(point):\(1 + random.below(3))", &random)
      }
      let last = try WeirProcess.run([
        "run", file, "--set", "parallelism=\(1 + random.below(3))", "--set", "sources.usage.rate=10000000",
      ])
      #expect(last.status == 0, "seed \(seed): \(last.errors)")
      let rows = try output.rows(broker)
      for (name, expected) in undisturbed.rows {
        let actual = rows[name] ?? []
        #expect(
          actual == expected,
          "\(name): \(actual.count) rows, \(expected.count) expected: rerun with WEIR_KILL_SEED=\(seed)")
      }
      #expect(folder.rows(in: "copy") == undisturbed.rows["hourly"], "the files: rerun with WEIR_KILL_SEED=\(seed)")
      try undisturbed.usage.expectOffsetsAtEnd(output.job, "rerun with WEIR_KILL_SEED=\(seed)")
    }
  }

  private static func run(_ file: String, dyingAt point: String, _ random: inout SplitMix) throws {
    let result = try WeirProcess.run(
      ["run", "--quiet", file, "--set", "parallelism=\(1 + random.below(3))"],
      environment: ["WEIR_CRASH_POINT": point])
    #expect([0, 128 + SIGKILL].contains(result.status), "at \(point): \(result.errors)")
  }
}
