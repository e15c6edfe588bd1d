import StreamModel

/// How rows of some columns are kept in memory one by one: row-wise, so that a stored row is read from one place.
///
/// A row is a bit a column (1 = null), then each column's value at an offset of its own; text is eight bytes there, its
/// start in the row in the high and its length in the low 32 bits, and the text follows behind all values. A row can
/// be moved as bytes: it is the same in memory and in snapshots. An absent column is stored as nulls. Writing and reading go a column at a time.
struct RowLayout {
  private let types: [DataType]
  private let offsets: [Int]
  /// Bytes of a row without text.
  private let fixedBytes: Int

  init(_ types: [DataType]) {
    self.types = types
    var offset = (types.count + 7) / 8
    offsets = types.map { type in
      defer { offset += type.layout.strideBytes }
      return offset
    }
    fixedBytes = offset
  }

  var columnCount: Int { types.count }

  /// How many bytes each of `rows` takes.
  func sizes(_ columns: [Column], _ rows: [Int32]) -> [Int] {
    var sizes = [Int](repeating: fixedBytes, count: rows.count)
    for (column, type) in zip(columns, types) where type.layout == .view {
      let views = column.views
      for position in rows.indices { sizes[position] &+= Int(views[Int(rows[position])] & 0xFFFF_FFFF) }
    }
    return sizes
  }

  /// Writes `rows` of `columns`, row `rows[i]` to `targets[i]`, each as long as `sizes` says.
  func write(_ columns: [Column], _ rows: [Int32], to targets: [UnsafeMutableRawPointer]) {
    var textEnds = [Int](repeating: fixedBytes, count: rows.count)
    for target in targets { target.initializeMemory(as: UInt8.self, repeating: 0, count: (types.count + 7) / 8) }
    for (index, column) in columns.enumerated() {
      switch types[index].layout {
      case .bool8: copy(UInt8.self, column, rows, targets, offsets[index])
      case .int64, .float64: copy(Int64.self, column, rows, targets, offsets[index])
      case .int128: copy(Int128.self, column, rows, targets, offsets[index])
      case .view: copyText(column, rows, targets, offsets[index], &textEnds)
      }
      if column.validity != nil { markNulls(index, column, rows, targets) }
    }
  }

  private func copy<Element: BitwiseCopyable>(
    _: Element.Type, _ column: Column, _ rows: [Int32], _ targets: [UnsafeMutableRawPointer], _ offset: Int
  ) {
    let values = column.values.assumingMemoryBound(to: Element.self)
    for position in rows.indices {
      targets[position].storeBytes(of: values[Int(rows[position])], toByteOffset: offset, as: Element.self)
    }
  }

  private func copyText(
    _ column: Column, _ rows: [Int32], _ targets: [UnsafeMutableRawPointer], _ offset: Int, _ ends: inout [Int]
  ) {
    for position in rows.indices {
      let text = column.bytes(at: Int(rows[position]))
      let view = packView(start: ends[position], length: text.count)
      targets[position].storeBytes(of: view, toByteOffset: offset, as: UInt64.self)
      if let start = text.baseAddress {
        (targets[position] + ends[position]).copyMemory(from: start, byteCount: text.count)
      }
      ends[position] &+= text.count
    }
  }

  private func markNulls(_ index: Int, _ column: Column, _ rows: [Int32], _ targets: [UnsafeMutableRawPointer]) {
    for position in rows.indices where !column.isValid(Int(rows[position])) {
      let cell = (targets[position] + index / 8).assumingMemoryBound(to: UInt8.self)
      cell.pointee |= 1 << UInt8(index % 8)
    }
  }

  /// Column `index` of the rows at `rows`, in that order.
  func read(_ index: Int, _ rows: [UnsafeMutableRawPointer]) -> Column {
    let type = types[index]
    let values = Memory(capacityBytes: rows.count * type.layout.strideBytes)
    var text: Memory?
    switch type.layout {
    case .bool8: gather(UInt8.self, rows, offsets[index], values)
    case .int64, .float64: gather(Int64.self, rows, offsets[index], values)
    case .int128: gather(Int128.self, rows, offsets[index], values)
    case .view: text = gatherText(rows, offsets[index], values)
    }
    return Column(
      type: type, count: rows.count, values: values, validity: validity(index, rows),
      bytes: text.map { UnsafePointer($0.base.assumingMemoryBound(to: UInt8.self)) }, bytesOwner: text)
  }

  private func gather<Element: BitwiseCopyable>(
    _: Element.Type, _ rows: [UnsafeMutableRawPointer], _ offset: Int, _ values: Memory
  ) {
    let target = values.base.assumingMemoryBound(to: Element.self)
    for position in rows.indices {
      target[position] = rows[position].loadUnaligned(fromByteOffset: offset, as: Element.self)
    }
  }

  private func gatherText(_ rows: [UnsafeMutableRawPointer], _ offset: Int, _ values: Memory) -> Memory {
    var total = 0
    for row in rows { total &+= Int(row.loadUnaligned(fromByteOffset: offset, as: UInt64.self) & 0xFFFF_FFFF) }
    precondition(total <= Int(UInt32.max), "a column holds at most 4 GiB of text")
    let text = Memory(capacityBytes: total)
    let views = values.base.assumingMemoryBound(to: UInt64.self)
    var end = 0
    for position in rows.indices {
      let view = rows[position].loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      let length = Int(view & 0xFFFF_FFFF)
      (text.base + end).copyMemory(from: rows[position] + Int(view >> 32), byteCount: length)
      views[position] = packView(start: end, length: length)
      end &+= length
    }
    return text
  }

  private func validity(_ index: Int, _ rows: [UnsafeMutableRawPointer]) -> Memory? {
    let bit = UInt8(1) << UInt8(index % 8)
    var nulls: UInt8 = 0
    for row in rows { nulls |= row.load(fromByteOffset: index / 8, as: UInt8.self) & bit }
    guard nulls != 0 else { return nil }
    let bitmap = Memory(capacityBytes: (rows.count + 7) / 8)
    let cells = bitmap.base.initializeMemory(as: UInt8.self, repeating: 0, count: (rows.count + 7) / 8)
    for position in rows.indices where rows[position].load(fromByteOffset: index / 8, as: UInt8.self) & bit == 0 {
      cells[position >> 3] |= 1 << UInt8(position & 7)
    }
    return bitmap
  }

  /// Whether `bytes` can be a row of these columns: long enough, and no text beyond its end.
  func isSound(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count >= fixedBytes else { return false }
    return types.indices.allSatisfy { index in
      guard types[index].layout == .view else { return true }
      let view = bytes.loadUnaligned(fromByteOffset: offsets[index], as: UInt64.self)
      return Int(view >> 32) + Int(view & 0xFFFF_FFFF) <= bytes.count
    }
  }
}
