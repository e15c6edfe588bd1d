/// The way back from encoded keys to columns.
extension KeyEncoder {
  /// Decodes the next column of `count` encoded keys, a cursor each, and moves the cursors behind it.
  package static func decode(
    _ cursors: UnsafeMutablePointer<UnsafeRawPointer>, count: Int, into builder: ColumnBuilder
  ) {
    var hasNulls = false
    for row in 0..<count where cursors[row].load(as: UInt8.self) == 0 { hasNulls = true }
    if hasNulls { return decodeOneByOne(cursors, count, into: builder) }
    switch builder.type.layout {
    case .view: decodeTexts(cursors, count, into: builder)
    case .bool8: decodeFixed(cursors, count, builder.extend(by: count), UInt8.self)
    case .int64, .float64: decodeFixed(cursors, count, builder.extend(by: count), Int64.self)
    case .int128: decodeFixed(cursors, count, builder.extend(by: count), Int128.self)
    }
  }

  @inline(__always) private static func decodeFixed<Element: FixedWidthInteger & BitwiseCopyable>(
    _ cursors: UnsafeMutablePointer<UnsafeRawPointer>, _ count: Int, _ target: UnsafeMutableRawPointer, _: Element.Type
  ) {
    let values = target.assumingMemoryBound(to: Element.self)
    for row in 0..<count {
      values[row] = Element(littleEndian: cursors[row].loadUnaligned(fromByteOffset: 1, as: Element.self))
      cursors[row] += 1 + MemoryLayout<Element>.size
    }
  }

  private static func decodeTexts(
    _ cursors: UnsafeMutablePointer<UnsafeRawPointer>, _ count: Int, into builder: ColumnBuilder
  ) {
    var total = 0
    for row in 0..<count {
      var cursor = cursors[row]
      total &+= readLength(&cursor)
    }
    let target = builder.extend(by: count, textBytes: total)
    var end = 0
    for row in 0..<count {
      let length = readLength(&cursors[row])
      copy(cursors[row].assumingMemoryBound(to: UInt8.self), to: target.text + end, length)
      target.views[row] = packView(start: target.start &+ end, length: length)
      cursors[row] += length
      end &+= length
    }
  }

  /// Reads the prefix of a text that is not null: how many bytes it has.
  @inline(__always) private static func readLength(_ cursor: inout UnsafeRawPointer) -> Int {
    var length: UInt = 0
    var shift: UInt = 0
    while true {
      let byte = cursor.load(as: UInt8.self)
      cursor += 1
      length |= UInt(byte & 0x7F) << shift
      if byte & 0x80 == 0 { return Int(length) &- 1 }
      shift += 7
    }
  }

  private static func decodeOneByOne(
    _ cursors: UnsafeMutablePointer<UnsafeRawPointer>, _ count: Int, into builder: ColumnBuilder
  ) {
    for row in 0..<count {
      if cursors[row].load(as: UInt8.self) == 0 {
        builder.appendNull()
        cursors[row] += 1
      } else {
        decode(cursors + row, count: 1, into: builder)
      }
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
}
