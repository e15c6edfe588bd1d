import StreamModel

/// A row of one of several batches.
struct RowPick {
  let batch: Int32
  let row: Int32
}

extension RecordBatch {
  /// The rows that `picks` name, in that order, out of `batches`, which have one schema; with everything rows carry.
  ///
  /// A column that nothing reads in one of them is read from none. Rows keep their origin if all batches have one, and their
  /// key hashes if these are of the same columns in all. Text is shared where all batches share it, else copied.
  static func picked(_ picks: [RowPick], from batches: [RecordBatch]) -> RecordBatch {
    let columns = batches[0].schema.fields.indices.map { index in
      Column.picked(picks, from: batches.map { $0.columns[index] })
    }
    return RecordBatch(
      schema: batches[0].schema, columns: columns, count: picks.count,
      eventTimes: Column.picked(picks, from: batches.map(\.eventTimes)), stamps: pickedStamps(picks, batches),
      origin: pickedOrigin(picks, batches), keyHashes: pickedHashes(picks, batches))
  }

  private static func pickedStamps(_ picks: [RowPick], _ batches: [RecordBatch]) -> Column? {
    guard batches.contains(where: { $0.stamps != nil }) else { return nil }
    let stamps = batches.map { batch in
      batch.stamps ?? Column.constant(.timestamp(EventTimes.minimum), .timestamp, count: batch.count)
    }
    return Column.picked(picks, from: stamps)
  }

  private static func pickedOrigin(_ picks: [RowPick], _ batches: [RecordBatch]) -> RecordOrigin? {
    let origins = batches.compactMap(\.origin)
    guard origins.count == batches.count, !picks.isEmpty else { return nil }
    let ranges = Column.picked(picks, from: origins.map(\.ranges))
    var numbers = ChunkNumbers()
    let positions = ColumnBuilder(.int64, capacity: picks.count)
    // Rows that are not mixed have the number of their batch's chunk, found once.
    var known = [Int64](repeating: -1, count: origins.count)
    for pick in picks {
      let batch = Int(pick.batch)
      if known[batch] >= 0 {
        positions.append(int64: known[batch])
        continue
      }
      let number = numbers.number(of: origins[batch].chunk(at: Int(pick.row)))
      if !origins[batch].isMixed { known[batch] = number }
      positions.append(int64: number)
    }
    return RecordOrigin(chunks: numbers.chunks, positions: positions.finish(), ranges: ranges)
  }

  private static func pickedHashes(_ picks: [RowPick], _ batches: [RecordBatch]) -> KeyHashes? {
    let hashes = batches.compactMap(\.keyHashes)
    guard hashes.count == batches.count, hashes.allSatisfy({ $0.columns == hashes[0].columns }) else { return nil }
    return KeyHashes(columns: hashes[0].columns, hashes: Column.picked(picks, from: hashes.map(\.hashes)))
  }
}

extension Column {
  /// The rows that `picks` name out of `columns`, which have one type.
  static func picked(_ picks: [RowPick], from columns: [Column]) -> Column {
    let type = columns[0].type
    if columns.contains(where: \.isAbsent) { return Column.absent(type, count: picks.count) }
    let values = Memory(capacityBytes: picks.count * type.layout.strideBytes)
    var text: (bytes: UnsafePointer<UInt8>?, owner: AnyObject?) = (nil, nil)
    switch type.layout {
    case .bool8: pick(UInt8.self, picks, columns, values)
    case .int64, .float64: pick(Int64.self, picks, columns, values)
    case .int128: pick(Int128.self, picks, columns, values)
    case .view:
      if columns.allSatisfy({ $0.bytes == columns[0].bytes && $0.bytesOwner === columns[0].bytesOwner }) {
        pick(UInt64.self, picks, columns, values)
        text = (columns[0].bytes, columns[0].bytesOwner)
      } else {
        let area = pickText(picks, columns, values)
        text = (UnsafePointer(area.base.assumingMemoryBound(to: UInt8.self)), area)
      }
    }
    return Column(
      type: type, count: picks.count, values: values, validity: pickValidity(picks, columns), bytes: text.bytes,
      bytesOwner: text.owner)
  }

  private static func pick<Element>(_: Element.Type, _ picks: [RowPick], _ columns: [Column], _ values: Memory) {
    let sources = columns.map { $0.values.assumingMemoryBound(to: Element.self) }
    let target = values.base.assumingMemoryBound(to: Element.self)
    for index in picks.indices { target[index] = sources[Int(picks[index].batch)][Int(picks[index].row)] }
  }

  private static func pickText(_ picks: [RowPick], _ columns: [Column], _ values: Memory) -> Memory {
    let sources = columns.map(\.views)
    let texts = columns.map { $0.bytes.unsafelyUnwrapped }
    var total = 0
    for pick in picks { total &+= Int(sources[Int(pick.batch)][Int(pick.row)] & 0xFFFF_FFFF) }
    precondition(total <= Int(UInt32.max), "a column holds at most 4 GiB of text")
    let area = Memory(capacityBytes: total)
    let views = values.base.assumingMemoryBound(to: UInt64.self)
    var end = 0
    for index in picks.indices {
      let source = Int(picks[index].batch)
      let view = sources[source][Int(picks[index].row)]
      let length = Int(view & 0xFFFF_FFFF)
      (area.base + end).copyMemory(from: texts[source] + Int(view >> 32), byteCount: length)
      views[index] = packView(start: end, length: length)
      end &+= length
    }
    return area
  }

  private static func pickValidity(_ picks: [RowPick], _ columns: [Column]) -> Memory? {
    guard columns.contains(where: { $0.validity != nil }) else { return nil }
    let bitmap = Memory(capacityBytes: (picks.count + 7) / 8)
    let cells = bitmap.base.initializeMemory(as: UInt8.self, repeating: 0, count: (picks.count + 7) / 8)
    for index in picks.indices where columns[Int(picks[index].batch)].isValid(Int(picks[index].row)) {
      cells[index >> 3] |= 1 << UInt8(index & 7)
    }
    return bitmap
  }
}
