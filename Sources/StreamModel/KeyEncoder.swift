#if canImport(Glibc)
  import Glibc
#endif

/// Encodes the key columns of each row of a batch into bytes, equal exactly when the keys are equal, and hashes them.
///
/// Encoding, column by column: fixed-width values are a byte 0 (null) or 1 and the little-endian value; text is its length
/// plus one as a LEB128 number (0 = null) and its bytes. `-0.0` is written as `0.0` and every NaN alike. The encoding is
/// part of the state's layout: changing it breaks snapshots.
///
/// Works a column at a time: measures all rows, lays them end to end, writes each column at its rows' cursors. Keys made of
/// texts alone, which most are, are written row by row.
/// Holds scratch space for one batch at a time; one owner.
package final class KeyEncoder {
  private let keyColumns: [Int]
  private var bytesStorage: Memory
  private var offsetStorage: Memory
  private var cursorStorage: Memory
  private var hashStorage: Memory
  package private(set) var count = 0

  package init(keyColumns: [Int]) {
    self.keyColumns = keyColumns
    bytesStorage = Memory(capacityBytes: 1 << 16)
    offsetStorage = Memory(capacityBytes: 1 << 12)
    cursorStorage = Memory(capacityBytes: 1 << 12)
    hashStorage = Memory(capacityBytes: 1 << 12)
  }

  /// The encoded keys of the last batch, end to end; valid until the next `encode`.
  package var bytes: UnsafeRawPointer { UnsafeRawPointer(bytesStorage.base) }

  /// Where the keys of the last batch lie in `bytes`: row `r` from `offsets[r]` to `offsets[r + 1]`.
  package var offsets: UnsafePointer<Int> { UnsafePointer(offsetStorage.base.assumingMemoryBound(to: Int.self)) }

  /// All keys of the last batch, for loops over rows; valid until the next `encode`.
  package var encodedKeys: EncodedKeys { EncodedKeys(start: bytes, ends: offsets + 1) }

  /// The hashes of the last batch's keys; valid until the next `encode`.
  package var hashes: UnsafePointer<UInt64> { UnsafePointer(hashStorage.base.assumingMemoryBound(to: UInt64.self)) }

  /// The encoded key of row `row` of the last batch; valid until the next `encode`.
  @inline(__always) package func key(_ row: Int) -> UnsafeRawBufferPointer {
    let offsets = offsets
    return UnsafeRawBufferPointer(start: bytes + offsets[row], count: offsets[row + 1] - offsets[row])
  }

  /// Encodes and hashes the keys of all rows of `batch`. Takes over the batch's own hashes where they are of these columns.
  package func encode(_ batch: RecordBatch) {
    count = batch.count
    reserveRows(count)
    let columns = keyColumns.map { batch.columns[$0] }
    if columns.allSatisfy({ $0.type.layout == .view }) {
      writeTexts(columns)
    } else {
      let cursors = measure(columns)
      for column in columns { KeyEncoder.write(column, cursors, bytesStorage.base) }
    }
    let base = bytesStorage.base
    let hashes = hashStorage.base.assumingMemoryBound(to: UInt64.self)
    if let known = batch.keyHashes, known.columns == keyColumns {
      memcpy(hashes, known.hashes.int64s, count * 8)
    } else {
      let offsets = offsets
      for row in 0..<count {
        let start = offsets[row]
        hashes[row] = KeyEncoder.hash(UnsafeRawBufferPointer(start: base + start, count: offsets[row + 1] &- start))
      }
    }
  }

  private func reserveRows(_ rows: Int) {
    guard (rows + 1) * 8 > offsetStorage.capacityBytes else { return }
    offsetStorage = Memory(capacityBytes: rows * 16)
    cursorStorage = Memory(capacityBytes: rows * 16)
    hashStorage = Memory(capacityBytes: rows * 16)
  }

  /// Sets `offsets`, makes room for the bytes, and returns a cursor a row, at the row's start.
  private func measure(_ columns: [Column]) -> UnsafeMutablePointer<Int> {
    let offsets = offsetStorage.base.assumingMemoryBound(to: Int.self)
    let lengths = cursorStorage.base.assumingMemoryBound(to: Int.self)
    memset(lengths, 0, count * 8)
    for column in columns { KeyEncoder.addLengths(column, lengths) }
    var end = 0
    for row in 0..<count {
      let length = lengths[row]
      offsets[row] = end
      lengths[row] = end
      end &+= length
    }
    offsets[count] = end
    if end > bytesStorage.capacityBytes { bytesStorage = Memory(capacityBytes: end * 2) }
    return lengths
  }

  private static func addLengths(_ column: Column, _ lengths: UnsafeMutablePointer<Int>) {
    let stride = column.type.layout.strideBytes
    let isText = column.type.layout == .view
    if isText {
      let views = column.views
      for row in 0..<column.count {
        let length = Int(views[row] & 0xFFFF_FFFF)
        lengths[row] &+= length &+ 1
        if length >= 0x7F { lengths[row] &+= prefixLength(length) &- 1 }
      }
    } else {
      for row in 0..<column.count { lengths[row] &+= stride &+ 1 }
    }
    guard column.validity != nil else { return }
    for row in 0..<column.count where !column.isValid(row) {
      lengths[row] &-= isText ? prefixLength(Int(column.views[row] & 0xFFFF_FFFF)) - 1 : stride
      if isText { lengths[row] &-= Int(column.views[row] & 0xFFFF_FFFF) }
    }
  }

  /// Bytes of the LEB128 number that says a text of `length` bytes follows.
  private static func prefixLength(_ length: Int) -> Int {
    var rest = (UInt(length) + 1) >> 7
    var bytes = 1
    while rest > 0 {
      bytes += 1
      rest >>= 7
    }
    return bytes
  }

  /// Writes one column at every row's cursor and moves the cursors behind it.
  private static func write(_ column: Column, _ cursors: UnsafeMutablePointer<Int>, _ base: UnsafeMutableRawPointer) {
    switch column.type.layout {
    case .view: writeText(column, cursors, base)
    case .bool8: writeFixed(column, column.booleans, cursors, base) { $0 }
    case .int64: writeFixed(column, column.int64s, cursors, base) { $0.littleEndian }
    case .int128: writeFixed(column, column.int128s, cursors, base) { $0.littleEndian }
    case .float64:
      writeFixed(column, column.doubles, cursors, base) { value in
        (value == 0 ? 0.0 : value.isNaN ? Double.nan : value).bitPattern.littleEndian
      }
    }
  }

  @inline(__always) private static func writeFixed<Element, Written: BitwiseCopyable>(
    _ column: Column, _ values: UnsafePointer<Element>, _ cursors: UnsafeMutablePointer<Int>,
    _ base: UnsafeMutableRawPointer, _ written: (Element) -> Written
  ) {
    for row in 0..<column.count {
      let target = base + cursors[row]
      let valid = column.isValid(row)
      target.storeBytes(of: valid ? 1 : 0, as: UInt8.self)
      cursors[row] &+= 1
      guard valid else { continue }
      (target + 1).storeBytes(of: written(values[row]), as: Written.self)
      cursors[row] &+= MemoryLayout<Written>.size
    }
  }

  /// Writes keys made of texts row by row, so that each copy may spill over what follows it, and sets `offsets`.
  private func writeTexts(_ columns: [Column]) {
    var room = count &* columns.count &* KeyEncoder.longestPrefixBytes
    for column in columns {
      let views = column.views
      for row in 0..<count { room &+= Int(views[row] & 0xFFFF_FFFF) }
    }
    if room > bytesStorage.capacityBytes { bytesStorage = Memory(capacityBytes: room * 2) }
    let count = count
    let base = bytesStorage.base
    let offsets = offsetStorage.base.assumingMemoryBound(to: Int.self)
    let texts = columns.map { TextCells(views: $0.views, bytes: $0.bytes.unsafelyUnwrapped, validity: $0.validity) }
    texts.withUnsafeBufferPointer { texts in
      var target = base
      for row in 0..<count {
        offsets[row] = target - base
        for cells in texts {
          if let validity = cells.validity, validity[row >> 3] & (1 << UInt8(row & 7)) == 0 {
            target.storeBytes(of: 0, as: UInt8.self)
            target += 1
            continue
          }
          let view = cells.views[row]
          let length = Int(view & 0xFFFF_FFFF)
          target = KeyEncoder.writePrefix(length, to: target)
          copyLoosely(cells.bytes + Int(view >> 32), to: target, length)
          target += length
        }
      }
      offsets[count] = target - base
    }
    // The pointers are the columns'.
    withExtendedLifetime(columns) {}
  }

  /// Of a text, whose length has 32 bits.
  private static let longestPrefixBytes = 5

  private struct TextCells {
    let views: UnsafePointer<UInt64>
    let bytes: UnsafePointer<UInt8>
    let validity: UnsafePointer<UInt8>?
  }

  /// Writes the number that says a text of `length` bytes follows; returns where it ends.
  @inline(__always) private static func writePrefix(
    _ length: Int, to target: UnsafeMutableRawPointer
  ) -> UnsafeMutableRawPointer {
    var target = target
    var prefix = UInt(length) &+ 1
    while prefix >= 0x80 {
      target.storeBytes(of: UInt8(truncatingIfNeeded: prefix) | 0x80, as: UInt8.self)
      target += 1
      prefix >>= 7
    }
    target.storeBytes(of: UInt8(truncatingIfNeeded: prefix), as: UInt8.self)
    return target + 1
  }

  private static func writeText(
    _ column: Column, _ cursors: UnsafeMutablePointer<Int>, _ base: UnsafeMutableRawPointer
  ) {
    let views = column.views
    let text = column.bytes.unsafelyUnwrapped
    for row in 0..<column.count {
      let start = base + cursors[row]
      guard column.isValid(row) else {
        start.storeBytes(of: 0, as: UInt8.self)
        cursors[row] &+= 1
        continue
      }
      let view = views[row]
      let length = Int(view & 0xFFFF_FFFF)
      let target = writePrefix(length, to: start)
      copy(text + Int(view >> 32), to: target, length)
      cursors[row] = target + length - base
    }
  }

  /// Copies `length` bytes; without a call for the short texts that keys are made of.
  @inline(__always) static func copy(
    _ from: UnsafePointer<UInt8>, to target: UnsafeMutableRawPointer, _ length: Int
  ) {
    let source = UnsafeRawPointer(from)
    if length > 16 {
      memcpy(target, source, length)
    } else if length >= 8 {
      let head = source.loadUnaligned(as: UInt64.self)
      let tail = source.loadUnaligned(fromByteOffset: length &- 8, as: UInt64.self)
      target.storeBytes(of: head, as: UInt64.self)
      target.storeBytes(of: tail, toByteOffset: length &- 8, as: UInt64.self)
    } else if length >= 4 {
      let head = source.loadUnaligned(as: UInt32.self)
      let tail = source.loadUnaligned(fromByteOffset: length &- 4, as: UInt32.self)
      target.storeBytes(of: head, as: UInt32.self)
      target.storeBytes(of: tail, toByteOffset: length &- 4, as: UInt32.self)
    } else {
      for index in 0..<length { target.storeBytes(of: from[index], toByteOffset: index, as: UInt8.self) }
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
