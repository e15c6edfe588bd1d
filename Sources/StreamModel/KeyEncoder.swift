#if canImport(Glibc)
  import Glibc
#endif

/// Encodes the key columns of each row of a batch into bytes, equal exactly when the keys are equal, and hashes them.
///
/// Encoding, column by column: fixed-width values are a byte 0 (null) or 1 and the little-endian value; text is its length
/// plus one as a LEB128 number (0 = null) and its bytes. `-0.0` is written as `0.0` and every NaN alike. The encoding is
/// part of the state's layout: changing it breaks snapshots.
///
/// Holds scratch space for one batch at a time; one owner.
package final class KeyEncoder {
  private let keyColumns: [Int]
  private var bytes: Memory
  private var ends: Memory
  private var hashStorage: Memory
  private var bytesCount = 0
  package private(set) var count = 0

  package init(keyColumns: [Int]) {
    self.keyColumns = keyColumns
    bytes = Memory(capacityBytes: 1 << 16)
    ends = Memory(capacityBytes: 1 << 12)
    hashStorage = Memory(capacityBytes: 1 << 12)
  }

  /// The encoded key of row `row` of the last batch; valid until the next `encode`.
  @inline(__always) package func key(_ row: Int) -> UnsafeRawBufferPointer {
    let ends = ends.base.assumingMemoryBound(to: Int.self)
    let start = row == 0 ? 0 : ends[row - 1]
    return UnsafeRawBufferPointer(start: bytes.base + start, count: ends[row] - start)
  }

  /// All keys of the last batch, for loops over rows; valid until the next `encode`.
  package var encodedKeys: EncodedKeys {
    EncodedKeys(start: UnsafeRawPointer(bytes.base), ends: UnsafePointer(ends.base.assumingMemoryBound(to: Int.self)))
  }

  /// The hashes of the last batch's keys; valid until the next `encode`.
  package var hashes: UnsafePointer<UInt64> { UnsafePointer(hashStorage.base.assumingMemoryBound(to: UInt64.self)) }

  /// Encodes and hashes the keys of all rows of `batch`. Takes over the batch's own hashes where they are of these columns.
  package func encode(_ batch: RecordBatch) {
    count = batch.count
    let columns = keyColumns.map { batch.columns[$0] }
    reserve(columns, rows: batch.count)
    let ends = ends.base.assumingMemoryBound(to: Int.self)
    let start = bytes.base
    if columns.count == 1, columns[0].type.layout == .view {
      encodeText(columns[0], start, ends)
    } else {
      var cursor = start
      for row in 0..<count {
        for column in columns { cursor = KeyEncoder.write(column, row, cursor) }
        ends[row] = cursor - start
      }
    }
    bytesCount = count == 0 ? 0 : ends[count - 1]
    let hashes = hashStorage.base.assumingMemoryBound(to: UInt64.self)
    if let known = batch.keyHashes, known.columns == keyColumns {
      memcpy(hashes, known.hashes.int64s, count * 8)
    } else {
      for row in 0..<count { hashes[row] = KeyEncoder.hash(key(row)) }
    }
  }

  private func encodeText(_ column: Column, _ start: UnsafeMutableRawPointer, _ ends: UnsafeMutablePointer<Int>) {
    var cursor = start
    for row in 0..<count {
      cursor = KeyEncoder.write(column, row, cursor)
      ends[row] = cursor - start
    }
  }

  private func reserve(_ columns: [Column], rows: Int) {
    var needed = 0
    for column in columns {
      if column.type.layout == .view {
        var text = 0
        for row in 0..<rows { text &+= Int(column.views[row] & 0xFFFF_FFFF) }
        needed += text + rows * 5
      } else {
        needed += rows * (column.type.layout.strideBytes + 1)
      }
    }
    if needed > bytes.capacityBytes { bytes = Memory(capacityBytes: needed * 2) }
    if rows * 8 > ends.capacityBytes {
      ends = Memory(capacityBytes: rows * 16)
      hashStorage = Memory(capacityBytes: rows * 16)
    }
  }

  @inline(__always) private static func write(
    _ column: Column, _ row: Int, _ cursor: UnsafeMutableRawPointer
  ) -> UnsafeMutableRawPointer {
    var cursor = cursor
    let layout = column.type.layout
    guard column.isValid(row) else {
      cursor.storeBytes(of: 0, as: UInt8.self)
      return cursor + 1
    }
    if layout == .view {
      let text = column.bytes(at: row)
      var length = UInt(text.count) + 1
      while length >= 0x80 {
        cursor.storeBytes(of: UInt8(truncatingIfNeeded: length) | 0x80, as: UInt8.self)
        cursor += 1
        length >>= 7
      }
      cursor.storeBytes(of: UInt8(truncatingIfNeeded: length), as: UInt8.self)
      memcpy(cursor + 1, text.baseAddress.unsafelyUnwrapped, text.count)
      return cursor + 1 + text.count
    }
    cursor.storeBytes(of: 1, as: UInt8.self)
    cursor += 1
    switch layout {
    case .bool8:
      cursor.storeBytes(of: column.booleans[row], as: UInt8.self)
      return cursor + 1
    case .int64:
      cursor.storeBytes(of: column.int64s[row].littleEndian, as: Int64.self)
      return cursor + 8
    case .float64:
      let value = column.doubles[row]
      let canonical = value == 0 ? 0.0 : value.isNaN ? Double.nan : value
      cursor.storeBytes(of: canonical.bitPattern.littleEndian, as: UInt64.self)
      return cursor + 8
    default:
      cursor.storeBytes(of: column.int128s[row].littleEndian, as: Int128.self)
      return cursor + 16
    }
  }

  /// Decodes an encoded key back into values of `types`, appending one row to `builders`.
  package static func decode(_ key: UnsafeRawBufferPointer, into builders: [ColumnBuilder]) {
    var cursor = 0
    for builder in builders {
      if builder.type.layout == .view {
        var length: UInt = 0
        var shift: UInt = 0
        while true {
          let byte = key[cursor]
          cursor += 1
          length |= UInt(byte & 0x7F) << shift
          shift += 7
          if byte & 0x80 == 0 { break }
        }
        if length == 0 { builder.appendNull(); continue }
        let text = UnsafeRawBufferPointer(rebasing: key[cursor..<cursor + Int(length) - 1])
        builder.append(bytes: text.assumingMemoryBound(to: UInt8.self))
        cursor += Int(length) - 1
        continue
      }
      let present = key[cursor] == 1
      cursor += 1
      if !present { builder.appendNull(); continue }
      switch builder.type.layout {
      case .bool8: builder.append(boolean: key[cursor] != 0)
      case .int64: builder.append(int64: Int64(littleEndian: key.loadUnaligned(fromByteOffset: cursor, as: Int64.self)))
      case .float64:
        builder.append(
          double: Double(
            bitPattern: UInt64(littleEndian: key.loadUnaligned(fromByteOffset: cursor, as: UInt64.self))))
      default:
        builder.append(
          unscaled: Int128(littleEndian: key.loadUnaligned(fromByteOffset: cursor, as: Int128.self)))
      }
      cursor += builder.type.layout.strideBytes
    }
  }

  /// A 64-bit hash of `key`: 8-byte lanes folded by 64×64→128-bit multiplication (the construction of wyhash).
  ///
  /// The top seven bits choose the key group, so the hash is part of the state's layout.
  @inline(__always) package static func hash(_ key: UnsafeRawBufferPointer) -> UInt64 {
    let count = key.count
    guard let start = key.baseAddress, count > 0 else { return fold(0x9E37_79B9_7F4A_7C15, 0xD6E8_FEB8_6659_FD93) }
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15 ^ UInt64(truncatingIfNeeded: count)
    var position = 0
    while position &+ 16 <= count {
      let first = start.loadUnaligned(fromByteOffset: position, as: UInt64.self).littleEndian
      let second = start.loadUnaligned(fromByteOffset: position &+ 8, as: UInt64.self).littleEndian
      state = fold(first ^ 0xA076_1D64_78BD_642F ^ state, second ^ 0xE703_7ED1_A0B4_28DB)
      position &+= 16
    }
    var first: UInt64 = 0
    var second: UInt64 = 0
    let rest = count &- position
    if rest > 8 {
      first = start.loadUnaligned(fromByteOffset: position, as: UInt64.self).littleEndian
      second = start.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self).littleEndian
    } else if rest >= 4 {
      first = UInt64(start.loadUnaligned(fromByteOffset: position, as: UInt32.self).littleEndian)
      second = UInt64(start.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self).littleEndian)
    } else if rest > 0 {
      first = UInt64(start.load(fromByteOffset: position, as: UInt8.self))
      second =
        UInt64(start.load(fromByteOffset: position &+ (rest >> 1), as: UInt8.self)) << 8
        | UInt64(start.load(fromByteOffset: count &- 1, as: UInt8.self))
    }
    state = fold(first ^ 0x8EBC_6AF0_9C88_C6E3 ^ state, second ^ 0x5899_65CC_7537_4CC3)
    return fold(state ^ 0x1D8E_4E27_C47D_124F, UInt64(truncatingIfNeeded: count) ^ 0xEB44_ACCA_B455_D165)
  }

  @inline(__always) private static func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let product = left.multipliedFullWidth(by: right)
    return product.high ^ product.low
  }
}

/// Encoded keys side by side, borrowed from a `KeyEncoder`.
package struct EncodedKeys {
  package let start: UnsafeRawPointer
  /// Where each key ends, in bytes from `start`.
  package let ends: UnsafePointer<Int>

  /// The key of row `row`.
  @inline(__always) package func bytes(_ row: Int) -> UnsafeRawBufferPointer {
    let first = row == 0 ? 0 : ends[row &- 1]
    return UnsafeRawBufferPointer(start: start + first, count: ends[row] &- first)
  }
}
