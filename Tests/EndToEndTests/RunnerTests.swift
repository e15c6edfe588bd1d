import EndToEndSupport
import Foundation
import Testing

/// The runner as its users have it: a process that is killed, stopped and asked by other processes.
@Suite(.serialized) struct RunnerTests {
  /// Hourly usage of generated records: `rows` of them, or without end.
  private func topology(_ name: String, rate: Int = 5_000, rows: Int = 1_000_000_000) -> String {
    """
    weir: 1
    topology: \(name)
    parallelism: 2
    checkpoint: {interval: 200ms, directory: checkpoints}
    sources:
      usage:
        connector: generator
        kind: usage
        accounts: 50
        rate: \(rate)
        rows: \(rows)
        records_per_event_second: 2
        format: json
        schema: {account_id: string not null, service: string, started_at: timestamp not null}
        event_time: started_at
    steps:
      hourly: {from: usage, aggregate: {key: [account_id], window: {tumble: 1h}, values: {records: count(*)}}}
    sinks:
      out: {from: hourly, connector: file, path: out-\(name), format: json}
    views:
      usage: {from: hourly, key: [account_id, window_start]}
    """
  }

  private func records(_ topology: [String: Any]) -> Int { topology["records_in"] as? Int ?? 0 }

  @Test func aLineOfTheLogAboutAFailure_namesTopologyStepAndCheckpoint() throws {
    let folder = try TestFolder()
    let runner = try RunnerProcess.start(folder, environment: ["WEIR_FAULT": "sink-sync:EIO:20"])
    #expect(try runner.weir(["submit", try folder.write("one.yaml", topology("one"))]).status == 0)
    _ = try runner.wait("one") { $0["restarts"] as? Int == 1 && $0["state"] as? String == "running" }
    let ended = runner.end(SIGTERM)
    #expect(ended.status == 0)
    let line = ended.errors.split(separator: "\n").first { $0.contains("failed, and is started again") } ?? ""
    for part in ["topology=one", "step=hourly", "attempt=1", "reason="] { #expect(line.contains(part), "\(line)") }
    #expect(line.contains(/checkpoint=[0-9]+/), "\(line)")
  }

  @Test func whatRan_runsAgainAfterAKill_andNoRowIsLostOrDoubled() throws {
    let folder = try TestFolder()
    var runner = try RunnerProcess.start(folder)
    for name in ["one", "two", "three"] {
      let file = try folder.write("\(name).yaml", topology(name))
      let submitted = try runner.weir(["submit", file])
      #expect(submitted.status == 0, "\(submitted.errors)")
    }
    #expect(try runner.weir(["pause", "three"]).status == 0)
    for round in 0..<3 {
      for name in ["one", "two"] {
        _ = try runner.wait(name) { records($0) > 6_000 * (round + 1) && $0["state"] as? String == "running" }
      }
      _ = runner.end(SIGKILL)
      runner = try RunnerProcess.start(folder)
    }
    let list = try runner.weir(["list", "--json"])
    let topologies = try JSONSerialization.jsonObject(with: Data(list.output.utf8)) as? [String: Any] ?? [:]
    let states = (topologies["topologies"] as? [[String: Any]] ?? []).map { "\($0["name"] ?? "") \($0["state"] ?? "")" }
    #expect(states.contains("three paused"))
    _ = try runner.wait("one") { records($0) > 20_000 }
    #expect(try runner.weir(["cancel", "one"]).status == 0)
    // Every window once: what a key and window has is its only row.
    let rows = folder.rows(in: "out-one")
    let keys = rows.map { $0.replacing(/,"records":.*/, with: "") }
    #expect(rows.count > 50 && Set(keys).count == keys.count)
    let result = runner.end(SIGTERM)
    #expect(result.status == 0, "\(result.errors)")
  }

  @Test func aTopologyThatCrashesInALoop_leavesTheOthersAlone_andTheirResultsAreThoseOfRunsAlone() throws {
    let folder = try TestFolder()
    let alone = try folder.write("alone.yaml", topology("alone", rate: 1_000_000, rows: 60_000))
    #expect(try WeirProcess.run(["run", "--quiet", "--from", "none", alone]).status == 0)
    let runner = try RunnerProcess.start(folder)
    // It has no place for its state any more as soon as it runs: a file stands where its directory was.
    let looping = topology("looping").replacing(
      "weir: 1", with: "weir: 1\nrestart: {attempts: 1000, initial_backoff: 1ms, max_backoff: 20ms}")
    _ = try runner.weir(["submit", try folder.write("looping.yaml", looping)])
    try runner.wait("looping") { records($0) > 0 }
    let names = ["one", "two", "three"]
    for name in names {
      _ = try runner.weir(["submit", try folder.write("\(name).yaml", topology(name, rate: 12_000, rows: 60_000))])
    }
    let directory = folder.url.appendingPathComponent("checkpoints/looping")
    try FileManager.default.moveItem(at: directory, to: folder.url.appendingPathComponent("away"))
    try Data().write(to: directory)
    try runner.wait("looping") { ["failed", "quarantined", "restarting"].contains($0["state"] as? String ?? "") }
    let expected = folder.rows(in: "out-alone")
    #expect(expected.count > 100)
    for name in names {
      let done = try runner.wait(name) { $0["state"] as? String == "done" }
      #expect(done["restarts"] as? Int == 0 && records(done) == 60_000)
      #expect(folder.rows(in: "out-\(name)") == expected, "\(name)")
    }
    #expect(runner.end(SIGTERM).status == 0)
  }

  @Test func faultsOfASubmittedTopology_areThoseThatValidateGives() throws {
    let folder = try TestFolder()
    let runner = try RunnerProcess.start(folder)
    let faulty = topology("one").replacing("count(*)", with: "count(nothing)").replacing("kind: usage", with: "kind: x")
    let file = try folder.write("faulty.yaml", faulty)
    let submitted = try runner.weir(["submit", file])
    let validated = try WeirProcess.run(["validate", file])
    #expect(submitted.status == 2 && validated.status == 2)
    let given = validated.errors.replacing(folder.path + "/", with: "")
    #expect(submitted.errors == given)
    #expect(try runner.weir(["status", "one"]).status == 1)
    #expect(try WeirProcess.run(["list"], environment: ["WEIR_RUNNER": "http://127.0.0.1:1"]).status == 1)
    let second = try WeirProcess.run([
      "runner", "--directory", folder.path + "/runner", "--port", "0", "--insecure-no-auth",
    ])
    #expect(second.status == 1 && second.errors.contains("another runner"))
    #expect(runner.end(SIGINT).status == 0)
  }

  @Test func withoutTokens_itListensOnLoopbackOnly() throws {
    let folder = try TestFolder()
    for arguments in [["--insecure-no-auth", "--host", "0.0.0.0"], []] {
      let result = try WeirProcess.run(["runner", "--directory", folder.path + "/runner"] + arguments)
      #expect(result.status == 2, "\(result.errors)")
    }
    #expect(folder.contents.isEmpty)
  }
}
