import StreamModel

/// What is known of a table that is asked key by key: of each key its rows, since when, and whether it is being asked for.
///
/// A batch is a *round*: `begin` finds what is known of its keys, says which have to be asked for, and counts the others it waits
/// for; whoever asks reports with `settle`; when nothing is waited for any more, `finish` gives the rows. Times are given to it, in
/// ms on a clock that does not go back. One owner at a time: `AskedTable` calls it under its lock.
///
/// An entry is *fresh* until `expire_after_write`, then *stale* for `serve_stale` (it is given, and asked for anew once), then
/// unknown (rows wait). A request that failed is not repeated for `failurePauseMilliseconds`. What was used longest ago goes when
/// there are more than `max_rows` rows, or after `expire_after_access`; what a round waits for stays.
final class LookupCache {
  /// How long a key is not asked for again after a request for it has failed.
  static let failurePauseMilliseconds: Int64 = 1_000

  /// Rows held, keys without any counting as one.
  private(set) var rowCount = 0
  /// Keys that went because there was no room.
  private(set) var evictedCount = 0
  private let policy: CachePolicy
  private let table = GroupTable()
  private var entries: [Entry] = []
  /// By slot: the round that saw its key last, and the key's number there.
  private var rounds: [Int] = []
  private var locals: [Int32] = []
  private var newest: Int32 = -1
  private var oldest: Int32 = -1
  private var roundNumber = 0

  private struct Entry {
    /// The last answer; nil before the first.
    var rows: LookupRows?
    var writtenAt = Int64.min
    var usedAt: Int64
    /// Why the last request failed, and until when it is not repeated.
    var failure: String?
    var failedUntil = Int64.min
    /// Whether a request is queued or under way, and which rounds wait for it.
    var isAsked = false
    var waits: [Wait] = []
    /// Rounds that have it.
    var pins = 0
    var newer: Int32 = -1
    var older: Int32 = -1
  }

  /// How many keys a round waits for.
  final class Wait {
    fileprivate(set) var remaining = 0
  }

  /// One batch's keys.
  struct Round {
    /// Per row of the batch the number of its key in the round; −1 for a null key.
    fileprivate(set) var slots: [Int32] = []
    /// Keys that have to be asked for, each by the first row that has it.
    fileprivate(set) var asked: [(slot: Int32, row: Int)] = []
    let wait = Wait()
    /// Rows by what was known of their key.
    fileprivate(set) var hits = 0
    fileprivate(set) var stale = 0
    fileprivate(set) var misses = 0
    fileprivate var keys: [Int32] = []
    fileprivate var standings: [Standing] = []
  }

  fileprivate enum Standing { case fresh, stale, failed, waiting }

  init(_ policy: CachePolicy) { self.policy = policy }

  var keyCount: Int { table.count }

  /// Whether a request for any key is under way or queued.
  var isAsking: Bool { entries.contains { $0.isAsked } }

  // MARK: Rounds

  func begin(_ keys: LookupKeys, now: Int64) -> Round {
    dropUnused(now)
    roundNumber += 1
    var round = Round()
    let rows = [Int32](0..<Int32(keys.count))
    round.slots = [Int32](unsafeUninitializedCapacity: keys.count) { slots, count in
      rows.withUnsafeBufferPointer { rows in
        guard let rows = rows.baseAddress, let slots = slots.baseAddress else { return }
        table.assign(keys.keys, rows: rows, count: keys.count, slots: slots)
      }
      count = keys.count
    }
    while entries.count < table.slotCount {
      entries.append(Entry(usedAt: now))
      rounds.append(0)
      locals.append(0)
    }
    for row in 0..<keys.count {
      let slot = round.slots[row]
      if keys.hasNulls, keys.isNull(row) {
        round.slots[row] = -1
        continue
      }
      if rounds[Int(slot)] != roundNumber { admit(slot, row, now, &round) }
      let local = locals[Int(slot)]
      round.slots[row] = local
      switch round.standings[Int(local)] {
      case .fresh: round.hits += 1
      case .stale: round.stale += 1
      case .failed, .waiting: round.misses += 1
      }
    }
    if keys.hasNulls { dropNullKeys() }
    return round
  }

  /// Takes a key into the round: what is known of it now holds for all of the round's rows.
  private func admit(_ slot: Int32, _ row: Int, _ now: Int64, _ round: inout Round) {
    let index = Int(slot)
    if entries[index].older < 0, entries[index].newer < 0, oldest != slot {
      link(slot)
      rowCount += 1
    }
    rounds[index] = roundNumber
    locals[index] = Int32(round.keys.count)
    entries[index].pins += 1
    let standing = standing(of: entries[index], now)
    use(slot, now)
    round.keys.append(slot)
    round.standings.append(standing)
    let mayAsk = !entries[index].isAsked && now >= entries[index].failedUntil
    if standing == .waiting || standing == .stale, mayAsk {
      entries[index].isAsked = true
      round.asked.append((slot, row))
    }
    if standing == .waiting {
      entries[index].waits.append(round.wait)
      round.wait.remaining += 1
    }
  }

  private func standing(of entry: Entry, _ now: Int64) -> Standing {
    if entry.rows != nil, entry.writtenAt > Int64.min {
      guard let life = policy.expireAfterWriteMilliseconds else { return .fresh }
      let age = now - entry.writtenAt
      if age < life { return .fresh }
      if let stale = policy.serveStaleMilliseconds, age - life < stale { return .stale }
    }
    return !entry.isAsked && now < entry.failedUntil ? .failed : .waiting
  }

  /// What came of a request; whether a round waits for nothing any more.
  func settle(_ slot: Int32, _ outcome: Result<LookupRows, TableFailure>, now: Int64) -> Bool {
    let index = Int(slot)
    switch outcome {
    case .success(let rows):
      rowCount += max(1, rows.count) - held(entries[index])
      entries[index].rows = rows
      entries[index].failure = nil
      entries[index].failedUntil = Int64.min
      entries[index].writtenAt = rows.count > 0 || policy.cachesMissing ? now : Int64.min
    case .failure(let failure):
      entries[index].failure = failure.description
      entries[index].failedUntil = now + LookupCache.failurePauseMilliseconds
    }
    entries[index].isAsked = false
    var isDone = false
    for wait in entries[index].waits {
      wait.remaining -= 1
      if wait.remaining == 0 { isDone = true }
    }
    entries[index].waits = []
    return isDone
  }

  /// What there is for each key of a round, in the order of their numbers: rows, or why not.
  func finish(_ round: Round) -> [Result<LookupRows, TableFailure>] {
    let answers = zip(round.keys, round.standings).map { slot, standing -> Result<LookupRows, TableFailure> in
      let entry = entries[Int(slot)]
      // What has expired is not given for want of an answer.
      if standing == .waiting || standing == .failed, let failure = entry.failure {
        return .failure(TableFailure(.unavailable, failure))
      }
      return entry.rows.map { .success($0) } ?? .failure(TableFailure(.unavailable, "it was not asked"))
    }
    for slot in round.keys { entries[Int(slot)].pins -= 1 }
    trim()
    return answers
  }

  // MARK: What goes

  private func held(_ entry: Entry) -> Int { max(1, entry.rows?.count ?? 0) }

  private func isHeld(_ slot: Int32) -> Bool { entries[Int(slot)].pins > 0 || entries[Int(slot)].isAsked }

  /// Lets go of what was used longest ago until there is room.
  private func trim() {
    var slot = oldest
    while rowCount > policy.maxRows, slot >= 0 {
      let next = entries[Int(slot)].newer
      if !isHeld(slot) {
        remove(slot)
        evictedCount += 1
      }
      slot = next
    }
  }

  private func dropUnused(_ now: Int64) {
    guard let life = policy.expireAfterAccessMilliseconds else { return }
    while oldest >= 0, now - entries[Int(oldest)].usedAt >= life, !isHeld(oldest) { remove(oldest) }
  }

  /// Keys with a null were given slots with the others, and are no entries.
  private func dropNullKeys() {
    for slot in 0..<Int32(table.slotCount) where table.isLive(slot) && rounds[Int(slot)] == 0 {
      table.remove(slot)
    }
  }

  private func remove(_ slot: Int32) {
    unlink(slot)
    rowCount -= held(entries[Int(slot)])
    entries[Int(slot)] = Entry(usedAt: 0)
    rounds[Int(slot)] = 0
    table.remove(slot)
  }

  // MARK: The order of use

  private func use(_ slot: Int32, _ now: Int64) {
    entries[Int(slot)].usedAt = now
    guard newest != slot else { return }
    unlink(slot)
    link(slot)
  }

  private func link(_ slot: Int32) {
    entries[Int(slot)].older = newest
    entries[Int(slot)].newer = -1
    if newest >= 0 { entries[Int(newest)].newer = slot } else { oldest = slot }
    newest = slot
  }

  private func unlink(_ slot: Int32) {
    let (newer, older) = (entries[Int(slot)].newer, entries[Int(slot)].older)
    if newer >= 0 { entries[Int(newer)].older = older } else { newest = older }
    if older >= 0 { entries[Int(older)].newer = newer } else { oldest = newer }
    entries[Int(slot)].newer = -1
    entries[Int(slot)].older = -1
  }
}
