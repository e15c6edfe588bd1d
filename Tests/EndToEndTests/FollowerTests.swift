import EndToEndSupport
import Foundation
import Glibc
import Testing

/// Clients that follow a view by server-sent events, in such numbers as a portal has.
@Suite(.serialized) struct FollowerTests {
  /// `scripts/nightly` has 10,000 of the release binary's.
  private static let count = ProcessInfo.processInfo.environment["WEIR_FOLLOWERS"].flatMap { Int($0) } ?? 1000
  /// Most memory that a client may cost the runner: its connection, its request and its place among the followers.
  private static let maxBytesEach = 160 << 10

  private func topology(_ name: String, rate: Int) -> String {
    """
    weir: 1
    topology: \(name)
    parallelism: 2
    checkpoint: {interval: 500ms, directory: checkpoints}
    sources:
      usage:
        connector: generator
        kind: usage
        accounts: 50
        rate: \(rate)
        rows: \(60_000 + FollowerTests.count * 20)
        records_per_event_second: 2
        format: json
        schema: {account_id: string not null, service: string, started_at: timestamp not null}
        event_time: started_at
    steps:
      hourly: {from: usage, aggregate: {key: [account_id], window: {tumble: 1h}, values: {records: count(*)}}}
    sinks:
      out: {from: hourly, connector: file, path: out-\(name), format: json}
    views:
      latest: {from: usage, key: [account_id], account: account_id}
    """
  }

  /// A client that has asked to follow a view.
  private func follow(_ port: Int, _ target: String, behind id: String? = nil) throws -> SocketClient {
    let client = try SocketClient(port: port)
    client.sendHead("GET", target, headers: id.map { ["Last-Event-ID": $0] } ?? [:])
    return client
  }

  private static func allowManyFiles() {
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var limit = rlimit()
    getrlimit(resource, &limit)
    limit.rlim_cur = limit.rlim_max
    setrlimit(resource, &limit)
  }

  /// Memory of a process, in bytes.
  private func memory(_ process: Process) throws -> Int {
    let status = try String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
    return (Int(line.filter(\.isNumber)) ?? 0) << 10
  }

  @Test func clientsThatFollowAndHearNothing_costLittle_andHoldUpNeitherTheStreamNorOthers() throws {
    FollowerTests.allowManyFiles()
    let folder = try TestFolder()
    let alone = try folder.write("alone.yaml", topology("alone", rate: 10_000_000))
    #expect(try WeirProcess.run(["run", "--quiet", "--from", "none", alone]).status == 0)
    let runner = try RunnerProcess.start(folder)
    let port = try #require(URL(string: runner.address)?.port)
    _ = try runner.weir(["submit", try folder.write("busy.yaml", topology("busy", rate: 4_000))])
    try runner.wait("busy") { $0["records_in"] as? Int ?? 0 > 4_000 }
    let view = "/v1/topologies/busy/views/latest"
    // However long the others take to connect, changes behind this place have come.
    let first = try follow(port, "\(view)/changes?isolation=live&prefix=acc-000001")
    let place = try #require(try first.read(until: "event: upsert").firstMatch(of: /id: ([^\n]+)\n/)?.output.1)
    let before = try memory(runner.running.process)
    var idle: [SocketClient] = []
    for _ in 0..<FollowerTests.count {
      let client = try follow(port, "\(view)/changes?isolation=live&prefix=nobody")
      let head = try client.read(until: "event: open")
      #expect(head.hasPrefix("HTTP/1.1 200 ") && head.contains("text/event-stream"))
      idle.append(client)
    }
    let each = (try memory(runner.running.process) - before) / FollowerTests.count
    #expect(each < FollowerTests.maxBytesEach, "a client costs \(each) bytes")
    // Others are served meanwhile: who reads, and who follows an account that does something.
    #expect(try runner.curl("\(view)/rows/acc-000001?isolation=live").status == 200)
    let busy = try follow(port, "\(view)/changes?isolation=live&prefix=acc-000001", behind: String(place))
    _ = try busy.read(until: "event: upsert")
    #expect(try busy.read(until: "\n\n").contains("acc-000001"))
    let done = try runner.wait("busy") { $0["state"] as? String == "done" }
    #expect(done["restarts"] as? Int == 0)
    let expected = folder.rows(in: "out-alone")
    #expect(expected.count > 100 && folder.rows(in: "out-busy") == expected)
    for client in idle {
      let (text, isOpen) = client.readNow()
      #expect(isOpen && !text.contains("event: upsert") && !text.contains("event: reset"), "\(text.suffix(300))")
    }
    #expect(runner.end(SIGTERM).status == 0)
    print("\(FollowerTests.count) idle followers: \(each) bytes each")
  }
}
