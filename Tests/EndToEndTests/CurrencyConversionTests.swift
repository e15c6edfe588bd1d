import EndToEndSupport
import Foundation
import Synchronization
import TestSupport
import Testing

/// `topologies/currency-conversion.yaml` as a user runs it, with rates from its file and from a service in every mood.
@Suite struct CurrencyConversionTests {
  static let topology = WeirProcess.root.appendingPathComponent("topologies/currency-conversion.yaml").path
  static let outputs = ["charges", "daily", "unrated"]

  struct Outcome {
    let rows: [String: [String]]
    let errors: String

    var charges: [String] { rows["charges"] ?? [] }
    var unrated: [String] { rows["unrated"] ?? [] }
    /// Identities of records in a sink.
    func identities(_ output: String) -> Set<String> {
      Set((rows[output] ?? []).compactMap { $0.split(separator: "\"").dropFirst(3).first.map(String.init) })
    }
  }

  /// Runs the topology on 1,000 generated records.
  static func run(_ settings: [String] = []) throws -> Outcome {
    let folder = try TestFolder()
    var arguments = ["run", "--from", "none", topology]
    for output in outputs { arguments += ["--set", "sinks.\(output).path=\(folder.path)/\(output)"] }
    let all =
      [
        "sources.usage.rows=1000", "checkpoint.directory=\(folder.path)/checkpoints",
        "dead_letters.path=\(folder.path)/dead",
      ]
      + settings
    for setting in all { arguments += ["--set", setting] }
    let result = try WeirProcess.run(arguments)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("every record is accounted for"))
    let rows = Dictionary(uniqueKeysWithValues: outputs.map { ($0, folder.rows(in: $0)) })
    return Outcome(rows: rows, errors: result.errors)
  }

  /// Settings that put a service in the file's place.
  static func service(_ server: HTTPDouble, _ more: [String] = []) -> [String] {
    let table = "steps.rated.lookup.table"
    return [
      "\(table).connector=http", "\(table).url=\(server.url)/v1?base={currency}&quote={account_currency}",
      "\(table).retry.backoff=1ms",
    ] + more
  }

  /// The answers of a service that knows what the file knows, by path.
  static func answers() throws -> [String: String] {
    let file = WeirProcess.root.appendingPathComponent("topologies/rates.csv")
    var versions: [String: [String]] = [:]
    for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n").dropFirst() {
      let cells = line.split(separator: ",", omittingEmptySubsequences: false)
      let end = cells[3].isEmpty ? "null" : "\"\(cells[3])\""
      versions["/v1?base=\(cells[0])&quote=\(cells[1])", default: []].append(
        "{\"base\":\"\(cells[0])\",\"quote\":\"\(cells[1])\",\"valid_from\":\"\(cells[2])\",\"valid_to\":\(end),\"rate\":\(cells[4]),\"source\":\"\(cells[5])\"}"
      )
    }
    return versions.mapValues { "[\($0.joined(separator: ","))]" }
  }

  @Test func theOutputIsTheOneThatWasAgreed() throws {
    let outcome = try Self.run()
    for output in Self.outputs {
      let expected = try ExpectedOutput.rows("currency-conversion/\(output).json")
      #expect(
        outcome.rows[output] == expected,
        "\(output) differs: \(ExpectedOutput.difference(expected, outcome.rows[output]))")
    }
    #expect(outcome.charges.count > 900)
  }

  @Test func aServiceIsAskedOnceForAPair_andGivesWhatTheFileGives() throws {
    let answers = try Self.answers()
    let server = HTTPDouble { path in answers[path].map { .reply(status: 200, $0) } ?? .reply(status: 404, "") }
    defer { server.stop() }
    let outcome = try Self.run(Self.service(server))
    #expect(outcome.rows == (try Self.run()).rows)
    #expect(Set(server.requests).count == server.requests.count && !server.requests.isEmpty)
    #expect(outcome.errors.contains("lookup rated:"), "\(outcome.errors)")
  }

  /// Slow: the first request for each pair is never answered. Back: the first two are refused.
  @Test func aServiceThatIsSlowOrComesBack_costsTimeAndNoCharge() throws {
    let (answers, expected) = (try Self.answers(), try Self.run())
    let asked = Mutex<[String: Int]>([:])
    for (failures, mood) in [(1, HTTPDouble.Answer.silence), (2, .reply(status: 503, "starting"))] {
      asked.withLock { $0 = [:] }
      let server = HTTPDouble { path in
        let times = asked.withLock { asked in
          asked[path, default: 0] += 1
          return asked[path] ?? 0
        }
        return times <= failures ? mood : .reply(status: 200, answers[path] ?? "[]")
      }
      defer { server.stop() }
      let settings = ["steps.rated.lookup.table.timeout=500ms", "steps.rated.lookup.table.breaker.failures=1000"]
      let outcome = try Self.run(Self.service(server, settings))
      #expect(outcome.rows == expected.rows)
      #expect(asked.withLock { $0.values.allSatisfy { $0 == failures + 1 } })
    }
  }

  @Test func aServiceThatIsDown_leavesForeignChargesUnrated_andNoOthers() throws {
    let server = HTTPDouble { _ in .silence }
    server.stop()
    let (outcome, expected) = (try Self.run(Self.service(server)), try Self.run())
    Self.expectNoneLostOrChanged(outcome, expected)
    #expect(outcome.charges.allSatisfy { $0.contains("\"rate_source\":\"same currency\"") } && !outcome.charges.isEmpty)
    #expect(outcome.unrated.count > 100)
  }

  @Test func aServiceThatIsWrong_givesNoWrongAmount() throws {
    let (answers, expected) = (try Self.answers(), try Self.run())
    @Sendable func spoiled(_ path: String, _ answer: String) -> HTTPDouble.Answer {
      if path.contains("base=MAD") { return .reply(status: 200, "<html>busy</html>") }
      if path.contains("base=USD") { return .reply(status: 200, #"{"error":"no such currency"}"#) }
      if path.contains("base=GBP") { return .reply(status: 200, answer.replacing("\"rate\":", with: "\"rate\":-")) }
      if path.contains("base=INR") { return .reply(status: 200, answers["/v1?base=EUR&quote=USD"] ?? "") }
      return .reply(status: 200, answer)
    }
    let server = HTTPDouble { path in spoiled(path, answers[path] ?? "[]") }
    defer { server.stop() }
    let outcome = try Self.run(Self.service(server))
    Self.expectNoneLostOrChanged(outcome, expected)
    for currency in ["MAD", "USD", "GBP", "INR"] {
      let own = outcome.charges.filter { $0.contains("\"currency\":\"\(currency)\"") }
      #expect(own.allSatisfy { $0.contains("same currency") } && expected.charges.count > outcome.charges.count)
    }
    #expect(outcome.charges.contains { $0.contains("\"currency\":\"EUR\"") && !$0.contains("same currency") })
  }

  /// Every charge is converted as it would be from the file, or unrated.
  static func expectNoneLostOrChanged(_ outcome: Outcome, _ expected: Outcome) {
    #expect(Set(outcome.charges).isSubset(of: Set(expected.charges)))
    #expect(outcome.identities("charges").isDisjoint(with: outcome.identities("unrated")))
    #expect(
      outcome.identities("charges").union(outcome.identities("unrated"))
        == expected.identities("charges").union(expected.identities("unrated")))
  }

  @Test func aMillionLookupsOverTenThousandKeys_reachTheServiceOncePerKey() throws {
    let folder = try TestFolder()
    let server = HTTPDouble { path in
      .reply(status: 200, "{\"account_id\":\"\(path.dropFirst(3))\",\"tier\":\"t\(path.utf8.last ?? 0)\"}")
    }
    defer { server.stop() }
    let file = try folder.write(
      "t.yaml",
      """
      weir: 1
      topology: lookups
      parallelism: 2
      checkpoint: {directory: checkpoints}
      sources:
        usage: {connector: generator, kind: usage, rows: 1000000, accounts: 10000, records_per_event_second: 50}
      steps:
        tiered:
          from: usage
          lookup:
            # A request that is given up is sent again: on a machine that is busy with something else, too.
            table: {connector: http, url: "\(server.url)/a/{account_id}", timeout: 60s}
            on: [account_id]
            take: {tier: string not null}
            cache: {max_rows: 20000, expire_after_write: 1h}
        tiers: {from: tiered, aggregate: {key: [tier], values: {records: count(*), accounts: count(distinct account_id)}}}
      sinks:
        out: {from: tiers, connector: file, path: out, format: json}
      """)
    let result = try WeirProcess.run(["run", file])
    #expect(result.status == 0, "\(result.errors)")
    #expect(Set(server.requests).count == server.requests.count, "a key was asked for twice")
    #expect(server.requests.count > 5_000 && server.requests.count <= 10_000)
    #expect(result.errors.contains("every record is accounted for"))
    let line = try #require(result.errors.split(separator: "\n").first { $0.contains("lookup tiered:") })
    print("1,000,000 lookups, \(server.requests.count) requests at the service;\(line)")
  }
}

/// Output that is checked in.
enum ExpectedOutput {
  static func rows(_ name: String) throws -> [String] {
    let file = WeirProcess.root.appendingPathComponent("Tests/Fixtures/topologies/\(name)")
    return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map(String.init).sorted()
  }

  static func difference(_ expected: [String], _ actual: [String]?) -> String {
    let (wanted, found) = (Set(expected), Set(actual ?? []))
    return "\(wanted.subtracting(found).count) rows are missing, such as \(wanted.subtracting(found).min() ?? "none"); "
      + "\(found.subtracting(wanted).count) are too many, such as \(found.subtracting(wanted).min() ?? "none")"
  }
}
