import State
import StreamModel

extension WindowAggregate {
  private static let table: UInt8 = 0

  /// One entry a group of a pane. The key is the pane and the encoded key; the value says whether early results are owed,
  /// the stamp of its last late row, and the accumulators.
  func snapshot() -> StateSnapshot {
    var snapshot = StateSnapshot(watermark: watermark)
    for pane in panes {
      for slot in pane.store.allSlots {
        let key = pane.store.table.key(slot)
        var writer = StateWriter()
        writer.write(pane.changed.contains(slot))
        if pane.isLate { writer.write(pane.stamp(of: slot)) }
        pane.store.accumulators.encode(slot, to: &writer)
        snapshot.add(
          keyGroup: KeyGroup.of(hash: KeyEncoder.hash(key)), table: WindowAggregate.table,
          key: PaneKeyCodec.encode(pane.key, key), value: writer.bytes)
      }
    }
    return snapshot
  }

  func restore(_ snapshot: StateSnapshot) throws(OperatorError) {
    watermark = snapshot.watermark
    overflowGuard.forget()
    for entry in snapshot.entries {
      guard let key = PaneKeyCodec.decode(entry.key), entry.table == WindowAggregate.table else {
        throw .state("an aggregate's entry in table \(entry.table) with a key of \(entry.key.count) bytes")
      }
      let pane = panes[Int(position(of: key))]
      do { try restore(entry, into: pane) } catch { throw .state("a group of an aggregate: \(error)") }
    }
    nextDue = panes.map { due($0.key) }.min() ?? EventTimes.maximum
  }

  private func restore(_ entry: StateEntry, into pane: WindowPane) throws(StateError) {
    let before = pane.store.count
    let slot = entry.key.withUnsafeBytes { bytes in
      let key = UnsafeRawBufferPointer(rebasing: bytes[PaneKeyCodec.prefixBytes...])
      return pane.store.insert(key, hash: KeyEncoder.hash(key))
    }
    guard pane.store.count > before else { throw .malformed("a group is there twice") }
    var reader = StateReader(entry.value)
    if try reader.readBool() { pane.changed.mark(slot) }
    if pane.isLate { pane.note(stamp: try reader.readInt64(), slot) }
    try pane.store.accumulators.decode(slot, from: &reader)
    guard reader.isAtEnd else { throw .malformed("a group goes on after its end") }
  }

  var stateSizeBytes: Int { panes.reduce(0) { $0 + $1.sizeBytes } }
}
