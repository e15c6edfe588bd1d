import State
import StreamModel

/// `avg` of int64s and decimals: an exact sum, and how many rows it is of 16 bytes behind. Rounded once, away from zero at
/// a tie.
final class AverageAccumulator: SummingAccumulator {
  private let sum: ExactSum
  private let count: Int
  /// Digits that the result has more after the point than the argument.
  private let extraDigits: Int

  init(offset: Int, argument: DataType, result: DataType) {
    sum = ExactSum(offset: offset, limit: .decimal)
    count = offset + 16
    extraDigits = AverageAccumulator.scale(result) - AverageAccumulator.scale(argument)
  }

  private static func scale(_ type: DataType) -> Int {
    if case .decimal(_, let scale) = type { scale } else { 0 }
  }

  var limit: SumLimit { sum.limit }

  private func addCount(_ more: Int64, _ records: RecordArea, _ slot: Int32) {
    let field = records.field(slot, count)
    field.storeBytes(of: field.load(as: Int64.self) &+ more, as: Int64.self)
  }

  func update(_ records: RecordArea, _ rows: RowSelection, _ input: AccumulatorInput) {
    sum.update(records, rows, input.column)
    for index in 0..<rows.count { addCount(1, records, rows.slots[index]) }
  }

  func merge(_ records: RecordArea, _ pairs: SlotPairs, from other: any Accumulator, _ otherRecords: RecordArea) {
    for index in 0..<pairs.count {
      sum.add(sum.load(otherRecords, pairs.sources[index]), records, pairs.targets[index])
      addCount(otherRecords.field(pairs.sources[index], count).load(as: Int64.self), records, pairs.targets[index])
    }
  }

  func emit(
    _ records: RecordArea, _ slots: UnsafeBufferPointer<Int32>, into builder: ColumnBuilder
  ) -> [ResultFailure] {
    var failures: [ResultFailure] = []
    for (position, slot) in slots.enumerated() {
      let rows = Int128(records.field(slot, count).load(as: Int64.self))
      if rows == 0 {
        builder.appendNull()
      } else if let average = average(sum.load(records, slot), rows) {
        builder.append(unscaled: average)
      } else {
        builder.appendNull()
        failures.append(ResultFailure(position: position, reason: "avg overflows 38 digits"))
      }
    }
    return failures
  }

  /// `sum / rows` with the extra digits; nil where that has more than 38. The whole part is scaled apart from the rest, so
  /// that nothing but the result can overflow.
  private func average(_ sum: Int128, _ rows: Int128) -> Int128? {
    let power = Decimal.powersOfTen[extraDigits]
    let (whole, rest) = sum.quotientAndRemainder(dividingBy: rows)
    let (scaled, overflow) = whole.multipliedReportingOverflow(by: power)
    guard !overflow else { return nil }
    let (dividend, restOverflow) = rest.multipliedReportingOverflow(by: power)
    guard !restOverflow else { return nil }
    let average = scaled &+ Decimal.divide(dividend, rows, rounding: .halfAwayFromZero)
    return Decimal.fits(average, precision: DataType.maxDecimalPrecision) ? average : nil
  }

  func encode(_ records: RecordArea, _ slot: Int32, to writer: inout StateWriter) {
    let rows = records.field(slot, count).load(as: UInt64.self)
    writer.write(rows)
    if rows > 0 { writer.write(sum.load(records, slot)) }
  }

  func decode(_ records: RecordArea, _ slot: Int32, from reader: inout StateReader) throws(StateError) {
    let rows = try reader.readUInt64()
    records.field(slot, count).storeBytes(of: rows, as: UInt64.self)
    if rows > 0 { sum.add(try reader.readInt128(), records, slot) }
  }

  func magnitude(of column: Column, count: Int) -> Double { sum.magnitude(of: column, count: count) }
  func magnitude(_ records: RecordArea, slotCount: Int) -> Double { sum.magnitude(records, slotCount: slotCount) }
  func overflows(_ partials: SumPartials, _ column: Column, row: Int) -> Bool {
    sum.overflows(partials, column, row: row)
  }
}

/// `avg` of doubles: a sum that no order changes, and behind it how many rows it is of.
final class DoubleAverageAccumulator: SummingAccumulator {
  private let sum: ReproducibleSum
  private let count: Int

  init(offset: Int) {
    sum = ReproducibleSum(offset: offset)
    count = offset + ReproducibleSum.words * 8
  }

  var limit: SumLimit { .double }

  private func addCount(_ more: Int64, _ records: RecordArea, _ slot: Int32) {
    let field = records.field(slot, count)
    field.storeBytes(of: field.load(as: Int64.self) &+ more, as: Int64.self)
  }

  func update(_ records: RecordArea, _ rows: RowSelection, _ input: AccumulatorInput) {
    sum.update(records, rows, input.column)
    for index in 0..<rows.count { addCount(1, records, rows.slots[index]) }
  }

  func merge(_ records: RecordArea, _ pairs: SlotPairs, from other: any Accumulator, _ otherRecords: RecordArea) {
    for index in 0..<pairs.count {
      sum.merge(records, pairs.targets[index], from: otherRecords, pairs.sources[index])
      addCount(otherRecords.field(pairs.sources[index], count).load(as: Int64.self), records, pairs.targets[index])
    }
  }

  func emit(
    _ records: RecordArea, _ slots: UnsafeBufferPointer<Int32>, into builder: ColumnBuilder
  ) -> [ResultFailure] {
    for slot in slots {
      let rows = records.field(slot, count).load(as: Int64.self)
      if rows == 0 { builder.appendNull() } else { builder.append(double: sum.load(records, slot) / Double(rows)) }
    }
    return []
  }

  func encode(_ records: RecordArea, _ slot: Int32, to writer: inout StateWriter) {
    writer.write(records.field(slot, count).load(as: UInt64.self))
    sum.encode(records, slot, to: &writer)
  }

  func decode(_ records: RecordArea, _ slot: Int32, from reader: inout StateReader) throws(StateError) {
    records.field(slot, count).storeBytes(of: try reader.readUInt64(), as: UInt64.self)
    try sum.decode(records, slot, from: &reader)
  }

  func magnitude(of column: Column, count: Int) -> Double { sum.magnitude(of: column, count: count) }
  func magnitude(_ records: RecordArea, slotCount: Int) -> Double { sum.magnitude(records, slotCount: slotCount) }
  func overflows(_ partials: SumPartials, _ column: Column, row: Int) -> Bool {
    sum.overflows(partials, column, row: row)
  }
}
