import State
import StreamModel

/// Groups: encoded keys and their accumulators, by slot in the order in which keys were first seen.
///
/// A group can be written as bytes and read back, and two stores of partial aggregates combined: that is what lets a group be
/// kept in pieces, or leave memory early.
final class GroupStore {
  let table = GroupTable()
  let accumulators: AccumulatorStore
  private let slots = Scratch<Int32>(capacity: 1)
  private let sources = Scratch<Int32>(capacity: 1)
  private let hashes = Scratch<UInt64>(capacity: 1)

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

  /// Combines aggregates of rows that `partials` stands for into the groups of those rows; the selection's slots are valid until
  /// the next call.
  func merge(
    _ rows: UnsafePointer<Int32>, count: Int, _ keys: KeyBatch, _ partials: PartialAggregates
  ) -> RowSelection {
    let slots = slots.reserve(count)
    table.assign(keys, rows: rows, count: count, slots: slots)
    accumulators.grow(to: table.slotCount)
    accumulators.merge(SlotPairs(targets: slots, sources: rows, count: count), RecordArea(partials))
    return RowSelection(rows: rows, slots: slots, count: count)
  }

  /// Forgets all groups, keeping the memory.
  func removeAll() {
    table.removeAll()
    accumulators.removeAll()
  }

  /// The slot of `key`, made where there is none.
  func insert(_ key: UnsafeRawBufferPointer, hash: UInt64) -> Int32 {
    let slot = table.insert(key, hash: hash)
    accumulators.grow(to: table.slotCount)
    return slot
  }

  /// Makes room for `count` groups.
  func reserve(_ count: Int) { table.reserve(count) }

  /// Combines all groups of `other` into this store's groups of the same key. Their slots here, by slot there, are valid until
  /// the next call.
  @discardableResult func merge(_ other: GroupStore) -> UnsafePointer<Int32> {
    let count = other.table.slotCount
    let targets = slots.reserve(count)
    let hashes = hashes.reserve(count)
    for slot in 0..<count { hashes[slot] = KeyEncoder.hash(other.table.key(Int32(slot))) }
    for slot in 0..<count { targets[slot] = table.insert(other.table.key(Int32(slot)), hash: hashes[slot]) }
    accumulators.grow(to: table.slotCount)
    let sources = sources.reserve(count)
    for slot in 0..<count { sources[slot] = Int32(truncatingIfNeeded: slot) }
    accumulators.merge(SlotPairs(targets: targets, sources: sources, count: count), from: other.accumulators)
    return UnsafePointer(targets)
  }

  /// Combines `slots` of `other` into this store's groups of the same key.
  func merge(_ other: GroupStore, slots chosen: [Int32]) {
    let targets = slots.reserve(chosen.count)
    for (index, slot) in chosen.enumerated() {
      let key = other.table.key(slot)
      targets[index] = table.insert(key, hash: KeyEncoder.hash(key))
    }
    accumulators.grow(to: table.slotCount)
    chosen.withUnsafeBufferPointer { chosen in
      guard let sources = chosen.baseAddress else { return }
      accumulators.merge(SlotPairs(targets: targets, sources: sources, count: chosen.count), from: other.accumulators)
    }
  }

  /// Combines groups of `other` into those of this store's groups that have the same key.
  func mergeHeld(from other: GroupStore) {
    let targets = slots.reserve(table.slotCount)
    let sources = sources.reserve(table.slotCount)
    var count = 0
    for slot in 0..<Int32(table.slotCount) {
      let key = table.key(slot)
      let source = other.table.slot(of: key, hash: KeyEncoder.hash(key))
      if source < 0 { continue }
      targets[count] = slot
      sources[count] = source
      count += 1
    }
    accumulators.merge(SlotPairs(targets: targets, sources: sources, count: count), from: other.accumulators)
  }

  /// All slots.
  var allSlots: [Int32] { [Int32](0..<Int32(table.slotCount)) }
}
