import Foundation
import Testing
import Topology

@testable import Service

extension ServiceTests {
  /// The log of who did and read what.
  struct AuditTests {
    @Test func everyRequest_isInTheLog_withWhoseItWasAndWhatBecameOfIt() async throws {
      let folder = FileManager.default.temporaryDirectory.appendingPathComponent("weir-runner-\(UUID().uuidString)")
      defer { try? FileManager.default.removeItem(at: folder) }
      try await TestRunner.withTokens(folder: folder) { runner, tokens in
        _ = try runner.request("GET", "/v1/topologies", headers: TestRunner.bearer(tokens.analyst))
        _ = try runner.request("POST", "/v1/topologies", body: "weir: 1", headers: TestRunner.bearer(tokens.portal))
        _ = try runner.request(
          "GET", "/v1/topologies/x/views/v/rows/k?isolation=live", headers: TestRunner.bearer(tokens.portal))
        _ = try runner.request("GET", "/v1/topologies")
        _ = try runner.request(
          "GET", "/v1/topologies/x/views/v/rows?prefix=a&prefix=b", headers: TestRunner.bearer(tokens.portal))
        _ = try runner.request("GET", "/v1/topologies?strange=1", headers: TestRunner.bearer(tokens.analyst))
        _ = try runner.request("POST", "/v1/topologies/x/pause", headers: TestRunner.bearer(tokens.operator))
      }
      let file = folder.path + "/runner/audit.log"
      #expect(try AuditLog.verify(file: file).count == 8)
      let entries = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").map { line in
        try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
      }
      #expect(
        entries.map { $0["who"] as? String } == [
          "analyst-", "portal-acc-000003", "portal-acc-000003", nil, "portal-acc-000003", "analyst-", "operator-",
          "operator-",
        ])
      #expect(entries[0]["status"] as? Int == 200)
      #expect((entries[1]["refused"] as? String)?.contains("role portal") == true)
      #expect(entries[2]["key"] as? [String] == ["k"] && entries[2]["account"] as? String == "acc-000003")
      #expect(entries[2]["status"] as? Int == 404)
      #expect((entries[4]["query"] as? [String: Any])?["prefix"] as? [String] == ["a", "b"])
      #expect(entries[5]["status"] as? Int == 400)
      // A change is there before it is made, and then with what became of it.
      #expect(entries[6]["begins"] as? Bool == true && entries[6]["status"] == nil)
      #expect(entries[7]["begins"] == nil && entries[7]["status"] as? Int == 404)
    }

    @Test func whoeverShowsNoTokenThatHolds_cannotFillTheLog() async throws {
      let folder = FileManager.default.temporaryDirectory.appendingPathComponent("weir-runner-\(UUID().uuidString)")
      defer { try? FileManager.default.removeItem(at: folder) }
      try await TestRunner.withTokens(folder: folder) {
        // Two at once, and another after a quarter of an hour.
        $0.requestsPerSecond = 0.001
      } _: { runner, tokens in
        let statuses = try (0..<20).map { number in
          try runner.request("GET", "/v1/topologies", headers: TestRunner.bearer("forged-\(number)")).status
        }
        #expect(statuses == [401] + Array(repeating: 429, count: 19))
        #expect(try runner.request("GET", "/v1/topologies", headers: TestRunner.bearer(tokens.operator)).status == 200)
      }
      #expect(try AuditLog.verify(file: folder.path + "/runner/audit.log").count == 2)
    }

    private func log(_ body: (AuditLog) throws -> Void) throws -> URL {
      let file = FileManager.default.temporaryDirectory.appendingPathComponent("weir-audit-\(UUID().uuidString)")
      try body(try AuditLog(file.path))
      return file
    }

    @Test func aLineThatWasChangedTakenOutOrPutIn_isFound() throws {
      let file = try log { log in
        for number in 0..<5 { try log.add([("who", .string("user-\(number)"))], isChange: number == 2) }
      }
      defer { try? FileManager.default.removeItem(at: file) }
      let whole = try Data(contentsOf: file)
      let head = try AuditLog.verify(file: file.path)
      #expect(head.count == 5)
      let lines = whole.split(separator: 10)
      let damaged: [(String, Data)] = [
        ("changed", Data(String(decoding: whole, as: UTF8.self).replacing("user-3", with: "user-9").utf8)),
        ("taken out", Data(lines[0] + [10] + lines[2] + [10] + lines[3] + [10] + lines[4] + [10])),
        ("first taken out", Data(lines[1] + [10] + lines[2] + [10])),
        ("put in twice", whole + lines[4] + [10]), ("in another order", Data(lines[1] + [10] + lines[0] + [10])),
        ("cut off", whole.dropLast(1)), ("no entry", whole + Data("{}\n".utf8)),
        ("an empty line", whole + Data("\n".utf8)),
      ]
      for (what, bytes) in damaged {
        try bytes.write(to: file)
        #expect(throws: (any Error).self, "\(what)") { try AuditLog.verify(file: file.path) }
      }
      // Cut at its end it is whole by itself: the hash that somebody kept says so.
      try Data(lines[0] + [10] + lines[1] + [10]).write(to: file)
      #expect(try AuditLog.verify(file: file.path).count == 2)
      #expect(throws: AuditLog.Broken.self) { try AuditLog.verify(file: file.path, holding: head.hash) }
      try whole.write(to: file)
      #expect(try AuditLog.verify(file: file.path, holding: head.hash) == head)
    }

    @Test func afterACrash_itGoesOnBehindTheLastWholeLine_andRefusesADamagedLog() throws {
      let file = try log { log in for _ in 0..<3 { try log.add([("who", .null)], isChange: false) } }
      defer { try? FileManager.default.removeItem(at: file) }
      let whole = try Data(contentsOf: file)
      try (whole + Data(#"{"n":4,"at":"#.utf8)).write(to: file)
      do {
        let again = try AuditLog(file.path)
        try again.add([("who", .string("after"))], isChange: true)
      }
      #expect(try AuditLog.verify(file: file.path).count == 4)
      try Data(String(decoding: whole, as: UTF8.self).replacing("null", with: "1").utf8).write(to: file)
      #expect(throws: (any Error).self) { try AuditLog(file.path) }
    }
  }
}
