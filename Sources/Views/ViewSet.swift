import State
import StreamModel

/// The views of one topology, whether its job runs or not.
///
/// While a job runs, committed rows are a snapshot of its state, renewed when a checkpoint is committed; between runs they are
/// the newest checkpoint's. A reader is let in for the time of one answer, so that a run that ends can close its state.
/// Invariant for `Sendable`: what is mutable is touched only under `monitor`.
package final class ViewSet: @unchecked Sendable {
  /// Opens the newest checkpoint's state; nil where there is none.
  package typealias Resting = @Sendable () throws(StateError) -> (reader: any StateSnapshotReader, checkpoint: Int64)?

  package let stores: [ViewStore]
  private let monitor = Monitor()
  private let openResting: Resting
  private var committed: (reader: any StateSnapshotReader, checkpoint: Int64)?
  private var isRunning = false
  private var readerCount = 0

  package init(_ views: [ViewDefinition], resting: @escaping Resting = { () throws(StateError) in nil }) {
    stores = views.map { ViewStore($0) }
    openResting = resting
  }

  package subscript(name: String) -> ViewStore? { stores.first { $0.view.name == name } }

  // MARK: The job's side

  /// A run of the job begins: readers let go of what they read, and wait for `publish`. `lastCheckpoint`: the highest number used so
  /// far; `restored`: the one it goes on from.
  package func begin(spillFolder: String?, lastCheckpoint: Int64, restored: Int64?) {
    monitor.locked {
      isRunning = true
      drain()
    }
    let isSame = (restored ?? 0) == lastCheckpoint
    // Changes after a checkpoint that the job did not go on from did not happen.
    let base =
      isSame
      ? ViewPosition(epoch: lastCheckpoint, number: .max) : ViewPosition(epoch: lastCheckpoint + 1, number: 0)
    for store in stores { store.begin(spillFolder: spillFolder, committedBase: base) }
  }

  /// From now on readers of committed rows read `reader`, which is as of `checkpoint`.
  package func publish(_ reader: any StateSnapshotReader, checkpoint: Int64, isNew: Bool) {
    monitor.locked {
      committed = (reader, checkpoint)
      monitor.signalAll()
    }
    // After the readers: who reads live rows looks for the uncommitted first.
    if isNew { for store in stores { store.commit(checkpoint) } }
  }

  /// The run has ended; returns when no reader holds its state any more.
  package func end() {
    for store in stores { store.end() }
    monitor.locked {
      isRunning = false
      drain()
      monitor.signalAll()
    }
  }

  private func drain() {
    committed = nil
    while readerCount > 0 { monitor.wait() }
    committed = nil
  }

  // MARK: The readers' side

  /// How long a reader waits for a run that begins to say what is committed, in ms.
  static let patienceMilliseconds: Int64 = 2_000

  /// Calls `body` with what is committed, nil where nothing is; the state stays open meanwhile. Blocks: not for a thread that serves others.
  func read<Result>(
    _ body: (_ reader: (any StateSnapshotReader)?, _ checkpoint: Int64) throws(ViewError) -> Result
  ) throws(ViewError) -> Result {
    let current = try enter()
    defer {
      monitor.locked {
        readerCount -= 1
        if readerCount == 0 { monitor.signalAll() }
      }
    }
    return try body(current?.reader, current?.checkpoint ?? 0)
  }

  private func enter() throws(ViewError) -> (reader: any StateSnapshotReader, checkpoint: Int64)? {
    let deadline = Clock.monotonicNanoseconds() / 1_000_000 + ViewSet.patienceMilliseconds
    return try monitor.locked { () throws(ViewError) in
      while isRunning && committed == nil {
        let rest = deadline - Clock.monotonicNanoseconds() / 1_000_000
        guard rest > 0 else { throw .unavailable("the job is just being started — ask again") }
        monitor.wait(milliseconds: rest)
      }
      if committed == nil {
        do { committed = try openResting() } catch { throw .unavailable("the checkpoint cannot be read: \(error)") }
      }
      readerCount += 1
      return committed
    }
  }

  /// The checkpoint that committed rows are of; nil where none is known yet.
  package var checkpoint: Int64? { monitor.locked { committed?.checkpoint } }
}
