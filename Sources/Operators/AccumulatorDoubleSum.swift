import State
import StreamModel

/// A sum of doubles that carries what rounding lost: the sum at `offset`, the compensation 8 bytes behind.
///
/// Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen" (1974). The error no longer grows with
/// the number of rows; the last digit may still depend on their order.
struct CompensatedSum {
  let offset: Int

  @inline(__always) func add(_ value: Double, _ records: RecordArea, _ slot: Int32) {
    let field = records.field(slot, offset)
    let sum = field.load(as: Double.self)
    let total = sum + value
    let lost = abs(sum) >= abs(value) ? (sum - total) + value : (value - total) + sum
    field.storeBytes(of: total, as: Double.self)
    field.storeBytes(of: field.load(fromByteOffset: 8, as: Double.self) + lost, toByteOffset: 8, as: Double.self)
  }

  @inline(__always) func load(_ records: RecordArea, _ slot: Int32) -> Double {
    let field = records.field(slot, offset)
    let sum = field.load(as: Double.self)
    return sum.isFinite ? sum + field.load(fromByteOffset: 8, as: Double.self) : sum
  }

  func update(_ records: RecordArea, _ rows: RowSelection, _ column: Column) {
    let values = column.doubles
    for index in 0..<rows.count { add(values[Int(rows.rows[index])], records, rows.slots[index]) }
  }

  func merge(_ records: RecordArea, _ slot: Int32, from otherRecords: RecordArea, _ otherSlot: Int32) {
    let other = otherRecords.field(otherSlot, offset)
    add(other.load(as: Double.self), records, slot)
    let field = records.field(slot, offset) + 8
    field.storeBytes(of: field.load(as: Double.self) + other.load(fromByteOffset: 8, as: Double.self), as: Double.self)
  }

  func encode(_ records: RecordArea, _ slot: Int32, to writer: inout StateWriter) {
    let field = records.field(slot, offset)
    writer.write(field.load(as: Double.self))
    writer.write(field.load(fromByteOffset: 8, as: Double.self))
  }

  func decode(_ records: RecordArea, _ slot: Int32, from reader: inout StateReader) throws(StateError) {
    let field = records.field(slot, offset)
    field.storeBytes(of: try reader.readDouble(), as: Double.self)
    field.storeBytes(of: try reader.readDouble(), toByteOffset: 8, as: Double.self)
  }

  func magnitude(of column: Column, count: Int) -> Double {
    var sum = 0.0
    for row in 0..<count where column.doubles[row].isFinite { sum += abs(column.doubles[row]) }
    return sum
  }

  func magnitude(_ records: RecordArea, slotCount: Int) -> Double {
    var sum = 0.0
    for slot in 0..<Int32(slotCount) {
      let value = load(records, slot)
      if value.isFinite { sum += abs(value) }
    }
    return sum
  }

  /// Whether finite partial sums and a finite row add up to what is not.
  func overflows(_ partials: [(records: RecordArea, slot: Int32)], _ column: Column, row: Int) -> Bool {
    var sum = column.doubles[row]
    for partial in partials {
      let value = load(partial.records, partial.slot)
      guard sum.isFinite, value.isFinite else { return false }
      sum += value
      if !sum.isFinite { return true }
    }
    return false
  }
}

/// `sum` of doubles.
final class DoubleSumAccumulator: SummingAccumulator {
  private let sum: CompensatedSum
  private let flag: Int

  init(offset: Int, flag: Int) {
    sum = CompensatedSum(offset: offset)
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
  func overflows(_ partials: [(records: RecordArea, slot: Int32)], _ column: Column, row: Int) -> Bool {
    sum.overflows(partials, column, row: row)
  }
}
