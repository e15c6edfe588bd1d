import StreamModel

/// Which changes of a view somebody waits for.
enum ViewInterest: Hashable, Sendable {
  case everything
  /// Keys that begin with these bytes, which are the first so many columns of the key.
  case prefix([UInt8], columns: Int)
  /// Rows of this account, where keys do not begin with it.
  case account([UInt8])
  /// Nothing that can come.
  case nothing
}

/// What a follower has to read.
package struct ViewNews: Sendable {
  /// One that has read everything reads on behind this place; up to there nothing was for it.
  package let from: ViewPosition
  /// Who has read up to here need not read before the next call of `wake`.
  package let seen: ViewPosition
  /// Whether there were changes that are not known any more: the view has to be read anew.
  package let isLost: Bool
}

/// Somebody's place among the followers of a view, for as long as this is kept.
package final class ViewFollowing: Sendable {
  package let followers: ViewFollowers
  private let id: Int

  init(_ followers: ViewFollowers, _ id: Int) {
    self.followers = followers
    self.id = id
  }

  deinit { followers.remove(id) }

  package func take() -> ViewNews { followers.take(id) }
}

/// Those who follow the changes of a view, sorted by what they wait for: `look` goes through what is new once, however many there
/// are, and wakes those alone for whom something is among it.
///
/// Of everybody else it is then known that there was nothing for them, so that who has heard nothing for hours need not go through
/// what came meanwhile, nor is ever behind what the log still has. A follower costs its entries here and nothing while it waits.
package final class ViewFollowers: Sendable {
  fileprivate struct Follower {
    let interest: ViewInterest
    let wake: @Sendable () -> Void
    /// After which place something for it has come; nil where nothing has, up to `seen`.
    var pending: ViewPosition?
    /// Whether there are changes that nobody can tell it of.
    var isLost = false
  }

  /// Followers of one interest, which lie in the order of its bytes.
  fileprivate struct Group {
    let bytes: [UInt8]
    var ids: Set<Int>
  }

  fileprivate struct Content {
    var followers: [Int: Follower] = [:]
    var everything: Set<Int> = []
    /// By the number of columns: of two prefixes of as many columns none begins with the other.
    var prefixes: [[Group]] = []
    var accounts: [Group] = []
    /// Up to where `look` has gone through the log.
    var seen = ViewPosition(epoch: 0, number: 0)
    var nextID = 0
  }

  private let content = Guarded(Content())
  private let log: ViewChangeLog
  private let account: (column: Int, schema: Schema)?

  init(_ log: ViewChangeLog, _ view: ViewDefinition) {
    self.log = log
    account = view.account.map { ($0, view.schema) }
  }

  package var count: Int { content.withLock { $0.followers.count } }

  // MARK: Following

  /// From now on `wake` is called, once until `take`, when something of `interest` has come. It must not block.
  func add(_ interest: ViewInterest, wake: @escaping @Sendable () -> Void) -> Int {
    content.withLock { content in
      if content.followers.isEmpty { content.seen = log.head }
      content.nextID += 1
      content.followers[content.nextID] = Follower(interest: interest, wake: wake)
      content.enter(content.nextID, interest)
      return content.nextID
    }
  }

  func remove(_ id: Int) {
    content.withLock { content in
      guard let follower = content.followers.removeValue(forKey: id) else { return }
      content.leave(id, follower.interest)
    }
  }

  func take(_ id: Int) -> ViewNews {
    content.withLock { content in
      let follower = content.followers[id]
      content.followers[id]?.pending = nil
      content.followers[id]?.isLost = false
      return ViewNews(
        from: follower?.pending ?? content.seen, seen: content.seen, isLost: follower?.isLost ?? true)
    }
  }

  /// Wakes everybody without news.
  func wakeAll() {
    for wake in content.withLock({ $0.followers.values.map(\.wake) }) { wake() }
  }

  // MARK: Looking

  /// Goes through what is new, and wakes whom it is for.
  package func look() {
    let woken = content.withLock { content -> [@Sendable () -> Void] in
      guard !content.followers.isEmpty, log.head != content.seen else { return [] }
      guard let stretch = log.after(content.seen) else {
        // What came meanwhile is not known: all read the view anew.
        defer { content.seen = log.head }
        for id in content.followers.keys { content.followers[id]?.isLost = true }
        return content.note(Set(content.followers.keys))
      }
      defer { content.seen = stretch.head }
      var found: Set<Int> = []
      for part in stretch.parts { content.find(part.run, from: part.from, account, &found) }
      return content.note(found)
    }
    for wake in woken { wake() }
  }
}

extension ViewFollowers.Content {
  fileprivate mutating func enter(_ id: Int, _ interest: ViewInterest) {
    switch interest {
    case .everything: everything.insert(id)
    case .prefix(let bytes, let columns):
      while prefixes.count <= columns { prefixes.append([]) }
      ViewFollowers.enter(id, bytes, &prefixes[columns])
    case .account(let bytes): ViewFollowers.enter(id, bytes, &accounts)
    case .nothing: break
    }
  }

  fileprivate mutating func leave(_ id: Int, _ interest: ViewInterest) {
    switch interest {
    case .everything: everything.remove(id)
    case .prefix(let bytes, let columns): ViewFollowers.leave(id, bytes, &prefixes[columns])
    case .account(let bytes): ViewFollowers.leave(id, bytes, &accounts)
    case .nothing: break
    }
  }

  /// Notes that there is something for these, and returns how those are woken who do not know of anything yet.
  fileprivate mutating func note(_ ids: Set<Int>) -> [@Sendable () -> Void] {
    ids.compactMap { id in
      guard let follower = followers[id], follower.pending == nil else { return nil }
      followers[id]?.pending = seen
      return follower.wake
    }
  }

  /// Adds those for whom something is among a run's changes.
  fileprivate func find(
    _ run: SortedRun, from: Int, _ account: (column: Int, schema: Schema)?, _ found: inout Set<Int>
  ) {
    guard from < run.count else { return }
    found.formUnion(everything)
    for groups in prefixes where !groups.isEmpty { ViewFollowers.find(groups, run, from: from, &found) }
    guard let account, !accounts.isEmpty else { return }
    for index in from..<run.count {
      guard let value = run.value(index),
        let own = ViewRowCodec.text(value, column: account.column, account.schema)
      else { continue }
      let place = ViewFollowers.lowerBound(accounts, own)
      if place < accounts.count, accounts[place].bytes.withUnsafeBytes({ compare($0, own) == 0 }) {
        found.formUnion(accounts[place].ids)
      }
    }
  }
}

extension ViewFollowers {
  /// Run and groups are both sorted: the shorter is gone through, and each looked for in the other.
  fileprivate static func find(_ groups: [Group], _ run: SortedRun, from: Int, _ found: inout Set<Int>) {
    if groups.count < run.count - from {
      for group in groups {
        let isThere = group.bytes.withUnsafeBytes { prefix in
          let index = max(from, run.lowerBound(prefix))
          return index < run.count && run.key(index).starts(with: prefix)
        }
        if isThere { found.formUnion(group.ids) }
      }
      return
    }
    for index in from..<run.count {
      let key = run.key(index)
      // The greatest that is not above the key is the only one that the key can begin with.
      var place = lowerBound(groups, key)
      if place == groups.count || groups[place].bytes.withUnsafeBytes({ compare($0, key) != 0 }) { place -= 1 }
      guard place >= 0, groups[place].bytes.withUnsafeBytes({ key.starts(with: $0) }) else { continue }
      found.formUnion(groups[place].ids)
    }
  }

  /// The first group at or after `bytes`.
  fileprivate static func lowerBound(_ groups: [Group], _ bytes: UnsafeRawBufferPointer) -> Int {
    var (low, high) = (0, groups.count)
    while low < high {
      let middle = (low + high) / 2
      if groups[middle].bytes.withUnsafeBytes({ compare($0, bytes) < 0 }) { low = middle + 1 } else { high = middle }
    }
    return low
  }

  fileprivate static func enter(_ id: Int, _ bytes: [UInt8], _ groups: inout [Group]) {
    let place = bytes.withUnsafeBytes { lowerBound(groups, $0) }
    if place < groups.count, groups[place].bytes == bytes {
      groups[place].ids.insert(id)
    } else {
      groups.insert(Group(bytes: bytes, ids: [id]), at: place)
    }
  }

  fileprivate static func leave(_ id: Int, _ bytes: [UInt8], _ groups: inout [Group]) {
    let place = bytes.withUnsafeBytes { lowerBound(groups, $0) }
    guard place < groups.count, groups[place].bytes == bytes else { return }
    groups[place].ids.remove(id)
    if groups[place].ids.isEmpty { groups.remove(at: place) }
  }
}
