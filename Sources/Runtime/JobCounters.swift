import Operators
import Synchronization

/// Counts of one node over all its subtasks. Written by subtasks once a batch, read by anyone at any time.
package final class NodeCounters: Sendable {
  let rowsIn = Atomic<Int>(0)
  let rowsOut = Atomic<Int>(0)
  /// Rows that could not be evaluated, or records that did not decode.
  let failed = Atomic<Int>(0)
  /// Rows that it made itself and that have no value.
  let failedResults = Atomic<Int>(0)
  let bytes = Atomic<Int>(0)
  let ports: [SidePort: PortCounter]

  final class PortCounter: Sendable {
    let rows = Atomic<Int>(0)
  }

  init() {
    ports = Dictionary(uniqueKeysWithValues: SidePort.allCases.map { ($0, PortCounter()) })
  }

  func add(_ rows: Int, to port: SidePort) { ports[port]?.rows.add(rows, ordering: .relaxed) }
  func rows(on port: SidePort) -> Int { ports[port]?.rows.load(ordering: .relaxed) ?? 0 }
}

/// What a node's counters said at one moment.
package struct NodeCounts: Sendable {
  package enum Kind: String, Sendable { case source, filter, project, deduplicate, aggregate, join, sink }
  package let name: String
  package let kind: Kind
  /// Rows (of a source: records) that came in.
  package let rowsIn: Int
  package let rowsOut: Int
  package let failed: Int
  /// Results that have no value. They did not come in, and are no term of the reconciliation.
  package let failedResults: Int
  package let bytes: Int
  /// Side ports on which rows were counted.
  package let ports: [(port: SidePort, rows: Int)]

  /// Whether every row that came in is accounted for by exactly one term.
  package var reconciles: Bool {
    let aside = failed + ports.reduce(0) { $0 + $1.rows }
    switch kind {
    case .source, .filter, .project, .deduplicate: return rowsIn == rowsOut + aside
    case .aggregate, .join, .sink: return rowsIn >= aside
    }
  }
}
