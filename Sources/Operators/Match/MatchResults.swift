import Expressions
import StreamModel

/// Gathers matches, a column at a time, and makes batches of them. One owner.
final class MatchResults {
  private let spec: MatchSpec
  private let layout: MatchLayout
  private let referenceSchema: Schema
  /// By reference; nil for one that no measure reads.
  private let references: [ColumnBuilder?]
  private let keys: [ColumnBuilder]
  private let starts = ColumnBuilder(.timestamp)
  private let ends = ColumnBuilder(.timestamp)
  /// Matches with an aggregate that overflows.
  private var overflows: Set<Int> = []
  /// Matches that nobody reads and that are only counted.
  private var uncounted = 0

  init(_ spec: MatchSpec, _ layout: MatchLayout, _ evaluator: MatchEvaluator) {
    self.spec = spec
    self.layout = layout
    referenceSchema = evaluator.referenceSchema
    let read = Set(spec.measures.flatMap(\.expression.columns))
    references = spec.references.enumerated().map { read.contains($0) ? ColumnBuilder($1.type) : nil }
    keys = spec.key.indices.map { ColumnBuilder(spec.outputSchema[$0].type) }
  }

  /// One more that only counts.
  func count() { uncounted += 1 }

  /// Adds a match, the first of `threads`, of the rows from the run's `start` up to place `last`.
  func add(_ threads: MatchThreads, _ run: MatchRun, last: Int, _ blocks: MatchBlocks) {
    let rows = run.rows(blocks)
    for (reference, builder) in references.enumerated() {
      guard let builder else { continue }
      let isWhole = layout.registers[reference].appendResult(
        spec.references[reference], threads[0], threads.sets(0), rows, to: builder)
      guard !isWhole else { continue }
      builder.appendNull()
      overflows.insert(starts.count)
    }
    let first = run[run.start]
    for (builder, column) in zip(keys, spec.key) {
      builder.append(blocks[first.block].batch.columns[column], row: Int(first.row))
    }
    starts.append(int64: blocks.time(first))
    ends.append(int64: blocks.time(run[last]))
  }

  /// Appends the reference's argument on the row at `place`; null where that is before all rows.
  static func append(_ reference: Int, at place: Int, _ rows: MatchRows, to builder: ColumnBuilder) {
    guard place >= 0, case (let column?, let row) = rows.column(reference, at: place) else {
      return builder.appendNull()
    }
    builder.append(column, row: row)
  }

  /// Hands on what was gathered, on the main output or on a port.
  func flush(to output: any OperatorOutput, on port: SidePort? = nil) {
    if uncounted > 0, let port { output.count(uncounted, on: port) }
    uncounted = 0
    guard starts.count > 0 else { return }
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
    for row in overflows { failures[row] = RowFailure(row: row, reason: "an aggregate of the match overflows") }
    overflows = []
    let (starts, ends) = (starts.finish(), ends.finish())
    let references = RecordBatch(
      schema: referenceSchema,
      columns: zip(references, spec.references).map { $0?.finish() ?? .absent($1.type, count: starts.count) },
      count: starts.count, eventTimes: ends)
    var columns = keys.map { $0.finish() }
    for measure in spec.measures {
      let evaluation = measure.expression.evaluate(references)
      columns.append(evaluation.column)
      for failure in evaluation.failures where failures[failure.row] == nil { failures[failure.row] = failure }
    }
    columns += [starts, ends]
    let batch = RecordBatch(schema: spec.outputSchema, columns: columns, count: starts.count, eventTimes: ends)
    return (batch, failures.values.sorted { $0.row < $1.row })
  }
}

extension MatchRegister {
  /// Appends what the reference gives; false, and nothing appended, where that overflows.
  func appendResult(
    _ meaning: PatternReference, _ thread: UnsafeMutableRawPointer, _ sets: [Set<Value>], _ rows: MatchRows,
    to builder: ColumnBuilder
  ) -> Bool {
    let cell = thread + Int(offset)
    func append(row: Int32) {
      guard row != MatchRegister.noRow else { return builder.appendNull() }
      MatchResults.append(Int(reference), at: rows.start + Int(row), rows, to: builder)
    }
    switch form {
    case .nothing: builder.appendNull()
    case .nth: append(row: cell.load(as: Int32.self) > distance ? row(cell, 0) : MatchRegister.noRow)
    case .latest: append(row: cell.load(as: Int32.self) > distance ? row(cell, Int(distance)) : MatchRegister.noRow)
    case .before, .least, .greatest, .firstValue, .lastValue: append(row: cell.load(as: Int32.self))
    case .countRows, .countValues: builder.append(int64: cell.load(as: Int64.self))
    case .distinct: builder.append(int64: Int64(sets[Int(set)].count))
    case .doubleSum:
      let count = cell.load(fromByteOffset: 8, as: Int64.self)
      let sum = cell.load(as: Double.self)
      let result = isAverage(meaning) ? sum / Double(count) : sum
      if count == 0 { builder.appendNull() } else { builder.append(double: result) }
    case .deviation:
      let count = cell.load(as: Double.self)
      let squares = cell.load(fromByteOffset: 16, as: Double.self)
      if count == 0 { builder.appendNull() } else { builder.append(double: (squares / count).squareRoot()) }
    case .exactSum:
      let count = cell.load(fromByteOffset: 16, as: Int64.self)
      guard count > 0 else {
        builder.appendNull()
        return true
      }
      guard cell.load(fromByteOffset: 24, as: Int64.self) == 0,
        let exact = exact(cell.load(as: Int128.self), count, meaning)
      else { return false }
      builder.append(unscaled: exact)
    }
    return true
  }

  private func row(_ cell: UnsafeMutableRawPointer, _ index: Int) -> Int32 {
    cell.load(fromByteOffset: 4 + 4 * index, as: Int32.self)
  }

  private func isAverage(_ meaning: PatternReference) -> Bool { meaning.kind == .aggregate(.avg) }

  /// A sum or an average at the scale of its type.
  private func exact(_ sum: Int128, _ count: Int64, _ meaning: PatternReference) -> Int128? {
    guard case .decimal(_, let scale) = meaning.type else { return Int64(exactly: sum) == nil ? nil : sum }
    guard isAverage(meaning) else {
      return Decimal.fits(sum, precision: DataType.maxDecimalPrecision) ? sum : nil
    }
    var argumentScale = 0
    if case .decimal(_, let scale)? = meaning.argument?.type { argumentScale = scale }
    let (whole, rest) = sum.quotientAndRemainder(dividingBy: Int128(count))
    let power = Decimal.powersOfTen[scale - argumentScale]
    let (scaled, overflow) = whole.multipliedReportingOverflow(by: power)
    let (dividend, restOverflow) = rest.multipliedReportingOverflow(by: power)
    guard !overflow, !restOverflow else { return nil }
    let average = scaled &+ Decimal.divide(dividend, Int128(count), rounding: .halfAwayFromZero)
    return Decimal.fits(average, precision: DataType.maxDecimalPrecision) ? average : nil
  }
}
