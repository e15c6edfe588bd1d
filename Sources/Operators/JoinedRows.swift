import StreamModel

/// Results of a join on their way out: pairs of a row of the batch at hand and a stored row, or left rows alone.
///
/// They go out in batches of bounded size. Pairs are only valid until either side's state changes: `begin`, then `add`* and
/// `end`, before rows are stored. One owner.
final class JoinedRows {
  private let schema: Schema
  private let sides: [JoinSide]
  private var batch: RecordBatch?
  private var input = 0
  private let rows: UnsafeMutablePointer<Int32>
  private let partners: UnsafeMutablePointer<StoredRow>
  private var count = 0

  /// Rows of a batch that goes out.
  private static let limit = 4096

  init(schema: Schema, sides: [JoinSide]) {
    self.schema = schema
    self.sides = sides
    rows = .allocate(capacity: JoinedRows.limit)
    partners = .allocate(capacity: JoinedRows.limit)
  }

  deinit {
    rows.deallocate()
    partners.deallocate()
  }

  func begin(_ batch: RecordBatch, input: Int) {
    self.batch = batch
    self.input = input
  }

  @inline(__always) func add(_ row: Int32, _ partner: StoredRow, to output: any OperatorOutput) {
    rows[count] = row
    partners[count] = partner
    count &+= 1
    if count == JoinedRows.limit { flush(to: output) }
  }

  /// Emits what is left of the pairs and lets go of the batch.
  func end(to output: any OperatorOutput) {
    flush(to: output)
    batch = nil
  }

  private func flush(to output: any OperatorOutput) {
    guard let batch, count > 0 else { return }
    let own = UnsafeBufferPointer(start: rows, count: count)
    let times = Memory(capacityBytes: count * 8)
    let later = times.base.assumingMemoryBound(to: Int64.self)
    let eventTimes = batch.eventTimes.int64s
    for index in 0..<count { later[index] = max(eventTimes[Int(rows[index])], partners[index].time) }
    let here = sides[input].columns.map { batch.columns[$0].gather(own) }
    let there = stored(1 - input)
    emit(input == 0 ? here + there : there + here, Column(type: .timestamp, count: count, values: times), to: output)
    count = 0
  }

  @inline(__always) func addAlone(_ row: StoredRow, to output: any OperatorOutput) {
    partners[count] = row
    count &+= 1
    if count == JoinedRows.limit { flushAlone(to: output) }
  }

  /// Emits stored left rows with nulls for the right side.
  func flushAlone(to output: any OperatorOutput) {
    guard count > 0 else { return }
    let times = Memory(capacityBytes: count * 8)
    let own = times.base.assumingMemoryBound(to: Int64.self)
    for index in 0..<count { own[index] = partners[index].time }
    emit(stored(0) + nulls(count), Column(type: .timestamp, count: count, values: times), to: output)
    count = 0
  }

  /// Emits left rows of `batch` with nulls for the right side.
  func emitAlone(_ batch: RecordBatch, _ rows: [Int32], to output: any OperatorOutput) {
    guard !rows.isEmpty else { return }
    rows.withUnsafeBufferPointer { rows in
      emit(batch.columns.map { $0.gather(rows) } + nulls(rows.count), batch.eventTimes.gather(rows), to: output)
    }
  }

  private func stored(_ side: Int) -> [Column] {
    let contents = (0..<count).map { partners[$0].content }
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
