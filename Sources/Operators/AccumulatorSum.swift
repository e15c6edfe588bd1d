import State
import StreamModel

/// How large a sum may become.
enum SumLimit {
  /// The sum of int64s is an int64.
  case int64
  /// 38 digits.
  case decimal
  /// The greatest finite double.
  case double

  /// A magnitude below the limit by more than the rounding of the estimates compared with it.
  var safeMagnitude: Double {
    switch self {
    case .int64: 9.2e18
    case .decimal: 9.99e37
    case .double: 1e308
    }
  }

  /// Whether `sum` is within the limit.
  func admits(_ sum: Int128) -> Bool {
    self == .int64 ? Int64(exactly: sum) != nil : Decimal.fits(sum, precision: DataType.maxDecimalPrecision)
  }

  /// The limit in words.
  var description: String {
    switch self {
    case .int64: "an int64"
    case .decimal: "38 digits"
    case .double: "a double"
    }
  }
}

/// Where the sums lie that a row is added to.
struct SumPartials {
  let places: [(records: RecordArea, slot: Int32)]
  /// Whether they are parts of one sum, which is within its limit although a part, or some of them together, may not be: a part is the
  /// difference of two such sums. They wrap around then, and what they come to together is right all the same.
  let areParts: Bool
}

/// An accumulator that adds up, and so can overflow.
///
/// Whether any row of a batch could overflow is judged from magnitudes alone (`AggregateOverflowGuard`); only then are the
/// sums of single groups asked for.
protocol SummingAccumulator: Accumulator {
  var limit: SumLimit { get }
  /// At least the sum of the absolute values of `count` rows of `column`.
  func magnitude(of column: Column, count: Int) -> Double
  /// At least the sum of the absolute values of the sums in `slots`.
  func magnitude(_ records: RecordArea, slotCount: Int) -> Double
  /// Whether the sum of `partials` and of row `row` of `column` is past the limit.
  func overflows(_ partials: SumPartials, _ column: Column, row: Int) -> Bool
}

/// Sums of int64s and decimals, exact: an Int128 at `offset`.
struct ExactSum {
  let offset: Int
  let limit: SumLimit

  @inline(__always) func load(_ records: RecordArea, _ slot: Int32) -> Int128 {
    records.field(slot, offset).loadUnaligned(as: Int128.self)
  }

  @inline(__always) func add(_ value: Int128, _ records: RecordArea, _ slot: Int32) {
    let field = records.field(slot, offset)
    field.storeBytes(of: field.loadUnaligned(as: Int128.self) &+ value, as: Int128.self)
  }

  @inline(__always) func update(_ records: RecordArea, _ rows: RowSelection, _ column: Column) {
    if column.type.layout == .int128 {
      add(column.int128s, records, rows)
    } else {
      add(column.int64s, records, rows)
    }
  }

  @inline(__always) private func add<Number: FixedWidthInteger>(
    _ values: UnsafePointer<Number>, _ records: RecordArea, _ rows: RowSelection
  ) {
    for index in 0..<rows.count {
      add(Int128(truncatingIfNeeded: values[Int(rows.rows[index])]), records, rows.slots[index])
    }
  }

  func magnitude(of column: Column, count: Int) -> Double {
    if case .decimal(let precision, _) = column.type, precision <= DataType.maxInt64DecimalPrecision {
      return Double(count) * Double(Decimal.powersOfTen[precision])
    }
    var sum = 0.0
    if column.type.layout == .int128 {
      for row in 0..<count { sum += column.int128s[row].approximateMagnitude }
    } else {
      for row in 0..<count { sum += abs(Double(column.int64s[row])) }
    }
    return sum
  }

  func magnitude(_ records: RecordArea, slotCount: Int) -> Double {
    var sum = 0.0
    for slot in 0..<Int32(slotCount) { sum += load(records, slot).approximateMagnitude }
    return sum
  }

  func overflows(_ partials: SumPartials, _ column: Column, row: Int) -> Bool {
    var sum: Int128 = 0
    for partial in partials.places {
      let (next, overflow) = sum.addingReportingOverflow(load(partial.records, partial.slot))
      if overflow, !partials.areParts { return true }
      sum = next
    }
    let (total, overflow) = sum.addingReportingOverflow(column.unscaled(at: row))
    return overflow || !limit.admits(total)
  }
}

extension Int128 {
  /// The absolute value, to the precision of a double.
  fileprivate var approximateMagnitude: Double {
    let magnitude = magnitude
    let upper = Double(UInt64(truncatingIfNeeded: magnitude >> 64))
    return upper * 0x1p64 + Double(UInt64(truncatingIfNeeded: magnitude))
  }
}

/// `sum` of int64s and decimals.
final class SumAccumulator: SummingAccumulator {
  private let sum: ExactSum
  private let flag: Int

  init(offset: Int, flag: Int, type: DataType) {
    sum = ExactSum(offset: offset, limit: type == .int64 ? .int64 : .decimal)
    self.flag = flag
  }

  var limit: SumLimit { sum.limit }

  func update(_ records: RecordArea, _ rows: RowSelection, _ input: AccumulatorInput) {
    sum.update(records, rows, input.column)
    for index in 0..<rows.count { records.field(rows.slots[index], flag).storeBytes(of: 1, as: UInt8.self) }
  }

  func merge(_ records: RecordArea, _ pairs: SlotPairs, from other: any Accumulator, _ otherRecords: RecordArea) {
    for index in 0..<pairs.count where otherRecords.field(pairs.sources[index], flag).load(as: UInt8.self) != 0 {
      sum.add(sum.load(otherRecords, pairs.sources[index]), records, pairs.targets[index])
      records.field(pairs.targets[index], flag).storeBytes(of: 1, as: UInt8.self)
    }
  }

  func emit(
    _ records: RecordArea, _ slots: UnsafeBufferPointer<Int32>, into builder: ColumnBuilder
  ) -> [ResultFailure] {
    let isInt64 = limit == .int64
    if slots.allSatisfy({ records.field($0, flag).load(as: UInt8.self) != 0 }) {
      emitAll(records, slots, builder.extend(by: slots.count))
      return []
    }
    for slot in slots {
      if records.field(slot, flag).load(as: UInt8.self) == 0 {
        builder.appendNull()
      } else if isInt64 {
        builder.append(int64: Int64(truncatingIfNeeded: sum.load(records, slot)))
      } else {
        builder.append(unscaled: sum.load(records, slot))
      }
    }
    return []
  }

  private func emitAll(
    _ records: RecordArea, _ slots: UnsafeBufferPointer<Int32>, _ target: UnsafeMutableRawPointer
  ) {
    if limit == .int64 {
      let values = target.assumingMemoryBound(to: Int64.self)
      for (position, slot) in slots.enumerated() {
        values[position] = Int64(truncatingIfNeeded: sum.load(records, slot))
      }
    } else {
      let values = target.assumingMemoryBound(to: Int128.self)
      for (position, slot) in slots.enumerated() { values[position] = sum.load(records, slot) }
    }
  }

  func encode(_ records: RecordArea, _ slot: Int32, to writer: inout StateWriter) {
    let isSet = records.field(slot, flag).load(as: UInt8.self) != 0
    writer.write(isSet)
    if isSet { writer.write(sum.load(records, slot)) }
  }

  func decode(_ records: RecordArea, _ slot: Int32, from reader: inout StateReader) throws(StateError) {
    guard try reader.readBool() else { return }
    sum.add(try reader.readInt128(), records, slot)
    records.field(slot, flag).storeBytes(of: 1, as: UInt8.self)
  }

  func magnitude(of column: Column, count: Int) -> Double { sum.magnitude(of: column, count: count) }
  func magnitude(_ records: RecordArea, slotCount: Int) -> Double { sum.magnitude(records, slotCount: slotCount) }
  func overflows(_ partials: SumPartials, _ column: Column, row: Int) -> Bool {
    sum.overflows(partials, column, row: row)
  }
}
