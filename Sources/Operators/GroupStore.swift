import State
import StreamModel

/// Groups: encoded keys and their accumulators, by slot in the order in which keys were first seen.
///
/// A group can be written as bytes and read back, and two stores of partial aggregates combined: that is what lets a group be
/// kept in pieces, or leave memory early.
final class GroupStore {
  let table = GroupTable()
  let accumulators: AccumulatorStore
  private let slots = Scratch<Int32>()

  init(_ plan: AggregatePlan) { accumulators = AccumulatorStore(plan) }

  var count: Int { table.count }
  var sizeBytes: Int { table.sizeBytes + accumulators.sizeBytes }

  /// Aggregates rows of a batch into their groups; the selection's slots are valid until the next call.
  func update(
    _ rows: UnsafePointer<Int32>, count: Int, _ keys: KeyBatch, _ inputs: AggregateInputs
  ) -> RowSelection {
    let slots = slots.reserve(count)
    table.assign(keys, rows: rows, count: count, slots: slots)
    accumulators.grow(to: table.slotCount)
    let selection = RowSelection(rows: rows, slots: slots, count: count)
    accumulators.update(selection, inputs)
    return selection
  }

  /// The slot of `key`, made where there is none.
  func insert(_ key: UnsafeRawBufferPointer, hash: UInt64) -> Int32 {
    let slot = table.insert(key, hash: hash)
    accumulators.grow(to: table.slotCount)
    return slot
  }

  /// Combines the groups of `other` in `sources` into this store's groups of the same key. Returns their slots here.
  @discardableResult func merge(_ sources: [Int32], from other: GroupStore) -> [Int32] {
    let targets = sources.map { source in
      let key = other.table.key(source)
      return insert(key, hash: KeyEncoder.hash(key))
    }
    merge(targets, sources, from: other)
    return targets
  }

  /// Combines groups of `other` into those of this store's groups that have the same key.
  func mergeHeld(from other: GroupStore) {
    var targets: [Int32] = []
    var sources: [Int32] = []
    for slot in 0..<Int32(table.slotCount) {
      let key = table.key(slot)
      let source = other.table.slot(of: key, hash: KeyEncoder.hash(key))
      if source < 0 { continue }
      targets.append(slot)
      sources.append(source)
    }
    merge(targets, sources, from: other)
  }

  private func merge(_ targets: [Int32], _ sources: [Int32], from other: GroupStore) {
    targets.withUnsafeBufferPointer { targets in
      sources.withUnsafeBufferPointer { sources in
        guard let first = targets.baseAddress, let second = sources.baseAddress else { return }
        accumulators.merge(
          SlotPairs(targets: first, sources: second, count: targets.count), from: other.accumulators)
      }
    }
  }

  /// All slots.
  var allSlots: [Int32] { [Int32](0..<Int32(table.slotCount)) }
}
