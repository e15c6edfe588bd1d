import State
import StreamModel

/// An operator that writes its whole state at every snapshot, and keeps all of it in memory in between.
package protocol WholeStateOperator: StreamOperator {
  var keyedState: OperatorState? { get set }
  func wholeState() -> StateSnapshot
  func restoreWhole(_ snapshot: StateSnapshot) throws(OperatorError)
}

extension WholeStateOperator {
  /// Keys: the first hash of the entry's key group, its table, its key.
  package func attach(_ state: OperatorState, watermark: EventTime) throws(OperatorError) {
    keyedState = state
    var snapshot = StateSnapshot(watermark: watermark)
    do throws(StateError) {
      let cursor = try state.makeCursor(prefix: [], isSweep: true)
      while cursor.isValid {
        let key = cursor.key
        guard key.count > StateKey.hashLength else { throw .malformed("an entry with a key of \(key.count) bytes") }
        snapshot.add(
          keyGroup: StateKey.keyGroup(key, at: 0), table: key[StateKey.hashLength],
          key: [UInt8](key[(StateKey.hashLength + 1)...]), value: [UInt8](cursor.value))
        cursor.next()
      }
      try cursor.check()
    } catch {
      throw OperatorError(error)
    }
    try restoreWhole(snapshot)
  }

  package func snapshot() throws(OperatorError) -> EventTime {
    let snapshot = wholeState()
    guard let state = keyedState else { return snapshot.watermark }
    state.deleteAll(prefix: [])
    let entries = snapshot.entries.map { entry in
      (key: StateKey.hashBytes(firstOfGroup: entry.keyGroup) + [entry.table] + entry.key, value: entry.value)
    }.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    guard !entries.isEmpty else { return snapshot.watermark }
    do throws(StateError) {
      try state.addRun { (run) throws(StateError) in
        for entry in entries { try run.put(entry.key, entry.value) }
      }
    } catch {
      throw OperatorError(error)
    }
    return snapshot.watermark
  }
}
