/// A column: `count` values of one type, immutable once built.
///
/// Layout (see `DataType.Layout`): fixed-width values lie side by side in `values`. Text and bytes are *views*: eight bytes a
/// row, the start in the high and the length in the low 32 bits, into `bytes`; rows may share bytes, so a filter or a
/// projection copies eight bytes a row and no text.
/// A null row's value is zero (an empty view); it must be read through `isValid`.
///
/// Invariant for `Sendable`: everything is written before `init` and never after.
package final class Column: @unchecked Sendable {
  package let type: DataType
  package let count: Int
  /// Fixed-width storage, `count * type.layout.strideBytes` bytes.
  package let values: UnsafeRawPointer
  /// One bit a row, least significant first, 1 = valid; nil when no row is null.
  package let validity: UnsafePointer<UInt8>?
  /// The byte area of views; nil for other layouts.
  package let bytes: UnsafePointer<UInt8>?

  /// Whether nothing downstream reads the column, so that it was never read or copied: all its rows are null.
  package let isAbsent: Bool

  private let valuesOwner: AnyObject
  private let validityOwner: AnyObject?
  package let bytesOwner: AnyObject?

  /// Wraps storage that `values`, `validity` and `bytesOwner` keep alive.
  package init(
    type: DataType, count: Int, values: Memory, validity: Memory? = nil,
    bytes: UnsafePointer<UInt8>? = nil, bytesOwner: AnyObject? = nil
  ) {
    isAbsent = false
    self.type = type
    self.count = count
    self.values = UnsafeRawPointer(values.base)
    self.validity = validity.map { UnsafePointer($0.base.assumingMemoryBound(to: UInt8.self)) }
    self.bytes = bytes
    valuesOwner = values
    validityOwner = validity
    self.bytesOwner = bytesOwner
  }

  /// The same storage under another type of the same layout.
  package init(_ other: Column, as type: DataType) {
    precondition(other.type.layout == type.layout, "a column cannot change its layout")
    self.type = type
    isAbsent = other.isAbsent
    count = other.count
    values = other.values
    validity = other.validity
    bytes = other.bytes
    valuesOwner = other.valuesOwner
    validityOwner = other.validityOwner
    bytesOwner = other.bytesOwner
  }

  /// A column of `count` nulls that takes no memory of its own, in the place of one that nothing reads.
  package static func absent(_ type: DataType, count: Int) -> Column { Column(absent: type, count: count) }

  private static let zeroRows = 1 << 16
  private static let zeros = Memory(zeroedBytes: zeroRows * 16)

  private init(absent type: DataType, count: Int) {
    var zeros = Column.zeros
    if count > Column.zeroRows { zeros = Memory(zeroedBytes: count * 16) }
    self.type = type
    self.count = count
    isAbsent = true
    values = UnsafeRawPointer(zeros.base)
    validity = UnsafePointer(zeros.base.assumingMemoryBound(to: UInt8.self))
    bytes = validity
    valuesOwner = zeros
    validityOwner = nil
    bytesOwner = nil
  }

  @inline(__always) package var int64s: UnsafePointer<Int64> { values.assumingMemoryBound(to: Int64.self) }
  @inline(__always) package var doubles: UnsafePointer<Double> { values.assumingMemoryBound(to: Double.self) }
  @inline(__always) package var int128s: UnsafePointer<Int128> { values.assumingMemoryBound(to: Int128.self) }
  @inline(__always) package var booleans: UnsafePointer<UInt8> { values.assumingMemoryBound(to: UInt8.self) }
  @inline(__always) package var views: UnsafePointer<UInt64> { values.assumingMemoryBound(to: UInt64.self) }

  @inline(__always) package func isValid(_ row: Int) -> Bool {
    guard let validity else { return true }
    return validity[row >> 3] & (1 << UInt8(row & 7)) != 0
  }

  /// The bytes of row `row` of a view column; valid while the column lives.
  @inline(__always) package func bytes(at row: Int) -> UnsafeBufferPointer<UInt8> {
    let view = views[row]
    return UnsafeBufferPointer(start: bytes.unsafelyUnwrapped + Int(view >> 32), count: Int(view & 0xFFFF_FFFF))
  }

  /// A decimal's scaled integer, whichever layout it has.
  @inline(__always) package func unscaled(at row: Int) -> Int128 {
    type.layout == .int128 ? int128s[row] : Int128(int64s[row])
  }

  /// Whether any row is null.
  package var hasNulls: Bool { validity != nil && nullCount > 0 }

  package var nullCount: Int {
    guard validity != nil else { return 0 }
    var nulls = 0
    for row in 0..<count where !isValid(row) { nulls += 1 }
    return nulls
  }

  /// Row `row` as a single value. For edges and tests, not for loops over rows.
  package func value(at row: Int) -> Value {
    guard isValid(row) else { return .null }
    switch type {
    case .boolean: return .boolean(booleans[row] != 0)
    case .int64: return .int64(int64s[row])
    case .double: return .double(doubles[row])
    case .decimal(_, let scale): return .decimal(unscaled(at: row), scale: scale)
    case .string: return .string(String(decoding: bytes(at: row), as: UTF8.self))
    case .bytes: return .bytes([UInt8](bytes(at: row)))
    case .date: return .date(int64s[row])
    case .timestamp: return .timestamp(int64s[row])
    }
  }
}

/// Packs a view: `start` and `length` in bytes, both below 2³².
@inline(__always) package func packView(start: Int, length: Int) -> UInt64 {
  UInt64(truncatingIfNeeded: start) << 32 | UInt64(truncatingIfNeeded: length)
}
