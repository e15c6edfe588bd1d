import State
import StreamModel

/// `stddev_pop`: the number of rows, their mean and the sum of squared distances from it, as doubles.
///
/// Rows are taken in by Welford's method and partial aggregates combined by Chan's (Chan, Golub, LeVeque 1979), which stay
/// accurate where the difference of two large sums would not. The last digits may depend on the order of rows.
final class DeviationAccumulator: Accumulator {
  private let offset: Int
  private let argument: DataType
  /// What a decimal's scaled integer is divided by.
  private let divisor: Double

  init(offset: Int, argument: DataType) {
    self.offset = offset
    self.argument = argument
    if case .decimal(_, let scale) = argument { divisor = Double(Decimal.powersOfTen[scale]) } else { divisor = 1 }
  }

  private struct Moments {
    var count: Double
    var mean: Double
    var squares: Double
  }

  @inline(__always) private func load(_ records: RecordArea, _ slot: Int32) -> Moments {
    let field = records.field(slot, offset)
    return Moments(
      count: field.load(as: Double.self), mean: field.load(fromByteOffset: 8, as: Double.self),
      squares: field.load(fromByteOffset: 16, as: Double.self))
  }

  @inline(__always) private func store(_ moments: Moments, _ records: RecordArea, _ slot: Int32) {
    let field = records.field(slot, offset)
    field.storeBytes(of: moments.count, as: Double.self)
    field.storeBytes(of: moments.mean, toByteOffset: 8, as: Double.self)
    field.storeBytes(of: moments.squares, toByteOffset: 16, as: Double.self)
  }

  @inline(__always) private func value(_ column: Column, _ row: Int) -> Double {
    switch argument.layout {
    case .float64: column.doubles[row]
    case .int128: Double(column.int128s[row]) / divisor
    default: Double(column.int64s[row]) / divisor
    }
  }

  func update(_ records: RecordArea, _ rows: RowSelection, _ input: AccumulatorInput) {
    for index in 0..<rows.count {
      let value = value(input.column, Int(rows.rows[index]))
      var moments = load(records, rows.slots[index])
      let distance = value - moments.mean
      moments.count += 1
      moments.mean += distance / moments.count
      moments.squares += distance * (value - moments.mean)
      store(moments, records, rows.slots[index])
    }
  }

  func merge(_ records: RecordArea, _ pairs: SlotPairs, from other: any Accumulator, _ otherRecords: RecordArea) {
    for index in 0..<pairs.count {
      let first = load(records, pairs.targets[index])
      let second = load(otherRecords, pairs.sources[index])
      if second.count == 0 { continue }
      store(first.count == 0 ? second : combined(first, second), records, pairs.targets[index])
    }
  }

  private func combined(_ first: Moments, _ second: Moments) -> Moments {
    let count = first.count + second.count
    let distance = second.mean - first.mean
    return Moments(
      count: count, mean: first.mean + distance * (second.count / count),
      squares: first.squares + second.squares + distance * distance * (first.count * second.count / count))
  }

  func emit(
    _ records: RecordArea, _ slots: UnsafeBufferPointer<Int32>, into builder: ColumnBuilder
  ) -> [ResultFailure] {
    var failures: [ResultFailure] = []
    for (position, slot) in slots.enumerated() {
      let moments = load(records, slot)
      if moments.count == 0 {
        builder.appendNull()
      } else if moments.mean.isFinite, !moments.squares.isFinite {
        builder.appendNull()
        failures.append(ResultFailure(position: position, reason: "stddev_pop overflows a double"))
      } else {
        builder.append(double: (moments.squares / moments.count).squareRoot())
      }
    }
    return failures
  }

  func encode(_ records: RecordArea, _ slot: Int32, to writer: inout StateWriter) {
    let moments = load(records, slot)
    writer.write(moments.count)
    writer.write(moments.mean)
    writer.write(moments.squares)
  }

  func decode(_ records: RecordArea, _ slot: Int32, from reader: inout StateReader) throws(StateError) {
    let count = try reader.readDouble()
    let mean = try reader.readDouble()
    store(Moments(count: count, mean: mean, squares: try reader.readDouble()), records, slot)
  }
}
