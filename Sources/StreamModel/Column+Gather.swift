#if canImport(Glibc)
  import Glibc
#endif

extension Column {
  /// The rows at `indices`, in that order. Text is shared with this column unless `compact` asks for a copy.
  ///
  /// Compact what outlives the batch or crosses to another core: it frees the original bytes and reads in sequence.
  package func gather(_ indices: UnsafeBufferPointer<Int32>, compact: Bool = false) -> Column {
    let rows = indices.count
    if isAbsent { return Column.absent(type, count: rows) }
    let target = Memory(capacityBytes: rows * type.layout.strideBytes)
    var area: (pointer: UnsafePointer<UInt8>?, owner: AnyObject?) = (bytes, bytesOwner)
    switch type.layout {
    case .bool8: copy(UInt8.self, indices, target)
    case .int64, .float64: copy(Int64.self, indices, target)
    case .int128: copy(Int128.self, indices, target)
    case .view:
      if compact { area = copyText(indices, target) } else { copy(UInt64.self, indices, target) }
    }
    return Column(
      type: type, count: rows, values: target, validity: gatherValidity(indices), bytes: area.pointer,
      bytesOwner: area.owner)
  }

  @inline(__always) private func copy<Element>(
    _: Element.Type, _ indices: UnsafeBufferPointer<Int32>, _ target: Memory
  ) {
    let from = values.assumingMemoryBound(to: Element.self)
    let to = target.base.assumingMemoryBound(to: Element.self)
    for position in 0..<indices.count { to[position] = from[Int(indices[position])] }
  }

  private func copyText(_ indices: UnsafeBufferPointer<Int32>, _ target: Memory) -> (UnsafePointer<UInt8>?, AnyObject?)
  {
    let from = views
    var total = 0
    for index in indices { total &+= Int(from[Int(index)] & 0xFFFF_FFFF) }
    let area = Memory(capacityBytes: total)
    let text = area.base.assumingMemoryBound(to: UInt8.self)
    let to = target.base.assumingMemoryBound(to: UInt64.self)
    let source = bytes.unsafelyUnwrapped
    var end = 0
    for position in 0..<indices.count {
      let view = from[Int(indices[position])]
      let length = Int(view & 0xFFFF_FFFF)
      copyLoosely(source + Int(view >> 32), to: text + end, length)
      to[position] = packView(start: end, length: length)
      end &+= length
    }
    return (UnsafePointer(text), area)
  }

  private func gatherValidity(_ indices: UnsafeBufferPointer<Int32>) -> Memory? {
    guard validity != nil else { return nil }
    let bitmap = Memory(capacityBytes: (indices.count + 7) / 8)
    memset(bitmap.base, 0, (indices.count + 7) / 8)
    let cells = bitmap.base.assumingMemoryBound(to: UInt8.self)
    for position in 0..<indices.count where isValid(Int(indices[position])) {
      cells[position >> 3] |= 1 << UInt8(position & 7)
    }
    return bitmap
  }

  /// `columns` one after another; all of one type. With one column, that column.
  package static func concatenated(_ columns: [Column]) -> Column {
    if columns.count == 1 { return columns[0] }
    let builder = ColumnBuilder(columns[0].type, capacity: columns.reduce(0) { $0 + $1.count })
    for column in columns {
      for row in 0..<column.count { builder.append(column, row: row) }
    }
    return builder.finish()
  }

  /// `count` rows that all hold `value`.
  package static func constant(_ value: Value, _ type: DataType, count: Int) -> Column {
    let builder = ColumnBuilder(type, capacity: count)
    guard type.layout == .view, value != .null, count > 0 else {
      for _ in 0..<count { builder.append(value) }
      return builder.finish()
    }
    builder.append(value)
    let zeros = [Int32](repeating: 0, count: count)
    return zeros.withUnsafeBufferPointer { builder.finish().gather($0) }
  }
}
