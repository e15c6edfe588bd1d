/// A few thousand rows of one stream, column by column: the unit in which records travel and are worked on.
///
/// Beside its columns a batch carries, for each row, what the engine needs and a topology cannot drop: the event time, the
/// row's place in its source, and the watermark that lateness is judged by. Immutable; copying shares all storage.
package struct RecordBatch: Sendable {
  package let schema: Schema
  package let columns: [Column]
  package let count: Int
  /// Event time of each row in ms; all `EventTimes.minimum` in a stream without event time.
  package let eventTimes: Column
  /// The watermark of each row's own partition just before the row. Nil when no row is behind, which is the common case:
  /// a row is *behind* when its event time ≤ its stamp, and the stamps of other rows decide nothing.
  package let stamps: Column?
  /// Where rows were read from; nil for rows that a step made.
  package let origin: RecordOrigin?
  /// Hashes of the columns by which the batch was exchanged, so that the receiver need not hash again.
  package let keyHashes: KeyHashes?
  /// Set where each row stands for several that were aggregated before the exchange. Such a batch has no columns, and only the
  /// aggregate whose rows they are takes it.
  package let partials: PartialAggregates?

  package init(
    schema: Schema, columns: [Column], count: Int, eventTimes: Column, stamps: Column? = nil,
    origin: RecordOrigin? = nil, keyHashes: KeyHashes? = nil, partials: PartialAggregates? = nil
  ) {
    assert(columns.count == schema.count || partials != nil && columns.isEmpty)
    assert(columns.allSatisfy { $0.count == count } && eventTimes.count == count)
    self.schema = schema
    self.columns = columns
    self.count = count
    self.eventTimes = eventTimes
    self.stamps = stamps
    self.origin = origin
    self.keyHashes = keyHashes
    self.partials = partials
  }

  /// How many rows of the stream the batch stands for.
  package var rowCount: Int { partials?.rowCount ?? count }

  /// Whether row `row` is behind its own partition's watermark.
  @inline(__always) package func isBehind(_ row: Int) -> Bool {
    guard let stamps else { return false }
    return eventTimes.int64s[row] <= stamps.int64s[row]
  }

  /// The rows at `indices`, in that order, with everything they carry.
  package func gather(_ indices: UnsafeBufferPointer<Int32>, compact: Bool = false) -> RecordBatch {
    assert(partials == nil, "rows that stand for others are not picked from")
    return RecordBatch(
      schema: schema, columns: columns.map { $0.gather(indices, compact: compact) }, count: indices.count,
      eventTimes: eventTimes.gather(indices), stamps: stamps?.gather(indices), origin: origin?.gather(indices),
      keyHashes: keyHashes?.gather(indices))
  }

  package func gather(_ indices: [Int32]) -> RecordBatch {
    indices.withUnsafeBufferPointer { gather($0) }
  }

  /// The same rows with other columns. Keeps event time, stamps and origin; drops key hashes.
  package func with(schema: Schema, columns: [Column]) -> RecordBatch {
    RecordBatch(
      schema: schema, columns: columns, count: count, eventTimes: eventTimes, stamps: stamps, origin: origin)
  }

  /// The same rows with the hashes of their keys.
  package func with(_ keyHashes: KeyHashes) -> RecordBatch {
    RecordBatch(
      schema: schema, columns: columns, count: count, eventTimes: eventTimes, stamps: stamps, origin: origin,
      keyHashes: keyHashes)
  }

  /// Row `row` as single values. For edges and tests.
  package func values(at row: Int) -> [Value] { columns.map { $0.value(at: row) } }

  /// Roughly what the batch keeps in memory, for bounds.
  package var sizeBytes: Int {
    var size = count * (16 + (partials?.strideBytes ?? 0)) + (partials?.keys.sizeBytes ?? 0) + (origin?.sizeBytes ?? 0)
    for column in columns where !column.isAbsent {
      size += column.count * (column.type.layout == .view ? 24 : column.type.layout.strideBytes)
    }
    return size
  }
}

/// Hashes of encoded keys (`KeyEncoder`), one a row.
package struct KeyHashes: Sendable {
  /// The columns hashed, as positions in the batch's schema.
  package let columns: [Int]
  /// An int64 column.
  package let hashes: Column

  package init(columns: [Int], hashes: Column) {
    self.columns = columns
    self.hashes = hashes
  }

  package func gather(_ indices: UnsafeBufferPointer<Int32>) -> KeyHashes {
    KeyHashes(columns: columns, hashes: hashes.gather(indices))
  }
}
