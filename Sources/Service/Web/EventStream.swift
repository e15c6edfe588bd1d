import StreamModel
import Synchronization
import Views

/// Events for one client, as they come: what follows them waits, and takes no thread meanwhile.
struct EventStream: Sendable {
  /// The events that are there now, perhaps none; nil when the stream is over. Called again when `bell` rings.
  let next: @Sendable () async throws -> [UInt8]?
  let bell: @Sendable () -> AsyncStream<Void>
}

/// Wakes those who follow views when there is something new: one look at all views that are followed, some hundred times a
/// second, however many follow them.
package final class ChangeBell: Sendable {
  /// How often it looks, in ms: what it adds at most to the time from a record's arrival to its event.
  static let tickMilliseconds: Int64 = 4
  /// Most who follow at a time.
  static let maxFollowers = 12_000
  /// How often a follower is woken without news, in ms, to find out that its client has gone.
  static let keepAliveMilliseconds: Int64 = 15_000

  private struct Follower {
    let view: ViewStore
    var version: Int
    var wakeAt: Int64
    let continuation: AsyncStream<Void>.Continuation
  }

  private let followers = Mutex<[Int: Follower]>([:])
  private let nextID = Atomic<Int>(0)
  private let isOver = Atomic<Bool>(false)

  package init() {}

  var count: Int { followers.withLock { $0.count } }

  /// Rings whenever `view` has changed since it last rang, and from time to time.
  func follow(_ view: ViewStore) throws(Problem) -> AsyncStream<Void> {
    let id = nextID.add(1, ordering: .relaxed).newValue
    let (stream, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    let isLetIn = followers.withLock { followers in
      guard followers.count < ChangeBell.maxFollowers, !isOver.load(ordering: .relaxed) else { return false }
      followers[id] = Follower(
        view: view, version: view.version, wakeAt: ChangeBell.now() + ChangeBell.keepAliveMilliseconds,
        continuation: continuation)
      return true
    }
    guard isLetIn else { throw Problem(.unavailable, "too many clients follow views already — try again later") }
    continuation.onTermination = { _ in self.followers.withLock { _ = $0.removeValue(forKey: id) } }
    return stream
  }

  private static func now() -> Int64 { Clock.monotonicNanoseconds() / 1_000_000 }

  /// Looks for changes until it is cancelled.
  package func run() async {
    while !Task.isCancelled, !isOver.load(ordering: .relaxed) {
      ring()
      try? await Task.sleep(for: .milliseconds(ChangeBell.tickMilliseconds))
    }
    end()
  }

  /// Ends every stream: the runner stops.
  package func end() {
    isOver.store(true, ordering: .relaxed)
    let all = followers.withLock { $0.values.map(\.continuation) }
    for continuation in all { continuation.finish() }
  }

  private func ring() {
    let now = ChangeBell.now()
    let due = followers.withLock { followers -> [AsyncStream<Void>.Continuation] in
      var due: [AsyncStream<Void>.Continuation] = []
      for id in followers.keys {
        guard let follower = followers[id] else { continue }
        let version = follower.view.version
        guard version != follower.version || follower.wakeAt <= now else { continue }
        followers[id]?.version = version
        followers[id]?.wakeAt = now + ChangeBell.keepAliveMilliseconds
        due.append(follower.continuation)
      }
      return due
    }
    for continuation in due { continuation.yield() }
  }
}
