import State
import StreamModel

/// Reading groups back into memory, where an operator goes on with a group rather than beginning another part of it.
extension WindowAggregate {
  /// Reads the groups of `rows` that are not in memory.
  func load(
    _ rows: UnsafePointer<Int32>, count: Int, _ keys: KeyBatch, into pane: WindowPane
  ) throws(OperatorError) {
    try load(pane.store.table.missing(rows, count: count, keys), into: pane)
  }

  /// Reads the groups with the keys of `table` that are not in memory.
  func load(keysOf table: GroupTable, into pane: WindowPane) throws(OperatorError) {
    try load(pane.store.table.missing(table), into: pane)
  }

  private func load(_ wanted: GroupTable, into pane: WindowPane) throws(OperatorError) {
    do {
      try pane.store.load(wanted, prefix: pane.prefix, from: state, codec(pane)) { note($0, $1, pane) }
    } catch {
      throw OperatorError(error)
    }
  }

  /// A group that was read is in memory.
  private func note(_ slot: Int32, _ header: GroupHeader, _ pane: WindowPane) {
    if pane.isLate { pane.note(stamp: header.stamp, slot) }
    if tracksEarly, header.isChanged { pane.changed.mark(slot) }
  }

  /// Reads all groups of a pane.
  func loadAll(_ pane: WindowPane) throws(OperatorError) {
    do { try loadAll(pane, where: { _ in true }) } catch { throw OperatorError(error) }
  }

  /// Reads the groups of a pane that owe an early result.
  func loadOwing(_ pane: WindowPane) throws(StateError) { try loadAll(pane) { $0.first.map { $0 & 1 != 0 } ?? false } }

  private func loadAll(_ pane: WindowPane, where isWanted: (UnsafeRawBufferPointer) -> Bool) throws(StateError) {
    let cursor = try state.makeCursor(prefix: pane.prefix, isSweep: true)
    while cursor.isValid {
      let key = cursor.key
      let name = UnsafeRawBufferPointer(rebasing: key[(PaneKeyCodec.prefixBytes + StateKey.hashLength)...])
      if isWanted(cursor.value), pane.store.table.slot(of: name, hash: KeyEncoder.hash(name)) < 0 {
        try pane.store.add(name, [UInt8](cursor.value), codec(pane)) { note($0, $1, pane) }
      }
      cursor.next()
    }
    try cursor.check()
  }

  /// What the state has of the group `key` of a pane and memory has not, in slot 0; nil where that is nothing.
  func spilledGroup(_ key: UnsafeRawBufferPointer, _ pane: WindowPane) throws(OperatorError) -> GroupStore? {
    let groups = GroupStore(plan)
    do {
      if pane.suffix.isEmpty {
        let wanted = GroupTable()
        _ = wanted.insert(key, hash: KeyEncoder.hash(key))
        try groups.load(wanted, prefix: pane.prefix, from: state, codec(pane)) { _, _ in }
      } else {
        try combineParts(of: key, pane, in: groups)
      }
    } catch {
      throw OperatorError(error)
    }
    return groups.count > 0 ? groups : nil
  }

  private func combineParts(
    of key: UnsafeRawBufferPointer, _ pane: WindowPane, in groups: GroupStore
  ) throws(StateError) {
    let range = GroupPack.range(pane.prefix, hash: KeyEncoder.hash(key))
    let cursor = try state.makeCursor(from: range.from, to: range.to, isSweep: false)
    let parts = GroupParts(pane)
    while cursor.isValid {
      parts.add(cursor.key, cursor.value)
      cursor.next()
    }
    try cursor.check()
    let merge = PartialMerge(plan, codec(pane))
    try parts.drain { (name, value) throws(StateError) in
      if name.elementsEqual(key) { try merge.add(name, value, to: groups) }
    }
    merge.finish(groups)
  }
}
