import StreamModel

/// One row of a test's input: its values, its event time, and the watermark it comes behind, if any.
package struct TestRow: Hashable, Sendable {
  package let values: [Value]
  package let eventTime: EventTime
  /// The watermark of the row's own partition just before the row; nil where it does not matter, since the row is not behind.
  package let stamp: EventTime?
  /// Where the row was read from; nil for a row that a step made.
  package let place: Place?

  /// A partition and a position in it.
  package struct Place: Hashable, Sendable {
    package let partition: String
    package let position: Int64

    package init(_ partition: String, _ position: Int64) {
      self.partition = partition
      self.position = position
    }
  }

  package init(at eventTime: EventTime, stamp: EventTime? = nil, place: Place? = nil, _ values: [Value]) {
    self.values = values
    self.eventTime = eventTime
    self.stamp = stamp
    self.place = place
  }

  package var isBehind: Bool { stamp.map { eventTime <= $0 } ?? false }
}

/// Builds batches row by row: `TestRows(schema).row(at: 1000, ["a", 1]).row(at: 2000, ["b", nil]).batch()`.
package struct TestRows: Sendable {
  package let schema: Schema
  package private(set) var rows: [TestRow]

  package init(_ schema: Schema, _ rows: [TestRow] = []) {
    self.schema = schema
    self.rows = rows
  }

  /// These rows and one more.
  package func row(
    at eventTime: EventTime, stamp: EventTime? = nil, place: TestRow.Place? = nil, _ values: [Value]
  ) -> TestRows {
    precondition(values.count == schema.count, "a row of \(schema) has \(schema.count) values, not \(values.count)")
    return TestRows(schema, rows + [TestRow(at: eventTime, stamp: stamp, place: place, values)])
  }

  /// The rows as one batch. It has stamps only if some row is behind, and an origin only if all rows have a place.
  package func batch() -> RecordBatch {
    RecordBatch(
      schema: schema, columns: schema.fields.indices.map(column), count: rows.count,
      eventTimes: int64s(.timestamp, rows.map(\.eventTime)),
      stamps: rows.contains(where: \.isBehind)
        ? int64s(.timestamp, rows.map { $0.stamp ?? EventTimes.minimum }) : nil,
      origin: origin())
  }

  private func column(_ index: Int) -> Column {
    let builder = ColumnBuilder(schema[index].type, capacity: rows.count)
    for row in rows { builder.append(row.values[index]) }
    return builder.finish()
  }

  private func int64s(_ type: DataType, _ values: [Int64]) -> Column {
    let builder = ColumnBuilder(type, capacity: values.count)
    for value in values { builder.append(int64: value) }
    return builder.finish()
  }

  /// A chunk for every row, holding the row's values as text.
  private func origin() -> RecordOrigin? {
    guard !rows.isEmpty, rows.allSatisfy({ $0.place != nil }) else { return nil }
    var chunks: [RecordChunk] = []
    var views: [Int64] = []
    for row in rows {
      guard let place = row.place else { continue }
      let text = Array(row.values.description.utf8)
      let partition = SourcePartition(source: "test", name: place.partition, index: 0)
      chunks.append(text.withUnsafeBytes { RecordChunk(partition: partition, offset: place.position, copying: $0) })
      views.append(Int64(bitPattern: packView(start: 0, length: text.count)))
    }
    return RecordOrigin(
      chunks: chunks, positions: int64s(.int64, rows.indices.map { Int64($0) }), ranges: int64s(.int64, views))
  }
}
