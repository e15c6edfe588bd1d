import Checkpoint
import Operators
import StreamModel
import Topology

/// How a job is doing, for progress lines and summaries: read by anyone at any time.
///
/// Counts are of the job's whole life: what the checkpoint it went on from had counted, and what came since.
package final class JobProgress: Sendable {
  package let stages: [StageProgress]
  /// Since this attempt began.
  package let latency = JobLatency()
  let pace: AttemptPace
  /// Wall-clock ms since 1970 at which the job began anew: since when it counts.
  package let countedSince: Int64
  /// By stage and subtask; a source's workers share one set.
  private let counters: [[[NodeCounters]]]
  private let nodes: [Node]
  /// What lookups have counted since this attempt began, by step.
  package let lookups: [(step: String, counters: LookupCounters)]

  /// How to ask the sources for their lag, once there are some.
  private let sources = Guarded<[(name: String, coordinator: SourceCoordinator)]>([])

  private struct Node {
    let identity: CountedNode
    /// What earlier runs counted.
    let base: CheckpointManifest.NodeCount
    var counters: [NodeCounters]

    /// Its counts now.
    var count: CheckpointManifest.NodeCount {
      var sum = base
      for own in counters { if let count = own.count { sum.add(count) } }
      return sum
    }
  }

  /// `restored`: what the checkpoint that the job goes on from had counted.
  init(
    _ graph: ExecutionGraph, restored: CheckpointManifest.Counters? = nil,
    lookups: [(step: String, counters: LookupCounters)] = [], pace: AttemptPace = AttemptPace(slowNanoseconds: 0),
    now: Int64 = Clock.wallMilliseconds()
  ) {
    self.pace = pace
    self.lookups = lookups
    stages = graph.stages.map { StageProgress(name: $0.name, parallelism: $0.parallelism) }
    countedSince = restored?.since ?? now
    counters = graph.stages.indices.map { stage in
      let sets = graph.stages[stage].source == nil ? graph.stages[stage].parallelism : 1
      return (0..<sets).map { _ in graph.nodes(of: stage).map { NodeCounters($0) } }
    }
    nodes = JobProgress.gather(counters, restored)
  }

  private static func gather(
    _ counters: [[[NodeCounters]]], _ restored: CheckpointManifest.Counters?
  ) -> [Node] {
    var nodes: [Node] = []
    var position: [CountedNode: Int] = [:]
    for own in counters.joined().joined() {
      guard let identity = own.node else { continue }
      if let index = position[identity] {
        nodes[index].counters.append(own)
        continue
      }
      position[identity] = nodes.count
      let base = restored?.nodes.first { $0.name == identity.name && $0.kind == identity.kind.rawValue }
      nodes.append(
        Node(
          identity: identity, base: base ?? .init(name: identity.name, kind: identity.kind.rawValue),
          counters: [own]))
    }
    return nodes
  }

  /// Where a subtask counts, by node; of a source, where its workers' counts go when their turn has come.
  func counters(_ stage: Int, _ subtask: Int) -> [NodeCounters] {
    counters[stage][min(subtask, counters[stage].count - 1)]
  }

  /// What earlier runs of the job counted.
  var base: CheckpointManifest.Counters { .init(since: countedSince, nodes: nodes.map(\.base)) }

  private func total(
    of kind: NodeCounts.Kind, _ value: KeyPath<CheckpointManifest.NodeCount, Int>, fromBase: Bool = true
  ) -> Int {
    nodes.filter { $0.identity.kind == kind }.reduce(0) { sum, node in
      sum + node.count[keyPath: value] - (fromBase ? 0 : node.base[keyPath: value])
    }
  }

  package var deadLetterCount: Int { total(of: .deadLetters, \.rowsIn) }

  /// Records read by all sources so far.
  package var recordsRead: Int { total(of: .source, \.rowsIn) }

  /// Records read by all sources since the checkpoint that the job went on from.
  package var recordsReadSinceStart: Int { total(of: .source, \.rowsIn, fromBase: false) }

  /// Whether it reads slowly what earlier attempts have failed in.
  package var repeatsSlowly: Bool { pace.isSlow }

  /// Whether nothing has moved since the checkpoint that the job went on from.
  var isUnmoved: Bool { nodes.allSatisfy { $0.count.rowsIn == $0.base.rowsIn } }

  /// Rows given to all sinks so far.
  package var rowsWritten: Int { total(of: .sink, \.rowsIn) }

  /// The lowest watermark of any stage that has one; nil before the first.
  package var watermark: EventTime? {
    let reached = stages.map(\.currentWatermark).filter { $0 != EventTimes.minimum && $0 != EventTimes.maximum }
    return reached.min()
  }

  /// One partition of a source, and how many records lie in it that have not been read.
  package struct PartitionLag: Equatable, Sendable {
    package let source: String
    package let partition: String
    package let records: Int64
  }

  func attach(_ sources: [(name: String, coordinator: SourceCoordinator)]) {
    self.sources.withLock { $0 = sources }
  }

  /// By partition of the sources that know it (Kafka), in their order. Blocks for as long as a broker takes to answer, half a
  /// second at most; what was heard in the last seconds is not asked again.
  package func lag() -> [PartitionLag] {
    sources.withLock { $0 }.flatMap { source in
      source.coordinator.lag.map { PartitionLag(source: source.name, partition: $0.partition, records: $0.records) }
    }
  }

  /// All counters as they are now, sources first, then steps, then sinks.
  package func counts() -> [NodeCounts] {
    nodes.filter { $0.identity.kind != .deadLetters }.map { NodeCounts($0.identity.kind, $0.count) }
  }
}

extension ExecutionGraph {
  /// What is counted at each node of a stage.
  func nodes(of stage: Int) -> [CountedNode?] {
    stages[stage].nodes.map { node in
      guard let kind = node.kind else { return nil }
      return CountedNode(name: node.countedName, kind: stage == deadLetterStage ? .deadLetters : kind)
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
      case .match: .match
      case .lookup: .lookup
      case .rate: .rate
      case .invoice: .invoice
      }
    case .union, .sort: nil
    case .sink: .sink
    case .view: .view
    }
  }

  fileprivate var countedName: String {
    if case .view(let view, _) = body { return view.name }
    return name
  }
}
