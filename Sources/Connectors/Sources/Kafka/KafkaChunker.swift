import Formats
import Glibc
import KafkaClient
import StreamModel

/// Puts messages together into chunks, one a partition: values one behind the other, each with a line end.
///
/// Steps: `begin`, `add` for every record of what the consumer gave at once, then `pieces` of each partition that got some,
/// while the messages live. Values are copied once, from the client's memory to the chunk that the decoder reads.
///
/// A message without a value (a tombstone), or with a blank one, is a piece of its own that does not decode: decoders skip
/// blank lines in silence. A CSV message whose quotes do not close by themselves gets a chunk of its own, so that it cannot
/// swallow those behind it.
struct KafkaChunker {
  private let format: Format
  private let metadata: [KafkaSourceSpec.MetadataColumn]
  private var records: [[KafkaMessage]] = []
  /// The partitions that got records, in the order of their first.
  private(set) var slots: [Int] = []
  private(set) var recordCount = 0
  private(set) var byteCount = 0
  private var known: [Identity: Int] = [:]

  private struct Identity: Hashable {
    let topic: OpaquePointer?
    let partition: Int32
  }

  struct Piece {
    let read: SourceRead
    /// The offset after its last record.
    let next: Int64
  }

  init(format: Format, metadata: [KafkaSourceSpec.MetadataColumn]) {
    self.format = format
    self.metadata = metadata
  }

  mutating func begin(slotCount: Int) {
    for slot in slots { records[slot].removeAll(keepingCapacity: true) }
    while records.count < slotCount { records.append([]) }
    slots.removeAll(keepingCapacity: true)
    recordCount = 0
    byteCount = 0
  }

  /// The partition a message is of; nil for one that is not read.
  mutating func slot(of message: KafkaMessage, _ slotOf: [TopicPartition: Int]) -> Int? {
    let identity = Identity(topic: message.topicIdentity, partition: message.partition)
    if let slot = known[identity] { return slot }
    let slot = slotOf[TopicPartition(topic: message.topic, partition: message.partition)]
    known[identity] = slot
    return slot
  }

  mutating func add(_ message: KafkaMessage, _ slot: Int) {
    if records[slot].isEmpty { slots.append(slot) }
    records[slot].append(message)
    recordCount += 1
    byteCount += (message.value?.count ?? 0) + 1
  }

  /// What the decoder gets of one partition, in order.
  func pieces(of slot: Int, partition: SourcePartition) -> [Piece] {
    var pieces: [Piece] = []
    var run: [KafkaMessage] = []
    for message in records[slot] {
      let flaw = flaw(of: message)
      guard flaw != nil || standsAlone(message) else {
        run.append(message)
        continue
      }
      if !run.isEmpty { pieces.append(chunk(of: run, partition)) }
      run.removeAll(keepingCapacity: true)
      pieces.append(flaw.map { undecodable(message, $0, partition) } ?? chunk(of: [message], partition))
    }
    if !run.isEmpty { pieces.append(chunk(of: run, partition)) }
    return pieces
  }

  private func flaw(of message: KafkaMessage) -> String? {
    if case .debeziumJSON = format, message.value == nil { return nil }
    guard let value = message.value else { return "the record is a tombstone: it has no value" }
    if !isText { return nil }
    return value.allSatisfy { $0 == 0x20 || ($0 >= 0x09 && $0 <= 0x0D) } ? "the record is blank" : nil
  }

  /// Whether records are lines of text.
  private var isText: Bool {
    switch format {
    case .json, .csv, .debeziumJSON: true
    case .raw, .avro: false
    }
  }

  /// A message's value; of a Debezium tombstone the null that it stands for, which its decoder reads over.
  private func content(of message: KafkaMessage) -> UnsafeRawBufferPointer {
    let null: StaticString = "null"
    return message.value ?? UnsafeRawBufferPointer(start: null.utf8Start, count: null.utf8CodeUnitCount)
  }

  private func standsAlone(_ message: KafkaMessage) -> Bool {
    guard case .csv(let options) = format, let value = message.value else { return false }
    let quotes = value.reduce(into: 0) { count, byte in if byte == options.quote { count += 1 } }
    return quotes % 2 == 1 || (quotes > 0 && KafkaChunker.holdsLineEnd(value))
  }

  private static func holdsLineEnd(_ value: UnsafeRawBufferPointer) -> Bool {
    guard let start = value.baseAddress else { return false }
    return memchr(start, 0x0A, value.count) != nil
  }

  private func undecodable(_ message: KafkaMessage, _ reason: String, _ partition: SourcePartition) -> Piece {
    let bytes = message.value ?? UnsafeRawBufferPointer(start: nil, count: 0)
    let chunk = RecordChunk(partition: partition, offset: message.offset, copying: bytes)
    let failure = DecodeFailure(start: 0, length: bytes.count, reason: reason)
    return Piece(read: .undecodable(chunk, failure), next: message.offset + 1)
  }

  private func chunk(of run: [KafkaMessage], _ partition: SourcePartition) -> Piece {
    let size = run.reduce(0) { $0 + content(of: $1).count + 1 }
    let storage = Memory(capacityBytes: size + RecordChunk.paddingBytes)
    var starts: [Int32] = []
    var lengths: [Int32] = []
    var offsets: [Int64] = []
    var originals: [Int: [UInt8]] = [:]
    starts.reserveCapacity(run.count)
    lengths.reserveCapacity(run.count)
    offsets.reserveCapacity(run.count)
    var end = 0
    for (index, message) in run.enumerated() {
      let value = content(of: message)
      starts.append(Int32(truncatingIfNeeded: end))
      lengths.append(Int32(truncatingIfNeeded: value.count))
      offsets.append(message.offset)
      if let start = value.baseAddress { (storage.base + end).copyMemory(from: start, byteCount: value.count) }
      if replacesLineEnds, KafkaChunker.holdsLineEnd(value) {
        originals[index] = [UInt8](value)
        KafkaChunker.replaceLineEnds(storage.base + end, value.count)
      }
      end += value.count
      storage.base.storeBytes(of: 0x0A, toByteOffset: end, as: UInt8.self)
      end += 1
    }
    (storage.base + end).initializeMemory(as: UInt8.self, repeating: 0x20, count: RecordChunk.paddingBytes)
    let index = MessageIndex(
      starts: starts, lengths: lengths, offsets: offsets, originals: originals,
      metadata: metadata.map { KafkaChunker.column($0, run) })
    let chunk = RecordChunk(
      partition: partition, offset: offsets[0], storage: storage, count: end, messageIndex: index)
    return Piece(read: .chunk(chunk, prologue: []), next: offsets[offsets.count - 1] + 1)
  }

  /// A JSON message may be spread over lines, and is one record all the same.
  private var replacesLineEnds: Bool {
    switch format {
    case .json, .debeziumJSON: true
    case .csv, .raw, .avro: false
    }
  }

  private static func replaceLineEnds(_ start: UnsafeMutableRawPointer, _ count: Int) {
    let bytes = start.assumingMemoryBound(to: UInt8.self)
    for index in 0..<count where bytes[index] == 0x0A { bytes[index] = 0x0D }
  }

  private static func column(_ column: KafkaSourceSpec.MetadataColumn, _ run: [KafkaMessage]) -> Column {
    let builder = ColumnBuilder(column.field.type, capacity: run.count)
    for message in run {
      switch column.content {
      case .key: append(message.key, to: builder)
      case .header(let name):
        let value = message.header(name)
        if let value { value.withUnsafeBytes { append($0, to: builder) } } else { builder.appendNull() }
      case .timestamp: builder.append(message.timestamp.map { .timestamp($0) } ?? .null)
      case .topic: builder.append(.string(message.topic))
      case .partition: builder.append(.int64(Int64(message.partition)))
      case .offset: builder.append(.int64(message.offset))
      }
    }
    return builder.finish()
  }

  /// Text that is not UTF-8 is repaired: a key is what it is, and no reason to lose its record.
  private static func append(_ bytes: UnsafeRawBufferPointer?, to builder: ColumnBuilder) {
    guard let bytes else { return builder.appendNull() }
    builder.append(string: String(decoding: bytes, as: UTF8.self))
  }
}
