import Synchronization

/// The bound on the memory that all keyed state of a job takes: tables, block cache and write buffers.
///
/// Each subtask says how much its operators hold; past the bound those that hold their share or more write out what they
/// have and let go of it. A table that grows takes room for the old and the new one for a moment, and a batch may come in
/// before it is noticed: so much is kept free.
package final class StateBudget: Sendable {
  /// `state.memory`, in bytes.
  package let limitBytes: Int
  /// What tables may hold together.
  package let tableBytes: Int
  private let heldBytes = Atomic<Int>(0)
  private let memberCount = Atomic<Int>(0)

  package init(limitBytes: Int) {
    self.limitBytes = limitBytes
    tableBytes = limitBytes - StateBudget.blockCacheBytes(limitBytes) - StateBudget.writeBufferBytes(limitBytes)
  }

  package var blockCacheBytes: Int { StateBudget.blockCacheBytes(limitBytes) }
  package var writeBufferBytes: Int { StateBudget.writeBufferBytes(limitBytes) }

  private static func blockCacheBytes(_ limit: Int) -> Int { limit / 8 }
  private static func writeBufferBytes(_ limit: Int) -> Int { limit / 16 }

  /// What all tables hold now.
  package var held: Int { heldBytes.load(ordering: .relaxed) }

  /// Adds a subtask with state.
  package func join() { memberCount.add(1, ordering: .relaxed) }

  /// A subtask's share has changed by `bytes`.
  package func add(_ bytes: Int) { heldBytes.add(bytes, ordering: .relaxed) }

  /// Whether a subtask that holds `bytes` has to write its state out. Empty tables take room too: a bound that so many subtasks
  /// cannot keep must not have them write all the time.
  package func mustSpill(holding bytes: Int) -> Bool {
    held > tableBytes && bytes >= StateBudget.leastSpillBytes
      && bytes * memberCount.load(ordering: .relaxed) * 2 >= tableBytes
  }

  /// Whether an operator that holds `bytes` of the `held` bytes of its subtask, where `count` operators have state, writes its
  /// state out when the subtask has to: one run of many rows instead of one a step, most of them with hardly any. At least one does.
  package static func isWorthwhile(_ bytes: Int, of held: Int, among count: Int) -> Bool {
    bytes >= min(leastSpillBytes, held / max(1, count))
  }

  /// What a subtask holds at least before it writes its state out.
  private static let leastSpillBytes = 128 << 10
}
