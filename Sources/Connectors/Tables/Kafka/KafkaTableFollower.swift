import Formats
import KafkaClient
import Operators
import StreamModel

/// Reads a compacted topic and keeps of each record key the newest record, as it came.
///
/// Invariant for `Sendable`: one caller at a time: `KafkaTable` while it is made, then its worker.
final class KafkaTableFollower: @unchecked Sendable {
  private let spec: KafkaTableSpec
  private let place: String
  private let layout: TableLayout
  private let consumer: KafkaConsumer
  private let partitionCount: Int32
  private let decoder: any RecordDecoder
  private var entries: [[UInt8]: Entry] = [:]
  private var sizeBytes = 0
  /// Partitions whose end has not been met yet.
  private var unread: Set<Int32> = []
  /// Records without a key, which nothing can replace: the first of them.
  private var keyless: TopicPlace?

  private struct TopicPlace: CustomStringConvertible {
    let partition: Int32
    let offset: Int64
    var description: String { "partition \(partition), offset \(offset)" }
  }

  private struct Entry {
    let value: [UInt8]
    let place: TopicPlace
  }

  private static let timeoutMilliseconds: Int32 = 10_000
  private static let batch = 10_000
  /// How long reading may stand still before the broker counts as away.
  private static let stallNanoseconds: Int64 = 30_000_000_000

  init(_ spec: KafkaTableSpec, place: String, layout: TableLayout) throws(ConnectorError) {
    self.spec = spec
    self.place = place
    self.layout = layout
    decoder = spec.format.makeDecoder(
      schema: layout.schema, materialize: Array(0..<layout.schema.count), epochSecondColumns: [])
    do {
      consumer = try KafkaConsumer(spec.cluster, group: "weir.tables")
      let topic = try consumer.handle.topic(spec.topic, timeoutMilliseconds: KafkaTableFollower.timeoutMilliseconds)
      partitionCount = topic?.partitionCount ?? 0
      if partitionCount > 0 {
        try consumer.assign(
          (0..<partitionCount).map { partition in
            let place = TopicPartition(topic: spec.topic, partition: partition)
            return PartitionOffset(place, offset: KafkaConsumer.beginning)
          })
      }
    } catch {
      throw .kafka(error, place: "\(place): topic \(spec.topic)", bootstrap: spec.cluster.bootstrap)
    }
    guard partitionCount > 0 else {
      throw ConnectorError(
        "\(place).topic: \(spec.topic): there is no such topic at \(spec.cluster.bootstrap) — create it, or correct the name"
      )
    }
    unread = Set(0..<partitionCount)
  }

  /// Reads until the end of every partition has been met.
  func readToEnd() throws(ConnectorError) {
    var movedAt = Clock.monotonicNanoseconds()
    while !unread.isEmpty {
      let left = unread.count
      if try poll(milliseconds: 100) || unread.count < left { movedAt = Clock.monotonicNanoseconds() }
      guard Clock.monotonicNanoseconds() - movedAt < KafkaTableFollower.stallNanoseconds else {
        throw ConnectorError(
          "\(place): topic \(spec.topic): no broker gives its records — start the broker, or correct `bootstrap:` (\(spec.cluster.bootstrap))",
          isRetriable: true)
      }
    }
  }

  /// Takes what there is, or the first that comes within `milliseconds`; says whether any of it changes the table.
  func poll(milliseconds: Int32) throws(ConnectorError) -> Bool {
    let messages = consumer.poll(KafkaTableFollower.batch, milliseconds: milliseconds)
    var hasChanged = false
    var failure: KafkaError?
    for index in 0..<messages.count {
      switch messages[index].kind {
      case .record:
        take(messages[index])
        hasChanged = true
      case .end: unread.remove(messages[index].partition)
      case .failure(let error): if !error.isRetriable { failure = error }
      }
    }
    if let failure {
      throw .kafka(failure, place: "\(place): topic \(spec.topic)", bootstrap: spec.cluster.bootstrap)
    }
    guard sizeBytes <= TableFile.maxBytes else {
      throw ConnectorError(
        "\(place): topic \(spec.topic) holds more than \(TableFile.maxBytes >> 20) MiB — such a table is held in memory; use a database"
      )
    }
    return hasChanged
  }

  private func take(_ message: KafkaMessage) {
    let position = TopicPlace(partition: message.partition, offset: message.offset)
    guard let key = message.key.map({ [UInt8]($0) }) else {
      keyless = keyless ?? position
      return
    }
    let value = message.value.map { [UInt8]($0) }
    let old = entries[key]
    sizeBytes += (value.map { key.count + $0.count } ?? 0) - (old.map { key.count + $0.value.count } ?? 0)
    entries[key] = value.map { Entry(value: $0, place: position) }
  }

  // MARK: The table

  private func fault(_ text: String) -> ConnectorError {
    ConnectorError("\(place): topic \(spec.topic): \(text)")
  }

  /// The table of what has been read.
  func index() throws(ConnectorError) -> LookupIndex {
    if let keyless {
      throw fault(
        "\(keyless): the record has no key, so that nothing can replace it — give every record of a table one")
    }
    // In an order of their own, so that the same records give the same table and the same faults.
    let rows = entries.values.sorted { ($0.place.partition, $0.place.offset) < ($1.place.partition, $1.place.offset) }
    let batch = try decoded(rows)
    do { return try LookupIndex(batch, layout) } catch { throw fault("\(error)") }
  }

  private func decoded(_ rows: [Entry]) throws(ConnectorError) -> RecordBatch {
    guard let chunk = chunk(of: rows) else {
      return batch(layout.schema.fields.map { ColumnBuilder($0.type).finish() }, 0)
    }
    let decoded: DecodedChunk
    do { decoded = try decoder.decode(chunk, prologue: []) } catch { throw fault(error.description) }
    if let failure = decoded.failures.first {
      let row = chunk.messageIndex?.message(at: failure.start) ?? 0
      throw fault("\(rows[row].place): \(failure.reason) — write the record again, or take it away")
    }
    // Decoders read over blank lines.
    if let blank = rows.first(where: { $0.value.allSatisfy { $0 == 0x20 || ($0 >= 0x09 && $0 <= 0x0D) } }) {
      throw fault("\(blank.place): the record is blank — write it again, or take it away")
    }
    return batch(decoded.rows.columns, decoded.rows.count)
  }

  private func batch(_ columns: [Column], _ count: Int) -> RecordBatch {
    RecordBatch(
      schema: layout.schema, columns: columns, count: count,
      eventTimes: .constant(.timestamp(EventTimes.minimum), .timestamp, count: count))
  }

  /// The rows as a source of messages gives them; nil for none.
  private func chunk(of rows: [Entry]) -> RecordChunk? {
    if rows.isEmpty { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(rows.reduce(0) { $0 + $1.value.count + 1 })
    var starts: [Int32] = []
    for row in rows {
      starts.append(Int32(truncatingIfNeeded: bytes.count))
      bytes += isText ? row.value.map { $0 == 0x0A ? 0x0D : $0 } : row.value
      bytes.append(0x0A)
    }
    let storage = Memory(capacityBytes: bytes.count + RecordChunk.paddingBytes)
    bytes.withUnsafeBytes { content in
      if let start = content.baseAddress { storage.base.copyMemory(from: start, byteCount: content.count) }
    }
    (storage.base + bytes.count).initializeMemory(as: UInt8.self, repeating: 0x20, count: RecordChunk.paddingBytes)
    let index = MessageIndex(
      starts: starts, lengths: rows.map { Int32(truncatingIfNeeded: $0.value.count) }, offsets: rows.map(\.place.offset)
    )
    return RecordChunk(
      partition: SourcePartition(source: "table", name: spec.topic, index: 0), offset: 0, storage: storage,
      count: bytes.count, messageIndex: index)
  }

  private var isText: Bool { if case .avro = spec.format { false } else { true } }
}
