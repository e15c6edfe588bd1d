import StreamModel

#if canImport(Glibc)
  import Glibc
#endif

/// Memory for the rows of one chunk, written at `row`, which moves on only when the row is whole. One owner.
///
/// Text columns are views into the chunk, or (symbols, defaults) into a text area that is to be thought of as directly
/// behind the chunk's bytes.
final class AvroTargets {
  let schema: Schema
  private var values: [Memory] = []
  private var validity: [Memory] = []
  private var ranges: Memory
  /// The same addresses, for the loop over rows.
  private(set) var cells: UnsafeMutablePointer<UnsafeMutableRawPointer>
  private var bitmaps: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>>
  private var hasNulls: [Bool]
  private var readsArea: [Bool]
  private var readsText: [Bool]
  private var capacity: Int
  private(set) var row = 0

  init(_ schema: Schema, capacity: Int) {
    self.schema = schema
    self.capacity = max(capacity, 16)
    ranges = Memory(capacityBytes: self.capacity * 8)
    cells = .allocate(capacity: max(1, schema.count))
    bitmaps = .allocate(capacity: max(1, schema.count))
    hasNulls = Array(repeating: false, count: schema.count)
    readsArea = hasNulls
    readsText = hasNulls
    allocate()
  }

  deinit {
    cells.deallocate()
    bitmaps.deallocate()
  }

  private func allocate() {
    values = schema.fields.map { Memory(capacityBytes: capacity * $0.type.layout.strideBytes) }
    validity = schema.fields.map { _ in
      let bitmap = Memory(capacityBytes: (capacity + 8) / 8)
      memset(bitmap.base, 0xFF, (capacity + 8) / 8)
      return bitmap
    }
    for column in 0..<schema.count {
      cells[column] = values[column].base
      bitmaps[column] = validity[column].base.assumingMemoryBound(to: UInt8.self)
    }
  }

  private func grow() {
    let (oldValues, oldValidity, oldRanges, rows) = (values, validity, ranges, row)
    capacity *= 2
    allocate()
    ranges = Memory(capacityBytes: capacity * 8)
    for column in 0..<schema.count {
      memcpy(values[column].base, oldValues[column].base, rows * schema[column].type.layout.strideBytes)
      memcpy(validity[column].base, oldValidity[column].base, (rows + 7) / 8)
    }
    memcpy(ranges.base, oldRanges.base, rows * 8)
  }

  // MARK: - Writing

  /// Makes room for a row and forgets what was written of one that did not become whole.
  @inline(__always) func beginRow() {
    if row == capacity { grow() }
    let bit = UInt8(1) << UInt8(row & 7)
    for column in 0..<schema.count { bitmaps[column][row >> 3] |= bit }
  }

  @inline(__always) func endRow(_ range: UInt64) {
    ranges.base.assumingMemoryBound(to: UInt64.self)[row] = range
    row += 1
  }

  func takeBack() { row -= 1 }

  @inline(__always) func set(_ column: Int, int64 value: Int64) {
    cells[column].assumingMemoryBound(to: Int64.self)[row] = value
  }

  @inline(__always) func set(_ column: Int, double value: Double) {
    cells[column].assumingMemoryBound(to: Double.self)[row] = value
  }

  @inline(__always) func set(_ column: Int, boolean value: Bool) {
    cells[column].assumingMemoryBound(to: UInt8.self)[row] = value ? 1 : 0
  }

  @inline(__always) func set(_ column: Int, unscaled value: Int128) {
    if schema[column].type.layout == .int128 {
      cells[column].assumingMemoryBound(to: Int128.self)[row] = value
    } else {
      set(column, int64: Int64(truncatingIfNeeded: value))
    }
  }

  /// Text in the chunk.
  @inline(__always) func set(_ column: Int, areaStart start: Int, length: Int) {
    readsArea[column] = true
    cells[column].assumingMemoryBound(to: UInt64.self)[row] = packView(start: start, length: length)
  }

  /// Text in the text area, its start counted from the chunk's.
  @inline(__always) func set(_ column: Int, textStart start: Int, length: Int) {
    readsText[column] = true
    cells[column].assumingMemoryBound(to: UInt64.self)[row] = packView(start: start, length: length)
  }

  func setNull(_ column: Int) {
    hasNulls[column] = true
    bitmaps[column][row >> 3] &= ~(UInt8(1) << UInt8(row & 7))
    memset(cells[column] + row * schema[column].type.layout.strideBytes, 0, schema[column].type.layout.strideBytes)
  }

  // MARK: - The outcome

  /// The columns at `wanted`.
  /// - Parameters:
  ///   - area: The memory of the chunk, `areaCount` bytes.
  ///   - text: The text area.
  func finish(_ wanted: [Int], area: Memory, areaCount: Int, text: [UInt8]) -> DecodedRows {
    let columns = wanted.map { column -> Column in
      let type = schema[column].type
      let owner = type.layout == .view ? textArea(column, area, areaCount, text) : nil
      return Column(
        type: type, count: row, values: values[column], validity: hasNulls[column] ? validity[column] : nil,
        bytes: owner.map { UnsafePointer($0.base.assumingMemoryBound(to: UInt8.self)) }, bytesOwner: owner)
    }
    return DecodedRows(columns: columns, count: row, ranges: Column(type: .int64, count: row, values: ranges))
  }

  private func textArea(_ column: Int, _ area: Memory, _ areaCount: Int, _ text: [UInt8]) -> Memory {
    guard readsText[column] else { return area }
    let skipped = readsArea[column] ? 0 : areaCount
    let whole = Memory(capacityBytes: areaCount - skipped + text.count)
    if skipped == 0 { memcpy(whole.base, area.base, areaCount) }
    text.withUnsafeBytes { bytes in
      if let start = bytes.baseAddress { memcpy(whole.base + areaCount - skipped, start, bytes.count) }
    }
    guard skipped > 0 else { return whole }
    // Only the text area is read: its views count from there.
    let views = values[column].base.assumingMemoryBound(to: UInt64.self)
    for row in 0..<row where views[row] & 0xFFFF_FFFF != 0 { views[row] -= UInt64(skipped) << 32 }
    for row in 0..<row where views[row] & 0xFFFF_FFFF == 0 { views[row] = 0 }
    return whole
  }
}
