import StreamModel

/// Keys of entries: a prefix of the operator's own (its first byte tells its tables apart), the upper 32 bits of the key's
/// hash in big-endian order, the encoded key, and a suffix of the operator's own.
///
/// The hash comes first so that a subtask's key groups are one range, and so that a run can be sorted by numbers.
package enum StateKey {
  package static let hashLength = 4

  /// The 32 bits of a key's hash that stand in its state keys.
  @inline(__always) package static func order(ofHash hash: UInt64) -> UInt32 { UInt32(hash >> 32) }

  /// The least hash of key group `group`.
  package static func hashBytes(firstOfGroup group: Int) -> [UInt8] { bytes(UInt32(group) << 25) }

  package static func bytes(_ order: UInt32) -> [UInt8] { withUnsafeBytes(of: order.bigEndian) { Array($0) } }

  /// The eight bytes of a row's number, which a key may end with.
  package static func bytes(_ number: UInt64) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }

  /// The number that a key of eight bytes or more ends with.
  package static func rowNumber(_ key: UnsafeRawBufferPointer) -> UInt64 {
    UInt64(bigEndian: key.loadUnaligned(fromByteOffset: key.count - 8, as: UInt64.self))
  }

  /// Eight bytes that sort as `number` does.
  package static func bytes(_ number: Int64) -> [UInt8] {
    withUnsafeBytes(of: (UInt64(bitPattern: number) ^ 1 << 63).bigEndian) { Array($0) }
  }

  /// The number that `bytes(_:)` wrote at `offset`.
  package static func number(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int64 {
    let biased = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    return Int64(bitPattern: biased ^ 1 << 63)
  }

  /// The 32 bits of a hash at `offset`.
  @inline(__always) package static func order(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> UInt32 {
    UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }

  /// The key group of the hash at `offset`.
  package static func keyGroup(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int { Int(bytes[offset] >> 1) }

  /// A whole state key.
  package static func make(
    _ prefix: [UInt8], _ key: UnsafeRawBufferPointer, hash: UInt64, suffix: [UInt8] = []
  ) -> [UInt8] {
    var bytes = prefix
    bytes.reserveCapacity(prefix.count + hashLength + key.count + suffix.count)
    withUnsafeBytes(of: order(ofHash: hash).bigEndian) { bytes.append(contentsOf: $0) }
    bytes.append(contentsOf: key)
    bytes.append(contentsOf: suffix)
    return bytes
  }
}

/// A state key that is written over and over, with one prefix: for runs of millions. One owner.
package final class StateKeyBuffer {
  private var base: UnsafeMutableRawPointer
  private var capacity = 128
  private var prefixLength = 0

  package init() { base = .allocate(byteCount: 128, alignment: 8) }
  deinit { base.deallocate() }

  package func setPrefix(_ prefix: [UInt8]) {
    reserve(prefix.count)
    prefix.withUnsafeBytes { bytes in
      if let start = bytes.baseAddress { base.copyMemory(from: start, byteCount: bytes.count) }
    }
    prefixLength = prefix.count
  }

  private func reserve(_ count: Int) {
    guard count > capacity else { return }
    let larger = UnsafeMutableRawPointer.allocate(byteCount: count * 2, alignment: 8)
    larger.copyMemory(from: base, byteCount: prefixLength)
    base.deallocate()
    base = larger
    capacity = count * 2
  }

  /// The prefix, `order`, `key` and `suffix`; valid until the next call.
  package func make(_ order: UInt32, _ key: UnsafeRawBufferPointer, suffix: UnsafeRawBufferPointer)
    -> UnsafeRawBufferPointer
  {
    let count = prefixLength + StateKey.hashLength + key.count + suffix.count
    reserve(count)
    var end = prefixLength
    base.storeBytes(of: order.bigEndian, toByteOffset: end, as: UInt32.self)
    end += StateKey.hashLength
    if let start = key.baseAddress { (base + end).copyMemory(from: start, byteCount: key.count) }
    end += key.count
    if let start = suffix.baseAddress { (base + end).copyMemory(from: start, byteCount: suffix.count) }
    return UnsafeRawBufferPointer(start: base, count: count)
  }
}
