import Glibc
import StreamModel
import Synchronization
import TestSupport
import Testing

@testable import Operators

/// Laws of a table that is asked key by key.
@Suite struct AskedTableTests {
  static let stream = Schema([Field("id", .int64)])
  static let layout = TableLayout(
    schema: Schema([Field("id", .int64, nullable: false), Field("answer", .int64)]), key: [0], validity: nil,
    taken: [1],
    givesNulls: false)

  static func spec(_ change: (inout CachePolicy) -> Void = { _ in }, capacity: Int = 4) -> LookupSpec {
    var cache = CachePolicy()
    change(&cache)
    return LookupSpec(
      key: [0], asOf: nil, layout: layout, items: [.input(0), .taken(0)], missing: .port, outputSchema: layout.schema,
      cache: cache, capacity: capacity)
  }

  /// A service that answers with how often it was asked for the key, or as a test says.
  final class Service: TableClient {
    enum Mood: Sendable { case well, empty, down, wrong }
    private struct State {
      var mood = Mood.well
      var asked: [Int64: Int] = [:]
      var isHeld = false
      var isClosed = false
    }
    private let state = Mutex(State())
    private let monitor = Monitor()

    var mood: Mood {
      get { state.withLock { $0.mood } }
      set { state.withLock { $0.mood = newValue } }
    }
    var asked: [Int64: Int] { state.withLock { $0.asked } }
    var total: Int { asked.values.reduce(0, +) }

    /// Lets nobody have an answer until it is let go.
    func hold() { state.withLock { $0.isHeld = true } }
    func letGo() {
      monitor.locked {
        state.withLock { $0.isHeld = false }
        monitor.signalAll()
      }
    }

    func rows(of key: [Value]) throws(TableFailure) -> RecordBatch {
      guard case .int64(let id) = key[0] else { throw TableFailure(.wrong, "no number") }
      let (mood, times) = state.withLock { state in
        state.asked[id, default: 0] += 1
        return (state.mood, state.asked[id] ?? 0)
      }
      monitor.locked { while state.withLock({ $0.isHeld && !$0.isClosed }) { monitor.wait() } }
      switch mood {
      case .down: throw TableFailure(.unavailable, "down")
      case .wrong: throw TableFailure(.wrong, "wrong")
      case .empty: return TestRows(AskedTableTests.layout.schema).batch()
      case .well: return TestRows(AskedTableTests.layout.schema).row(at: 0, [.int64(id), .int64(Int64(times))]).batch()
      }
    }

    func close() {
      monitor.locked {
        state.withLock { $0.isClosed = true }
        monitor.signalAll()
      }
    }
  }

  /// A table with its threads, which end with it.
  final class Running {
    let service = Service()
    let clock = ManualClock(milliseconds: 1_000_000)
    let table: AskedTable

    init(
      _ spec: LookupSpec = AskedTableTests.spec(), attempts: Int = 1, breaker: BreakerPolicy = BreakerPolicy(),
      threads: Int? = nil
    ) {
      var retry = RetryPolicy()
      retry.attempts = attempts
      retry.backoffMilliseconds = 0
      let clock = clock
      table = AskedTable(service, spec: spec, retry: retry, breaker: breaker, clock: { clock.milliseconds })
      let table = table
      for _ in 0..<(threads ?? table.workerCount) { HTTPDouble.onThread { table.work() } }
    }

    deinit { table.close() }

    /// What there is for each of `ids`: an answer, nil where there is none, or a reason.
    func find(_ ids: [Int64?]) throws -> [String] { try AskedTableTests.find(ids, in: table) }
  }

  static func find(_ ids: [Int64?], in table: AskedTable) throws -> [String] {
    let rows = ids.reduce(TestRows(stream)) { $0.row(at: 0, [$1.map { .int64($0) } ?? nil]) }
    let batch = rows.batch()
    let encoder = KeyEncoder(keyColumns: [0])
    encoder.encode(batch)
    let result = try table.find(LookupKeys(batch, columns: [0], encoder))
    return result.slots.map { slot in
      if let failure = result.failures[slot] { return failure }
      if slot < 0 { return "null" }
      let range = result.rows.range(slot)
      return range.isEmpty ? "none" : result.rows.columns[0].value(at: range.lowerBound).plainText
    }
  }

  /// Waits for something that another thread is about to bring about.
  static func until(_ isSo: () throws -> Bool) rethrows { while try !isSo() { sched_yield() } }

  @Test func aKeyIsAskedForOnce_howeverManyRowsBatchesAndThreadsWait() throws {
    let running = Running()
    running.service.hold()
    let table = running.table
    let answers = Mutex<[[String]]>([])
    let threads = 6
    for _ in 0..<threads {
      HTTPDouble.onThread {
        let found = try? AskedTableTests.find([1, 2, 1, nil, 2, 1], in: table)
        answers.withLock { $0.append(found ?? []) }
      }
    }
    Self.until { table.counters.misses.value == threads * 5 }
    running.service.letGo()
    Self.until { answers.withLock { $0.count } == threads }
    #expect(running.service.asked == [1: 1, 2: 1])
    #expect(answers.withLock { $0 } == Array(repeating: ["1", "1", "1", "null", "1", "1"], count: threads))
    #expect(try running.find([2, 1]) == ["1", "1"] && table.counters.hits.value == 2)
  }

  @Test func aMillionLookupsOverTenThousandKeys_askAtMostOncePerKeyAndLife() throws {
    let running = Running(Self.spec { $0.expireAfterWriteMilliseconds = 60_000 })
    var random = SeededRandom(seed: 7)
    let encoder = KeyEncoder(keyColumns: [0])
    let (batches, rows) = (64, 15_625)
    for batch in 0..<batches {
      if batch == batches / 2 { running.clock.advance(byMilliseconds: 60_000) }
      let ids = ColumnBuilder(.int64, capacity: rows)
      for _ in 0..<rows { ids.append(int64: random.int(0...9_999)) }
      let rows = RecordBatch(
        schema: Self.stream, columns: [ids.finish()], count: rows,
        eventTimes: .constant(.timestamp(0), .timestamp, count: rows))
      encoder.encode(rows)
      let result = try running.table.find(LookupKeys(rows, columns: [0], encoder))
      #expect(result.failures.isEmpty && result.slots.allSatisfy { $0 >= 0 })
    }
    #expect(running.service.asked.count == 10_000 && running.service.asked.values.allSatisfy { $0 == 2 })
    let counters = running.table.counters
    #expect(counters.requests.value == 20_000 && counters.failures.value == 0)
    #expect(counters.hits.value + counters.misses.value == 1_000_000)
    #expect(counters.latencies.reduce(0) { $0 + $1.value } == 20_000)
  }

  @Test func anAnswerIsFreshThenStaleThenGone() throws {
    let running = Running(
      Self.spec {
        $0.expireAfterWriteMilliseconds = 100
        $0.serveStaleMilliseconds = 1_000
      })
    #expect(try running.find([5]) == ["1"])
    running.clock.advance(byMilliseconds: 99)
    #expect(try running.find([5]) == ["1"] && running.service.total == 1)
    // Stale: given at once, and asked for anew by somebody else.
    running.clock.advance(byMilliseconds: 1)
    running.service.hold()
    #expect(try running.find([5, 5]) == ["1", "1"])
    #expect(try running.find([5]) == ["1"])
    Self.until { running.service.total == 2 }
    running.service.letGo()
    try Self.until { try running.find([5]) == ["2"] }
    #expect(running.service.total == 2 && running.table.counters.stale.value >= 3)
    // Gone: waited for.
    running.clock.advance(byMilliseconds: 1_100)
    #expect(try running.find([5]) == ["3"] && running.service.total == 3)
  }

  @Test func aTableThatIsDownOrWrong_isBridgedByWhatIsStale_andNeverLonger() throws {
    for mood in [Service.Mood.down, .wrong] {
      let running = Running(
        Self.spec {
          $0.expireAfterWriteMilliseconds = 100
          $0.serveStaleMilliseconds = 5_000
        }, breaker: BreakerPolicy())
      #expect(try running.find([5]) == ["1"])
      running.service.mood = mood
      running.clock.advance(byMilliseconds: 100)
      #expect(try running.find([5]) == ["1"])
      Self.until { !running.table.isAsking }
      #expect(running.table.counters.failures.value == 1)
      running.clock.advance(byMilliseconds: 4_999)
      #expect(try running.find([5]) == ["1"])
      Self.until { !running.table.isAsking }
      #expect(running.table.counters.failures.value == 2)
      running.clock.advance(byMilliseconds: 1)
      #expect(try running.find([5]) == [mood == .down ? "down" : "wrong"])
      running.service.mood = .well
      running.clock.advance(byMilliseconds: LookupCache.failurePauseMilliseconds)
      #expect(try running.find([5]) != ["1"] && running.table.counters.failures.value <= 3)
    }
  }

  @Test func whatMayPassIsRepeated_whatIsWrongIsNot_andNeitherIsAskedAgainAtOnce() throws {
    let down = Running(attempts: 3, breaker: Self.never)
    down.service.mood = .down
    #expect(try down.find([1, 1]) == ["down", "down"] && down.service.asked == [1: 3])
    #expect(try down.find([1]) == ["down"] && down.service.asked == [1: 3])
    down.clock.advance(byMilliseconds: LookupCache.failurePauseMilliseconds)
    down.service.mood = .well
    #expect(try down.find([1]) == ["4"])
    let wrong = Running(attempts: 3)
    wrong.service.mood = .wrong
    #expect(try wrong.find([1]) == ["wrong"] && wrong.service.asked == [1: 1])
  }

  /// A breaker that does not open.
  static var never: BreakerPolicy {
    var policy = BreakerPolicy()
    policy.failures = 1_000_000
    return policy
  }

  @Test func aTableThatKeepsNotAnswering_isLeftAlone_andAskedByOneAfterAWhile() throws {
    var breaker = BreakerPolicy()
    breaker.failures = 3
    breaker.pauseMilliseconds = 5_000
    let running = Running(breaker: breaker, threads: 1)
    running.service.mood = .down
    let refusal = "it is left alone for a while, since it does not answer: down"
    #expect(try running.find([1, 2, 3, 4, 5]) == ["down", "down", "down", refusal, refusal])
    #expect(running.service.total == 3 && running.table.counters.refusals.value == 2)
    running.clock.advance(byMilliseconds: 5_000)
    #expect(try running.find([6, 7]) == ["down", refusal] && running.service.total == 4)
    running.service.mood = .well
    running.clock.advance(byMilliseconds: 5_000)
    #expect(try running.find([1, 2, 3]) == ["2", "2", "2"])
  }

  @Test func aMissingRowIsRemembered_unlessThePolicySaysNot() throws {
    let remembered = Running()
    remembered.service.mood = .empty
    #expect(try remembered.find([1]) == ["none"] && remembered.find([1]) == ["none"] && remembered.service.total == 1)
    let forgotten = Running(Self.spec { $0.cachesMissing = false })
    forgotten.service.mood = .empty
    #expect(try forgotten.find([1, 1]) == ["none", "none"] && forgotten.find([1]) == ["none"])
    #expect(forgotten.service.total == 2)
    forgotten.service.mood = .well
    #expect(try forgotten.find([1]) == ["3"] && forgotten.find([1]) == ["3"])
  }

  @Test func whatWasUsedLongestAgoGoes_whenThereIsNoRoomOrNobodyAsks() throws {
    let full = Running(Self.spec { $0.maxRows = 3 })
    _ = try full.find([1, 2, 3])
    _ = try full.find([1])
    _ = try full.find([4])
    #expect(full.table.keyCount == 3 && full.table.counters.evictions.value == 1)
    #expect(try full.find([1, 3, 4]) == ["1", "1", "1"] && full.service.total == 4)
    #expect(try full.find([2]) == ["2"])
    // A batch of more keys than there is room for is answered all the same.
    #expect(try full.find([10, 11, 12, 13, 14]).count == 5 && full.table.keyCount == 3)
    let idle = Running(Self.spec { $0.expireAfterAccessMilliseconds = 100 })
    _ = try idle.find([1, 2])
    idle.clock.advance(byMilliseconds: 99)
    _ = try idle.find([1])
    idle.clock.advance(byMilliseconds: 1)
    #expect(try idle.find([1]) == ["1"] && idle.table.keyCount == 1)
    #expect(try idle.find([2]) == ["2"])
  }

  @Test func withoutACacheEveryBatchAsks_onceForEachKey() throws {
    let spec = LookupSpec(
      key: [0], asOf: nil, layout: Self.layout, items: [.input(0), .taken(0)], missing: .port,
      outputSchema: Self.layout.schema)
    let running = Running(spec)
    #expect(try running.find([1, 1, 2]) == ["1", "1", "1"] && running.find([1, 2, 2]) == ["2", "2", "2"])
    #expect(running.table.keyCount == 0)
  }

  @Test func closingEndsEveryWait() {
    let running = Running()
    running.service.hold()
    let table = running.table
    let outcome = Mutex<String?>(nil)
    HTTPDouble.onThread {
      do {
        _ = try AskedTableTests.find([1], in: table)
        outcome.withLock { $0 = "answered" }
      } catch {
        outcome.withLock { $0 = "\(error)" }
      }
    }
    Self.until { table.counters.misses.value == 1 }
    table.close()
    Self.until { outcome.withLock { $0 } != nil }
    #expect(outcome.withLock { $0 } == "cancelled")
  }
}
