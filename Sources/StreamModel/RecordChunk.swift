import Synchronization

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
  /// For message sources: which message each record is; nil where positions are byte offsets.
  package let messageIndex: MessageIndex?

  /// Where stretches of `storage` lie in the partition, in order; empty where positions are byte offsets.
  private let places: [Place]

  /// Which chunk its records were read in: of all that this process reads no two have the same number.
  package let readNumber: UInt64
  /// For a chunk that holds copies of some records: where each message began in the chunk it was read in.
  private let readStarts: [Int32]
  private static let lastReadNumber = Atomic<UInt64>(0)

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
    partition: SourcePartition, offset: Int64, storage: Memory, count: Int, messageIndex: MessageIndex? = nil,
    isFragment: Bool = false, places: [Place] = []
  ) {
    precondition(count + RecordChunk.paddingBytes <= storage.capacityBytes)
    self.partition = partition
    self.offset = offset
    self.storage = storage
    self.count = count
    self.messageIndex = messageIndex
    self.isFragment = isFragment
    self.places = places
    readNumber = RecordChunk.lastReadNumber.add(1, ordering: .relaxed).newValue
    readStarts = []
  }

  /// Copies of records of `chunk`, one a message, in its order; `readStarts` says where each began there.
  init(copiesFrom chunk: RecordChunk, storage: Memory, count: Int, messageIndex: MessageIndex, readStarts: [Int32]) {
    precondition(count + RecordChunk.paddingBytes <= storage.capacityBytes && readStarts.count == messageIndex.count)
    partition = chunk.partition
    offset = chunk.offset
    self.storage = storage
    self.count = count
    self.messageIndex = messageIndex
    isFragment = false
    places = []
    readNumber = chunk.readNumber
    self.readStarts = readStarts
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
    guard let messageIndex else { return offset + Int64(start) }
    return messageIndex.offsets[messageIndex.message(at: start)]
  }

  /// Where the record that starts at byte `start` of this chunk started in the chunk it was read in.
  package func readStart(ofRecordAt start: Int) -> Int {
    guard let messageIndex, !readStarts.isEmpty else { return start }
    return Int(readStarts[messageIndex.message(at: start)])
  }

  /// Roughly what it keeps in memory.
  package var sizeBytes: Int { count + (messageIndex?.sizeBytes ?? 0) + readStarts.count * 4 }

  /// The bytes of a record as they came from outside; the chunk may hold them with line ends replaced.
  package func withOriginal<Result>(
    start: Int, length: Int, _ body: (UnsafeBufferPointer<UInt8>) -> Result
  ) -> Result {
    if let messageIndex, let original = messageIndex.originals[messageIndex.message(at: start)] {
      return original.withUnsafeBufferPointer(body)
    }
    return body(UnsafeBufferPointer(rebasing: bytes[start..<start + length]))
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

/// Which messages a chunk was put together from: one record each, in order, each followed by a line end.
package struct MessageIndex: Sendable {
  /// Where each message begins in the chunk, and how long it is.
  package let starts: [Int32]
  package let lengths: [Int32]
  /// Each message's offset in its partition.
  package let offsets: [Int64]
  /// By number: messages that hold line ends, as they came. In the chunk they have carriage returns in their place, which
  /// mean the same to JSON, and are no more allowed inside its strings.
  package let originals: [Int: [UInt8]]
  /// What is known of messages beside their values: columns with one value a message.
  package let metadata: [Column]

  package init(
    starts: [Int32], lengths: [Int32], offsets: [Int64], originals: [Int: [UInt8]] = [:], metadata: [Column] = []
  ) {
    precondition(starts.count == lengths.count && starts.count == offsets.count && !starts.isEmpty)
    self.starts = starts
    self.lengths = lengths
    self.offsets = offsets
    self.originals = originals
    self.metadata = metadata
  }

  package var count: Int { starts.count }
  package var sizeBytes: Int { starts.count * 16 }

  /// The number of the message that byte `start` of the chunk belongs to.
  package func message(at start: Int) -> Int {
    var low = 0
    var high = starts.count
    while low + 1 < high {
      let middle = (low + high) / 2
      if Int(starts[middle]) <= start { low = middle } else { high = middle }
    }
    return low
  }
}
