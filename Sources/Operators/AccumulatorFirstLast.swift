import State
import StreamModel

/// `first` and `last` by event time: the time, the tie-breaker (`AggregateInputs`), the value, and a flag once there is one.
///
/// Of rows with one time and one tie-breaker the first is the one that came first, the last the one that came last.
final class FirstLastAccumulator: Accumulator {
  private let offset: Int
  private let flag: Int
  private let layout: DataType.Layout
  private let wantsLast: Bool
  private let area: TextArea?

  init(offset: Int, flag: Int, type: DataType, wantsLast: Bool) {
    self.offset = offset
    self.flag = flag
    layout = type.layout
    self.wantsLast = wantsLast
    area = type.layout == .view ? TextArea() : nil
  }

  var auxiliarySizeBytes: Int { area?.sizeBytes ?? 0 }
  var needsRelease: Bool { area != nil }

  private func isSet(_ records: RecordArea, _ slot: Int32) -> Bool {
    records.field(slot, flag).load(as: UInt8.self) != 0
  }

  private func value(_ records: RecordArea, _ slot: Int32) -> UnsafeMutableRawPointer {
    records.field(slot, offset + 16)
  }

  /// Whether a row at `time` with `tie` takes the place of what `slot` holds; if so, its place is taken.
  private func claims(_ time: EventTime, _ tie: Int64, _ records: RecordArea, _ slot: Int32) -> Bool {
    let field = records.field(slot, offset)
    if isSet(records, slot) {
      let held = (field.load(as: Int64.self), field.load(fromByteOffset: 8, as: Int64.self))
      guard wantsLast ? (time, tie) >= held : (time, tie) < held else { return false }
    }
    field.storeBytes(of: time, as: Int64.self)
    field.storeBytes(of: tie, toByteOffset: 8, as: Int64.self)
    records.field(slot, flag).storeBytes(of: 1, as: UInt8.self)
    return true
  }

  func update(_ records: RecordArea, _ rows: RowSelection, _ input: AccumulatorInput) {
    for index in 0..<rows.count {
      let row = Int(rows.rows[index])
      let slot = rows.slots[index]
      if claims(input.eventTimes[row], input.ties?[row] ?? 0, records, slot) {
        store(input.column, row, value(records, slot))
      }
    }
  }

  private func store(_ column: Column, _ row: Int, _ target: UnsafeMutableRawPointer) {
    switch layout {
    case .bool8: target.storeBytes(of: Int64(column.booleans[row]), as: Int64.self)
    case .int64, .float64: target.storeBytes(of: column.int64s[row], as: Int64.self)
    case .int128: target.storeBytes(of: column.int128s[row], as: Int128.self)
    case .view: area?.set(target, to: UnsafeRawBufferPointer(column.bytes(at: row)))
    }
  }

  func merge(_ records: RecordArea, _ pairs: SlotPairs, from other: any Accumulator, _ otherRecords: RecordArea) {
    let other = unsafeDowncast(other, to: FirstLastAccumulator.self)
    for index in 0..<pairs.count where other.isSet(otherRecords, pairs.sources[index]) {
      let field = otherRecords.field(pairs.sources[index], offset)
      let time = field.load(as: Int64.self)
      guard claims(time, field.load(fromByteOffset: 8, as: Int64.self), records, pairs.targets[index]) else { continue }
      copyValue(other, other.value(otherRecords, pairs.sources[index]), to: value(records, pairs.targets[index]))
    }
  }

  private func copyValue(
    _ other: FirstLastAccumulator, _ source: UnsafeMutableRawPointer, to target: UnsafeMutableRawPointer
  ) {
    guard let area, let otherArea = other.area else {
      target.copyMemory(from: source, byteCount: layout == .int128 ? 16 : 8)
      return
    }
    let text = otherArea.text(source)
    if other !== self { return area.set(target, to: text) }
    [UInt8](text).withUnsafeBytes { area.set(target, to: $0) }
  }

  func emit(
    _ records: RecordArea, _ slots: UnsafeBufferPointer<Int32>, into builder: ColumnBuilder
  ) -> [ResultFailure] {
    for slot in slots {
      guard isSet(records, slot) else {
        builder.appendNull()
        continue
      }
      let value = value(records, slot)
      switch layout {
      case .bool8: builder.append(boolean: value.load(as: UInt8.self) != 0)
      case .int64: builder.append(int64: value.load(as: Int64.self))
      case .float64: builder.append(double: value.load(as: Double.self))
      case .int128: builder.append(unscaled: value.loadUnaligned(as: Int128.self))
      case .view: if let area { builder.append(bytes: area.text(value).assumingMemoryBound(to: UInt8.self)) }
      }
    }
    return []
  }

  func encode(_ records: RecordArea, _ slot: Int32, to writer: inout StateWriter) {
    writer.write(isSet(records, slot))
    guard isSet(records, slot) else { return }
    let field = records.field(slot, offset)
    writer.write(field.load(as: Int64.self))
    writer.write(field.load(fromByteOffset: 8, as: Int64.self))
    let value = value(records, slot)
    switch layout {
    case .view: if let area { writer.write(area.text(value)) }
    case .int128: writer.write(value.loadUnaligned(as: Int128.self))
    default: writer.write(value.load(as: Int64.self))
    }
  }

  func decode(_ records: RecordArea, _ slot: Int32, from reader: inout StateReader) throws(StateError) {
    guard try reader.readBool() else { return }
    let time = try reader.readInt64()
    _ = claims(time, try reader.readInt64(), records, slot)
    let value = value(records, slot)
    switch layout {
    case .view:
      let text = try reader.readBytes()
      text.withUnsafeBytes { area?.set(value, to: $0) }
    case .int128: value.storeBytes(of: try reader.readInt128(), as: Int128.self)
    default: value.storeBytes(of: try reader.readInt64(), as: Int64.self)
    }
  }

  func release(_ records: RecordArea, _ slot: Int32) { area?.release(value(records, slot)) }
}
