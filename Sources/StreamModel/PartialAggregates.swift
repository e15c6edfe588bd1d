/// Aggregates of rows that a batch stands for, one a row of the batch, computed before the rows were exchanged.
///
/// Row `i` of the batch has the event time of one of its rows, and no columns: its key is `keys`' row `i`, and its aggregates
/// are the record at `i × strideBytes`, laid out as whoever takes it lays out its own.
package struct PartialAggregates: Sendable {
  package let keys: EncodedKeyRows
  package let records: Memory
  package let strideBytes: Int
  /// How many rows the batch stands for.
  package let rowCount: Int

  package init(keys: EncodedKeyRows, records: Memory, strideBytes: Int, rowCount: Int) {
    self.keys = keys
    self.records = records
    self.strideBytes = strideBytes
    self.rowCount = rowCount
  }
}

/// Encoded keys of rows, end to end, and their hashes (`KeyEncoder`).
package struct EncodedKeyRows: Sendable {
  private let bytesStorage: Memory
  private let offsetStorage: Memory
  private let hashStorage: Memory

  /// The keys of `rows` among those that `encoder` holds.
  package init(_ rows: UnsafeBufferPointer<Int32>, of encoder: KeyEncoder) {
    let (source, sourceOffsets, sourceHashes) = (encoder.bytes, encoder.offsets, encoder.hashes)
    offsetStorage = Memory(capacityBytes: (rows.count + 1) * 8)
    hashStorage = Memory(capacityBytes: rows.count * 8)
    let offsets = offsetStorage.base.assumingMemoryBound(to: Int.self)
    let hashes = hashStorage.base.assumingMemoryBound(to: UInt64.self)
    var end = 0
    for (index, row) in rows.enumerated() {
      offsets[index] = end
      end &+= sourceOffsets[Int(row) &+ 1] &- sourceOffsets[Int(row)]
      hashes[index] = sourceHashes[Int(row)]
    }
    offsets[rows.count] = end
    bytesStorage = Memory(capacityBytes: end)
    let bytes = bytesStorage.base
    for (index, row) in rows.enumerated() {
      let start = offsets[index]
      copyLoosely(source + sourceOffsets[Int(row)], to: bytes + start, offsets[index &+ 1] &- start)
    }
  }

  package var bytes: UnsafeRawPointer { UnsafeRawPointer(bytesStorage.base) }

  /// Row `r` lies in `bytes` from `offsets[r]` to `offsets[r + 1]`.
  package var offsets: UnsafePointer<Int> { UnsafePointer(offsetStorage.base.assumingMemoryBound(to: Int.self)) }
  package var hashes: UnsafePointer<UInt64> { UnsafePointer(hashStorage.base.assumingMemoryBound(to: UInt64.self)) }
  package var sizeBytes: Int { bytesStorage.capacityBytes + offsetStorage.capacityBytes + hashStorage.capacityBytes }
}
