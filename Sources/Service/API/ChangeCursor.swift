import StreamModel
import Views

/// Where one client is in a view's changes. One owner at a time.
actor ChangeCursor {
  private let access: ViewAccess
  private let isolation: ViewIsolation
  private let prefix: [String]
  private let place: ViewFollowing
  private let shared: SharedEvents
  private var position: ViewPosition
  private var hasBegun = false
  /// Whether changes that it has not read yet are there already.
  private var isBehind = true
  private var lastSent = Clock.monotonicNanoseconds()

  /// Most changes that are put together at a time: what a client that does not read has waiting for it at most.
  static let maxChanges = 200

  init(
    access: ViewAccess, isolation: ViewIsolation, prefix: [String], place: ViewFollowing, position: ViewPosition,
    shared: SharedEvents
  ) {
    self.access = access
    self.isolation = isolation
    self.prefix = prefix
    self.place = place
    self.position = position
    self.shared = shared
  }

  /// The events behind the last ones. Where there have been none for a while, where the client is: by that one that has gone is
  /// found out, and one that comes back need not go through what was not for it.
  func next() throws -> EventStream.Step {
    let news = place.take()
    var text: [UInt8] = []
    if !hasBegun {
      hasBegun = true
      text = ChangeCursor.event("open", position, "retry: 1000\n")
      text += try step()
    } else if news.isLost {
      text = reset()
    } else {
      if !isBehind { position = max(position, news.from) }
      if position < news.seen { text = try step() }
    }
    isBehind = position < news.seen
    let now = Clock.monotonicNanoseconds()
    if text.isEmpty, now - lastSent >= ChangeBell.keepAliveMilliseconds * 500_000 {
      text = ChangeCursor.event("position", position)
    }
    if !text.isEmpty { lastSent = now }
    return EventStream.Step(text: text, hasMore: isBehind)
  }

  private static func event(_ name: String, _ position: ViewPosition, _ before: String = "") -> [UInt8] {
    Array("\(before)id: \(position.text)\nevent: \(name)\ndata: {}\n\n".utf8)
  }

  /// The place is not known any more: the client reads the rows anew and goes on from here.
  private func reset() -> [UInt8] {
    position = access.head(isolation)
    return ChangeCursor.event("reset", position)
  }

  private func step() throws -> [UInt8] {
    let key = SharedEvents.Key(
      view: ObjectIdentifier(place.followers), sight: access.sight, prefix: prefix, position: position)
    if let found = shared[key] {
      position = found.end
      return found.text
    }
    guard let changes = try access.changes(after: position, limit: ChangeCursor.maxChanges, prefix: prefix, isolation)
    else { return reset() }
    let text = RowText.events(changes, access.view)
    // One that led nowhere holds for no other: more may have come since.
    guard changes.position > position else { return text }
    shared.put(SharedEvents.Stretch(followers: place.followers, text: text, end: changes.position), for: key)
    position = changes.position
    return text
  }
}
