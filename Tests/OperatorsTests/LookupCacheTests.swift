import StreamModel
import TestSupport
import Testing

@testable import Operators

/// Laws of what is kept of a table, at random and in the order of their rules.
@Suite struct LookupCacheTests {
  /// What a slow reader of the rules knows of a key.
  struct Known {
    var answer: Int64?
    var answeredAt: Int64 = 0
    /// Known to be remembered while there is room for every key.
    var failedAt: Int64?
    var isAsked = false
  }

  static func keys(_ ids: [Int64], _ body: (LookupKeys) throws -> Void) rethrows {
    let batch = ids.reduce(TestRows(AskedTableTests.stream)) { $0.row(at: 0, [.int64($1)]) }.batch()
    let encoder = KeyEncoder(keyColumns: [0])
    encoder.encode(batch)
    try body(LookupKeys(batch, columns: [0], encoder))
  }

  static func rows(_ answer: Int64?) -> LookupRows {
    let builder = ColumnBuilder(.int64)
    if let answer { builder.append(int64: answer) }
    let count = answer == nil ? 0 : 1
    return LookupRows(
      columns: [builder.finish()], starts: [0, Int32(count)], count: count, validFrom: nil, validTo: nil)
  }

  @Test func onlyWhatIsUnknownOrStaleIsAskedFor_andNothingOlderThanAllowedIsGiven() throws {
    try TestSeeds.each(40) { random in
      var policy = CachePolicy()
      policy.maxRows = Int(random.int(3...40))
      policy.expireAfterWriteMilliseconds = random.int(1...3_000)
      if random.chance(0.7) { policy.serveStaleMilliseconds = random.int(1...3_000) }
      let life = policy.expireAfterWriteMilliseconds ?? 0
      let longest = life + (policy.serveStaleMilliseconds ?? 0)
      let cache = LookupCache(policy)
      var known: [Int64: Known] = [:]
      var refreshes: [(slot: Int32, id: Int64)] = []
      var (now, serial) = (Int64(0), Int64(0))

      func settle(_ slot: Int32, _ id: Int64) {
        known[id, default: Known()].isAsked = false
        if random.chance(0.3) {
          known[id, default: Known()].failedAt = now
          _ = cache.settle(slot, .failure(TableFailure(.unavailable, "down")), now: now)
        } else {
          serial += 1
          known[id] = Known(answer: serial, answeredAt: now)
          _ = cache.settle(slot, .success(Self.rows(serial)), now: now)
        }
      }

      for _ in 0..<200 {
        now += random.int(0...600)
        while !refreshes.isEmpty, random.chance(0.5) {
          let refresh = refreshes.removeFirst()
          settle(refresh.slot, refresh.id)
        }
        let ids = (0..<random.int(1...12)).map { _ in random.int(0...30) }
        try Self.keys(ids) { keys in
          let round = cache.begin(keys, now: now)
          for (slot, row) in round.asked {
            let own = known[ids[row]] ?? Known()
            if own.isAsked { throw HarnessFailure("\(ids[row]) is asked for twice") }
            if let failedAt = own.failedAt, now - failedAt < LookupCache.failurePauseMilliseconds, policy.maxRows > 31 {
              throw HarnessFailure("\(ids[row]) is asked for again \(now - failedAt) ms after it failed")
            }
            known[ids[row], default: Known()].isAsked = true
            // What is waited for comes now, or was asked for by a round that did not wait; what is stale comes later.
            refreshes.append((slot, ids[row]))
          }
          if round.wait.remaining > 0 {
            for refresh in refreshes { settle(refresh.slot, refresh.id) }
            refreshes = []
          }
          if round.wait.remaining != 0 { throw HarnessFailure("it waits for what nobody was asked for") }
          let answers = cache.finish(round)
          for (row, id) in ids.enumerated() {
            guard case .success(let rows) = answers[Int(round.slots[row])] else { continue }
            let own = known[id] ?? Known()
            if rows.columns[0].value(at: 0) != own.answer.map({ .int64($0) }) || now - own.answeredAt >= max(longest, 1)
            {
              throw HarnessFailure("\(id) is given as \(rows.columns[0].value(at: 0)) at \(now), known is \(own)")
            }
          }
        }
        // What is being asked for may not go.
        if cache.rowCount > policy.maxRows + refreshes.count { throw HarnessFailure("\(cache.rowCount) rows are held") }
        if cache.rowCount < cache.keyCount { throw HarnessFailure("\(cache.keyCount) keys count \(cache.rowCount)") }
      }
    }
  }

  @Test func theBreakerOpensAfterFailuresInARow_andOneRequestDecides() {
    var policy = BreakerPolicy()
    policy.failures = 2
    policy.pauseMilliseconds = 10
    var breaker = CircuitBreakerStateMachine(policy)
    breaker.failed(at: 0)
    breaker.succeeded()
    breaker.failed(at: 1)
    #expect(breaker.state == .closed(failures: 1) && breaker.admits(at: 1))
    breaker.failed(at: 2)
    #expect(breaker.state == .open(until: 12) && !breaker.admits(at: 11))
    // An answer to what was sent before it opened says nothing new where it failed.
    breaker.failed(at: 5)
    #expect(breaker.state == .open(until: 12))
    #expect(breaker.admits(at: 12) && !breaker.admits(at: 12))
    breaker.failed(at: 13)
    #expect(breaker.state == .open(until: 23))
    let isAdmitted = breaker.admits(at: 23)
    #expect(isAdmitted)
    breaker.succeeded()
    #expect(breaker.state == .closed(failures: 0) && breaker.admits(at: 23))
  }

  @Test func pausesDoubleUpToABound_withinHalfOfThemselves() {
    var retry = RetryPolicy()
    retry.backoffMilliseconds = 100
    #expect([2, 3, 4].map { retry.pauseMilliseconds(beforeAttempt: $0, share: 1) } == [100, 200, 400])
    #expect([2, 3, 4].map { retry.pauseMilliseconds(beforeAttempt: $0, share: 0) } == [50, 100, 200])
    #expect(retry.pauseMilliseconds(beforeAttempt: 100, share: 1) == RetryPolicy.maxBackoffMilliseconds)
    retry.backoffMilliseconds = .max
    #expect(retry.pauseMilliseconds(beforeAttempt: 5, share: 1) == RetryPolicy.maxBackoffMilliseconds)
  }
}
