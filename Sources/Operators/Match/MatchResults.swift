import Expressions
import StreamModel

/// Gathers matches and makes batches of them.
struct MatchResults {
  private struct Match {
    let first: MatchRow
    let end: EventTime
    let registers: [MatchRegister]
  }

  private let spec: MatchSpec
  private let referenceSchema: Schema
  private var matches: [Match] = []

  init(_ spec: MatchSpec, _ evaluator: MatchEvaluator) {
    self.spec = spec
    referenceSchema = evaluator.referenceSchema
  }

  mutating func add(first: MatchRow, last: MatchRow, _ thread: MatchThread) {
    matches.append(Match(first: first, end: last.time, registers: thread.registers))
  }

  /// Hands on what was gathered, on the main output or on a port.
  mutating func flush(to output: any OperatorOutput, on port: SidePort? = nil) {
    guard !matches.isEmpty else { return }
    defer { matches.removeAll(keepingCapacity: true) }
    if let port, !output.isRead(port) { return output.count(matches.count, on: port) }
    let (batch, failures) = batch()
    if !failures.isEmpty { output.failResults(batch.gather(failures.map { Int32($0.row) }), renumbered(failures)) }
    let failed = Set(failures.map(\.row))
    let whole = failed.isEmpty ? batch : batch.gather((0..<Int32(batch.count)).filter { !failed.contains(Int($0)) })
    guard whole.count > 0 else { return }
    if let port { output.emit(whole, on: port) } else { output.emit(whole) }
  }

  private func renumbered(_ failures: [RowFailure]) -> [RowFailure] {
    failures.enumerated().map { RowFailure(row: $0, reason: $1.reason) }
  }

  private func batch() -> (RecordBatch, [RowFailure]) {
    var failures: [Int: RowFailure] = [:]
    let references = referenceRows(&failures)
    var columns = spec.key.map(keyColumn)
    for measure in spec.measures {
      let evaluation = measure.expression.evaluate(references)
      columns.append(evaluation.column)
      for failure in evaluation.failures where failures[failure.row] == nil { failures[failure.row] = failure }
    }
    let ends = times { $0.end }
    columns += [times { $0.first.time }, ends]
    let batch = RecordBatch(schema: spec.outputSchema, columns: columns, count: matches.count, eventTimes: ends)
    return (batch, failures.values.sorted { $0.row < $1.row })
  }

  /// The references' values, a row a match.
  private func referenceRows(_ failures: inout [Int: RowFailure]) -> RecordBatch {
    let read = Set(spec.measures.flatMap(\.expression.columns))
    let columns = spec.references.enumerated().map { index, reference -> Column in
      guard read.contains(index) else { return .absent(reference.type, count: matches.count) }
      let builder = ColumnBuilder(reference.type, capacity: matches.count)
      for (row, match) in matches.enumerated() {
        if let value = match.registers[index].result(reference) {
          builder.append(value)
        } else {
          builder.appendNull()
          failures[row] = failures[row] ?? RowFailure(row: row, reason: "an aggregate of the match overflows")
        }
      }
      return builder.finish()
    }
    return RecordBatch(
      schema: referenceSchema, columns: columns, count: matches.count, eventTimes: times { $0.end })
  }

  private func keyColumn(_ column: Int) -> Column {
    let builder = ColumnBuilder(spec.outputSchema[spec.key.firstIndex(of: column) ?? 0].type, capacity: matches.count)
    for match in matches { builder.append(match.first.block.batch.columns[column], row: match.first.row) }
    return builder.finish()
  }

  private func times(_ time: (Match) -> EventTime) -> Column {
    let builder = ColumnBuilder(.timestamp, capacity: matches.count)
    for match in matches { builder.append(int64: time(match)) }
    return builder.finish()
  }
}
