import State
import StreamModel

/// `sum` of doubles: the same bits in whatever order rows come.
final class DoubleSumAccumulator: SummingAccumulator {
  private let sum: ReproducibleSum
  private let flag: Int

  init(offset: Int, flag: Int) {
    sum = ReproducibleSum(offset: offset)
    self.flag = flag
  }

  var limit: SumLimit { .double }

  private func isSet(_ records: RecordArea, _ slot: Int32) -> Bool {
    records.field(slot, flag).load(as: UInt8.self) != 0
  }

  func update(_ records: RecordArea, _ rows: RowSelection, _ input: AccumulatorInput) {
    sum.update(records, rows, input.column)
    for index in 0..<rows.count { records.field(rows.slots[index], flag).storeBytes(of: 1, as: UInt8.self) }
  }

  func merge(_ records: RecordArea, _ pairs: SlotPairs, from other: any Accumulator, _ otherRecords: RecordArea) {
    for index in 0..<pairs.count where isSet(otherRecords, pairs.sources[index]) {
      sum.merge(records, pairs.targets[index], from: otherRecords, pairs.sources[index])
      records.field(pairs.targets[index], flag).storeBytes(of: 1, as: UInt8.self)
    }
  }

  func emit(
    _ records: RecordArea, _ slots: UnsafeBufferPointer<Int32>, into builder: ColumnBuilder
  ) -> [ResultFailure] {
    for slot in slots {
      if isSet(records, slot) { builder.append(double: sum.load(records, slot)) } else { builder.appendNull() }
    }
    return []
  }

  func encode(_ records: RecordArea, _ slot: Int32, to writer: inout StateWriter) {
    writer.write(isSet(records, slot))
    if isSet(records, slot) { sum.encode(records, slot, to: &writer) }
  }

  func decode(_ records: RecordArea, _ slot: Int32, from reader: inout StateReader) throws(StateError) {
    guard try reader.readBool() else { return }
    try sum.decode(records, slot, from: &reader)
    records.field(slot, flag).storeBytes(of: 1, as: UInt8.self)
  }

  func magnitude(of column: Column, count: Int) -> Double { sum.magnitude(of: column, count: count) }
  func magnitude(_ records: RecordArea, slotCount: Int) -> Double { sum.magnitude(records, slotCount: slotCount) }
  func overflows(_ partials: SumPartials, _ column: Column, row: Int) -> Bool {
    sum.overflows(partials, column, row: row)
  }
}
