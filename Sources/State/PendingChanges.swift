import StreamModel

/// One change to a family, in the order in which they were made.
enum StateChange: Sendable {
  case run(StateRun)
  case deleteRange(from: [UInt8], to: [UInt8])
}

/// The changes of one operator in one subtask that the backend does not have yet.
///
/// The subtask adds to them (`OperatorState`), and the thread that takes checkpoints lets them in (`StateStore`). They
/// know the backend and nobody else: a store that has them does not hold itself by them, so that a start that fails
/// half-way gives the database up, closed or not.
final class PendingChanges: Sendable {
  private let family: String
  private let backend: any StateBackend
  private let changes: Guarded<[(epoch: Int64, change: StateChange)]>

  init(family: String, backend: any StateBackend) {
    self.family = family
    self.backend = backend
    changes = Guarded([])
  }

  var isEmpty: Bool { changes.withLock { $0.isEmpty } }

  /// Adds a change that belongs to the checkpoint `epoch`, or to a later one where that is given up; epochs never fall.
  func add(_ change: StateChange, epoch: Int64) { changes.withLock { $0.append((epoch, change)) } }

  /// Lets in the changes that belong to checkpoints up to `id`.
  func apply(upTo id: Int64) throws(StateError) {
    let result = changes.withLock { changes -> Result<Void, StateError> in
      while let first = changes.first, first.epoch <= id {
        do throws(StateError) { try apply(first.change) } catch { return .failure(error) }
        changes.removeFirst()
      }
      return .success(())
    }
    try result.get()
  }

  private func apply(_ change: StateChange) throws(StateError) {
    switch change {
    case .run(let run): try backend.ingest(run, family: family)
    case .deleteRange(let from, let to): try backend.deleteRange(family: family, from: from, to: to)
    }
  }
}
