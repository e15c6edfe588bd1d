import StreamModel

/// `lookup`: gives every row the columns of the table's row for its key. Keeps no state: the table is shared and not the job's.
///
/// A batch is answered as a whole: its keys are looked up together, those that are not known are asked for side by side, and the
/// rows go on in their order when all are there. So no row is in flight between two calls, which is what barriers and watermarks rely
/// on; while one subtask waits the others go on.
package final class LookupOperator: StreamOperator {
  private let spec: LookupSpec
  private let table: any LookupTable
  private let encoder: KeyEncoder

  package init(_ spec: LookupSpec, table: any LookupTable) {
    self.spec = spec
    self.table = table
    encoder = KeyEncoder(keyColumns: spec.key)
  }

  package func process(_ batch: RecordBatch, input: Int, to output: any OperatorOutput) throws(OperatorError) {
    encoder.encode(batch)
    let keys = LookupKeys(batch, columns: spec.key, encoder)
    let result = try table.find(keys)
    let choice = spec.asOf.map { versions($0, keys, result) } ?? single(keys, result)
    if choice.missing.isEmpty { return output.emit(enriched(batch, result.rows, choice.rows)) }
    switch spec.missing {
    case .null: output.emit(enriched(batch, result.rows, choice.rows))
    case .port: divide(batch, result, choice, to: output)
    case .fail: try fail(result, choice)
    }
  }

  /// Per row of the batch the table's row, and why a row has none.
  private struct Choice {
    var rows: [Int32] = []
    var missing: [Missing] = []
  }

  private struct Missing {
    let row: Int32
    let slot: Int32
    let cause: Cause
    /// What the cause is about: a time.
    var time: EventTime = 0
  }

  private enum Cause {
    case nullKey, nullTime, unknownKey, noVersion, tooOld
  }

  private func single(_ keys: LookupKeys, _ result: LookupResult) -> Choice {
    let rows = result.rows
    return choose(keys.count, rows.nullRow) { picks, missing in
      result.slots.withUnsafeBufferPointer { slots in
        rows.starts.withUnsafeBufferPointer { starts in
          for row in 0..<slots.count {
            let slot = Int(slots[row])
            if slot >= 0, starts[slot] < starts[slot &+ 1] {
              picks[row] = starts[slot]
            } else {
              let cause = keys.isNull(row) ? Cause.nullKey : .unknownKey
              missing.append(Missing(row: Int32(truncatingIfNeeded: row), slot: Int32(slot), cause: cause))
            }
          }
        }
      }
    }
  }

  private func versions(_ asOf: LookupSpec.AsOf, _ keys: LookupKeys, _ result: LookupResult) -> Choice {
    let column = keys.batch.columns[asOf.column]
    let (times, rows) = (column.int64s, result.rows)
    let maxAge = asOf.maxAgeMilliseconds ?? Int64.max
    return choose(keys.count, rows.nullRow) { picks, missing in
      result.slots.withUnsafeBufferPointer { slots in
        rows.withVersions { versions in
          for row in 0..<slots.count {
            let time = times[row]
            if slots[row] >= 0, column.isValid(row) {
              let version = versions.latest(of: slots[row], at: time)
              if version >= 0, versions.isOpen(version, at: time), time &- versions.from[Int(version)] <= maxAge {
                picks[row] = version
                continue
              }
            }
            missing.append(why(row, slots[row], time, isTimed: column.isValid(row), keys, rows))
          }
        }
      }
    }
  }

  /// Why a row has no version.
  private func why(
    _ row: Int, _ slot: Int32, _ time: EventTime, isTimed: Bool, _ keys: LookupKeys, _ rows: LookupRows
  ) -> Missing {
    var cause = keys.isNull(row) ? Cause.nullKey : .unknownKey
    if !isTimed {
      cause = .nullTime
    } else if slot >= 0, rows.version(of: slot, at: time) != nil {
      cause = .tooOld
    } else if slot >= 0, !rows.range(slot).isEmpty {
      cause = .noVersion
    }
    return Missing(row: Int32(truncatingIfNeeded: row), slot: slot, cause: cause, time: time)
  }

  /// A choice whose rows and whose missing ones `body` writes; rows that it leaves out have `nullRow`.
  private func choose(
    _ count: Int, _ nullRow: Int32, _ body: (UnsafeMutablePointer<Int32>, inout [Missing]) -> Void
  ) -> Choice {
    var choice = Choice()
    choice.rows = [Int32](unsafeUninitializedCapacity: count) { picks, filled in
      picks.initialize(repeating: nullRow)
      if let start = picks.baseAddress { body(start, &choice.missing) }
      filled = count
    }
    return choice
  }

  // MARK: Rows out

  private func enriched(_ batch: RecordBatch, _ rows: LookupRows, _ picks: [Int32]) -> RecordBatch {
    let columns = picks.withUnsafeBufferPointer { picks in
      spec.items.map { item in
        switch item {
        case .input(let column): batch.columns[column]
        case .taken(let number): rows.columns[number].gather(picks)
        }
      }
    }
    return batch.with(schema: spec.outputSchema, columns: columns)
  }

  /// Hands on the rows that have a counterpart, and the others to the port.
  private func divide(_ batch: RecordBatch, _ result: LookupResult, _ choice: Choice, to output: any OperatorOutput) {
    var isMissing = [Bool](repeating: false, count: batch.count)
    for missing in choice.missing { isMissing[Int(missing.row)] = true }
    let kept = (0..<Int32(batch.count)).filter { !isMissing[Int($0)] }
    if !kept.isEmpty {
      output.emit(enriched(batch.gather(kept), result.rows, kept.map { choice.rows[Int($0)] }))
    }
    guard output.isRead(.missing) else { return output.count(choice.missing.count, on: .missing) }
    let lost = kept.isEmpty ? batch : batch.gather(choice.missing.map(\.row))
    output.emit(lost, on: .missing, reasons: choice.missing.map { reason($0, result) })
  }

  private func fail(_ result: LookupResult, _ choice: Choice) throws(OperatorError) {
    // A table that does not answer now may answer when the job has been started again; a row that is not there stays away.
    if let unknown = choice.missing.first(where: { result.failures[$0.slot] != nil }) {
      throw .unavailable(reason(unknown, result))
    }
    throw .row(reason(choice.missing[0], result))
  }

  private func reason(_ missing: Missing, _ result: LookupResult) -> String {
    if let failure = result.failures[missing.slot] { return failure }
    switch missing.cause {
    case .nullKey: return "the key is null"
    case .nullTime: return "the time to look up at is null"
    case .unknownKey: return "the table has no row for it"
    case .noVersion:
      return "the table has no version of its row that is valid at \(CivilTime.formatTimestamp(missing.time))"
    case .tooOld:
      return "the version that is valid at \(CivilTime.formatTimestamp(missing.time)) is older than `max_age` allows"
    }
  }
}
