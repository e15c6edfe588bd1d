import Checkpoint
import Operators
import StreamModel
import Synchronization

/// Counts of one node in one subtask, or of a source's share of a node over all its workers. Written by one thread at a
/// time, once a batch; read by anyone at any time.
package final class NodeCounters: Sendable {
  /// What is counted; nil for nodes that only restore the order of rows.
  let node: CountedNode?
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

  init(_ node: CountedNode? = nil) {
    self.node = node
    ports = Dictionary(uniqueKeysWithValues: SidePort.allCases.map { ($0, PortCounter()) })
  }

  func add(_ rows: Int, to port: SidePort) { ports[port]?.rows.add(rows, ordering: .relaxed) }
  func rows(on port: SidePort) -> Int { ports[port]?.rows.load(ordering: .relaxed) ?? 0 }

  /// Moves what has been counted here to `target`.
  func drain(into target: NodeCounters) {
    target.rowsIn.add(rowsIn.exchange(0, ordering: .relaxed), ordering: .relaxed)
    target.rowsOut.add(rowsOut.exchange(0, ordering: .relaxed), ordering: .relaxed)
    target.failed.add(failed.exchange(0, ordering: .relaxed), ordering: .relaxed)
    target.failedResults.add(failedResults.exchange(0, ordering: .relaxed), ordering: .relaxed)
    target.bytes.add(bytes.exchange(0, ordering: .relaxed), ordering: .relaxed)
    for (port, counter) in ports {
      target.ports[port]?.rows.add(counter.rows.exchange(0, ordering: .relaxed), ordering: .relaxed)
    }
  }

  /// What the counters say now; nil for a node that is not counted.
  var count: CheckpointManifest.NodeCount? {
    guard let node else { return nil }
    var count = CheckpointManifest.NodeCount(name: node.name, kind: node.kind.rawValue)
    count.rowsIn = rowsIn.load(ordering: .relaxed)
    count.rowsOut = rowsOut.load(ordering: .relaxed)
    count.failed = failed.load(ordering: .relaxed)
    count.failedResults = failedResults.load(ordering: .relaxed)
    count.bytes = bytes.load(ordering: .relaxed)
    count.ports = SidePort.allCases.compactMap { port in
      let rows = rows(on: port)
      return rows == 0 ? nil : .init(name: port.rawValue, rows: rows)
    }
    return count
  }
}

/// A node of the topology that is counted.
struct CountedNode: Hashable, Sendable {
  let name: String
  let kind: NodeCounts.Kind
}

/// What a node's counters said at one moment.
package struct NodeCounts: Sendable {
  package enum Kind: String, Sendable {
    case source, filter, project, deduplicate, aggregate, join, match, lookup, rate, invoice, sink, view
    case deadLetters = "dead_letters"
  }
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

  init(_ kind: Kind, _ count: CheckpointManifest.NodeCount) {
    name = count.name
    self.kind = kind
    rowsIn = count.rowsIn
    rowsOut = count.rowsOut
    failed = count.failed
    failedResults = count.failedResults
    bytes = count.bytes
    ports = SidePort.allCases.compactMap { port in
      count.ports.first { $0.name == port.rawValue && $0.rows > 0 }.map { (port, $0.rows) }
    }
  }

  /// Whether every row that came in is accounted for by exactly one term.
  package var reconciles: Bool {
    let aside = failed + ports.reduce(0) { $0 + $1.rows }
    switch kind {
    case .source, .filter, .project, .deduplicate, .lookup, .rate: return rowsIn == rowsOut + aside
    case .aggregate, .join, .match, .invoice, .sink, .view, .deadLetters: return rowsIn >= aside
    }
  }
}
