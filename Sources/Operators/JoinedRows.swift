import StreamModel

/// Results of a join on their way out: pairs of a row of the batch at hand and a stored row, or left rows alone.
///
/// Pairs are only valid until either side's state changes: `begin`, then `add` and `flush`, before rows are stored.
struct JoinedRows {
  private let schema: Schema
  private let sides: [JoinSide]
  private var batch: RecordBatch?
  private var input = 0
  private var rows: [Int32] = []
  private var partners: [StoredRow] = []

  /// Rows of a batch that goes out.
  private static let limit = 4096

  init(schema: Schema, sides: [JoinSide]) {
    self.schema = schema
    self.sides = sides
  }

  var isFull: Bool { partners.count >= JoinedRows.limit }

  mutating func begin(_ batch: RecordBatch, input: Int) {
    self.batch = batch
    self.input = input
  }

  @inline(__always) mutating func add(_ row: Int32, _ partner: StoredRow) {
    rows.append(row)
    partners.append(partner)
  }

  /// Emits the pairs.
  mutating func flush(to output: any OperatorOutput) {
    guard let batch, !rows.isEmpty else { return }
    let own = rows.withUnsafeBufferPointer { rows in sides[input].columns.map { batch.columns[$0].gather(rows) } }
    let other = stored(1 - input)
    let times = ColumnBuilder(.timestamp, capacity: rows.count)
    for (row, partner) in zip(rows, partners) {
      times.append(int64: max(batch.eventTimes.int64s[Int(row)], partner.time))
    }
    emit(input == 0 ? own + other : other + own, times.finish(), to: output)
    rows.removeAll(keepingCapacity: true)
    partners.removeAll(keepingCapacity: true)
  }

  mutating func addAlone(_ row: StoredRow) { partners.append(row) }

  /// Emits stored left rows with nulls for the right side.
  mutating func flushAlone(to output: any OperatorOutput) {
    guard !partners.isEmpty else { return }
    let times = ColumnBuilder(.timestamp, capacity: partners.count)
    for row in partners { times.append(int64: row.time) }
    emit(stored(0) + nulls(partners.count), times.finish(), to: output)
    partners.removeAll(keepingCapacity: true)
  }

  /// Emits left rows of `batch` with nulls for the right side.
  func emitAlone(_ batch: RecordBatch, _ rows: [Int32], to output: any OperatorOutput) {
    guard !rows.isEmpty else { return }
    rows.withUnsafeBufferPointer { rows in
      emit(batch.columns.map { $0.gather(rows) } + nulls(rows.count), batch.eventTimes.gather(rows), to: output)
    }
  }

  private func stored(_ side: Int) -> [Column] {
    let contents = partners.map(\.content)
    return (0..<sides[side].layout.columnCount).map { sides[side].layout.read($0, contents) }
  }

  private func nulls(_ count: Int) -> [Column] {
    sides[1].columns.indices.map { index in
      Column.constant(.null, schema[schema.count - sides[1].columns.count + index].type, count: count)
    }
  }

  private func emit(_ columns: [Column], _ times: Column, to output: any OperatorOutput) {
    output.emit(RecordBatch(schema: schema, columns: columns, count: times.count, eventTimes: times))
  }
}
