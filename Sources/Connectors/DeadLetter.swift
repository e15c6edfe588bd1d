import Formats
import StreamModel

/// The columns of dead letters: what it takes to find, mend and replay a record.
package let deadLetterSchema = Schema([
  Field("topology", .string, nullable: false),
  /// The step or source that could not go on with it.
  Field("step", .string, nullable: false),
  Field("port", .string, nullable: false),
  Field("reason", .string, nullable: false),
  Field("source", .string),
  Field("partition", .string),
  Field("offset", .int64),
  Field("event_time", .timestamp),
  Field("failed_at", .timestamp, nullable: false),
  /// Base64 of the original bytes; of a row that a step made, base64 of the row as JSON.
  Field("record", .string, nullable: false),
])

/// Makes dead letters of records that did not decode, and of rows that could not be used. One owner.
package struct DeadLetterEncoder {
  private let topology: String
  private let rowEncoder = Format.json.makeEncoder()

  package init(topology: String) { self.topology = topology }

  /// One dead letter for each failure, in the order of the failures. Their step is the source.
  package func letters(
    for failures: [DecodeFailure], in chunk: RecordChunk, port: String, failedAt: EventTime
  ) -> RecordBatch {
    let rows = DeadLetterRows(topology: topology, failedAt: failedAt, capacity: failures.count)
    for failure in failures {
      rows.append(step: chunk.partition.source, port: port, reason: failure.reason)
      rows.append(place: chunk.partition, offset: chunk.position(ofRecordAt: failure.start))
      rows.append(eventTime: EventTimes.minimum)
      chunk.withOriginal(start: failure.start, length: failure.length) { rows.append(record: $0) }
    }
    return rows.finish()
  }

  /// One dead letter for each row of `batch`.
  /// - Parameter reasons: One a row.
  package func letters(
    for batch: RecordBatch, reasons: [String], step: String, port: String, failedAt: EventTime
  ) -> RecordBatch {
    precondition(reasons.count == batch.count, "every row has its reason")
    let rows = DeadLetterRows(topology: topology, failedAt: failedAt, capacity: batch.count)
    for (row, reason) in reasons.enumerated() {
      rows.append(step: step, port: port, reason: reason)
      rows.append(place: batch.origin?.chunk(at: row).partition, offset: batch.origin?.position(at: row))
      rows.append(eventTime: batch.eventTimes.int64s[row])
    }
    if let origin = batch.origin {
      for row in 0..<batch.count {
        let length = origin.bytes(at: row).count
        origin.chunk(at: row).withOriginal(start: origin.start(row), length: length) { rows.append(record: $0) }
      }
    } else {
      appendRows(of: batch, to: rows)
    }
    return rows.finish()
  }

  /// One dead letter for each row of `batch`, all for the same reason.
  package func letters(
    for batch: RecordBatch, reason: String, step: String, port: String, failedAt: EventTime
  ) -> RecordBatch {
    letters(
      for: batch, reasons: Array(repeating: reason, count: batch.count), step: step, port: port, failedAt: failedAt)
  }

  /// Rows that have no bytes of their own, as JSON lines without their line ends.
  private func appendRows(of batch: RecordBatch, to rows: DeadLetterRows) {
    var buffer = ByteBuffer()
    rowEncoder.encode(batch, into: &buffer)
    for line in buffer.bytes.split(separator: UInt8(ascii: "\n")) {
      rows.append(record: UnsafeBufferPointer(rebasing: line))
    }
  }
}

/// Builds the columns of dead letters.
private final class DeadLetterRows {
  private let topology: String
  private let failedAt: EventTime
  private let builders: [ColumnBuilder]
  private let eventTimes = ColumnBuilder(.timestamp)

  init(topology: String, failedAt: EventTime, capacity: Int) {
    self.topology = topology
    self.failedAt = failedAt
    builders = deadLetterSchema.fields.map { ColumnBuilder($0.type, capacity: capacity) }
  }

  func append(step: String, port: String, reason: String) {
    builders[0].append(string: topology)
    builders[1].append(string: step)
    builders[2].append(string: port)
    builders[3].append(string: reason)
    builders[8].append(int64: failedAt)
  }

  func append(place partition: SourcePartition?, offset: Int64?) {
    builders[4].append(partition.map { .string($0.source) } ?? .null)
    builders[5].append(partition.map { .string($0.name) } ?? .null)
    builders[6].append(offset.map { .int64($0) } ?? .null)
  }

  /// - Parameter time: `EventTimes.minimum` where there is none.
  func append(eventTime time: EventTime) {
    builders[7].append(time == EventTimes.minimum ? .null : .timestamp(time))
    eventTimes.append(int64: time)
  }

  func append(record bytes: UnsafeBufferPointer<UInt8>) {
    Base64.encode(bytes).withUnsafeBufferPointer { builders[9].append(bytes: $0) }
  }

  func finish() -> RecordBatch {
    let columns = builders.map { $0.finish() }
    return RecordBatch(
      schema: deadLetterSchema, columns: columns, count: columns[0].count, eventTimes: eventTimes.finish())
  }
}
