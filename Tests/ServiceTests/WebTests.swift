import EndToEndSupport
import Foundation
import Testing
import Topology

@testable import Service

extension ServiceTests {
  /// Requests that are not as they should be, and the document that says how they should.
  struct WebTests {
    @Test func whatIsNotThere_isAProblem() async throws {
      try await TestRunner.with { runner in
        let cases: [(String, String, Int)] = [
          ("GET", "/nothing", 404), ("GET", "/v1/nothing", 404), ("PUT", "/v1/topologies", 405),
          ("GET", "/v1/topologies/x", 404),
          ("POST", "/v1/topologies/x/pause", 404), ("GET", "/v1/topologies?sort=up", 400), ("GET", "/v1/%zz", 400),
          ("GET", "/v1/topologies/%ff", 400), ("POST", "/v1/topologies/x/rescale", 400),
        ]
        for (method, target, status) in cases {
          let answer = try runner.request(method, target, body: method == "POST" ? "{}" : nil)
          #expect(answer.status == status, "\(method) \(target): \(answer.text)")
          #expect(answer.headers["content-type"] == "application/problem+json")
          #expect(answer.object["status"] as? Int == status && answer.object["detail"] is String)
        }
        #expect(try runner.request("PUT", "/v1/topologies").headers["allow"] == "GET, POST")
        #expect(try runner.submit("weir: 1", "?base=relative").status == 400)
        let strange = try runner.request(
          "POST", "/v1/topologies", body: "weir: 1", headers: ["Content-Type": "application/pdf"])
        #expect(strange.status == 415)
      }
    }

    @Test func aBodyOf100MB_isRefusedWithoutBeingRead() async throws {
      try await TestRunner.with { runner in
        // Announced.
        let announced = try SocketClient(port: runner.port)
        announced.sendHead("POST", "/v1/topologies", headers: ["Content-Length": "\(100 << 20)"])
        #expect(try announced.answer().status == 413)
        // In pieces, whose sum nobody announces: it is refused long before the end.
        let pieces = try SocketClient(port: runner.port)
        pieces.sendHead("POST", "/v1/topologies", headers: ["Transfer-Encoding": "chunked"])
        let piece = Array("10000\r\n".utf8) + [UInt8](repeating: 32, count: 1 << 16) + Array("\r\n".utf8)
        var sent = 0
        while sent < 1600, pieces.send(piece) {
          sent += 1
          var look = pollfd(fd: pieces.descriptor, events: Int16(POLLIN), revents: 0)
          if poll(&look, 1, 0) > 0 { break }
        }
        #expect(sent < 1600)
        #expect(try pieces.answer().status == 413)
        #expect(try runner.request("GET", "/healthz").status == 200)
      }
    }

    @Test func clientsThatAreSlowOrSilent_holdUpNobody() async throws {
      try await TestRunner.with { runner in
        _ = try runner.submit(TestRunner.usage("live", rows: nil, rate: 2_000))
        var silent: [SocketClient] = []
        for index in 0..<200 {
          let client = try SocketClient(port: runner.port)
          switch index % 3 {
          case 0: client.send(Array("POST /v1/topologies HTTP/1.1\r\nHo".utf8))
          case 1: client.sendHead("POST", "/v1/topologies", headers: ["Content-Length": "1000"])
          // It follows and never reads.
          default: client.sendHead("GET", "/v1/topologies/live/views/latest/changes?isolation=live")
          }
          silent.append(client)
        }
        let before = try runner.wait("live", "running") { ($0["records_in"] as? Int ?? 0) > 1000 }
        try runner.wait("live", "running") {
          ($0["records_in"] as? Int ?? 0) > (before["records_in"] as? Int ?? 0) + 5000
        }
        #expect(try runner.rows("live", "latest", "isolation=live").count == 20)
        #expect(silent.count == 200)
      }
    }

    /// `docs/openapi.json` is what the runner serves; write it anew with WEIR_WRITE_OPENAPI=1.
    @Test func theDocumentInTheRepository_isTheOneThatIsServed() async throws {
      let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("docs/openapi.json")
      try await TestRunner.with { runner in
        let served = try runner.request("GET", "/v1/openapi.json")
        #expect(served.status == 200)
        if ProcessInfo.processInfo.environment["WEIR_WRITE_OPENAPI"] != nil { try Data(served.body).write(to: file) }
        #expect(try String(contentsOf: file, encoding: .utf8) == served.text)
        let paths = served.object["paths"] as? [String: [String: Any]] ?? [:]
        #expect(paths.values.reduce(0) { $0 + $1.count } > 18)
      }
    }

    @Test func metrics_areInPrometheusFormat_eachFamilyOnce() async throws {
      try await TestRunner.with { runner in
        for name in ["one", "two"] { _ = try runner.submit(TestRunner.usage(name)) }
        _ = try runner.submit(TestRunner.usage("live", rows: nil, rate: 2_000))
        for name in ["one", "two"] { try runner.wait(name, "done") }
        try runner.wait("live", "running") {
          (($0["checkpoint"] as? [String: Any])?["committed"] as? Int ?? 0) > 2
        }
        let lines = try runner.request("GET", "/metrics").text.split(separator: "\n").map(String.init)
        let families = lines.filter { $0.hasPrefix("# TYPE") }
        #expect(Set(families).count == families.count && families.count > 15)
        let sample = /[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? -?[0-9.e+-]+/
        for line in lines where !line.hasPrefix("#") { #expect(line.wholeMatch(of: sample) != nil, "\(line)") }
        #expect(lines.contains(#"weir_rows_in_total{topology="one",node="usage",kind="source"} 20000"#))
        #expect(lines.contains(#"weir_topology_state{topology="two",state="done"} 1"#))
        // Something arrived and was seen, live and committed; and a histogram's last bucket is its count.
        for family in ["weir_live_latency_seconds", "weir_commit_latency_seconds"] {
          func value(_ sample: String) -> Int {
            lines.first { $0.hasPrefix(sample) }?.split(separator: " ").last.flatMap { Int($0) } ?? -1
          }
          let count = value("\(family)_count{topology=\"live\"}")
          let last = value("\(family)_bucket{topology=\"live\",le=\"+Inf\"}")
          #expect(count > 0 && count == last, "\(family)")
        }
      }
    }

    /// The service that is asked is the runner itself: it knows no topology called as a service of usage is.
    @Test func lookups_sayInTheMetricsHowTheyAnswered() async throws {
      try await TestRunner.with { runner in
        let topology = """
          weir: 1
          topology: placed
          sources:
            usage:
              connector: generator
              kind: usage
              rows: 1000
              format: json
              schema: {account_id: string not null, service: string, started_at: timestamp not null}
              event_time: started_at
          steps:
            placed:
              from: usage
              lookup:
                table: {connector: http, url: "http://127.0.0.1:\(runner.port)/v1/topologies/{service}"}
                on: [service]
                take: {unit: string}
                cache: {cache_missing: true}
                missing: null
          sinks:
            out: {from: placed, connector: blackhole}
          """
        let answer = try runner.submit(topology)
        #expect(answer.status == 201, "\(answer.text)")
        try runner.wait("placed", "done")
        let lines = try runner.request("GET", "/metrics").text.split(separator: "\n").map(String.init)
        func value(_ name: String, _ label: String = "") throws -> Int {
          let start = #"\#(name){topology="placed",step="placed"\#(label)} "#
          let line = try #require(lines.first { $0.hasPrefix(start) }, "\(start)")
          return try #require(Int(line.dropFirst(start.count)))
        }
        let rows = try ["hit", "miss", "stale"].map { try value("weir_lookup_rows_total", #",result="\#($0)""#) }
        #expect(rows.reduce(0, +) == 1000 && rows[1] >= 3, "\(rows)")
        let requests = try value("weir_lookup_requests_total")
        #expect(requests >= 3 && requests < 1000)
        #expect(try value("weir_lookup_request_seconds_bucket", #",le="+Inf""#) == requests)
        #expect(try value("weir_lookup_request_seconds_count") == requests)
      }
    }
  }
}
