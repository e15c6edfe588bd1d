import State
import StreamModel

/// `min` and `max` of values of fixed width: the value, and a flag once there is one.
///
/// Doubles are ordered with NaN above everything, and −0.0 is taken for 0.0, so that the result does not depend on the order of rows.
final class ExtremumAccumulator: Accumulator {
  private let offset: Int
  private let flag: Int
  private let layout: DataType.Layout
  private let wantsGreatest: Bool

  init(offset: Int, flag: Int, type: DataType, wantsGreatest: Bool) {
    self.offset = offset
    self.flag = flag
    layout = type.layout
    self.wantsGreatest = wantsGreatest
  }

  @inline(__always) private func isSet(_ records: RecordArea, _ slot: Int32) -> Bool {
    records.field(slot, flag).load(as: UInt8.self) != 0
  }

  @inline(__always) private func offer<Element: Comparable & BitwiseCopyable>(
    _ value: Element, _ records: RecordArea, _ slot: Int32
  ) {
    let field = records.field(slot, offset)
    if isSet(records, slot) {
      let held = field.loadUnaligned(as: Element.self)
      guard wantsGreatest ? value > held : value < held else { return }
    }
    field.storeBytes(of: value, as: Element.self)
    records.field(slot, flag).storeBytes(of: 1, as: UInt8.self)
  }

  func update(_ records: RecordArea, _ rows: RowSelection, _ input: AccumulatorInput) {
    let column = input.column
    switch layout {
    case .bool8: offerAll(column.booleans, records, rows) { $0 }
    case .int64, .view: offerAll(column.int64s, records, rows) { $0 }
    case .int128: offerAll(column.int128s, records, rows) { $0 }
    case .float64: offerAll(column.doubles, records, rows) { OrderedDouble($0 == 0 ? 0 : $0) }
    }
  }

  @inline(__always) private func offerAll<Element, Ordered: Comparable & BitwiseCopyable>(
    _ values: UnsafePointer<Element>, _ records: RecordArea, _ rows: RowSelection, _ order: (Element) -> Ordered
  ) {
    for index in 0..<rows.count { offer(order(values[Int(rows.rows[index])]), records, rows.slots[index]) }
  }

  func merge(_ records: RecordArea, _ pairs: SlotPairs, from other: any Accumulator, _ otherRecords: RecordArea) {
    for index in 0..<pairs.count where isSet(otherRecords, pairs.sources[index]) {
      let field = otherRecords.field(pairs.sources[index], offset)
      let slot = pairs.targets[index]
      switch layout {
      case .bool8: offer(field.load(as: UInt8.self), records, slot)
      case .int64, .view: offer(field.load(as: Int64.self), records, slot)
      case .int128: offer(field.loadUnaligned(as: Int128.self), records, slot)
      case .float64: offer(field.load(as: OrderedDouble.self), records, slot)
      }
    }
  }

  func emit(
    _ records: RecordArea, _ slots: UnsafeBufferPointer<Int32>, into builder: ColumnBuilder
  ) -> [ResultFailure] {
    for slot in slots {
      guard isSet(records, slot) else {
        builder.appendNull()
        continue
      }
      let field = records.field(slot, offset)
      switch layout {
      case .bool8: builder.append(boolean: field.load(as: UInt8.self) != 0)
      case .int64, .view: builder.append(int64: field.load(as: Int64.self))
      case .int128: builder.append(unscaled: field.loadUnaligned(as: Int128.self))
      case .float64: builder.append(double: field.load(as: Double.self))
      }
    }
    return []
  }

  func encode(_ records: RecordArea, _ slot: Int32, to writer: inout StateWriter) {
    writer.write(isSet(records, slot))
    guard isSet(records, slot) else { return }
    let field = records.field(slot, offset)
    if layout == .int128 {
      writer.write(field.loadUnaligned(as: Int128.self))
    } else {
      writer.write(field.load(as: Int64.self))
    }
  }

  func decode(_ records: RecordArea, _ slot: Int32, from reader: inout StateReader) throws(StateError) {
    guard try reader.readBool() else { return }
    let field = records.field(slot, offset)
    if layout == .int128 {
      field.storeBytes(of: try reader.readInt128(), as: Int128.self)
    } else {
      field.storeBytes(of: try reader.readInt64(), as: Int64.self)
    }
    records.field(slot, flag).storeBytes(of: 1, as: UInt8.self)
  }
}

/// A double in a total order in which NaN comes last.
struct OrderedDouble: Comparable, BitwiseCopyable {
  let value: Double

  init(_ value: Double) { self.value = value }

  @inline(__always) static func < (left: OrderedDouble, right: OrderedDouble) -> Bool {
    left.value < right.value || (right.value.isNaN && !left.value.isNaN)
  }

  @inline(__always) static func == (left: OrderedDouble, right: OrderedDouble) -> Bool {
    left.value == right.value || (left.value.isNaN && right.value.isNaN)
  }
}
