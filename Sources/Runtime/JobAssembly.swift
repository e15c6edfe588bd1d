import Connectors
import Expressions
import Formats
import Operators
import StreamModel
import Synchronization
import Topology

/// A subtask ready to run on its thread.
///
/// Invariant for `Sendable`: `body` and everything it owns is used by one task only.
struct Runnable: @unchecked Sendable {
  let name: String
  let body: () throws -> [PreparedSink]
  func run() throws -> [PreparedSink] { try body() }
}

/// Puts the parts of a job together: inboxes, edges, chains, workers.
final class JobAssembly: Sendable {
  let coordinators: [SourceCoordinator]
  let progress: JobProgress
  let runnables: [Runnable]
  let wasStopped = Atomic<Bool>(false)
  private let inboxes: [[Inbox]]

  init(_ plan: LogicalPlan, options: JobOptions) throws(ConnectorError) {
    let graph = ExecutionGraphBuilder.build(plan)
    var coordinators: [Int: SourceCoordinator] = [:]
    for (index, stage) in graph.stages.enumerated() {
      guard let source = stage.source else { continue }
      coordinators[index] = try JobAssembly.coordinator(for: source, options)
    }
    let progress = JobProgress(graph)
    var builder = SubtaskBuilder(
      plan: plan, options: options, graph: graph, coordinators: coordinators, progress: progress)
    runnables = builder.buildAll()
    inboxes = builder.inboxes
    self.coordinators = coordinators.sorted { $0.key < $1.key }.map(\.value)
    self.progress = progress
  }

  private static func coordinator(
    for source: SourcePlan, _ options: JobOptions
  ) throws(ConnectorError) -> SourceCoordinator {
    let reader = source.connector.makeReader(name: source.name, format: source.format)
    try reader.open()
    return SourceCoordinator(
      reader: reader,
      watermarks: SourceWatermarks(
        delayMilliseconds: source.watermarkDelayMilliseconds, idleAfterMilliseconds: source.idleAfterMilliseconds),
      rate: source.rate, targetBytes: options.chunkBytes)
  }

  /// Ends every wait of every subtask.
  func abort() {
    for coordinator in coordinators { coordinator.close() }
    for inbox in inboxes.joined() { inbox.close() }
  }
}

/// Builds the subtasks of a graph.
struct SubtaskBuilder {
  let plan: LogicalPlan
  let options: JobOptions
  let graph: ExecutionGraph
  let coordinators: [Int: SourceCoordinator]
  let progress: JobProgress
  private(set) var inboxes: [[Inbox]] = []
  /// First channel of each edge in its receivers' inboxes.
  private var firstChannel: [Int] = []
  private var nextDeadLetterChannel = 0

  init(
    plan: LogicalPlan, options: JobOptions, graph: ExecutionGraph, coordinators: [Int: SourceCoordinator],
    progress: JobProgress
  ) {
    self.plan = plan
    self.options = options
    self.graph = graph
    self.coordinators = coordinators
    self.progress = progress
    layOutChannels()
  }

  private mutating func layOutChannels() {
    firstChannel = Array(repeating: 0, count: graph.edges.count)
    for (index, stage) in graph.stages.enumerated() {
      var channels = 0
      for edge in stage.inputs {
        firstChannel[edge] = channels
        channels += graph.channelCount(of: graph.edges[edge])
      }
      if index == graph.deadLetterStage { channels = deadLetterChannelCount }
      inboxes.append(stage.source == nil ? (0..<stage.parallelism).map { _ in Inbox(channelCount: channels) } : [])
    }
  }

  /// One for every source and for every subtask of every other stage.
  private var deadLetterChannelCount: Int {
    graph.stages.indices.reduce(0) { count, index in
      index == graph.deadLetterStage
        ? count : count + (graph.stages[index].source == nil ? graph.stages[index].parallelism : 1)
    }
  }

  mutating func buildAll() -> [Runnable] {
    var runnables: [Runnable] = []
    for stage in graph.stages.indices {
      if graph.stages[stage].source != nil { nextDeadLetterChannel += 1 }
      for subtask in 0..<graph.stages[stage].parallelism {
        runnables.append(build(stage, subtask))
      }
    }
    return runnables
  }

  private mutating func build(_ stage: Int, _ subtask: Int) -> Runnable {
    let name = "\(graph.stages[stage].name)-\(subtask)"
    let isSource = graph.stages[stage].source != nil
    let reporter = stage == graph.deadLetterStage ? nil : deadLetterReporter(stage, isSource: isSource)
    let edges = makeEdges(stage, subtask, isBuffered: isSource)
    let chain = makeChain(stage, subtask, edges, reporter)
    let stageProgress = progress.stages[stage]
    if let source = graph.stages[stage].source, let coordinator = coordinators[stage], let reporter {
      let worker = SourceWorker(
        coordinator: coordinator, builder: sourceBuilder(source), chain: chain,
        edges: edges.sorted { $0.key < $1.key }.map(\.value), deadLetters: reporter,
        counters: progress.counters(for: source.name), progress: stageProgress,
        onError: SubtaskBuilder.errorRule(source))
      return Runnable(name: name) {
        try worker.run()
        return []
      }
    }
    var outgoing = edges.sorted { $0.key < $1.key }.map(\.value)
    if let reporter { outgoing.append(reporter.edge) }
    let worker = Subtask(
      inbox: inboxes[stage][subtask], chain: chain, inputs: channelInputs(stage), edges: outgoing,
      progress: stageProgress)
    return Runnable(name: name) { try worker.run() }
  }

  private func sourceBuilder(_ source: SourcePlan) -> SourceBatchBuilder {
    let needed = ColumnLiveness(plan).outputs[source.name] ?? []
    return SourceBatchBuilder(source, needed: needed, batchRows: options.batchRows)
  }

  private static func errorRule(_ source: SourcePlan) -> (DecodeFailure, RecordChunk) throws -> Bool {
    { failure, chunk in
      if source.onError == .fail {
        let place = "\(chunk.partition.name), byte \(chunk.position(ofRecordAt: failure.start))"
        throw JobError.row(step: source.name, reason: "\(place): \(failure.reason)")
      }
      return source.onError == .deadLetter
    }
  }

  /// The chain's input of each channel of the stage's inboxes.
  private func channelInputs(_ stage: Int) -> [Int] {
    if stage == graph.deadLetterStage { return Array(repeating: 0, count: deadLetterChannelCount) }
    return graph.stages[stage].inputs.flatMap { edge in
      Array(repeating: graph.edges[edge].toInput, count: graph.channelCount(of: graph.edges[edge]))
    }
  }

  private mutating func deadLetterReporter(_ stage: Int, isSource: Bool) -> DeadLetterReporter {
    var channel = nextDeadLetterChannel
    if isSource { channel -= 1 } else { nextDeadLetterChannel += 1 }
    let writer = EdgeWriter(
      inboxes: inboxes[graph.deadLetterStage], channel: channel, distribution: .single,
      columns: Set(0..<plan.deadLetters.schema.count), columnCount: plan.deadLetters.schema.count, isBuffered: isSource)
    return DeadLetterReporter(topology: plan.name, edge: writer)
  }

  private func makeEdges(_ stage: Int, _ subtask: Int, isBuffered: Bool) -> [Int: EdgeWriter] {
    var writers: [Int: EdgeWriter] = [:]
    for (index, edge) in graph.edges.enumerated() where edge.from.stage == stage {
      writers[index] = EdgeWriter(
        inboxes: inboxes[edge.toStage], channel: firstChannel[index] + (isBuffered ? 0 : subtask),
        distribution: edge.distribution, columns: edge.columns, columnCount: schema(of: edge.from).count,
        isBuffered: isBuffered)
    }
    return writers
  }

  private func schema(of output: ExecutionGraph.Output) -> Schema {
    switch graph.stages[output.stage].nodes[output.node].body {
    case .source(let source): source.outputSchema
    case .step(let step): output.port.flatMap { step.ports[$0] } ?? step.outputSchema
    case .union(let schema), .sort(let schema, _): schema
    case .sink(let sink): sink.schema
    }
  }

  private func makeChain(
    _ stage: Int, _ subtask: Int, _ edges: [Int: EdgeWriter], _ reporter: DeadLetterReporter?
  ) -> OperatorChain {
    let failure = ChainFailure()
    var nodes: [ChainNode] = []
    for (index, node) in graph.stages[stage].nodes.enumerated() {
      nodes.append(
        ChainNode(
          name: node.name, work: work(of: node, stage, subtask), counters: progress.counters(stage, index),
          policy: SubtaskBuilder.policy(of: node), failure: failure, deadLetters: reporter))
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

  private func work(of node: ExecutionGraph.Node, _ stage: Int, _ subtask: Int) -> ChainNode.Work {
    switch node.body {
    case .source: .passThrough
    case .step(let step): .apply(OperatorFactory.make(step))
    case .union: .apply(OperatorFactory.makeUnion())
    case .sort(let schema, let key): .apply(OperatorFactory.makeSort(schema, key: key))
    case .sink(let sink):
      .write(
        sink.connector.makeWriter(
          name: sink.name, job: plan.name, schema: sink.schema, subtask: writerIndex(stage, subtask)))
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
