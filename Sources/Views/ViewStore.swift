import StreamModel
import Synchronization

/// One view as its writers and readers share it: what its subtasks have written and no checkpoint has yet, and its latest
/// changes. Committed rows lie in the job's state, see `ViewSet`.
package final class ViewStore: Sendable {
  package let view: ViewDefinition
  let liveLog = ViewChangeLog()
  let committedLog = ViewChangeLog()
  let liveFollowers: ViewFollowers
  let committedFollowers: ViewFollowers

  private struct Shared {
    var segments: [ViewSegment] = []
    /// Tells the runs of the job apart in live changes.
    var liveEpoch: Int64 = 0
    var spillFolder: String?
  }

  private let shared = Guarded(Shared())
  private let rowCount = Atomic<Int>(0)

  init(_ view: ViewDefinition) {
    self.view = view
    liveFollowers = ViewFollowers(liveLog, view)
    committedFollowers = ViewFollowers(committedLog, view)
  }

  /// Rows written to it by this process.
  package var rowsWritten: Int { rowCount.load(ordering: .relaxed) }

  // MARK: Writing

  /// A run of the job begins. `committedBase`: after which place committed changes are known.
  func begin(spillFolder: String?, committedBase: ViewPosition) {
    let epoch = shared.withLock { shared in
      shared.segments = []
      shared.liveEpoch = max(shared.liveEpoch + 1, Clock.wallMilliseconds())
      shared.spillFolder = spillFolder
      return shared.liveEpoch
    }
    liveLog.begin(at: ViewPosition(epoch: epoch, number: 0))
    if committedLog.head != committedBase { committedLog.begin(at: committedBase) }
  }

  /// What one more subtask writes into.
  func makeSegment() -> ViewSegment {
    shared.withLock { shared in
      let segment = ViewSegment(spillFolder: shared.spillFolder)
      shared.segments.append(segment)
      return segment
    }
  }

  /// A subtask has written `run`, and it is in its segment.
  func noteLive(_ run: SortedRun) {
    liveLog.append(run, epoch: shared.withLock { $0.liveEpoch })
    rowCount.add(run.count, ordering: .relaxed)
  }

  /// Checkpoint `id` is committed, and readers find its rows in the state.
  func commit(_ id: Int64) {
    let runs = segments.flatMap { $0.take(upTo: id) }
    for run in runs { committedLog.append(run, epoch: id) }
    committedLog.end(epoch: id)
  }

  /// The run has ended: what no checkpoint has is void.
  func end() {
    shared.withLock { $0.segments = [] }
    liveFollowers.wakeAll()
    committedFollowers.wakeAll()
  }

  private var segments: [ViewSegment] { shared.withLock { $0.segments } }

  // MARK: Reading

  /// What is written and not committed, newest first for each key.
  var liveRuns: [SortedRun] { segments.flatMap(\.runs) }
}
