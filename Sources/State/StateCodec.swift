/// Appends numbers and bytes to a byte array in the state's encoding: LEB128 for lengths, little-endian for fixed widths.
package struct StateWriter {
  package private(set) var bytes: [UInt8] = []
  package init() {}

  package mutating func write(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  package mutating func write(count: Int) { write(UInt64(count)) }
  package mutating func write(_ value: Int64) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }
  package mutating func write(_ value: Int128) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }
  package mutating func write(_ value: Double) { write(Int64(bitPattern: value.bitPattern)) }
  package mutating func write(_ value: Bool) { bytes.append(value ? 1 : 0) }

  package mutating func write(_ value: UnsafeRawBufferPointer) {
    write(count: value.count)
    bytes.append(contentsOf: value)
  }

  package mutating func write(_ value: [UInt8]) { value.withUnsafeBytes { write($0) } }
}

/// What can be wrong with stored state: never the user's input.
package enum StateError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The disk, or the database on it.
  case storage(String)
  /// The job ends: nobody waits any more.
  case cancelled
  /// The bytes end in the middle of a value, or a value is impossible.
  case malformed(String)

  package var description: String {
    switch self {
    case .storage(let reason): reason
    case .cancelled: "the job ends"
    case .malformed(let reason): "malformed: \(reason)"
    }
  }
}

/// Reads what `StateWriter` wrote.
package struct StateReader {
  private let bytes: [UInt8]
  private var cursor = 0

  package init(_ bytes: [UInt8]) { self.bytes = bytes }

  package var isAtEnd: Bool { cursor == bytes.count }

  package mutating func readUInt64() throws(StateError) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while cursor < bytes.count, shift < 64 {
      let byte = bytes[cursor]
      cursor += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte & 0x80 == 0 { return value }
      shift += 7
    }
    throw .malformed("a number ends early")
  }

  package mutating func readCount() throws(StateError) -> Int {
    let value = try readUInt64()
    guard value <= UInt64(Int32.max) else { throw .malformed("a count of \(value)") }
    return Int(value)
  }

  package mutating func readInt64() throws(StateError) -> Int64 { Int64(littleEndian: try readFixed(Int64.self)) }
  package mutating func readInt128() throws(StateError) -> Int128 { Int128(littleEndian: try readFixed(Int128.self)) }
  package mutating func readDouble() throws(StateError) -> Double {
    Double(bitPattern: UInt64(bitPattern: try readInt64()))
  }
  package mutating func readBool() throws(StateError) -> Bool { try readFixed(UInt8.self) != 0 }

  package mutating func readBytes() throws(StateError) -> [UInt8] {
    let count = try readCount()
    guard cursor + count <= bytes.count else { throw .malformed("\(count) bytes wanted, \(bytes.count - cursor) left") }
    defer { cursor += count }
    return [UInt8](bytes[cursor..<cursor + count])
  }

  private mutating func readFixed<Value: BitwiseCopyable>(_: Value.Type) throws(StateError) -> Value {
    let size = MemoryLayout<Value>.size
    guard cursor + size <= bytes.count else { throw .malformed("\(size) bytes wanted, \(bytes.count - cursor) left") }
    defer { cursor += size }
    return bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: cursor, as: Value.self) }
  }
}
