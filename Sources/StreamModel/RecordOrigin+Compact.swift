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

  /// A chunk of the records of `rows`, whose places in it are written to `views`.
  private func compact(
    _ chunk: RecordChunk, _ rows: [Int], _ views: UnsafeMutablePointer<UInt64>
  ) -> RecordChunk {
    let total = rows.reduce(0) { $0 + bytes(at: $1).count }
    let storage = Memory(capacityBytes: total + RecordChunk.paddingBytes)
    var (starts, lengths): ([Int32], [Int32]) = ([], [])
    var originals: [Int: [UInt8]] = [:]
    var end = 0
    for row in rows {
      let record = bytes(at: row)
      if let start = record.baseAddress { (storage.base + end).copyMemory(from: start, byteCount: record.count) }
      if let index = chunk.messageIndex, let original = index.originals[index.message(at: start(row))] {
        originals[starts.count] = original
      }
      starts.append(Int32(truncatingIfNeeded: end))
      lengths.append(Int32(truncatingIfNeeded: record.count))
      views[row] = packView(start: end, length: record.count)
      end += record.count
    }
    (storage.base + end).initializeMemory(as: UInt8.self, repeating: 0x20, count: RecordChunk.paddingBytes)
    let index = MessageIndex(
      starts: starts, lengths: lengths, offsets: rows.map { position(at: $0) }, originals: originals)
    return RecordChunk(
      partition: chunk.partition, offset: chunk.offset, storage: storage, count: total, messageIndex: index)
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
