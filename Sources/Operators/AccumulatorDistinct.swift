import State
import StreamModel

/// `count(distinct x)`: how many values, and the head of the list of them (its entry plus one) 8 bytes behind.
///
/// The values of all groups lie in one table, keyed by slot and encoded value; those of a group are chained. About 45 bytes
/// and the value, a distinct value.
final class DistinctAccumulator: Accumulator {
  private let offset: Int
  /// Keys are the slot, four bytes, and the value as `KeyEncoder` encodes it.
  private let values = GroupTable()
  /// Per entry of `values` the next of its group, plus one.
  private var next: [Int32] = []
  private let probe = Scratch<UInt8>()

  init(offset: Int, type: DataType) { self.offset = offset }

  var auxiliarySizeBytes: Int { values.sizeBytes + next.capacity * 4 }

  var needsRelease: Bool { true }

  private func count(_ records: RecordArea, _ slot: Int32) -> Int64 { records.field(slot, offset).load(as: Int64.self) }

  private func insert(_ value: UnsafeRawBufferPointer, _ records: RecordArea, _ slot: Int32) {
    let before = values.count
    let bytes = UnsafeMutableRawPointer(probe.reserve(value.count + 4))
    bytes.storeBytes(of: slot.littleEndian, as: Int32.self)
    if let source = value.baseAddress { (bytes + 4).copyMemory(from: source, byteCount: value.count) }
    let key = UnsafeRawBufferPointer(start: bytes, count: value.count + 4)
    let entry = values.insert(key, hash: KeyEncoder.hash(key))
    if values.count > before { link(entry, records, slot) }
  }

  private func link(_ entry: Int32, _ records: RecordArea, _ slot: Int32) {
    let field = records.field(slot, offset)
    if Int(entry) == next.count { next.append(0) }
    next[Int(entry)] = field.load(fromByteOffset: 8, as: Int32.self)
    field.storeBytes(of: entry + 1, toByteOffset: 8, as: Int32.self)
    field.storeBytes(of: field.load(as: Int64.self) + 1, as: Int64.self)
  }

  /// The entries of `slot`, the latest first.
  private func entries(_ records: RecordArea, _ slot: Int32) -> [Int32] {
    var entries: [Int32] = []
    var cursor = records.field(slot, offset).load(fromByteOffset: 8, as: Int32.self)
    while cursor != 0 {
      entries.append(cursor - 1)
      cursor = next[Int(cursor - 1)]
    }
    return entries
  }

  /// The encoded value of an entry, copied.
  private func value(_ entry: Int32) -> [UInt8] { [UInt8](values.key(entry).dropFirst(4)) }

  func update(_ records: RecordArea, _ rows: RowSelection, _ input: AccumulatorInput) {
    guard let keys = input.keys else { preconditionFailure("count distinct needs its argument encoded") }
    for index in 0..<rows.count { insert(keys.key(Int(rows.rows[index])), records, rows.slots[index]) }
  }

  func merge(_ records: RecordArea, _ pairs: SlotPairs, from other: any Accumulator, _ otherRecords: RecordArea) {
    let other = unsafeDowncast(other, to: DistinctAccumulator.self)
    for index in 0..<pairs.count {
      for entry in other.entries(otherRecords, pairs.sources[index]) {
        other.value(entry).withUnsafeBytes { insert($0, records, pairs.targets[index]) }
      }
    }
  }

  func emit(
    _ records: RecordArea, _ slots: UnsafeBufferPointer<Int32>, into builder: ColumnBuilder
  ) -> [ResultFailure] {
    for slot in slots { builder.append(int64: count(records, slot)) }
    return []
  }

  func encode(_ records: RecordArea, _ slot: Int32, to writer: inout StateWriter) {
    writer.write(count: Int(count(records, slot)))
    for entry in entries(records, slot) { writer.write(value(entry)) }
  }

  func decode(_ records: RecordArea, _ slot: Int32, from reader: inout StateReader) throws(StateError) {
    for _ in 0..<(try reader.readCount()) {
      let value = try reader.readBytes()
      value.withUnsafeBytes { insert($0, records, slot) }
    }
  }

  func release(_ records: RecordArea, _ slot: Int32) {
    for entry in entries(records, slot) { values.remove(entry) }
  }
}
