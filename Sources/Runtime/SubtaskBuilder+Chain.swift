import Connectors
import Operators
import StreamModel
import Topology
import Views

/// The operators of a subtask, and what they do.
extension SubtaskBuilder {
  func makeChain(
    _ stage: Int, _ subtask: Int, _ edges: [Int: EdgeWriter], _ reporter: DeadLetterReporter?
  ) -> OperatorChain {
    let failure = ChainFailure()
    // A source's workers count for themselves, and hand the counts on in the order of their tickets.
    let counters =
      graph.stages[stage].source == nil
      ? progress.counters(stage, subtask) : graph.nodes(of: stage).map { NodeCounters($0) }
    var nodes: [ChainNode] = []
    for (index, node) in graph.stages[stage].nodes.enumerated() {
      nodes.append(
        ChainNode(
          name: node.name, role: node.stateRole ?? "", work: work(of: node, stage, subtask),
          counters: counters[index],
          policy: SubtaskBuilder.policy(of: node), failure: failure, deadLetters: reporter,
          rejectsToDeadLetters: SubtaskBuilder.rejectsToDeadLetters(node)))
    }
    for (index, node) in graph.stages[stage].nodes.enumerated() {
      nodes[index].targets = node.destinations.mapValues { destinations in
        destinations.compactMap { destination in
          switch destination {
          case .local(let target, let input): .node(nodes[target], input: input)
          case .edge(let edge): edges[edge].map { .edge($0) }
          }
        }
      }
      let feeders = graph.stages[stage].nodes.filter { $0.feeds(index) }.count
      nodes[index].feeders = max(1, feeders)
    }
    return OperatorChain(nodes: nodes, failure: failure)
  }

  private static func policy(of node: ExecutionGraph.Node) -> ErrorPolicy {
    if case .step(let step) = node.body { return step.onError }
    return .deadLetter
  }

  private static func rejectsToDeadLetters(_ node: ExecutionGraph.Node) -> Bool {
    if case .step(let step) = node.body { return step.rejectsToDeadLetters }
    return false
  }

  private func work(of node: ExecutionGraph.Node, _ stage: Int, _ subtask: Int) -> ChainNode.Work {
    switch node.body {
    case .source: .passThrough
    case .step(let step): .apply(OperatorFactory.make(step, tables: tables))
    case .union: .apply(OperatorFactory.makeUnion())
    case .sort(let schema, let key): .apply(OperatorFactory.makeSort(schema, key: key))
    case .view(let view, _): views[view.name].map { .apply(ViewOperator($0)) } ?? .passThrough
    case .sink(let sink):
      .write(
        sink.connector.makeWriter(
          name: sink.name, job: plan.name, schema: sink.schema, subtask: writerIndex(stage, subtask),
          transactions: start.kafka?.transactions))
    }
  }

  /// A number for a sink's writer that no other writer of the job has.
  private func writerIndex(_ stage: Int, _ subtask: Int) -> Int {
    graph.stages[..<stage].reduce(0) { $0 + $1.parallelism } + subtask
  }
}

extension ExecutionGraph.Node {
  /// Whether rows go from here to node `index` of the same stage.
  fileprivate func feeds(_ index: Int) -> Bool {
    destinations.values.joined().contains { destination in
      if case .local(index, _) = destination { return true }
      return false
    }
  }
}
