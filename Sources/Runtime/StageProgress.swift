import StreamModel
import Synchronization

/// How one stage is doing: written by its subtasks, read by anyone.
package final class StageProgress: Sendable {
  private let watermark = Atomic<Int64>(EventTimes.minimum)
  private let idleNanoseconds = Atomic<Int64>(0)

  func setWatermark(_ time: EventTime) { watermark.store(time, ordering: .relaxed) }
  func addIdle(_ nanoseconds: Int64) { idleNanoseconds.add(nanoseconds, ordering: .relaxed) }

  /// The watermark its subtasks last reached.
  package var currentWatermark: EventTime { watermark.load(ordering: .relaxed) }
  /// Time its subtasks have waited for input, in ns, over all of them.
  package var waitedNanoseconds: Int64 { idleNanoseconds.load(ordering: .relaxed) }
}
