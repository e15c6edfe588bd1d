import StreamModel
import Synchronization

/// How one stage is doing: written by its subtasks, read by anyone.
package final class StageProgress: Sendable {
  private let watermark = Atomic<Int64>(EventTimes.minimum)
  private let idleNanoseconds = Atomic<Int64>(0)
  private let blockedNanoseconds = Atomic<Int64>(0)
  /// What the stage is called, and how many subtasks it has.
  package let name: String
  package let parallelism: Int

  init(name: String = "", parallelism: Int = 1) {
    self.name = name
    self.parallelism = parallelism
  }

  func setWatermark(_ time: EventTime) { watermark.store(time, ordering: .relaxed) }
  func addIdle(_ nanoseconds: Int64) { idleNanoseconds.add(nanoseconds, ordering: .relaxed) }

  func addBlocked(_ nanoseconds: Int64) { blockedNanoseconds.add(nanoseconds, ordering: .relaxed) }

  /// The watermark its subtasks last reached.
  package var currentWatermark: EventTime { watermark.load(ordering: .relaxed) }
  /// Time its subtasks have waited for input, in ns, over all of them.
  package var waitedNanoseconds: Int64 { idleNanoseconds.load(ordering: .relaxed) }
  /// Time that others have waited to give it rows, because it had enough to do, in ns: its back-pressure.
  package var blockedOthersNanoseconds: Int64 { blockedNanoseconds.load(ordering: .relaxed) }
}
