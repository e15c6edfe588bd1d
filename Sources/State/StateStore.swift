import StreamModel

/// The keyed state of a job beyond memory, and what keeps it consistent: the changes of a checkpoint are let into the backend
/// before those of the next.
///
/// All subtasks of a job share one backend, so that any parallelism finds its key groups there. A subtask gathers its
/// changes (`OperatorState`); what it made before barrier *n* belongs to checkpoint *n*, what it makes afterwards to a later one.
/// When every participant has reported, `take` lets in what belongs to *n* and has the backend make that durable. A subtask
/// that must read what it wrote after its barrier waits until then: it cannot be long, since nothing that *n* still needs
/// waits for a subtask that has passed the barrier.
///
/// Invariant for `Sendable`: `taken`, `isClosed` and `changes` are touched only under `monitor`; the rest is constant.
package final class StateStore: @unchecked Sendable {
  package let backend: any StateBackend
  package let budget: StateBudget
  private let monitor = Monitor()
  /// The highest checkpoint that was taken or given up.
  private var taken: Int64
  private var isClosed = false
  /// Those of every subtask's operators.
  private var changes: [PendingChanges] = []

  /// `lastCheckpoint`: the highest number used so far.
  package init(backend: any StateBackend, budget: StateBudget, lastCheckpoint: Int64 = 0) {
    self.backend = backend
    self.budget = budget
    taken = lastCheckpoint
  }

  /// The part of family `family` that the subtask with these key groups owns.
  package func open(family: String, keyGroups: Range<Int>) -> OperatorState {
    monitor.locked {
      let pending = PendingChanges(family: family, backend: backend)
      changes.append(pending)
      return OperatorState(
        family: family, keyGroups: keyGroups, store: self, changes: pending, lastCheckpoint: taken)
    }
  }

  /// Waits until checkpoint `id` has been taken or given up.
  func wait(for id: Int64) throws(StateError) {
    let isClosed = monitor.locked {
      while taken < id, !self.isClosed { monitor.wait() }
      return self.isClosed
    }
    if isClosed { throw .cancelled }
  }

  /// Lets in all changes up to checkpoint `id`, and makes the state durable in `directory`, which is made if there is any.
  package func take(_ id: Int64, in directory: String) throws(StateError) {
    defer { giveUp(id) }
    for pending in monitor.locked({ changes }) { try pending.apply(upTo: id) }
    try backend.checkpoint(to: directory)
  }

  /// Checkpoint `id` is not taken; its changes belong to the next.
  package func giveUp(_ id: Int64) {
    monitor.locked {
      taken = max(taken, id)
      monitor.signalAll()
    }
  }

  /// Ends every wait, and lets go of the subtasks' changes.
  package func close() {
    monitor.locked {
      isClosed = true
      changes = []
      monitor.signalAll()
    }
  }

  /// Ends of key ranges.
  package static func successor(of prefix: [UInt8]) -> [UInt8] {
    var end = prefix
    while let last = end.popLast() {
      if last < 0xFF { return end + [last + 1] }
    }
    return [UInt8](repeating: 0xFF, count: prefix.count + 16)
  }
}
