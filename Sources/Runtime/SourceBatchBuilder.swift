import Connectors
import Expressions
import Formats
import StreamModel
import Topology

/// Makes batches of a source's rows out of decoded chunks: computed columns, event time, origin.
///
/// One per worker.
final class SourceBatchBuilder {
  private let plan: SourcePlan
  private let decoder: any RecordDecoder
  /// Positions in the decoded schema of the columns the decoder builds.
  private let materialized: [Int]
  private let batchRows: Int
  /// The decoded columns and those of the messages.
  private let rowSchema: Schema

  init(_ plan: SourcePlan, needed: Set<Int>, batchRows: Int) {
    self.plan = plan
    self.batchRows = batchRows
    rowSchema = Schema(plan.decodedSchema.fields + plan.metadata)
    var columns = needed.filter { $0 < plan.decodedSchema.count }
    for expression in plan.computed { columns.formUnion(expression.columns.filter { $0 < plan.decodedSchema.count }) }
    if let eventTime = plan.eventTime, eventTime < plan.decodedSchema.count { columns.insert(eventTime) }
    materialized = columns.sorted()
    let isMessages = if case .kafka = plan.connector { true } else { false }
    decoder = plan.format.makeDecoder(
      schema: plan.decodedSchema, materialize: materialized, epochSecondColumns: plan.epochSecondColumns,
      asMessages: isMessages)
  }

  struct Result {
    /// Rows in the chunk's order, not yet stamped, at most `batchRows` each.
    var batches: [RecordBatch]
    /// Records that gave no row.
    var failures: [DecodeFailure]
    var rowCount: Int
    /// The chunk that failures are of.
    var chunk: RecordChunk
  }

  func build(_ chunk: RecordChunk, prologue: [UInt8]) throws -> Result {
    let decoded = try decoder.decode(chunk, prologue: prologue)
    let chunk = decoded.chunk ?? chunk
    guard decoded.rows.count > 0 else {
      return Result(batches: [], failures: decoded.failures, rowCount: 0, chunk: chunk)
    }
    var failures = decoded.failures
    var batch = batch(of: decoded.rows, chunk)
    let bad = rowFailures(&batch)
    if !bad.isEmpty { drop(bad, from: &batch, into: &failures) }
    return Result(batches: cut(batch), failures: failures, rowCount: batch.count, chunk: chunk)
  }

  private func batch(of rows: DecodedRows, _ chunk: RecordChunk) -> RecordBatch {
    var columns: [Column] = []
    columns.reserveCapacity(plan.decodedSchema.count)
    var next = 0
    for index in 0..<plan.decodedSchema.count {
      if next < materialized.count, materialized[next] == index {
        columns.append(rows.columns[next])
        next += 1
      } else {
        columns.append(.absent(plan.decodedSchema[index].type, count: rows.count))
      }
    }
    let untimed =
      plan.eventTime == nil
      ? Column.constant(.timestamp(EventTimes.minimum), .timestamp, count: rows.count)
      : Column.absent(.timestamp, count: rows.count)
    let origin = RecordOrigin(chunk: chunk, ranges: rows.ranges)
    columns += metadata(of: chunk, origin, count: rows.count)
    return RecordBatch(
      schema: rowSchema, columns: columns, count: rows.count, eventTimes: untimed, origin: origin)
  }

  /// What each row's message has beside its value.
  private func metadata(of chunk: RecordChunk, _ origin: RecordOrigin, count: Int) -> [Column] {
    guard !plan.metadata.isEmpty, let messages = chunk.messageIndex else { return [] }
    let numbers = (0..<count).map { Int32(truncatingIfNeeded: messages.message(at: origin.start($0))) }
    return numbers.withUnsafeBufferPointer { numbers in messages.metadata.map { $0.gather(numbers) } }
  }

  /// Adds the computed columns and the event time; returns the rows that have none.
  private func rowFailures(_ batch: inout RecordBatch) -> [RowFailure] {
    var failures: [Int: RowFailure] = [:]
    var columns = batch.columns
    for expression in plan.computed {
      let evaluation = expression.evaluate(batch)
      columns.append(evaluation.column)
      for failure in evaluation.failures where failures[failure.row] == nil { failures[failure.row] = failure }
    }
    var eventTimes = batch.eventTimes
    if let eventTime = plan.eventTime {
      eventTimes = columns[eventTime]
      if eventTimes.validity != nil {
        let name = plan.outputSchema[eventTime].name
        for row in 0..<batch.count where !eventTimes.isValid(row) && failures[row] == nil {
          failures[row] = RowFailure(row: row, reason: "\(name): the event time is null")
        }
      }
    }
    batch = RecordBatch(
      schema: plan.outputSchema, columns: columns, count: batch.count, eventTimes: eventTimes, origin: batch.origin)
    return failures.values.sorted { $0.row < $1.row }
  }

  private func drop(_ bad: [RowFailure], from batch: inout RecordBatch, into failures: inout [DecodeFailure]) {
    let rows = Set(bad.map(\.row))
    for failure in bad {
      guard let origin = batch.origin else { continue }
      let bytes = origin.bytes(at: failure.row)
      failures.append(DecodeFailure(start: origin.start(failure.row), length: bytes.count, reason: failure.reason))
    }
    failures.sort { $0.start < $1.start }
    batch = batch.gather((0..<Int32(batch.count)).filter { !rows.contains(Int($0)) })
  }

  private func cut(_ batch: RecordBatch) -> [RecordBatch] {
    if batch.count == 0 { return [] }
    if batch.count <= batchRows { return [batch] }
    return stride(from: 0, to: batch.count, by: batchRows).map { start in
      batch.gather(Array(Int32(start)..<Int32(min(start + batchRows, batch.count))))
    }
  }
}
