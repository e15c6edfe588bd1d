import Synchronization
import Views

/// Events that were put together lately, for others that are at the same place and see the same: of a view that many follow as a whole
/// a change is encoded once.
final class SharedEvents: Sendable {
  struct Key: Hashable {
    /// Of the view's followers under one isolation.
    let view: ObjectIdentifier
    let sight: ViewSight
    let prefix: [String]
    let position: ViewPosition
  }

  struct Stretch {
    /// Kept, so that nothing else can have its identity meanwhile.
    let followers: ViewFollowers
    let text: [UInt8]
    let end: ViewPosition
  }

  /// Most stretches that are kept; the oldest goes first.
  static let maxCount = 32

  private struct Shared {
    var stretches: [Key: Stretch] = [:]
    var order: [Key] = []
  }

  private let shared = Mutex(Shared())

  subscript(key: Key) -> Stretch? { shared.withLock { $0.stretches[key] } }

  func put(_ stretch: Stretch, for key: Key) {
    shared.withLock { shared in
      if shared.stretches.updateValue(stretch, forKey: key) == nil { shared.order.append(key) }
      if shared.order.count > SharedEvents.maxCount { shared.stretches[shared.order.removeFirst()] = nil }
    }
  }
}
