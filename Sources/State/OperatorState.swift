import StreamModel

/// The state beyond memory of one operator in one subtask.
///
/// Its owner adds sorted runs and range deletes, seals them at a barrier, and reads back what it needs: reading first lets
/// in what it has written. One owner, on one thread.
///
/// Invariant for `Sendable`: `epoch` and `runCount` belong to the owner; the rest is constant, and thread-safe by itself.
package final class OperatorState: @unchecked Sendable {
  package let family: String
  /// The key groups it may read and write.
  package let keyGroups: Range<Int>
  private let store: StateStore
  private let changes: PendingChanges
  /// The checkpoint that changes made now belong to.
  private var epoch: Int64
  private var runCount: UInt64 = 0
  private let runBase: UInt64

  init(family: String, keyGroups: Range<Int>, store: StateStore, changes: PendingChanges, lastCheckpoint: Int64) {
    self.family = family
    self.keyGroups = keyGroups
    self.store = store
    self.changes = changes
    epoch = lastCheckpoint + 1
    runBase = UInt64(lastCheckpoint + 1) << 24
  }

  package var budget: StateBudget { store.budget }

  /// A number that goes up, also over restarts: no run of a checkpoint this job can go on from has it or a greater one.
  package func nextRunNumber() -> UInt64 {
    runCount += 1
    return runBase + runCount
  }

  /// Where numbers begin that go up by one a row, also over restarts: 2³⁶ of them, and as many more with every checkpoint.
  package func nextRowNumber() -> UInt64 { nextRunNumber() << 12 }

  /// Adds a run; `body` puts its entries in ascending order.
  package func addRun(_ body: (any StateRunWriter) throws(StateError) -> Void) throws(StateError) {
    let writer = try store.backend.makeRun(family: family)
    try body(writer)
    changes.add(.run(try writer.finish()), epoch: epoch)
  }

  /// Deletes the keys in `[from, to)`.
  package func deleteRange(from: [UInt8], to: [UInt8]) {
    changes.add(.deleteRange(from: from, to: to), epoch: epoch)
  }

  /// Deletes what this subtask owns of the keys that begin with `prefix`.
  package func deleteAll(prefix: [UInt8]) {
    let range = range(prefix: prefix)
    deleteRange(from: range.from, to: range.to)
  }

  /// The checkpoint at or after which what is changed now is committed.
  package var openCheckpoint: Int64 { epoch }

  /// What was changed so far belongs to checkpoint `id`.
  package func seal(_ id: Int64) { epoch = max(epoch, id + 1) }

  /// Lets in everything that was written.
  private func settle() throws(StateError) {
    if changes.isEmpty { return }
    try store.wait(for: epoch - 1)
    try changes.apply(upTo: epoch)
  }

  /// The values of `keys`, which ascend; nil for those that are not there.
  package func get(_ keys: [[UInt8]]) throws(StateError) -> [[UInt8]?] {
    if keys.isEmpty { return [] }
    try settle()
    return try store.backend.get(family: family, keys: keys)
  }

  /// A cursor over the entries in `[from, to)`. `isSweep`: most of them will be read, once.
  package func makeCursor(from: [UInt8], to: [UInt8], isSweep: Bool) throws(StateError) -> any StateCursor {
    try settle()
    return try store.backend.makeCursor(family: family, from: from, to: to, isSweep: isSweep)
  }

  /// A cursor over what this subtask owns of the entries whose keys begin with `prefix`, then the hash.
  package func makeCursor(prefix: [UInt8], isSweep: Bool) throws(StateError) -> any StateCursor {
    let range = range(prefix: prefix)
    return try makeCursor(from: range.from, to: range.to, isSweep: isSweep)
  }

  /// The keys that begin with `prefix`, then the hash of a key group of this subtask.
  package func range(prefix: [UInt8]) -> (from: [UInt8], to: [UInt8]) {
    let end = keyGroups.upperBound == KeyGroup.count
    return (
      prefix + StateKey.hashBytes(firstOfGroup: keyGroups.lowerBound),
      end ? StateStore.successor(of: prefix) : prefix + StateKey.hashBytes(firstOfGroup: keyGroups.upperBound)
    )
  }
}
