import Operators
import State
import StreamModel

/// Runs any operator over a script in every way that must not show, and compares what comes out.
///
/// The ways: record at a time or in batches of any cut; watermarks delivered at once or late; the state snapshot and
/// restored into a fresh operator between any two elements; operators made to let go of their memory after any batch; the state cut by key group into several operators and joined
/// again (where `keys` are given); rows of two inputs in another interleaving (where they commute). In all of them the
/// same rows must come out, on the main output, on ports and as failures; none behind a watermark that was handed on; and
/// at the end no state is left.
///
/// **No one-slot output.** Engines whose operators must stop when their output is full test them with one that takes a single
/// item and refuses the next, with a snapshot at every refusal. Here `emit` never refuses: it blocks until there is room
/// (docs/decisions/0001), and the operator is inside a call for as long as it waits. There is no place to stop at, and no snapshot
/// can be asked for until the call has returned, since barriers are elements of the inbox that the same thread reads: a variant
/// that snapshots at an emission would test a state that never comes to be. What a slow consumer can show is another thing: the
/// batch that it has yet to read must stay as it was emitted, whatever the operator does meanwhile. The output checks that of
/// every batch, on ports too, in all ways.
package struct OperatorHarness {
  /// Which outputs must be the same.
  package enum Comparison: Sendable {
    /// All rows, in any order.
    case rows
    /// All rows; those on the main output in the same order for each key (columns of the output).
    case rowsInOrder(ofKey: [Int])
    /// On the main output the last row of each key (columns of the output); all rows elsewhere.
    case finalRows(ofKey: [Int])
  }

  /// Key columns of each input; nil for an operator that is not keyed, whose state is never cut.
  package var keys: [[Int]]?
  package var comparison: Comparison
  /// Ports that are read; the others are counted.
  package var readPorts: Set<SidePort>
  /// Whether state is left at the end, as a running aggregate's is.
  package var leavesState: Bool
  /// Whether rows of different inputs may be interleaved in another way.
  package var inputsCommute: Bool
  let make: () -> any StreamOperator

  /// `make` gives a fresh operator each time.
  package init(
    keys: [[Int]]? = nil, comparison: Comparison = .rows, readPorts: Set<SidePort> = Set(SidePort.allCases),
    leavesState: Bool = false, inputsCommute: Bool = false, make: @escaping () -> any StreamOperator
  ) {
    self.keys = keys
    self.comparison = comparison
    self.readPorts = readPorts
    self.leavesState = leavesState
    self.inputsCommute = inputsCommute
    self.make = make
  }

  /// Runs `script` in every way. Returns what came out record at a time; throws if any law is broken.
  @discardableResult package func check(_ script: OperatorScript, seed: UInt64 = 1) throws -> CapturedOutput {
    if let fault = script.fault { throw HarnessFailure("the script is impossible: \(fault)") }
    let expected = try run(script, .recordAtATime, seed: seed)
    for (index, variant) in HarnessVariant.all(isKeyed: keys != nil, commutes: inputsCommute).enumerated() {
      let actual = try run(script, variant, seed: seed &+ UInt64(index))
      if let difference = difference(expected, actual) {
        throw HarnessFailure("with \(variant), seed \(seed &+ UInt64(index)): \(difference)")
      }
    }
    return expected
  }

  /// Runs `script` in one way. Throws if a law of output is broken or state is left.
  package func run(_ script: OperatorScript, _ variant: HarnessVariant, seed: UInt64 = 1) throws -> CapturedOutput {
    var random = SeededRandom(seed: seed)
    let script = variant.isInterleavedAnew ? script.interleavedAnew(&random) : script
    let run = try HarnessRun(self, script.inputs, variant, random)
    for element in script.elements { try run.play(element) }
    try run.end()
    run.output.checkWhatWasGiven()
    if let violation = run.output.violations.first { throw HarnessFailure("with \(variant): \(violation)") }
    let left = leavesState ? [] : try run.entriesLeft()
    if let entry = left.first {
      throw HarnessFailure("with \(variant): \(left.count) entries of state are left, such as \(entry)")
    }
    return run.output
  }

  private func difference(_ expected: CapturedOutput, _ actual: CapturedOutput) -> String? {
    if expected.counts != actual.counts { return "counts are \(actual.counts), not \(expected.counts)" }
    if let difference = RowDifference.between(compared(expected.rows), compared(actual.rows)) { return difference }
    guard case .rowsInOrder(let key) = comparison else { return nil }
    let order = Dictionary(grouping: actual.main) { row in key.map { row.values[$0] } }
    for (key, rows) in Dictionary(grouping: expected.main, by: { row in key.map { row.values[$0] } })
    where order[key] != rows {
      return "rows of key \(key) come in the order \(order[key] ?? []), not \(rows)"
    }
    return nil
  }

  private func compared(_ rows: [CapturedRow]) -> [CapturedRow] {
    guard case .finalRows(let key) = comparison else { return rows }
    var last: [[Value]: CapturedRow] = [:]
    for row in rows where row.port == nil && row.failure == nil { last[key.map { row.values[$0] }] = row }
    return rows.filter { $0.port != nil || $0.failure != nil } + last.values
  }
}

/// Compares rows as multisets.
package enum RowDifference {
  /// In words, or nil where both hold the same rows.
  package static func between(_ expected: [CapturedRow], _ actual: [CapturedRow]) -> String? {
    if counted(expected) == counted(actual) { return nil }
    var surplus: [String: Int] = [:]
    for row in actual { surplus[row.description, default: 0] += 1 }
    for row in expected { surplus[row.description, default: 0] -= 1 }
    let missing = surplus.filter { $0.value < 0 }.keys.sorted()
    let extra = surplus.filter { $0.value > 0 }.keys.sorted()
    guard !missing.isEmpty || !extra.isEmpty else { return nil }
    return "\(missing.count) rows are missing, such as \(missing.prefix(5)); "
      + "\(extra.count) are too many, such as \(extra.prefix(5))"
  }

  private static func counted(_ rows: [CapturedRow]) -> [CapturedRow: Int] {
    var counts: [CapturedRow: Int] = [:]
    for row in rows { counts[row, default: 0] += 1 }
    return counts
  }

  /// Throws unless both hold the same rows.
  package static func check(_ what: String, expected: [CapturedRow], actual: [CapturedRow]) throws {
    if let difference = between(expected, actual) { throw HarnessFailure("\(what): \(difference)") }
  }
}
