#if canImport(Glibc)
  import Glibc
#endif

/// Builds one column row by row or in runs, then gives it away with `finish()`.
///
/// Not thread-safe: one owner. Grows by doubling.
package final class ColumnBuilder {
  package let type: DataType
  package private(set) var count = 0
  private let layout: DataType.Layout
  private let stride: Int
  private var values: Memory
  private var capacity: Int
  private var validity: Memory?
  private var bytes: Memory?
  private var bytesCount = 0

  package init(_ type: DataType, capacity: Int = 64) {
    self.type = type
    layout = type.layout
    stride = layout.strideBytes
    self.capacity = max(capacity, 8)
    values = Memory(capacityBytes: self.capacity * stride)
  }

  private func grow() {
    let larger = Memory(capacityBytes: capacity * 2 * stride)
    larger.base.copyMemory(from: values.base, byteCount: count * stride)
    values = larger
    if let old = validity {
      let bitmap = Memory(capacityBytes: (capacity * 2 + 7) / 8)
      bitmap.base.copyMemory(from: old.base, byteCount: (capacity + 7) / 8)
      validity = bitmap
    }
    capacity *= 2
  }

  @inline(__always) private func beginRow() {
    if count == capacity { grow() }
    if let validity { setBit(validity, count) }
  }

  @inline(__always) private func setBit(_ bitmap: Memory, _ row: Int) {
    let cell = bitmap.base.assumingMemoryBound(to: UInt8.self) + (row >> 3)
    if row & 7 == 0 { cell.pointee = 0 }
    cell.pointee |= 1 << UInt8(row & 7)
  }

  package func appendNull() {
    if count == capacity { grow() }
    if validity == nil {
      let bitmap = Memory(capacityBytes: (capacity + 7) / 8)
      memset(bitmap.base, 0xFF, (count + 7) / 8 + 1 > bitmap.capacityBytes ? bitmap.capacityBytes : (count + 7) / 8 + 1)
      validity = bitmap
    }
    if let validity {
      let cell = validity.base.assumingMemoryBound(to: UInt8.self) + (count >> 3)
      if count & 7 == 0 { cell.pointee = 0 }
      cell.pointee &= ~(1 << UInt8(count & 7))
    }
    memset(values.base + count * stride, 0, stride)
    count += 1
  }

  @inline(__always) package func append(int64 value: Int64) {
    beginRow()
    values.base.assumingMemoryBound(to: Int64.self)[count] = value
    count += 1
  }

  @inline(__always) package func append(double value: Double) {
    beginRow()
    values.base.assumingMemoryBound(to: Double.self)[count] = value
    count += 1
  }

  @inline(__always) package func append(boolean value: Bool) {
    beginRow()
    values.base.assumingMemoryBound(to: UInt8.self)[count] = value ? 1 : 0
    count += 1
  }

  /// Appends a decimal's scaled integer; it must fit the column's precision.
  @inline(__always) package func append(unscaled value: Int128) {
    beginRow()
    if layout == .int128 {
      values.base.assumingMemoryBound(to: Int128.self)[count] = value
    } else {
      values.base.assumingMemoryBound(to: Int64.self)[count] = Int64(truncatingIfNeeded: value)
    }
    count += 1
  }

  /// Appends a copy of `source` to a view column.
  package func append(bytes source: UnsafeBufferPointer<UInt8>) {
    beginRow()
    let area = reserveBytes(source.count)
    if let start = source.baseAddress { area.copyMemory(from: start, byteCount: source.count) }
    values.base.assumingMemoryBound(to: UInt64.self)[count] = packView(start: bytesCount, length: source.count)
    bytesCount += source.count
    count += 1
  }

  package func append(string: String) {
    var string = string
    string.withUTF8 { append(bytes: $0) }
  }

  private func reserveBytes(_ needed: Int) -> UnsafeMutableRawPointer {
    precondition(bytesCount + needed <= Int(UInt32.max), "a column holds at most 4 GiB of text")
    if let bytes, bytesCount + needed <= bytes.capacityBytes { return bytes.base + bytesCount }
    let larger = Memory(capacityBytes: max(256, (bytesCount + needed) * 2))
    if let bytes { larger.base.copyMemory(from: bytes.base, byteCount: bytesCount) }
    bytes = larger
    return larger.base + bytesCount
  }

  /// Appends `rows` valid rows of fixed width, whose values the caller writes at the returned address, all of them and
  /// before anything else is done with the builder.
  package func extend(by rows: Int) -> UnsafeMutableRawPointer {
    while count + rows > capacity { grow() }
    if let validity { for row in count..<count + rows { setBit(validity, row) } }
    defer { count += rows }
    return values.base + count * stride
  }

  /// Appends `rows` valid views that share `length` new bytes, all of which the caller writes at once: views at `views`, text
  /// at `text`, which is `start` bytes into the column's bytes.
  package func extend(
    by rows: Int, textBytes length: Int
  ) -> (views: UnsafeMutablePointer<UInt64>, text: UnsafeMutableRawPointer, start: Int) {
    let text = reserveBytes(length)
    let start = bytesCount
    bytesCount += length
    return (extend(by: rows).assumingMemoryBound(to: UInt64.self), text, start)
  }

  /// Appends row `row` of `column`, which has the same layout.
  package func append(_ column: Column, row: Int) {
    guard column.isValid(row) else { return appendNull() }
    switch layout {
    case .bool8: append(boolean: column.booleans[row] != 0)
    case .int64: append(int64: column.int64s[row])
    case .float64: append(double: column.doubles[row])
    case .int128: append(unscaled: column.int128s[row])
    case .view: append(bytes: column.bytes(at: row))
    }
  }

  /// Appends a value of the column's type, or null.
  package func append(_ value: Value) {
    switch value {
    case .null: appendNull()
    case .boolean(let value): append(boolean: value)
    case .int64(let value), .date(let value), .timestamp(let value): append(int64: value)
    case .double(let value): append(double: value)
    case .decimal(let value, _): append(unscaled: value)
    case .string(let value): append(string: value)
    case .bytes(let value): value.withUnsafeBufferPointer { append(bytes: $0) }
    }
  }

  /// The column built so far; the builder is empty afterwards and can be used again.
  package func finish() -> Column {
    let area = bytes ?? (layout == .view ? Memory(capacityBytes: 16) : nil)
    let column = Column(
      type: type, count: count, values: values, validity: validity,
      bytes: area.map { UnsafePointer($0.base.assumingMemoryBound(to: UInt8.self)) }, bytesOwner: area)
    capacity = max(count, 8)
    values = Memory(capacityBytes: capacity * stride)
    validity = nil
    bytes = nil
    bytesCount = 0
    count = 0
    return column
  }
}
