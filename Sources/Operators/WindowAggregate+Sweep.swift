import State
import StreamModel

/// Closing a window some of whose groups are not in memory: one sweep over the state in key order, a key group at a time.
extension WindowAggregate {
  /// Groups whose results are given together, at least.
  private static let sweptGroups = 1 << 15

  /// Gives the results of all groups of `window`, which is made of `members`.
  func sweep(_ window: WindowBounds, _ members: [WindowPane], to output: any OperatorOutput) throws(OperatorError) {
    let bounds = AggregateResults.Bounds.window(start: window.start, end: window.end)
    let residents = members.map { GroupsByKeyGroup($0.store.table) }
    do {
      let sweeps = try members.map { (pane) throws(StateError) in try PaneSweep(pane, self) }
      var union = GroupStore(plan)
      for group in state.keyGroups {
        for (index, pane) in members.enumerated() {
          try sweeps[index].merge(keyGroup: group, into: union)
          residents[index].merge(keyGroup: group, of: pane.store, into: union)
        }
        guard union.count >= WindowAggregate.sweptGroups || group == state.keyGroups.last else { continue }
        results.add(union, union.allSlots, bounds, .onTime, to: output)
        union = GroupStore(plan)
      }
    } catch {
      throw OperatorError(error)
    }
  }

  /// The sums of the absolute values of all groups out of memory, for each summing call.
  func spilledMagnitudes() throws(OperatorError) -> [Double] {
    var sums = overflowGuard.spilled.map { _ in 0.0 }
    do {
      for pane in panes where pane.hasSpilled {
        let sweep = try PaneSweep(pane, self)
        for group in state.keyGroups {
          let groups = GroupStore(plan)
          try sweep.merge(keyGroup: group, into: groups)
          sums = zip(sums, overflowGuard.magnitudes(groups.accumulators)).map { $0 + $1 }
        }
      }
    } catch {
      throw OperatorError(error)
    }
    return sums
  }
}

/// The slots of a table by key group.
private struct GroupsByKeyGroup {
  private var slots: [Int32]
  private var starts: [Int]

  init(_ table: GroupTable) {
    let groups = (0..<Int32(table.slotCount)).map { UInt8(KeyGroup.of(hash: KeyEncoder.hash(table.key($0)))) }
    starts = [Int](repeating: 0, count: KeyGroup.count + 1)
    for group in groups { starts[Int(group) + 1] += 1 }
    for group in 0..<KeyGroup.count { starts[group + 1] += starts[group] }
    var cursors = starts
    slots = [Int32](repeating: 0, count: groups.count)
    for (slot, group) in groups.enumerated() {
      slots[cursors[Int(group)]] = Int32(slot)
      cursors[Int(group)] += 1
    }
  }

  /// Combines the groups of `keyGroup` in `store`, whose table this is of, into those of `target`.
  func merge(keyGroup: Int, of store: GroupStore, into target: GroupStore) {
    let range = starts[keyGroup]..<starts[keyGroup + 1]
    if !range.isEmpty { target.merge(store, slots: Array(slots[range])) }
  }
}

/// Reads what the state has of a pane and memory has not, key group by key group, ascending.
private final class PaneSweep {
  private let pane: WindowPane
  private let merge: PartialMerge
  private let cursor: (any StateCursor)?
  /// Nil where each group has one entry.
  private let parts: GroupParts?

  init(_ pane: WindowPane, _ aggregate: WindowAggregate) throws(StateError) {
    self.pane = pane
    merge = PartialMerge(aggregate.plan, aggregate.codec(pane))
    parts = pane.suffix.isEmpty ? nil : GroupParts(pane)
    cursor = pane.hasSpilled ? try aggregate.state.makeCursor(prefix: pane.prefix, isSweep: true) : nil
  }

  /// Combines the groups of `keyGroup` into those of `target`.
  func merge(keyGroup: Int, into target: GroupStore) throws(StateError) {
    guard let cursor else { return }
    if let parts { try mergeParts(cursor, parts, keyGroup, target) } else { try mergeWhole(cursor, keyGroup, target) }
    try cursor.check()
    merge.finish(target)
  }

  /// The cursor's key, unless it is of a later key group than `keyGroup`.
  private func key(_ cursor: any StateCursor, _ keyGroup: Int) -> UnsafeRawBufferPointer? {
    guard cursor.isValid else { return nil }
    let key = cursor.key
    return StateKey.keyGroup(key, at: PaneKeyCodec.prefixBytes) <= keyGroup ? key : nil
  }

  /// Each group has one entry, which counts where memory has nothing newer.
  private func mergeWhole(_ cursor: any StateCursor, _ keyGroup: Int, _ target: GroupStore) throws(StateError) {
    while let key = key(cursor, keyGroup) {
      let name = UnsafeRawBufferPointer(rebasing: key[(PaneKeyCodec.prefixBytes + StateKey.hashLength)...])
      if pane.store.table.slot(of: name, hash: KeyEncoder.hash(name)) < 0 {
        try merge.add(name, cursor.value, to: target)
      }
      cursor.next()
    }
  }

  /// A group has a part in each of several runs.
  private func mergeParts(
    _ cursor: any StateCursor, _ parts: GroupParts, _ keyGroup: Int, _ target: GroupStore
  ) throws(StateError) {
    var range: UInt32?
    while let key = key(cursor, keyGroup) {
      let start = GroupPack.start(StateKey.order(key, at: PaneKeyCodec.prefixBytes))
      if start != range { try drain(parts, target) }
      range = start
      parts.add(key, cursor.value)
      cursor.next()
    }
    try drain(parts, target)
  }

  private func drain(_ parts: GroupParts, _ target: GroupStore) throws(StateError) {
    try parts.drain { (name, value) throws(StateError) in try merge.add(name, value, to: target) }
  }
}
