import EndToEndSupport
import Foundation
import Testing

@testable import Service

extension ServiceTests {
  /// Views over HTTP.
  struct ViewEndpointTests {
    @Test func rows_areReadByKey_andPageByPage() async throws {
      try await TestRunner.with { runner in
        _ = try runner.submit(TestRunner.usage("usage"))
        try runner.wait("usage", "done")
        let all = try runner.rows("usage", "usage")
        #expect(all.count > 100)
        for limit in [1, 7] {
          let paged = try runner.rows("usage", "usage", "prefix=acc-000003", limit: limit)
          let expected = all.filter { $0["account_id"] as? String == "acc-000003" }
          #expect(paged.count == expected.count && paged.count > 5)
          #expect(NSArray(array: paged) == NSArray(array: expected))
        }
        let first = all[0]
        let key = ["account_id", "service", "window_start"].map { "\(first[$0] ?? "")" }.joined(separator: "/")
        let row = try runner.request("GET", "/v1/topologies/usage/views/usage/rows/\(key)")
        #expect(row.status == 200 && NSDictionary(dictionary: row.object) == NSDictionary(dictionary: first))
        #expect(try runner.request("GET", "/v1/topologies/usage/views/usage/rows/nobody/sms/0").status == 404)
        #expect(try runner.request("GET", "/v1/topologies/usage/views/usage/rows/nobody").status == 400)
        #expect(try runner.request("GET", "/v1/topologies/usage/views/usage/rows/a/b/noon").status == 400)
        #expect(try runner.request("GET", "/v1/topologies/usage/views/usage/rows?cursor=zz").status == 400)
        #expect(try runner.request("GET", "/v1/topologies/usage/views/nothing/rows").status == 404)
        let views = try runner.request("GET", "/v1/topologies/usage/views").object["views"] as? [[String: Any]] ?? []
        #expect(views.map { $0["name"] as? String } == ["usage", "latest", "services"])
      }
    }

    /// A client that reads the rows, and then follows from the position that came with them, has what the view has.
    @Test(arguments: ["live", "committed"])
    func changesBehindAPage_bringItUpToDate(isolation: String) async throws {
      try await TestRunner.with { runner in
        _ = try runner.submit(TestRunner.usage("live", rows: nil, rate: 2_000))
        try runner.wait("live", "running") { ($0["records_in"] as? Int ?? 0) > 1000 }
        let page = try runner.request("GET", "/v1/topologies/live/views/latest/rows?isolation=\(isolation)").object
        var rows: [String: String] = [:]
        for row in page["rows"] as? [[String: Any]] ?? [] {
          rows["\(row["account_id"] ?? "")"] = "\(row["started_at"] ?? "")"
        }
        var position = try #require(page["position"] as? String)
        let target = "/v1/topologies/live/views/latest/changes?isolation=\(isolation)"
        // In three sittings, each behind the last event of the one before.
        var epochs: Set<Substring> = []
        for _ in 0..<3 {
          let client = try SocketClient(port: runner.port)
          client.sendHead("GET", target, headers: ["Last-Event-ID": position])
          #expect(try client.head().status == 200)
          for event in try client.events(40) where event["event"] == "upsert" {
            let row = try JSONSerialization.jsonObject(with: Data((event["data"] ?? "").utf8)) as? [String: Any] ?? [:]
            let (account, time) = ("\(row["account_id"] ?? "")", "\(row["started_at"] ?? "")")
            #expect(time != rows[account] || isolation == "live", "each change once")
            rows[account] = time
            position = event["id"] ?? position
            epochs.insert(position.split(separator: "-")[0])
          }
        }
        #expect(rows.count == 20)
        #expect(isolation == "live" ? epochs.count == 1 : epochs.count > 1)
        let stale = try SocketClient(port: runner.port)
        stale.sendHead("GET", target, headers: ["Last-Event-ID": "99999999999999-1"])
        _ = try stale.head()
        #expect(try stale.events(2).contains { $0["event"] == "reset" }, "a place that is not known is said so")
      }
    }

    @Test func eventStreams_endWhenTheRunnerStops() async throws {
      let folder = FileManager.default.temporaryDirectory.appendingPathComponent("weir-runner-\(UUID().uuidString)")
      defer { try? FileManager.default.removeItem(at: folder) }
      try await TestRunner.with(folder: folder) { runner in
        _ = try runner.submit(TestRunner.usage("usage"))
        try runner.wait("usage", "done")
        let client = try SocketClient(port: runner.port)
        client.sendHead("GET", "/v1/topologies/usage/views/usage/changes")
        #expect(try client.head().headers["content-type"] == "text/event-stream")
        #expect(try client.events(1)[0]["event"] == "open")
        // The runner is stopped with the client still there; `with` returns only when it has ended.
      }
    }
  }
}
