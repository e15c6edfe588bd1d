import Operators
import StreamModel
import Topology

/// How a job is doing, for progress lines and summaries: read by anyone at any time.
package final class JobProgress: Sendable {
  let stages: [StageProgress]
  private let nodes: [[NodeCounters]]
  private let named: [(name: String, kind: NodeCounts.Kind, counters: NodeCounters)]
  private let deadLetters: NodeCounters

  init(_ graph: ExecutionGraph) {
    stages = graph.stages.map { _ in StageProgress() }
    var byName: [String: NodeCounters] = [:]
    var named: [(name: String, kind: NodeCounts.Kind, counters: NodeCounters)] = []
    var nodes: [[NodeCounters]] = []
    for stage in graph.stages {
      nodes.append(
        stage.nodes.map { node in
          guard let kind = node.kind else { return NodeCounters() }
          let key = kind == .sink ? "sink \(node.name)" : node.name
          if let known = byName[key] { return known }
          let counters = NodeCounters()
          byName[key] = counters
          named.append((node.name, kind, counters))
          return counters
        })
    }
    deadLetters = nodes[graph.deadLetterStage][0]
    self.nodes = nodes
    self.named = named.filter { $0.counters !== nodes[graph.deadLetterStage][0] }
  }

  func counters(_ stage: Int, _ node: Int) -> NodeCounters { nodes[stage][node] }

  func counters(for source: String) -> NodeCounters {
    named.first { $0.kind == .source && $0.name == source }?.counters ?? NodeCounters()
  }

  package var deadLetterCount: Int { deadLetters.rowsIn.load(ordering: .relaxed) }

  /// Records read by all sources so far.
  package var recordsRead: Int {
    named.filter { $0.kind == .source }.reduce(0) { $0 + $1.counters.rowsIn.load(ordering: .relaxed) }
  }

  /// Rows given to all sinks so far.
  package var rowsWritten: Int {
    named.filter { $0.kind == .sink }.reduce(0) { $0 + $1.counters.rowsIn.load(ordering: .relaxed) }
  }

  /// The lowest watermark of any stage that has one; nil before the first.
  package var watermark: EventTime? {
    let reached = stages.map(\.currentWatermark).filter { $0 != EventTimes.minimum && $0 != EventTimes.maximum }
    return reached.min()
  }

  /// All counters as they are now, sources first, then steps, then sinks.
  package func counts() -> [NodeCounts] {
    named.map { entry in
      NodeCounts(
        name: entry.name, kind: entry.kind, rowsIn: entry.counters.rowsIn.load(ordering: .relaxed),
        rowsOut: entry.counters.rowsOut.load(ordering: .relaxed),
        failed: entry.counters.failed.load(ordering: .relaxed),
        failedResults: entry.counters.failedResults.load(ordering: .relaxed),
        bytes: entry.counters.bytes.load(ordering: .relaxed),
        ports: SidePort.allCases.compactMap { port in
          let rows = entry.counters.rows(on: port)
          return rows == 0 ? nil : (port, rows)
        })
    }
  }
}

extension ExecutionGraph.Node {
  fileprivate var kind: NodeCounts.Kind? {
    switch body {
    case .source: .source
    case .step(let step):
      switch step.operation {
      case .filter: .filter
      case .project: .project
      case .deduplicate: .deduplicate
      case .aggregate: .aggregate
      case .join: .join
      }
    case .union, .sort: nil
    case .sink: .sink
    }
  }
}
