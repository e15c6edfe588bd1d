/// Aligns checkpoint barriers over the input channels of one subtask.
///
/// A subtask may take its snapshot for checkpoint *n* when barrier *n* has come on every channel that still has input, and
/// until then must read nothing that comes after it on the channels where it has. Pure: callers do what the returned action
/// says.
///
/// States:
/// - *flowing*: no barrier is pending. Goes to *aligning* at the first barrier, or straight to a snapshot if that is the
///   only open channel.
/// - *aligning(n)*: barrier *n* has come on some channels, which are held back. Goes to *flowing* when it has come on the
///   rest, or when they have ended, or when *n* is cancelled.
///
/// Barriers of a cancelled checkpoint may still be under way when it is cancelled, whether or not any of them has come
/// here: they go no further.
package struct BarrierAlignmentStateMachine: Equatable, Sendable {
  package enum Action: Equatable, Sendable {
    /// Nothing to do.
    case none
    /// Read no more of this channel for now.
    case hold(channel: Int)
    /// All of checkpoint `id` has been read: take the snapshot, hand the barrier on, then read these channels again.
    case snapshot(id: Int64, release: [Int])
    /// The checkpoint is off: read these channels again.
    case release([Int])
    /// Impossible unless barriers were lost or made up: an older checkpoint's barrier, or another's in the middle of an alignment.
    case fault(String)
  }

  private enum State: Equatable {
    case flowing
    case aligning(id: Int64, held: Set<Int>)
  }

  private var state = State.flowing
  private var open: Set<Int>
  private var lastID: Int64
  /// The highest checkpoint that was given up; nil before the first.
  private var cancelledID: Int64?

  /// `lastID`: the checkpoint the job was restored from, 0 for none.
  package init(channelCount: Int, lastID: Int64 = 0) {
    open = Set(0..<channelCount)
    self.lastID = lastID
  }

  /// Barrier `id` has come on `channel`.
  package mutating func receiveBarrier(_ id: Int64, channel: Int) -> Action {
    guard open.contains(channel) else { return .fault("barrier \(id) on channel \(channel), which has ended") }
    if let cancelledID, id <= cancelledID { return .none }
    switch state {
    case .flowing:
      guard id > lastID else { return .fault("barrier \(id) after checkpoint \(lastID)") }
      return hold([channel], id: id, latest: channel)
    case .aligning(let current, let held):
      guard id == current else { return .fault("barrier \(id) while \(current) is being aligned") }
      guard !held.contains(channel) else { return .fault("barrier \(id) twice on channel \(channel)") }
      return hold(held.union([channel]), id: id, latest: channel)
    }
  }

  private mutating func hold(_ held: Set<Int>, id: Int64, latest: Int) -> Action {
    if held.isSuperset(of: open) { return finish(id, held.subtracting([latest])) }
    state = .aligning(id: id, held: held)
    return .hold(channel: latest)
  }

  private mutating func finish(_ id: Int64, _ release: Set<Int>) -> Action {
    state = .flowing
    lastID = id
    return .snapshot(id: id, release: release.sorted())
  }

  /// `channel` has ended: nothing more comes on it, no barrier either.
  package mutating func endChannel(_ channel: Int) -> Action {
    open.remove(channel)
    guard case .aligning(let id, let held) = state, held.isSuperset(of: open) else { return .none }
    return finish(id, held)
  }

  /// Checkpoint `id`, and any before it, is given up. Must come before barrier `id + 1` on any channel.
  package mutating func cancel(_ id: Int64) -> Action {
    cancelledID = max(id, cancelledID ?? id)
    guard case .aligning(let current, let held) = state, current <= id else { return .none }
    state = .flowing
    return .release(held.sorted())
  }
}
