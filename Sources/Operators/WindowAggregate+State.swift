import State
import StreamModel

extension AggregateSpec {
  /// Whether groups of windows that leave memory can begin anew as partial aggregates: nothing looks at a group before its
  /// window closes.
  package var keepsPartials: Bool { earlyMilliseconds == nil && allowedLatenessMilliseconds == 0 }
}

/// In the state: a group of a pane is an entry under the pane's prefix, with the number of its run where there can be several.
/// Beside them, for each subtask that has spilled, the bound of its overflow guard.
extension WindowAggregate {
  static let boundsTable: UInt8 = 255

  var state: OperatorState {
    guard let keyedState else { preconditionFailure("an operator is attached to its state first") }
    return keyedState
  }

  func codec(_ pane: WindowPane) -> GroupCodec { pane.isLate ? codecs.late : codecs.inTime }

  /// The suffix of a run that begins.
  func nextSuffix() -> [UInt8] {
    guard keepsPartials, let keyedState else { return [] }
    return StateKey.bytes(Int64(bitPattern: keyedState.nextRunNumber()))
  }

  func attach(_ state: OperatorState, watermark: EventTime) throws(OperatorError) {
    keyedState = state
    self.watermark = watermark
    do {
      try restorePanes()
      try restoreBounds()
      for pane in panes where tracksEarly { try loadOwing(pane) }
    } catch {
      throw OperatorError(error)
    }
    renumber()
    nextDue = panes.map { due($0.key) }.min() ?? EventTimes.maximum
  }

  /// Finds the panes of which the state has groups of this subtask, going from one to the next.
  private func restorePanes() throws(StateError) {
    let end = StateStore.successor(of: [PaneKeyCodec.table])
    let cursor = try state.makeCursor(from: [PaneKeyCodec.table], to: end, isSweep: false)
    while cursor.isValid {
      guard let key = PaneKeyCodec.decode(cursor.key) else {
        throw .malformed("a group of an aggregate with a key of \(cursor.key.count) bytes")
      }
      let prefix = PaneKeyCodec.prefix(key)
      let own = state.range(prefix: prefix)
      cursor.seek(own.from)
      if cursor.isValid, cursor.key.lexicographicallyPrecedes(own.to) {
        panes.append(WindowPane(key, plan, suffix: nextSuffix(), hasSpilled: true))
      }
      cursor.seek(StateStore.successor(of: prefix))
    }
    try cursor.check()
  }

  private func restoreBounds() throws(StateError) {
    overflowGuard.forget()
    let prefix = [WindowAggregate.boundsTable]
    overflowGuard.spilled = try OverflowBounds.read(state, prefix, count: overflowGuard.spilled.count)
  }

  func snapshot() throws(OperatorError) -> EventTime {
    do { try writeChanges(isSpill: false) } catch { throw OperatorError(error) }
    return watermark
  }

  func spill() throws(OperatorError) {
    do { try writeChanges(isSpill: true) } catch { throw OperatorError(error) }
    for pane in panes where pane.store.count > 0 {
      overflowGuard.noteSpill(pane.store.accumulators)
      pane.letGo(plan, suffix: nextSuffix())
    }
  }

  /// Adds the groups that changed to the state, as one run. `isSpill`: they leave memory.
  ///
  /// Where groups are swept only, a run that is written once, when it leaves memory, has its groups in packs; what a later snapshot
  /// may have to replace has an entry for each.
  private func writeChanges(isSpill: Bool) throws(StateError) {
    let changed = panes.filter { !$0.dirty.isEmpty }.sorted { $0.prefix.lexicographicallyPrecedes($1.prefix) }
    guard !changed.isEmpty else { return }
    try state.addRun { (run) throws(StateError) in
      for pane in changed {
        let (slots, prefix, suffix) = (pane.dirty.slots, pane.prefix, pane.suffix)
        if isSpill, keepsPartials, !pane.isPersisted {
          try codec(pane).putPacks(pane.store, slots, prefix: prefix, suffix: suffix, to: run)
        } else {
          try codec(pane).put(pane.store, slots, prefix: prefix, suffix: suffix, to: run, header: header(pane))
        }
      }
      try putBounds(run)
    }
    for pane in changed {
      pane.dirty.removeAll()
      pane.isPersisted = true
    }
  }

  private func header(_ pane: WindowPane) -> ((Int32) -> GroupHeader)? {
    guard tracksEarly || pane.isLate else { return nil }
    return { GroupHeader(isChanged: pane.changed.contains($0), stamp: pane.stamp(of: $0)) }
  }

  private func putBounds(_ run: any StateRunWriter) throws(StateError) {
    var bounds = overflowGuard.spilled
    for pane in panes { bounds = zip(bounds, overflowGuard.magnitudes(pane.store.accumulators)).map { $0 + $1 } }
    try OverflowBounds.put(bounds, state, [WindowAggregate.boundsTable], to: run)
  }

  /// Removes what the state has of a pane whose windows have all gone.
  func forget(_ pane: WindowPane) {
    if pane.isPersisted || pane.hasSpilled { state.deleteAll(prefix: pane.prefix) }
  }

  var stateSizeBytes: Int { panes.reduce(0) { $0 + $1.sizeBytes } }
}
