import State
import StreamModel

/// `count(*)` and `count(x)`: an int64.
final class CountAccumulator: Accumulator {
  private let offset: Int

  init(offset: Int) { self.offset = offset }

  func update(_ records: RecordArea, _ rows: RowSelection, _ input: AccumulatorInput) {
    for index in 0..<rows.count {
      let field = records.field(rows.slots[index], offset)
      field.storeBytes(of: field.load(as: Int64.self) &+ 1, as: Int64.self)
    }
  }

  func merge(_ records: RecordArea, _ pairs: SlotPairs, from other: any Accumulator, _ otherRecords: RecordArea) {
    for index in 0..<pairs.count {
      let field = records.field(pairs.targets[index], offset)
      let more = otherRecords.field(pairs.sources[index], offset).load(as: Int64.self)
      field.storeBytes(of: field.load(as: Int64.self) &+ more, as: Int64.self)
    }
  }

  func emit(
    _ records: RecordArea, _ slots: UnsafeBufferPointer<Int32>, into builder: ColumnBuilder
  ) -> [ResultFailure] {
    let values = builder.extend(by: slots.count).assumingMemoryBound(to: Int64.self)
    for (position, slot) in slots.enumerated() { values[position] = records.field(slot, offset).load(as: Int64.self) }
    return []
  }

  func encode(_ records: RecordArea, _ slot: Int32, to writer: inout StateWriter) {
    writer.write(records.field(slot, offset).load(as: UInt64.self))
  }

  func decode(_ records: RecordArea, _ slot: Int32, from reader: inout StateReader) throws(StateError) {
    records.field(slot, offset).storeBytes(of: try reader.readUInt64(), as: UInt64.self)
  }
}

/// The latest event time of a group's rows: when the result of a running aggregate happened.
final class LatestTimeAccumulator: Accumulator {
  private let offset: Int
  /// Event times are kept as the distance from before all of them, so that zero is the empty aggregate.
  private static let origin = EventTimes.minimum

  init(offset: Int) { self.offset = offset }

  /// The latest event time in `slot`.
  func value(_ records: RecordArea, _ slot: Int32) -> EventTime {
    records.field(slot, offset).load(as: Int64.self) &+ LatestTimeAccumulator.origin
  }

  @inline(__always) private func raise(_ field: UnsafeMutableRawPointer, to time: EventTime) {
    if time > field.load(as: Int64.self) &+ LatestTimeAccumulator.origin {
      field.storeBytes(of: time &- LatestTimeAccumulator.origin, as: Int64.self)
    }
  }

  func update(_ records: RecordArea, _ rows: RowSelection, _ input: AccumulatorInput) {
    for index in 0..<rows.count {
      raise(records.field(rows.slots[index], offset), to: input.eventTimes[Int(rows.rows[index])])
    }
  }

  func merge(_ records: RecordArea, _ pairs: SlotPairs, from other: any Accumulator, _ otherRecords: RecordArea) {
    for index in 0..<pairs.count {
      raise(records.field(pairs.targets[index], offset), to: value(otherRecords, pairs.sources[index]))
    }
  }

  func emit(
    _ records: RecordArea, _ slots: UnsafeBufferPointer<Int32>, into builder: ColumnBuilder
  ) -> [ResultFailure] {
    for slot in slots { builder.append(int64: value(records, slot)) }
    return []
  }

  func encode(_ records: RecordArea, _ slot: Int32, to writer: inout StateWriter) {
    writer.write(value(records, slot))
  }

  func decode(_ records: RecordArea, _ slot: Int32, from reader: inout StateReader) throws(StateError) {
    raise(records.field(slot, offset), to: try reader.readInt64())
  }
}
