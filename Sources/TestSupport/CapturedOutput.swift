import Expressions
import Operators
import StreamModel

/// One row that an operator gave: where, when and what.
package struct CapturedRow: Hashable, Sendable, CustomStringConvertible {
  /// Nil for the main output.
  package let port: SidePort?
  package let eventTime: EventTime
  /// The watermark the row comes behind, if it does.
  package let stamp: EventTime?
  package let values: [Value]
  /// Why the row could not be evaluated; nil for rows that were.
  package let failure: String?

  package init(
    port: SidePort? = nil, at eventTime: EventTime, stamp: EventTime? = nil, _ values: [Value], failure: String? = nil
  ) {
    self.port = port
    self.eventTime = eventTime
    self.stamp = stamp
    self.values = values
    self.failure = failure
  }

  package var description: String {
    let place = failure.map { "failed (\($0))" } ?? port?.rawValue ?? "main"
    return "\(place) at \(eventTime)\(stamp.map { " behind \($0)" } ?? ""): \(values)"
  }
}

/// An operator's output that keeps everything as single rows, and checks what holds for every operator's output.
package final class CapturedOutput: OperatorOutput {
  package private(set) var rows: [CapturedRow] = []
  /// Rows counted on ports that are not read.
  package private(set) var counts: [SidePort: Int] = [:]
  /// Laws of output that were broken, in order.
  package private(set) var violations: [String] = []
  /// The sizes of the batches on the main output.
  package private(set) var batchSizes: [Int] = []
  /// The watermark last handed on: no row on the main output may come behind it unless its own stamp says so.
  package var handedOn = EventTimes.minimum
  private let readPorts: Set<SidePort>
  /// Every batch that was given away, and where its rows begin in `rows`.
  private var given: [(batch: RecordBatch, port: SidePort?, first: Int)] = []

  package init(reading readPorts: Set<SidePort> = Set(SidePort.allCases)) { self.readPorts = readPorts }

  /// Rows on the main output, in order.
  package var main: [CapturedRow] { rows.filter { $0.port == nil && $0.failure == nil } }
  /// Rows on `port`, in order.
  package func rows(on port: SidePort) -> [CapturedRow] { rows.filter { $0.port == port } }
  /// Rows that could not be evaluated, in order.
  package var failed: [CapturedRow] { rows.filter { $0.failure != nil } }

  package func emit(_ batch: RecordBatch) {
    check(batch)
    batchSizes.append(batch.count)
    given.append((batch, nil, rows.count))
    for row in 0..<batch.count {
      checkTime(batch, row)
      rows.append(captured(batch, row))
    }
  }

  package func emit(_ batch: RecordBatch, on port: SidePort) {
    check(batch)
    if !readPorts.contains(port) { violations.append("rows were built for \(port.rawValue), which nothing reads") }
    given.append((batch, port, rows.count))
    for row in 0..<batch.count { rows.append(captured(batch, row, port: port)) }
  }

  /// Notes a violation where a batch no longer holds what it held when it was emitted: the next subtask may still have it in its
  /// inbox, or be reading it on another core, while the operator goes on.
  package func checkWhatWasGiven() {
    for (batch, port, first) in given {
      let now = (0..<batch.count).map { captured(batch, $0, port: port) }
      if now != Array(rows[first..<first + batch.count]) {
        violations.append("a batch of \(batch.count) rows was changed after it had been emitted")
      }
    }
    given = []
  }

  package func isRead(_ port: SidePort) -> Bool { readPorts.contains(port) }

  package func count(_ rows: Int, on port: SidePort) {
    if readPorts.contains(port) { violations.append("rows were only counted on \(port.rawValue), which is read") }
    counts[port, default: 0] += rows
  }

  package func fail(_ batch: RecordBatch, _ failures: [RowFailure]) {
    if failures.isEmpty { violations.append("no failure was reported as failures") }
    for failure in failures { rows.append(captured(batch, failure.row, failure: failure.reason)) }
  }

  private func captured(
    _ batch: RecordBatch, _ row: Int, port: SidePort? = nil, failure: String? = nil
  ) -> CapturedRow {
    let time = batch.eventTimes.int64s[row]
    let stamp = batch.isBehind(row) ? batch.stamps?.int64s[row] : nil
    return CapturedRow(port: port, at: time, stamp: stamp, batch.values(at: row), failure: failure)
  }

  private func check(_ batch: RecordBatch) {
    if batch.count == 0 { violations.append("an empty batch was emitted") }
    for (field, column) in zip(batch.schema.fields, batch.columns) where !column.isAbsent {
      if field.type != column.type { violations.append("column \(field.name) is \(column.type), not \(field.type)") }
      if !field.nullable && column.hasNulls { violations.append("column \(field.name) has nulls and may not") }
    }
  }

  private func checkTime(_ batch: RecordBatch, _ row: Int) {
    guard handedOn > EventTimes.minimum else { return }
    let time = batch.eventTimes.int64s[row]
    let reach = batch.isBehind(row) ? batch.stamps?.int64s[row] ?? time : time - 1
    if reach < handedOn {
      violations.append("\(captured(batch, row)) came after watermark \(handedOn) had been handed on")
    }
  }
}
