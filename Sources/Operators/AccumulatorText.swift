#if canImport(Glibc)
  import Glibc
#endif
import State
import StreamModel

/// Storage for the texts that records refer to by a 16-byte *cell*: start and length.
///
/// Blocks are powers of two and freed blocks are used again, so that a text which is replaced a million times takes room once.
final class TextArea {
  private var base: UnsafeMutableRawPointer
  private var capacity = 1024
  private var used = 0
  private var freeBlocks: [[Int]] = Array(repeating: [], count: 64)

  init() { base = .allocate(byteCount: 1024, alignment: 16) }

  deinit { base.deallocate() }

  var sizeBytes: Int { capacity }

  /// The text of `cell`; valid until the next `set`.
  @inline(__always) func text(_ cell: UnsafeMutableRawPointer) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      start: base + cell.load(as: Int.self), count: cell.load(fromByteOffset: 8, as: Int.self))
  }

  /// Makes `cell`, which is zero or holds a text, hold a copy of `text`, which is not in this area.
  func set(_ cell: UnsafeMutableRawPointer, to text: UnsafeRawBufferPointer) {
    let oldLength = cell.load(fromByteOffset: 8, as: Int.self)
    if oldLength == 0 || TextArea.exponent(oldLength) != TextArea.exponent(text.count) {
      release(cell)
      if text.count > 0 { cell.storeBytes(of: takeBlock(TextArea.exponent(text.count)), as: Int.self) }
    }
    cell.storeBytes(of: text.count, toByteOffset: 8, as: Int.self)
    if let source = text.baseAddress, text.count > 0 { memcpy(base + cell.load(as: Int.self), source, text.count) }
  }

  /// Frees what `cell` holds.
  func release(_ cell: UnsafeMutableRawPointer) {
    let length = cell.load(fromByteOffset: 8, as: Int.self)
    if length > 0 { freeBlocks[TextArea.exponent(length)].append(cell.load(as: Int.self)) }
    cell.storeBytes(of: 0, as: Int.self)
    cell.storeBytes(of: 0, toByteOffset: 8, as: Int.self)
  }

  /// The block of `length` bytes is 2 to this.
  private static func exponent(_ length: Int) -> Int {
    length <= 16 ? 4 : Int.bitWidth - (length - 1).leadingZeroBitCount
  }

  private func takeBlock(_ exponent: Int) -> Int {
    if let block = freeBlocks[exponent].popLast() { return block }
    if used + (1 << exponent) > capacity { grow(1 << exponent) }
    defer { used += 1 << exponent }
    return used
  }

  private func grow(_ needed: Int) {
    capacity = capacity * 2 + needed
    let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
    larger.copyMemory(from: base, byteCount: used)
    base.deallocate()
    base = larger
  }
}

/// `min` and `max` of strings and bytes, ordered byte by byte: a cell, and a flag once there is a value.
final class TextExtremumAccumulator: Accumulator {
  private let offset: Int
  private let flag: Int
  private let wantsGreatest: Bool
  private let area = TextArea()

  init(offset: Int, flag: Int, wantsGreatest: Bool) {
    self.offset = offset
    self.flag = flag
    self.wantsGreatest = wantsGreatest
  }

  var auxiliarySizeBytes: Int { area.sizeBytes }
  var needsRelease: Bool { true }

  private func isSet(_ records: RecordArea, _ slot: Int32) -> Bool {
    records.field(slot, flag).load(as: UInt8.self) != 0
  }

  private func offer(_ text: UnsafeRawBufferPointer, _ records: RecordArea, _ slot: Int32) {
    let cell = records.field(slot, offset)
    if isSet(records, slot) {
      let order = TextExtremumAccumulator.compare(text, area.text(cell))
      guard wantsGreatest ? order > 0 : order < 0 else { return }
    }
    area.set(cell, to: text)
    records.field(slot, flag).storeBytes(of: 1, as: UInt8.self)
  }

  private static func compare(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
    let common = min(left.count, right.count)
    if common > 0, let first = left.baseAddress, let second = right.baseAddress {
      let order = Int(memcmp(first, second, common))
      if order != 0 { return order }
    }
    return left.count - right.count
  }

  func update(_ records: RecordArea, _ rows: RowSelection, _ input: AccumulatorInput) {
    for index in 0..<rows.count {
      offer(UnsafeRawBufferPointer(input.column.bytes(at: Int(rows.rows[index]))), records, rows.slots[index])
    }
  }

  func merge(_ records: RecordArea, _ pairs: SlotPairs, from other: any Accumulator, _ otherRecords: RecordArea) {
    let other = unsafeDowncast(other, to: TextExtremumAccumulator.self)
    for index in 0..<pairs.count where other.isSet(otherRecords, pairs.sources[index]) {
      move(other, otherRecords, pairs.sources[index], to: records, pairs.targets[index])
    }
  }

  private func move(
    _ other: TextExtremumAccumulator, _ otherRecords: RecordArea, _ source: Int32, to records: RecordArea,
    _ target: Int32
  ) {
    let text = other.area.text(otherRecords.field(source, offset))
    if other !== self { return offer(text, records, target) }
    [UInt8](text).withUnsafeBytes { offer($0, records, target) }
  }

  func emit(
    _ records: RecordArea, _ slots: UnsafeBufferPointer<Int32>, into builder: ColumnBuilder
  ) -> [ResultFailure] {
    for slot in slots {
      if isSet(records, slot) {
        builder.append(bytes: area.text(records.field(slot, offset)).assumingMemoryBound(to: UInt8.self))
      } else {
        builder.appendNull()
      }
    }
    return []
  }

  func encode(_ records: RecordArea, _ slot: Int32, to writer: inout StateWriter) {
    writer.write(isSet(records, slot))
    if isSet(records, slot) { writer.write(area.text(records.field(slot, offset))) }
  }

  func decode(_ records: RecordArea, _ slot: Int32, from reader: inout StateReader) throws(StateError) {
    guard try reader.readBool() else { return }
    let text = try reader.readBytes()
    text.withUnsafeBytes { offer($0, records, slot) }
  }

  func release(_ records: RecordArea, _ slot: Int32) { area.release(records.field(slot, offset)) }
}
