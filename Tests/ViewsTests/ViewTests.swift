import StreamModel
import TestSupport
import Testing

@testable import Views

struct ViewTests {
  typealias Row = ViewFixture.Row

  @Test func whatIsWritten_isLiveAtOnce_andCommittedWithItsCheckpoint() throws {
    let fixture = try ViewFixture()
    try fixture.write([Row(account: "a", service: "sms", records: 1), Row(account: "b", service: "data", records: 2)])
    #expect(try fixture.rows(.live) == ["a/sms/0=1", "b/data/0=2"])
    #expect(try fixture.rows(.committed) == [])
    try fixture.takeCheckpoint()
    #expect(try fixture.rows(.committed) == ["a/sms/0=1", "b/data/0=2"])
    try fixture.write([Row(account: "a", service: "sms", records: 5)])
    #expect(try fixture.rows(.live) == ["a/sms/0=5", "b/data/0=2"])
    #expect(try fixture.rows(.committed) == ["a/sms/0=1", "b/data/0=2"])
  }

  /// A subtask that is past the barrier writes what belongs to the next checkpoint, while another is still before it.
  @Test func whileABarrierIsOnItsWay_noReaderOfCommittedRowsSeesHalfACheckpoint() throws {
    let fixture = try ViewFixture()
    let accounts = (0..<20).map { "acc-\($0)" }
    let first = accounts.filter { fixture.subtask($0) == 0 }
    let second = accounts.filter { fixture.subtask($0) == 1 }
    #expect(!first.isEmpty && !second.isEmpty)
    func all(_ records: Int64, _ accounts: [String]) -> [String] { accounts.sorted().map { "\($0)/sms/0=\(records)" } }
    try fixture.write(accounts.map { Row(account: $0, service: "sms", records: 1) })
    try fixture.takeCheckpoint()
    try fixture.write(first.map { Row(account: $0, service: "sms", records: 2) })
    try fixture.align(0)
    try fixture.write(first.map { Row(account: $0, service: "sms", records: 3) })
    #expect(try fixture.rows(.committed) == all(1, accounts))
    try fixture.write(second.map { Row(account: $0, service: "sms", records: 2) })
    try fixture.align(1)
    #expect(try fixture.rows(.committed) == all(1, accounts))
    try fixture.commit()
    #expect(try fixture.rows(.committed) == all(2, accounts))
    #expect(try fixture.rows(.live) == (all(3, first) + all(2, second)).sorted())
  }

  @Test func afterACrash_whatNoCheckpointHadIsGone() throws {
    let fixture = try ViewFixture()
    try fixture.write([Row(account: "a", records: 1)])
    try fixture.takeCheckpoint()
    try fixture.write([Row(account: "a", records: 2), Row(account: "b", records: 2)])
    try fixture.align(0)
    // At another parallelism.
    try fixture.start(3)
    #expect(try fixture.rows(.live) == ["a/null/0=1"])
    #expect(try fixture.rows(.committed) == ["a/null/0=1"])
  }

  @Test func scans_goInKeyOrder_whateverThePageSize() throws {
    let fixture = try ViewFixture()
    var random = SeededRandom(seed: 7)
    var expected: [String: Int64] = [:]
    for round in 0..<6 {
      var rows: [Row] = []
      for _ in 0..<200 {
        let row = Row(
          account: "acc-\(Int.random(in: 0..<12, using: &random))",
          service: ["sms", "data", nil].randomElement(using: &random) ?? nil,
          hour: Int64.random(in: -3...3, using: &random), records: Int64.random(in: 0...999, using: &random))
        rows.append(row)
        expected["\(row.account)/\(row.service ?? "null")/\(row.hour)"] = row.records
      }
      try fixture.write(rows)
      if round % 2 == 1 { try fixture.takeCheckpoint() }
      for limit in [1, 7, 1000] {
        let found = try fixture.rows(.live, limit: limit)
        #expect(Set(found) == Set(expected.map { "\($0.key)=\($0.value)" }), "seed 7, round \(round), limit \(limit)")
        #expect(found.count == expected.count)
      }
    }
    let hours = try fixture.rows(.live, prefix: ["acc-1", "sms"]).map {
      $0.split(separator: "/")[2].split(separator: "=")[0]
    }
    #expect(hours.compactMap { Int($0) } == hours.compactMap { Int($0) }.sorted())
  }

  @Test func aPrefix_isOfWholeColumns() throws {
    let fixture = try ViewFixture()
    try fixture.write([
      Row(account: "a", service: "sms"), Row(account: "ab", service: "sms"), Row(account: "a", service: nil),
      Row(account: "a", service: "s"),
    ])
    #expect(try fixture.rows(.live, prefix: ["a"]) == ["a/null/0=1", "a/s/0=1", "a/sms/0=1"])
    #expect(try fixture.rows(.live, prefix: ["a", "s"]) == ["a/s/0=1"])
    #expect(try fixture.rows(.live, prefix: ["a", "~null"]) == ["a/null/0=1"])
    let one = try fixture.access().row(["a", "sms", "1970-01-01T00:00:00Z"], .live)
    #expect(one.rows.count == 1)
    #expect(throws: ViewError.self) { try fixture.access().row(["a", "sms", "yesterday"], .live) }
    #expect(throws: ViewError.self) { try fixture.access().row(["a"], .live) }
  }

  // MARK: Who sees what

  @Test(arguments: [[0, 1, 2], [1, 0, 2]])
  func aReaderOfOneAccount_seesItsRowsAndNoOthers(key: [Int]) throws {
    let fixture = try ViewFixture(key: key)
    let rows = (0..<30).map { Row(account: "acc-\($0 % 3)", service: "s\($0 % 5)", hour: Int64($0)) }
    try fixture.write(rows)
    try fixture.takeCheckpoint()
    let scope = ViewScope(account: "acc-1")
    for isolation in ViewIsolation.allCases {
      let seen = try fixture.rows(isolation, limit: 3, scope)
      #expect(seen.count == 10 && seen.allSatisfy { $0.hasPrefix("acc-1/") })
    }
    let others = key[0] == 0 ? ["acc-2", "s2", "2"] : ["s2", "acc-2", "2"]
    #expect(try fixture.access().row(others, .committed).rows.count == 1)
    #expect(try fixture.access(scope).row(others, .committed).rows.count == 0)
    #expect(try fixture.rows(.committed, prefix: [others[0]], scope).allSatisfy { $0.hasPrefix("acc-1/") })
    let changes = try #require(
      try fixture.access(scope).changes(after: ViewPosition(epoch: 0, number: .max), limit: 1000, .committed))
    #expect(changes.changes.count == 10 && changes.rows.count == 10)
    #expect((0..<10).allSatisfy { ViewFixture.text(changes.rows, $0).hasPrefix("acc-1/") })
  }

  @Test func aViewThatDoesNotSayWhoseItsRowsAre_refusesAReaderOfOneAccount() throws {
    let fixture = try ViewFixture(account: nil)
    #expect(throws: ViewError.self) { try fixture.access(ViewScope(account: "acc-1")) }
  }

  @Test func personalColumns_areTokensToWhoeverNeedNotKnowThem_andTheSameTokenForTheSameValue() throws {
    let fixture = try ViewFixture()
    try fixture.write([
      Row(account: "a", msisdn: "1"), Row(account: "b", msisdn: "2"), Row(account: "c", msisdn: "1"),
      Row(account: "d", msisdn: nil),
    ])
    let scope = ViewScope(token: { "tok-\(String(decoding: $0, as: UTF8.self).count)\($0.first ?? 0)" })
    let rows = try fixture.access(scope).scan(prefix: [], after: nil, limit: 10, .live).rows
    let shown = (0..<4).map { rows.values(at: $0)[4] }
    #expect(shown[0] == shown[2] && shown[0] != shown[1] && shown[3] == .null)
    #expect(shown[0] != .string("1"))
    #expect(try fixture.access().scan(prefix: [], after: nil, limit: 1, .live).rows.values(at: 0)[4] == .string("1"))
  }

  // MARK: Retention

  @Test func aRowGoes_whenItsTimeIsOver_unlessALaterOneCameForItsKey() throws {
    let fixture = try ViewFixture(retainMilliseconds: 64_000)
    try fixture.write([Row(account: "a", hour: 0, time: 0), Row(account: "b", hour: 0, time: 0)])
    try fixture.takeCheckpoint()
    try fixture.write([Row(account: "b", hour: 0, records: 2, time: 60_000)])
    try fixture.advance(to: 64_500)
    try fixture.takeCheckpoint()
    #expect(try fixture.rows(.committed) == ["a/null/0=1", "b/null/0=2"], "kept for `retain` at least")
    try fixture.advance(to: 66_000)
    try fixture.takeCheckpoint()
    #expect(try fixture.rows(.committed) == ["b/null/0=2"])
    #expect(try fixture.rows(.live) == ["b/null/0=2"])
    // Also where the rows came back at another parallelism.
    try fixture.start(5)
    try fixture.advance(to: EventTimes.maximum)
    try fixture.takeCheckpoint()
    #expect(try fixture.rows(.committed) == ["b/null/0=2"], "the end of input makes nothing old")
    try fixture.start(1)
    try fixture.advance(to: 126_000)
    try fixture.takeCheckpoint()
    #expect(try fixture.rows(.committed) == [])
    #expect(fixture.backend.entries(family: "views.usage view").isEmpty, "the index goes with the rows")
  }

  // MARK: Changes

  @Test func changes_goOnBehindAPlace_andSayWhenItIsNotKnown() throws {
    let fixture = try ViewFixture()
    let access = try fixture.access()
    let start = access.head(.live)
    try fixture.write([Row(account: "a", records: 1), Row(account: "b", records: 1)])
    try fixture.write([Row(account: "a", records: 2)])
    var seen: [String] = []
    var position = start
    while let step = try access.changes(after: position, limit: 1, .live), !step.changes.isEmpty {
      seen += step.changes.compactMap { $0.row.map { ViewFixture.text(step.rows, $0) } }
      position = step.position
    }
    #expect(seen.sorted() == ["a/null/0=1", "a/null/0=2", "b/null/0=1"])
    #expect(position == access.head(.live))
    #expect(try access.changes(after: ViewPosition(epoch: 5, number: 5), limit: 1, .live) == nil)
    #expect(ViewPosition(position.text) == position)
  }

  @Test func committedChanges_keepTheirPlacesOverARestart_unlessTheJobWentBack() throws {
    let fixture = try ViewFixture()
    let access = try fixture.access()
    try fixture.write([Row(account: "a", records: 1)])
    #expect(try access.changes(after: access.head(.committed), limit: 10, .committed)?.changes.isEmpty == true)
    let before = access.head(.committed)
    try fixture.takeCheckpoint()
    let place = try #require(try access.changes(after: before, limit: 10, .committed)).position
    #expect(place == ViewPosition(epoch: 1, number: .max))
    try fixture.start(1)
    try fixture.write([Row(account: "a", records: 2)])
    try fixture.takeCheckpoint()
    let more = try #require(try access.changes(after: place, limit: 10, .committed))
    #expect(more.changes.count == 1 && ViewFixture.text(more.rows, 0) == "a/null/0=2")
    try fixture.start(1, restored: 1)
    #expect(try access.changes(after: more.position, limit: 10, .committed) == nil)
  }
}
