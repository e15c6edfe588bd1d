import Runtime
import StreamModel
import Synchronization
import Topology
import Views

/// Events for one client, as they come: what follows them waits, and takes no thread meanwhile.
struct EventStream: Sendable {
  struct Step: Sendable {
    /// Perhaps none.
    let text: [UInt8]
    /// Whether more is there already: then nobody waits for the bell.
    let hasMore: Bool
  }

  /// The events that are there now; nil when the stream is over. Called again when `bell` rings.
  let next: @Sendable () async throws -> Step?
  let bell: @Sendable () -> AsyncStream<Void>
}

/// Wakes those who follow views when there is something for them: one look at what is new in all views that are followed, some hundred
/// times a second, however many follow them; and each from time to time without news, to find out that its client has gone.
///
/// A follower that waits costs its connection, an entry here and one in `ViewFollowers`.
package final class ChangeBell: Sendable {
  /// How often it looks while somebody follows anything, in ms: what it adds at most to the time from a record's arrival to its event.
  static let tickMilliseconds: Int64 = 4
  /// Most who follow at a time.
  static let maxFollowers = 12_000
  /// How often a follower is woken without news, in ms.
  static let keepAliveMilliseconds: Int64 = 15_000

  fileprivate struct Shared {
    var followers: [Int: AsyncStream<Void>.Continuation] = [:]
    /// Whom to wake when, in monotonic ms; all wait equally long, so that who was put in first is due first.
    var dues: [(id: Int, at: Int64)] = []
    /// Those of `dues` before this one have been woken and gone back to the end.
    var firstDue = 0
    /// What is looked at, and for how many.
    var views: [ObjectIdentifier: (view: ViewFollowers, count: Int)] = [:]
    var nextID = 0
    var isOver = false
  }

  private let shared = Mutex(Shared())
  /// Says that somebody follows something now: until then the bell sleeps.
  private let arrivals = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))

  package init() {}

  var count: Int { shared.withLock { $0.followers.count } }
  /// Whether the runner stops: then streams of events end.
  var isOver: Bool { shared.withLock { $0.isOver } }

  /// Somebody who follows a view: rings when something has come that it waits for, and from time to time.
  struct Following: Sendable {
    let rings: AsyncStream<Void>
    let place: ViewFollowing
  }

  /// Follows what `access` may see of the keys that begin with `prefix`, until nobody listens to the rings any more.
  func follow(
    _ access: ViewAccess, prefix: [String], _ isolation: ViewIsolation
  ) throws -> Following {
    let (rings, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    let place = try access.follow(prefix: prefix, isolation) { continuation.yield() }
    let id = shared.withLock { shared -> Int? in
      guard shared.followers.count < ChangeBell.maxFollowers, !shared.isOver else { return nil }
      shared.nextID += 1
      shared.followers[shared.nextID] = continuation
      shared.dues.append((shared.nextID, ChangeBell.now() + ChangeBell.keepAliveMilliseconds))
      shared.views[ObjectIdentifier(place.followers), default: (place.followers, 0)].count += 1
      return shared.nextID
    }
    guard let id else { throw Problem(.unavailable, "too many clients follow views already — try again later") }
    continuation.onTermination = { [followers = place.followers] _ in self.leave(id, followers) }
    arrivals.continuation.yield()
    return Following(rings: rings, place: place)
  }

  private func leave(_ id: Int, _ view: ViewFollowers) {
    shared.withLock { shared in
      guard shared.followers.removeValue(forKey: id) != nil else { return }
      let key = ObjectIdentifier(view)
      shared.views[key]?.count -= 1
      if shared.views[key]?.count == 0 { shared.views[key] = nil }
    }
  }

  private static func now() -> Int64 { Clock.monotonicNanoseconds() / 1_000_000 }

  /// Looks for changes, on a thread of its own, until it is cancelled.
  package func run() async {
    let executor = DedicatedThreadExecutor(name: "bell")
    defer { executor.shutDown() }
    await withTaskExecutorPreference(executor) {
      for await _ in arrivals.stream {
        while count > 0, !Task.isCancelled, !isOver {
          ring()
          try? await Task.sleep(for: .milliseconds(ChangeBell.tickMilliseconds))
        }
      }
    }
    end()
  }

  /// Ends every stream: the runner stops.
  package func end() {
    let all = shared.withLock { shared in
      shared.isOver = true
      return Array(shared.followers.values)
    }
    arrivals.continuation.finish()
    for continuation in all { continuation.finish() }
  }

  private func ring() {
    for view in shared.withLock({ $0.views.values.map(\.view) }) { view.look() }
    let now = ChangeBell.now()
    for continuation in shared.withLock({ $0.takeDue(now) }) { continuation.yield() }
  }
}

extension ChangeBell.Shared {
  /// Those whose time has come, each of which gets another; whoever has gone is forgotten.
  fileprivate mutating func takeDue(_ now: Int64) -> [AsyncStream<Void>.Continuation] {
    var due: [AsyncStream<Void>.Continuation] = []
    while firstDue < dues.count, dues[firstDue].at <= now {
      let id = dues[firstDue].id
      firstDue += 1
      guard let continuation = followers[id] else { continue }
      dues.append((id, now + ChangeBell.keepAliveMilliseconds))
      due.append(continuation)
    }
    if firstDue > 1024, firstDue * 2 > dues.count {
      dues.removeFirst(firstDue)
      firstDue = 0
    }
    return due
  }
}
