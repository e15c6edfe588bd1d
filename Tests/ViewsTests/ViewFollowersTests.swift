import StreamModel
import TestSupport
import Testing

@testable import Views

/// Those who follow a view are woken for what is theirs, and miss nothing.
struct ViewFollowersTests {
  typealias Row = ViewFixture.Row

  /// Reads what it follows as a client of the runner does: when it is woken, and only up to where it must.
  private final class Client {
    let access: ViewAccess
    let prefix: [String]
    let isolation: ViewIsolation
    let start: ViewPosition
    private let following: ViewFollowing
    private let rings = Box()
    private var position: ViewPosition
    private(set) var seen: [String] = []
    private(set) var wokenCount = 0
    private(set) var isLost = false

    final class Box: Sendable { let isRung = Guarded(false) }

    init(_ access: ViewAccess, prefix: [String] = [], _ isolation: ViewIsolation = .live) throws {
      self.access = access
      self.prefix = prefix
      self.isolation = isolation
      following = try access.follow(prefix: prefix, isolation) { [rings] in rings.isRung.withLock { $0 = true } }
      start = access.head(isolation)
      position = start
      _ = following.take()
    }

    static func text(_ changes: ViewChanges, _ change: ViewChange) -> String {
      "\(change.position.text) " + (change.row.map { ViewFixture.text(changes.rows, $0) } ?? "\(change.key) gone")
    }

    func readIfWoken() throws {
      guard
        rings.isRung.withLock({ ring in
          defer { ring = false }
          return ring
        })
      else { return }
      wokenCount += 1
      let news = following.take()
      if news.isLost {
        isLost = true
        position = access.head(isolation)
      }
      position = max(position, news.from)
      while position < news.seen,
        let step = try access.changes(
          after: position, limit: 3, prefix: prefix, isolation)
      {
        seen += step.changes.map { Client.text(step, $0) }
        position = step.position
      }
    }

    /// Everything since it began, asked for at once.
    func all() throws -> [String] {
      let changes = try #require(
        try access.changes(after: start, limit: 1_000_000, prefix: prefix, isolation))
      return changes.changes.map { Client.text(changes, $0) }
    }
  }

  @Test func aFollower_isWokenForItsOwnKeysOnly_andOneOfEverythingForAll() throws {
    let fixture = try ViewFixture()
    let access = try fixture.access()
    let (own, nested, all) = (
      try Client(access, prefix: ["a"]), try Client(access, prefix: ["a", "sms"]), try Client(access)
    )
    let others = try Client(try fixture.access(ViewScope(account: "a")), prefix: ["b"])
    func woken(by rows: [Row]) throws -> [Int] {
      let clients = [own, nested, all, others]
      let before = clients.map(\.wokenCount)
      try fixture.write(rows)
      fixture.view.liveFollowers.look()
      for client in clients { try client.readIfWoken() }
      return zip(clients, before).map { $0.wokenCount - $1 }
    }
    #expect(try woken(by: [Row(account: "b"), Row(account: "aa"), Row(account: "")]) == [0, 0, 1, 0])
    #expect(try woken(by: [Row(account: "a", service: "voice")]) == [1, 0, 1, 0])
    #expect(try woken(by: [Row(account: "0"), Row(account: "a", service: "sms"), Row(account: "b")]) == [1, 1, 1, 0])
    #expect(own.seen.count == 2 && nested.seen.count == 1 && all.seen.count == 7 && others.seen.isEmpty)
    fixture.view.liveFollowers.look()
    #expect(try woken(by: []) == [0, 0, 0, 0])
  }

  @Test func whereKeysDoNotBeginWithTheAccount_aFollowerOfOneIsWokenForItsRowsOnly() throws {
    let fixture = try ViewFixture(key: [1, 0, 2])
    let client = try Client(try fixture.access(ViewScope(account: "a")))
    for account in ["b", "aa", "c"] { try fixture.write([Row(account: account, service: "sms")]) }
    fixture.view.liveFollowers.look()
    try client.readIfWoken()
    #expect(client.wokenCount == 0)
    try fixture.write([Row(account: "b", service: "data"), Row(account: "a", service: "voice")])
    fixture.view.liveFollowers.look()
    try client.readIfWoken()
    #expect(client.wokenCount == 1 && client.seen.count == 1 && client.seen[0].hasSuffix("a/voice/0=1"))
  }

  /// Whatever they follow and however rarely they read.
  @Test(arguments: [[0, 1, 2], [1, 0, 2]])
  func everyFollower_readsExactlyTheChangesThatAreForIt(key: [Int]) throws {
    try TestSeeds.each(20) { random in
      let fixture = try ViewFixture(key: key)
      func text(_ column: Int) -> String {
        column == 0
          ? "acc-\(random.int(0...8))" : column == 1 ? ["sms", "data"][Int(random.int(0...1))] : "\(random.int(0...2))"
      }
      func row() -> Row {
        Row(account: text(0), service: text(1), hour: random.int(0...2), records: random.int(0...1000))
      }
      // Also more of them than a run has changes, and fewer.
      let clients = try (0..<Int(random.int(1...60))).map { _ in
        let scope = random.chance(0.3) ? ViewScope(account: text(0)) : ViewScope()
        let prefix = key.prefix(Int(random.int(0...3))).map(text)
        return try Client(try fixture.access(scope), prefix: prefix, random.chance(0.5) ? .live : .committed)
      }
      for _ in 0..<30 {
        try fixture.write((0..<Int(random.int(1...12))).map { _ in row() })
        if random.chance(0.3) { try fixture.takeCheckpoint() }
        if random.chance(0.7) {
          fixture.view.liveFollowers.look()
          fixture.view.committedFollowers.look()
        }
        for client in clients where random.chance(0.5) { try client.readIfWoken() }
      }
      fixture.view.liveFollowers.look()
      fixture.view.committedFollowers.look()
      for client in clients {
        try client.readIfWoken()
        let all = try client.all()
        #expect(client.seen == all, "seed \(random.seed)")
      }
    }
  }

  @Test func oneThatHeardNothing_whileMoreChangedThanIsKept_readsOnWithoutLosingItsPlace() throws {
    let fixture = try ViewFixture(subtasks: 1)
    let client = try Client(try fixture.access(), prefix: ["quiet"])
    for number in 0..<ViewChangeLog.maxRuns + 100 {
      try fixture.write([Row(account: "busy", records: Int64(number))])
      fixture.view.liveFollowers.look()
    }
    try client.readIfWoken()
    #expect(client.wokenCount == 0)
    try fixture.write([Row(account: "quiet", records: 7)])
    fixture.view.liveFollowers.look()
    try client.readIfWoken()
    #expect(client.seen.count == 1 && client.seen[0].hasSuffix("quiet/null/0=7") && !client.isLost)
  }

  @Test func whenTheJobBeginsAnew_everyFollowerOfLiveRowsIsToldThatItsPlaceIsLost() throws {
    let fixture = try ViewFixture()
    let clients = [try Client(try fixture.access(), prefix: ["a"]), try Client(try fixture.access())]
    try fixture.write([Row(account: "b")])
    try fixture.start(2)
    fixture.view.liveFollowers.look()
    for client in clients {
      try client.readIfWoken()
      #expect(client.isLost)
    }
  }

  @Test func whoHasGone_isForgotten() throws {
    let fixture = try ViewFixture()
    let access = try fixture.access()
    var clients = [try Client(access), try Client(access, prefix: ["a"]), try Client(access, prefix: ["a"])]
    #expect(fixture.view.liveFollowers.count == 3)
    clients.removeLast(2)
    #expect(fixture.view.liveFollowers.count == 1)
    try fixture.write([Row(account: "a")])
    fixture.view.liveFollowers.look()
    try clients[0].readIfWoken()
    #expect(clients[0].seen.count == 1)
    clients.removeAll()
    #expect(fixture.view.liveFollowers.count == 0)
  }
}
