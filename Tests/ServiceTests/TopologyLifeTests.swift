import Foundation
import Testing

@testable import Service

extension ServiceTests {
  /// What becomes of topologies that are handed to a runner.
  struct TopologyLifeTests {
    @Test func aSubmittedTopology_runs_isListed_andIsDone() async throws {
      try await TestRunner.with { runner in
        let answer = try runner.submit(TestRunner.usage("usage"))
        #expect(answer.status == 201 && answer.object["name"] as? String == "usage", "\(answer.text)")
        let done = try runner.wait("usage", "done")
        #expect(done["records_in"] as? Int == 20_000)
        let nodes = done["nodes"] as? [[String: Any]] ?? []
        #expect(nodes.count == 5 && nodes.allSatisfy { $0["reconciles"] as? Bool == true })
        let list = try runner.request("GET", "/v1/topologies").object["topologies"] as? [[String: Any]] ?? []
        #expect(list.map { $0["name"] as? String } == ["usage"])
        #expect(try runner.submit(TestRunner.usage("usage")).status == 409)
        let checkpoints = try runner.request("GET", "/v1/topologies/usage/checkpoints").object["checkpoints"]
        #expect((checkpoints as? [[String: Any]])?.last?["complete"] as? Bool == true)
      }
    }

    @Test func everyFaultOfATopology_isInOneAnswer_andNothingIsStarted() async throws {
      try await TestRunner.with { runner in
        let faulty = TestRunner.usage("usage").replacing("count(*)", with: "count(nothing)")
          .replacing("kind: usage", with: "kind: usag").replacing("retain: 35d", with: "retian: 35d")
        for query in ["", "?dry_run"] {
          let answer = try runner.submit(faulty, query + (query.isEmpty ? "?" : "&") + "file=mine.yaml")
          #expect(answer.status == 422 && answer.kind == "topology-invalid")
          #expect(answer.headers["content-type"] == "application/problem+json")
          let faults = answer.object["faults"] as? [[String: Any]] ?? []
          #expect(faults.count == 3, "\(answer.text)")
          #expect(faults.allSatisfy { $0["file"] as? String == "mine.yaml" && $0["line"] as? Int ?? 0 > 0 })
        }
        #expect(try runner.submit(TestRunner.usage("usage"), "?dry_run").status == 200)
        #expect((try runner.request("GET", "/v1/topologies").object["topologies"] as? [Any])?.isEmpty == true)
      }
    }

    @Test func pausing_takesACheckpoint_andResumingGoesOnFromIt() async throws {
      try await TestRunner.with { runner in
        _ = try runner.submit(TestRunner.usage("live", rows: nil, rate: 4_000))
        try runner.wait("live", "running") { ($0["records_in"] as? Int ?? 0) > 1000 }
        let paused = try runner.request("POST", "/v1/topologies/live/pause")
        #expect(paused.status == 200 && paused.object["state"] as? String == "paused", "\(paused.text)")
        let read = try #require(paused.object["records_in"] as? Int)
        // Its views are there while it does not run.
        #expect(try runner.rows("live", "latest").count == 20)
        #expect(try runner.request("POST", "/v1/topologies/live/resume").status == 200)
        let running = try runner.wait("live", "running") { ($0["records_in"] as? Int ?? 0) > read }
        #expect(running["restarts"] as? Int == 0)
        let rescaled = try runner.request("POST", "/v1/topologies/live/rescale", body: #"{"parallelism": 3}"#)
        #expect(rescaled.status == 200 && rescaled.object["parallelism"] as? Int == 3, "\(rescaled.text)")
        try runner.wait("live", "running") { ($0["records_in"] as? Int ?? 0) > read }
      }
    }

    @Test func aSavepoint_isMadeWhileItRuns_andCancellingForgetsIt() async throws {
      try await TestRunner.with { runner in
        _ = try runner.submit(TestRunner.usage("live", rows: nil, rate: 4_000))
        try runner.wait("live", "running") { ($0["records_in"] as? Int ?? 0) > 0 }
        let savepoint = try runner.request("POST", "/v1/topologies/live/savepoints", body: "{}")
        let path = try #require(savepoint.object["path"] as? String, "\(savepoint.text)")
        #expect(savepoint.status == 201 && FileManager.default.fileExists(atPath: path + "/manifest"))
        let again = try runner.request("POST", "/v1/topologies/live/savepoints", body: "{\"path\": \"\(path)\"}")
        #expect(again.status == 409, "a savepoint never goes over another")
        let cancelled = try runner.request("DELETE", "/v1/topologies/live?savepoint")
        #expect(cancelled.status == 200 && cancelled.object["savepoint"] is String, "\(cancelled.text)")
        #expect(try runner.request("GET", "/v1/topologies/live").status == 404)
        // Another topology of its name goes on from the savepoint.
        let from = try #require(cancelled.object["savepoint"] as? String)
        #expect(try runner.submit(TestRunner.usage("live", rows: nil, rate: 4_000), "?from=\(from)").status == 201)
        let running = try runner.wait("live", "running") { ($0["records_in"] as? Int ?? 0) > 0 }
        #expect(running["state"] as? String == "running")
      }
    }

    @Test func aSavepointThatCannotBeMade_isAConflict_andKeepsTheTopology() async throws {
      try await TestRunner.with { runner in
        _ = try runner.submit(TestRunner.usage("live", rows: nil, rate: 4_000))
        let taken = runner.folder.path + "/taken"
        try FileManager.default.createDirectory(atPath: taken + "/x", withIntermediateDirectories: true)
        // Also while it is being started.
        let made = try runner.request("POST", "/v1/topologies/live/savepoints")
        #expect(made.status == 201, "\(made.text)")
        for path in [taken, "/proc/nothing/there"] {
          let body = "{\"path\": \"\(path)\"}"
          #expect(try runner.request("POST", "/v1/topologies/live/savepoints", body: body).status == 409)
          let refused = try runner.request("DELETE", "/v1/topologies/live?path=\(path)")
          #expect(refused.status == 409, "\(refused.text)")
          #expect(try runner.describe("live")["state"] as? String == "paused")
          #expect(try runner.request("POST", "/v1/topologies/live/resume").status == 200)
        }
        let strange = try runner.request("DELETE", "/v1/topologies/..%2F..%2F..%2Fstrange?savepoint")
        #expect(strange.status == 404)
        #expect(!FileManager.default.fileExists(atPath: runner.folder.path + "/strange"))
        #expect(!FileManager.default.fileExists(atPath: runner.folder.deletingLastPathComponent().path + "/strange"))
      }
    }

    @Test func anUpgrade_goesOnFromASavepoint_andOneThatDoesNotFitChangesNothing() async throws {
      try await TestRunner.with { runner in
        let text = TestRunner.usage("live", rows: nil, rate: 4_000)
        _ = try runner.submit(text)
        try runner.wait("live", "running") { ($0["records_in"] as? Int ?? 0) > 1000 }
        let path = "/v1/topologies/live/upgrade"
        let other = text.replacing("key: [account_id, service]\n", with: "key: [account_id]\n")
          .replacing("key: [account_id, service, window_start]", with: "key: [account_id, window_start]")
          .replacing("services: {from: hourly, key: [service, account_id, window_start]}", with: "")
        // A checkpoint with the aggregate's state in it.
        try runner.wait("live", "running") { (($0["checkpoint"] as? [String: Any])?["committed"] as? Int ?? 0) > 0 }
        for query in ["?dry_run", ""] {
          let refused = try runner.request("POST", path + query, body: other)
          if query.isEmpty {
            #expect(refused.status == 409 && refused.kind == "incompatible", "\(refused.text)")
          } else {
            #expect((refused.object["report"] as? [String: Any])?["compatible"] as? Bool == false, "\(refused.text)")
          }
        }
        let unneeded = try runner.request("POST", path + "?drop_state=hourly&drop_state=nowhere", body: other)
        #expect(unneeded.status == 409 && unneeded.text.contains("nowhere: its state cannot be dropped"))
        let tried = try runner.request("POST", path + "?dry_run&drop_state=hourly", body: other)
        let report = tried.object["report"] as? [String: Any]
        #expect(report?["compatible"] as? Bool == false, "the view of it does not fit either")
        let before = try runner.wait("live", "running")
        #expect(before["revision"] as? Int == 1)
        let better = text.replacing("views:", with: "sinks: {out: {from: hourly, connector: blackhole}}\nviews:")
        let upgraded = try runner.request("POST", path, body: better)
        #expect(upgraded.status == 200, "\(upgraded.text)")
        let saved = try #require(upgraded.object["savepoint"] as? String)
        #expect(FileManager.default.fileExists(atPath: saved + "/manifest"))
        let after = try runner.wait("live", "running") {
          ($0["records_in"] as? Int ?? 0) > before["records_in"] as? Int ?? 0
        }
        #expect(after["revision"] as? Int == 2)
        let names = "?drop_state=hourly&drop_state=views.usage"
        let third = try runner.request("POST", path + names, body: other)
        #expect(third.status == 200 && third.text.contains("\"dropped\""), "\(third.text)")
        let last = try runner.wait("live", "running") { $0["revision"] as? Int == 3 }
        #expect("\(last["notices"] ?? "")".contains("steps.hourly: its state is dropped"), "\(last)")
        #expect(try runner.request("POST", "/v1/topologies/live/pause").status == 200)
        #expect(try runner.request("POST", "/v1/topologies/live/resume").status == 200)
        try runner.wait("live", "running") { ($0["records_in"] as? Int ?? 0) > last["records_in"] as? Int ?? 0 }
      }
    }

    @Test func aTopologyThatCannotRun_saysWhy_andHoldsUpNoOther() async throws {
      try await TestRunner.with { runner in
        let broken = TestRunner.usage("broken").replacing(
          "connector: generator", with: "connector: file\n    path: nowhere.json"
        )
        .replacing(/(?m)^    (kind|accounts|rows|seed|records_per_event_second|anomalies):.*\n/, with: "")
        let answer = try runner.submit(broken)
        #expect(answer.status == 201, "\(answer.text)")
        _ = try runner.submit(TestRunner.usage("usage"))
        try runner.wait("usage", "done")
        let failed = try runner.wait("broken", "failed")
        #expect("\(failed["last_failure"] ?? "")".contains("nowhere.json"))
      }
    }

    /// A topology from a broker that does not answer.
    private static func unreachable(_ name: String) -> String {
      """
      weir: 1
      topology: \(name)
      restart: {attempts: 100, initial_backoff: 50ms, max_backoff: 50ms}
      sources:
        usage:
          connector: kafka
          bootstrap: 127.0.0.1:1
          topic: usage
          format: json
          schema: {account_id: string not null}
      sinks:
        out: {from: usage, connector: blackhole}
      """
    }

    @Test func whileATopologyCannotReachItsBroker_itSaysSoAndIsTriedAgain_andTheRunnerIsReady() async throws {
      let folder = FileManager.default.temporaryDirectory.appendingPathComponent("weir-runner-\(UUID().uuidString)")
      defer { try? FileManager.default.removeItem(at: folder) }
      try await TestRunner.with(folder: folder) { runner in
        #expect(try runner.submit(Self.unreachable("cut-off")).status == 201)
        _ = try runner.submit(TestRunner.usage("usage"))
        try runner.wait("usage", "done")
        #expect(try runner.request("GET", "/readyz").status == 200)
        let waiting = try runner.wait("cut-off", "restarting", "starting") { $0["restarts"] as? Int ?? 0 > 0 }
        #expect("\(waiting["last_failure"] ?? "")".contains("127.0.0.1:1"))
        #expect(try runner.request("GET", "/readyz").status == 200)
      }
      // Started again with its broker still away: the runner is ready at once, and the topology is tried on.
      try await TestRunner.with(folder: folder) { runner in
        #expect(try runner.request("GET", "/readyz").status == 200)
        try runner.wait("cut-off", "restarting", "starting") { $0["restarts"] as? Int ?? 0 > 0 }
        let paused = try runner.request("POST", "/v1/topologies/cut-off/pause")
        #expect(paused.status == 200 && paused.object["state"] as? String == "paused", "\(paused.text)")
      }
    }

    @Test func aRunnerThatCannotKeepAnything_isNotReady() async throws {
      try await TestRunner.with { runner in
        #expect(try runner.request("GET", "/readyz").status == 200)
        let directory = runner.folder.path + "/runner"
        try FileManager.default.moveItem(atPath: directory, toPath: directory + "-away")
        let answer = try runner.request("GET", "/readyz")
        #expect(answer.status == 503 && answer.text.contains(directory))
        try FileManager.default.moveItem(atPath: directory + "-away", toPath: directory)
        #expect(try runner.request("GET", "/readyz").status == 200)
      }
    }

    @Test func afterARestart_everythingThatRanRunsAgain_andWhatWasPausedDoesNot() async throws {
      let folder = FileManager.default.temporaryDirectory.appendingPathComponent("weir-runner-\(UUID().uuidString)")
      defer { try? FileManager.default.removeItem(at: folder) }
      try await TestRunner.with(folder: folder) { runner in
        for name in ["one", "two"] { _ = try runner.submit(TestRunner.usage(name, rows: nil, rate: 4_000)) }
        _ = try runner.submit(TestRunner.usage("finished"))
        for name in ["one", "two"] { try runner.wait(name, "running") { ($0["records_in"] as? Int ?? 0) > 1000 } }
        try runner.wait("finished", "done")
        #expect(try runner.request("POST", "/v1/topologies/two/pause").status == 200)
      }
      try await TestRunner.with(folder: folder) { runner in
        let one = try runner.wait("one", "running")
        #expect(one["records_in"] as? Int ?? 0 > 1000)
        #expect(try runner.describe("two")["state"] as? String == "paused")
        let finished = try runner.describe("finished")
        #expect(finished["state"] as? String == "done")
        #expect(finished["records_in"] as? Int == 20_000, "what it had done is still told")
        #expect((finished["checkpoint"] as? [String: Any])?["last"] is [String: Any])
        #expect(try runner.rows("finished", "usage").count > 100)
        #expect(try runner.request("GET", "/readyz").status == 200)
      }
    }

    @Test func deadLetters_areShownPageByPage() async throws {
      try await TestRunner.with { runner in
        _ = try runner.submit(TestRunner.usage("usage"))
        try runner.wait("usage", "done")
        var seen: [[String: Any]] = []
        var next: Int? = 0
        while let cursor = next {
          let page = try runner.request("GET", "/v1/topologies/usage/dead-letters?limit=70&cursor=\(cursor)")
            .object
          seen += page["letters"] as? [[String: Any]] ?? []
          next = page["next"] as? Int
        }
        #expect(seen.count == (try runner.describe("usage"))["dead_letters"] as? Int)
        #expect(seen.count > 100 && Set(seen.map { $0["position"] as? Int ?? -1 }).count == seen.count)
        #expect(try runner.request("POST", "/v1/topologies/usage/dead-letters/replay", body: "{}").status == 409)
      }
    }
  }
}
