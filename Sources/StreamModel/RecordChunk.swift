/// A partition of a source: one file, or one partition of a topic.
package final class SourcePartition: Sendable {
  /// The source's name in the topology.
  package let source: String
  /// A file's path, or `topic-partition`.
  package let name: String
  /// Its rank among the source's partitions: the order in which they were found.
  package let index: Int

  package init(source: String, name: String, index: Int) {
    self.source = source
    self.name = name
    self.index = index
  }
}

/// Raw bytes of one partition, cut at record ends: the unit in which a source is read and decoded.
///
/// Rows decoded from it keep a reference, so that a row which turns out late or unusable can be reported with its own bytes.
///
/// Invariant for `Sendable`: everything is written before `init` and never after.
package final class RecordChunk: @unchecked Sendable {
  package let partition: SourcePartition
  /// Position of the first byte in its partition: a byte offset in the (decompressed) file.
  package let offset: Int64
  /// `count` bytes of records and at least `paddingBytes` readable bytes behind them.
  package let storage: Memory
  package let count: Int
  /// For message sources: the position of each record by its start in `storage`; nil where positions are byte offsets.
  package let positions: [Int32: Int64]?

  /// Where stretches of `storage` lie in the partition, in order; empty where positions are byte offsets.
  private let places: [Place]

  /// A stretch of records that the partition holds in another form: unpacked from a compressed block.
  package struct Place: Hashable, Sendable {
    /// Of its first byte in `storage`; it ends where the next one starts.
    package let start: Int
    /// Of the block in its partition.
    package let position: Int64
    /// Of the block, in the partition.
    package let length: Int

    package init(start: Int, position: Int64, length: Int) {
      self.start = start
      self.position = position
      self.length = length
    }
  }

  /// Whether this is a piece of one record that was too long to be held whole; none of it can be decoded.
  package let isFragment: Bool

  /// Bytes that parsers may read past the end.
  package static let paddingBytes = 64

  package init(
    partition: SourcePartition, offset: Int64, storage: Memory, count: Int, positions: [Int32: Int64]? = nil,
    isFragment: Bool = false, places: [Place] = []
  ) {
    precondition(count + RecordChunk.paddingBytes <= storage.capacityBytes)
    self.partition = partition
    self.offset = offset
    self.storage = storage
    self.count = count
    self.positions = positions
    self.isFragment = isFragment
    self.places = places
  }

  /// Copies `bytes` into a chunk of its own.
  package convenience init(partition: SourcePartition, offset: Int64, copying bytes: UnsafeRawBufferPointer) {
    let storage = Memory(capacityBytes: bytes.count + RecordChunk.paddingBytes)
    if let base = bytes.baseAddress { storage.base.copyMemory(from: base, byteCount: bytes.count) }
    (storage.base + bytes.count).initializeMemory(as: UInt8.self, repeating: 0x20, count: RecordChunk.paddingBytes)
    self.init(partition: partition, offset: offset, storage: storage, count: bytes.count)
  }

  package var bytes: UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(start: storage.base.assumingMemoryBound(to: UInt8.self), count: count)
  }

  /// The position in the partition of the record that starts at byte `start` of this chunk.
  package func position(ofRecordAt start: Int) -> Int64 {
    if !places.isEmpty { return position(ofUnpacked: start) }
    return positions?[Int32(truncatingIfNeeded: start)] ?? offset + Int64(start)
  }

  /// A position between the block's first byte and its last, in the order of the records.
  private func position(ofUnpacked start: Int) -> Int64 {
    var (low, high) = (0, places.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if places[middle].start <= start { low = middle } else { high = middle }
    }
    let place = places[low]
    let end = low + 1 < places.count ? places[low + 1].start : count
    let inside = max(0, start - place.start)
    return place.position + Int64(inside * place.length / max(end - place.start, place.length, 1))
  }
}
