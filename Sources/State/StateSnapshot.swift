import StreamModel

/// One keyed entry of an operator's state.
package struct StateEntry: Hashable, Sendable {
  /// `KeyGroup.of(hash:)` of the entry's key.
  package let keyGroup: Int
  /// Which of the operator's tables it belongs to; the operator's own numbering.
  package let table: UInt8
  /// The key within the table, as `KeyEncoder` or the operator encodes it.
  package let key: [UInt8]
  package let value: [UInt8]

  package init(keyGroup: Int, table: UInt8, key: [UInt8], value: [UInt8]) {
    self.keyGroup = keyGroup
    self.table = table
    self.key = key
    self.value = value
  }
}

/// The whole state of one operator subtask at one instant: keyed entries, and the operator's watermark.
///
/// It can be cut by key group and joined with others', so that a job comes back at another parallelism.
package struct StateSnapshot: Sendable {
  /// The watermark the operator had been advanced to.
  package var watermark: EventTime
  package var entries: [StateEntry]

  package init(watermark: EventTime = EventTimes.minimum, entries: [StateEntry] = []) {
    self.watermark = watermark
    self.entries = entries
  }

  package mutating func add(keyGroup: Int, table: UInt8, key: [UInt8], value: [UInt8]) {
    entries.append(StateEntry(keyGroup: keyGroup, table: table, key: key, value: value))
  }

  /// The entries of the key groups in `range`.
  package func restricted(to range: Range<Int>) -> StateSnapshot {
    StateSnapshot(watermark: watermark, entries: entries.filter { range.contains($0.keyGroup) })
  }

  /// All entries of several subtasks; the watermark is their least.
  package static func joined(_ snapshots: [StateSnapshot]) -> StateSnapshot {
    StateSnapshot(
      watermark: snapshots.map(\.watermark).min() ?? EventTimes.minimum, entries: snapshots.flatMap(\.entries))
  }
}
