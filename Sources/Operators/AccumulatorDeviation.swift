import State
import StreamModel

/// `stddev_pop` of doubles: the number of rows, their sum, and the sum of their squares.
///
/// Both sums depend on no order and keep every bit of values of like size (`ReproducibleSum`), and `n·Σx² − (Σx)²` is worked
/// out in integers: nothing is lost to cancellation, and a rerun gives the same bits.
final class DeviationAccumulator: Accumulator {
  static let words = 1 + 2 * ReproducibleSum.words
  private let offset: Int
  private let sum: ReproducibleSum
  private let squares: ReproducibleSum

  init(offset: Int) {
    self.offset = offset
    sum = ReproducibleSum(offset: offset + 8)
    squares = ReproducibleSum(offset: offset + 8 + ReproducibleSum.words * 8)
  }

  private func count(_ records: RecordArea, _ slot: Int32) -> Int64 {
    records.field(slot, offset).load(as: Int64.self)
  }

  private func addCount(_ more: Int64, _ records: RecordArea, _ slot: Int32) {
    records.field(slot, offset).storeBytes(of: count(records, slot) &+ more, as: Int64.self)
  }

  func update(_ records: RecordArea, _ rows: RowSelection, _ input: AccumulatorInput) {
    let values = input.column.doubles
    for index in 0..<rows.count {
      let value = values[Int(rows.rows[index])]
      addCount(1, records, rows.slots[index])
      sum.add(value, records, rows.slots[index])
      squares.addSquare(value, records, rows.slots[index])
    }
  }

  func merge(_ records: RecordArea, _ pairs: SlotPairs, from other: any Accumulator, _ otherRecords: RecordArea) {
    for index in 0..<pairs.count {
      let (target, source) = (pairs.targets[index], pairs.sources[index])
      addCount(count(otherRecords, source), records, target)
      sum.merge(records, target, from: otherRecords, source)
      squares.merge(records, target, from: otherRecords, source)
    }
  }

  func emit(
    _ records: RecordArea, _ slots: UnsafeBufferPointer<Int32>, into builder: ColumnBuilder
  ) -> [ResultFailure] {
    for slot in slots {
      let rows = count(records, slot)
      if rows == 0 { builder.appendNull() } else { builder.append(double: deviation(records, slot, rows)) }
    }
    return []
  }

  /// Not a number where a row's value was not finite.
  private func deviation(_ records: RecordArea, _ slot: Int32, _ rows: Int64) -> Double {
    guard let sum = sum.magnitude(records, slot), let squares = squares.magnitude(records, slot) else { return .nan }
    return squares.multiplied(by: UInt64(rows)).subtracting(sum.multiplied(by: sum)).squareRoot / Double(rows)
  }

  func encode(_ records: RecordArea, _ slot: Int32, to writer: inout StateWriter) {
    writer.write(UInt64(bitPattern: count(records, slot)))
    sum.encode(records, slot, to: &writer)
    squares.encode(records, slot, to: &writer)
  }

  func decode(_ records: RecordArea, _ slot: Int32, from reader: inout StateReader) throws(StateError) {
    addCount(Int64(bitPattern: try reader.readUInt64()), records, slot)
    try sum.decode(records, slot, from: &reader)
    try squares.decode(records, slot, from: &reader)
  }
}
