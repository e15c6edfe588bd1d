import StreamModel

/// A table that is asked key by key, through a cache: one request for a key at a time however many rows, batches and subtasks wait
/// for it, at most `capacity` at once.
///
/// Subtasks call `find`, which waits until every key of their batch is answered. `workerCount` threads call `work`: each takes a key
/// from the queue, asks, repeats what may be repeated, and puts the answer into the cache. What expires but may still be given is
/// asked for by the same way with nobody waiting. A table that keeps not answering is left alone for a while
/// (`CircuitBreakerStateMachine`). The queue is bounded by what waits and what is cached.
///
/// Invariant for `Sendable`: everything that changes is touched only under `monitor`.
package final class AskedTable: LookupTable, @unchecked Sendable {
  package let counters = LookupCounters()
  package let workerCount: Int
  private let client: any TableClient
  private let layout: TableLayout
  private let retry: RetryPolicy
  private let clock: @Sendable () -> Int64
  private let monitor = Monitor()
  private let cache: LookupCache
  private var breaker: CircuitBreakerStateMachine
  private var lastFailure = ""
  private var queue: [Request] = []
  private var queueHead = 0
  private var isClosed = false

  /// Requests that have been taken and still have a place in the queue, at most.
  private static let queueSlack = 1024

  private struct Request {
    let slot: Int32
    let key: [Value]
  }

  /// `clock` gives ms since some fixed point.
  package init(
    _ client: any TableClient, spec: LookupSpec, retry: RetryPolicy, breaker: BreakerPolicy,
    clock: @escaping @Sendable () -> Int64 = { Clock.monotonicNanoseconds() / 1_000_000 }
  ) {
    self.client = client
    layout = spec.layout
    workerCount = spec.capacity
    self.retry = retry
    self.breaker = CircuitBreakerStateMachine(breaker)
    self.clock = clock
    cache = LookupCache(spec.cache)
  }

  /// Keys that are held.
  var keyCount: Int { monitor.locked { cache.keyCount } }

  /// Whether a request is under way or queued: until its answer is in the cache.
  var isAsking: Bool { monitor.locked { cache.isAsking } }

  // MARK: Finding

  package func find(_ keys: LookupKeys) throws(OperatorError) -> LookupResult {
    let (slots, answers) = try monitor.locked { () throws(OperatorError) in
      let round = cache.begin(keys, now: clock())
      count(round)
      for (slot, row) in round.asked { queue.append(Request(slot: slot, key: keys.values(row))) }
      if !round.asked.isEmpty { monitor.signalAll() }
      while round.wait.remaining > 0, !isClosed { monitor.wait() }
      if isClosed { throw .cancelled }
      let evictedBefore = cache.evictedCount
      defer { counters.evictions.add(cache.evictedCount - evictedBefore) }
      return (round.slots, cache.finish(round))
    }
    return AskedTable.result(slots, answers, layout)
  }

  private func count(_ round: LookupCache.Round) {
    counters.hits.add(round.hits)
    counters.stale.add(round.stale)
    counters.misses.add(round.misses)
  }

  /// Puts the rows of all keys of a round side by side.
  private static func result(
    _ slots: [Int32], _ answers: [Result<LookupRows, TableFailure>], _ layout: TableLayout
  ) -> LookupResult {
    let found = answers.map { try? $0.get() }
    var starts: [Int32] = [0]
    for rows in found { starts.append(starts[starts.count - 1] + Int32(rows?.count ?? 0)) }
    let count = Int(starts[starts.count - 1])
    func joined(_ type: DataType, _ column: (LookupRows) -> Column?) -> Column {
      let builder = ColumnBuilder(type, capacity: count + 1)
      for rows in found {
        guard let rows, let own = column(rows) else { continue }
        for row in 0..<rows.count { builder.append(own, row: row) }
      }
      return builder.finish()
    }
    let columns = layout.taken.indices.map { number in
      let column = joined(layout.schema[layout.taken[number]].type) { $0.columns[number] }
      return layout.givesNulls ? column.withNullAtEnd : column
    }
    let rows = LookupRows(
      columns: columns, starts: starts, count: count,
      validFrom: layout.validity.map { _ in joined(.timestamp, \.validFrom) },
      validTo: layout.validity.map { _ in joined(.timestamp, \.validTo) })
    var failures: [Int32: String] = [:]
    for (slot, answer) in answers.enumerated() {
      if case .failure(let failure) = answer { failures[Int32(slot)] = failure.description }
    }
    return LookupResult(rows: rows, slots: slots, failures: failures)
  }

  // MARK: Asking

  package func work() {
    while let request = next() {
      let outcome = ask(request.key)
      monitor.locked {
        if cache.settle(request.slot, outcome, now: clock()) { monitor.signalAll() }
      }
    }
  }

  private func next() -> Request? {
    monitor.locked {
      while queueHead == queue.count, !isClosed { monitor.wait() }
      if isClosed { return nil }
      let request = queue[queueHead]
      queueHead += 1
      if queueHead == queue.count || queueHead >= AskedTable.queueSlack {
        queue.removeFirst(queueHead)
        queueHead = 0
      }
      return request
    }
  }

  private func ask(_ key: [Value]) -> Result<LookupRows, TableFailure> {
    for attempt in 1... {
      if let refusal = refusal() { return .failure(refusal) }
      let outcome = request(key)
      guard case .failure(let failure) = outcome, failure.kind == .unavailable, attempt < retry.attempts,
        pause(beforeAttempt: attempt + 1)
      else { return outcome }
    }
    preconditionFailure("the last attempt returns")
  }

  /// Why nothing may be sent now; nil where it may.
  private func refusal() -> TableFailure? {
    monitor.locked {
      if breaker.admits(at: clock()) { return nil }
      counters.refusals.add(1)
      return TableFailure(.unavailable, "it is left alone for a while, since it does not answer: \(lastFailure)")
    }
  }

  private func request(_ key: [Value]) -> Result<LookupRows, TableFailure> {
    let start = Clock.monotonicNanoseconds()
    let outcome = answer(key)
    var isFailure = false
    if case .failure = outcome { isFailure = true }
    counters.noteRequest(nanoseconds: Clock.monotonicNanoseconds() - start, failed: isFailure)
    monitor.locked {
      if case .failure(let failure) = outcome, failure.kind == .unavailable {
        lastFailure = failure.description
        breaker.failed(at: clock())
      } else {
        breaker.succeeded()
      }
    }
    return outcome
  }

  private func answer(_ key: [Value]) -> Result<LookupRows, TableFailure> {
    do throws(TableFailure) {
      let rows = try client.rows(of: key)
      let name = zip(layout.key, key).map { "\(layout.schema[$0].name) \($1.plainText)" }.joined(separator: ", ")
      do throws(TableFault) { return .success(try LookupRows.ofKey(name, withKey(key, rows), layout)) } catch {
        return .failure(TableFailure(.wrong, "its answer is wrong: \(error)"))
      }
    } catch {
      return .failure(error)
    }
  }

  /// The rows with the columns of their key, for lookups that take them too.
  private func withKey(_ key: [Value], _ rows: RecordBatch) -> RecordBatch {
    var columns = rows.columns
    for (column, value) in zip(layout.key, key) {
      columns[column] = .constant(value, layout.schema[column].type, count: rows.count)
    }
    return rows.with(schema: rows.schema, columns: columns)
  }

  /// Waits before a further request; whether there is to be one.
  private func pause(beforeAttempt attempt: Int) -> Bool {
    let share = Double.random(in: 0...1)
    let end = Clock.monotonicNanoseconds() / 1_000_000 + retry.pauseMilliseconds(beforeAttempt: attempt, share: share)
    return monitor.locked {
      while !isClosed {
        let left = end - Clock.monotonicNanoseconds() / 1_000_000
        if left <= 0 { return true }
        monitor.wait(milliseconds: left)
      }
      return false
    }
  }

  package func close() {
    monitor.locked {
      isClosed = true
      monitor.signalAll()
    }
    client.close()
  }
}
