extension RecordOrigin {
  /// The same rows with only their own bytes kept in memory, instead of all the chunks they were read in: for rows that are
  /// kept for long.
  package func compacted() -> RecordOrigin {
    var numbers = ChunkNumbers()
    var rowsOfChunk: [[Int]] = []
    if isMixed {
      for row in 0..<ranges.count {
        let number = Int(numbers.number(of: chunk(at: row)))
        if number == rowsOfChunk.count { rowsOfChunk.append([]) }
        rowsOfChunk[number].append(row)
      }
    } else if ranges.count > 0 {
      _ = numbers.number(of: chunk)
      rowsOfChunk = [Array(0..<ranges.count)]
    }
    guard !rowsOfChunk.isEmpty else { return self }
    let views = Memory(capacityBytes: ranges.count * 8)
    let positions = Memory(capacityBytes: ranges.count * 8)
    let viewCells = views.base.assumingMemoryBound(to: UInt64.self)
    let positionCells = positions.base.assumingMemoryBound(to: Int64.self)
    var chunks: [RecordChunk] = []
    for (chunk, rows) in zip(numbers.chunks, rowsOfChunk) {
      for row in rows { positionCells[row] = Int64(chunks.count) }
      chunks.append(compact(chunk, rows, viewCells))
    }
    return RecordOrigin(
      chunks: chunks, positions: Column(type: .int64, count: ranges.count, values: positions),
      ranges: Column(type: .int64, count: ranges.count, values: views))
  }

  /// A chunk of the records of `rows`, in the order of `chunk` and each once, whose places in it are written to `views`.
  private func compact(
    _ chunk: RecordChunk, _ rows: [Int], _ views: UnsafeMutablePointer<UInt64>
  ) -> RecordChunk {
    let isInOrder = zip(rows, rows.dropFirst()).allSatisfy { start($0) <= start($1) }
    let rows = isInOrder ? rows : rows.sorted { (start($0), $0) < (start($1), $1) }
    let total = rows.reduce(0) { $0 + bytes(at: $1).count + 1 }
    let storage = Memory(capacityBytes: total + RecordChunk.paddingBytes)
    var (starts, lengths, readStarts, offsets): ([Int32], [Int32], [Int32], [Int64]) = ([], [], [], [])
    var originals: [Int: [UInt8]] = [:]
    var end = 0
    var last = (readAt: -1, start: 0)
    for row in rows {
      let record = bytes(at: row)
      if start(row) != last.readAt {
        if let start = record.baseAddress { (storage.base + end).copyMemory(from: start, byteCount: record.count) }
        // So that no two records begin at one place, empty ones neither.
        (storage.base + end + record.count).storeBytes(of: 0x20, as: UInt8.self)
        if let index = chunk.messageIndex, let original = index.originals[index.message(at: start(row))] {
          originals[starts.count] = original
        }
        starts.append(Int32(truncatingIfNeeded: end))
        lengths.append(Int32(truncatingIfNeeded: record.count))
        readStarts.append(Int32(truncatingIfNeeded: chunk.readStart(ofRecordAt: start(row))))
        offsets.append(position(at: row))
        last = (start(row), end)
        end += record.count + 1
      }
      views[row] = packView(start: last.start, length: record.count)
    }
    (storage.base + end).initializeMemory(as: UInt8.self, repeating: 0x20, count: RecordChunk.paddingBytes)
    let index = MessageIndex(starts: starts, lengths: lengths, offsets: offsets, originals: originals)
    return RecordChunk(
      copiesFrom: chunk, storage: storage, count: end, messageIndex: index, readStarts: readStarts)
  }
}

extension RecordBatch {
  /// The same rows, with their text and their records in memory of their own (`RecordOrigin.isSparse`).
  package func compacted() -> RecordBatch {
    let gathered = (0..<Int32(count)).map { $0 }.withUnsafeBufferPointer { gather($0, compact: true) }
    return RecordBatch(
      schema: schema, columns: gathered.columns, count: count, eventTimes: gathered.eventTimes, stamps: gathered.stamps,
      origin: origin?.compacted(), keyHashes: gathered.keyHashes)
  }
}

/// Numbers chunks in the order in which they are met.
package struct ChunkNumbers {
  package private(set) var chunks: [RecordChunk] = []
  private var known: [ObjectIdentifier: Int64] = [:]
  /// The one that was asked for last: rows of a chunk stand together.
  private var recent: (chunk: ObjectIdentifier, number: Int64)?

  package init() {}

  package mutating func number(of chunk: RecordChunk) -> Int64 {
    let identity = ObjectIdentifier(chunk)
    if let recent, recent.chunk == identity { return recent.number }
    let number = known[identity] ?? Int64(chunks.count)
    if number == chunks.count {
      known[identity] = number
      chunks.append(chunk)
    }
    recent = (identity, number)
    return number
  }
}
