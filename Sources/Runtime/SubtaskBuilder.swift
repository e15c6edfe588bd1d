import Checkpoint
import Connectors
import Formats
import Operators
import State
import StreamModel
import Topology
import Views

/// Builds the subtasks of a graph.
struct SubtaskBuilder {
  let plan: LogicalPlan
  let options: JobOptions
  let graph: ExecutionGraph
  let coordinators: [Int: SourceCoordinator]
  let progress: JobProgress
  let checkpoints: CheckpointDriver
  let start: JobStart
  let store: StateStore?
  let views: ViewSet
  let tables: LookupTables
  /// Number of the next participant in checkpoints.
  private var nextParticipant = 0
  private(set) var inboxes: [[Inbox]] = []
  /// First channel of each edge in its receivers' inboxes.
  private var firstChannel: [Int] = []
  private var nextDeadLetterChannel = 0

  init(
    plan: LogicalPlan, options: JobOptions, graph: ExecutionGraph, coordinators: [Int: SourceCoordinator],
    progress: JobProgress, checkpoints: CheckpointDriver, start: JobStart,
    store: StateStore?, views: ViewSet, tables: LookupTables
  ) {
    self.store = store
    self.views = views
    self.tables = tables
    self.checkpoints = checkpoints
    self.start = start
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
      inboxes.append(
        stage.source == nil
          ? (0..<stage.parallelism).map { _ in Inbox(channelCount: channels, progress: progress.stages[index]) }
          : [])
    }
  }

  /// One for every source and for every subtask of every other stage.
  private var deadLetterChannelCount: Int {
    graph.stages.indices.reduce(0) { count, index in
      index == graph.deadLetterStage
        ? count : count + (graph.stages[index].source == nil ? graph.stages[index].parallelism : 1)
    }
  }

  mutating func buildAll() throws -> [Runnable] {
    var runnables: [Runnable] = []
    for stage in graph.stages.indices {
      if graph.stages[stage].source != nil { nextDeadLetterChannel += 1 }
      let isSource = graph.stages[stage].source != nil
      for subtask in 0..<graph.stages[stage].parallelism {
        runnables.append(try build(stage, subtask))
        if !isSource { nextParticipant += 1 }
      }
      if isSource { nextParticipant += 1 }
    }
    return runnables
  }

  private mutating func build(_ stage: Int, _ subtask: Int) throws -> Runnable {
    let isSource = graph.stages[stage].source != nil
    let reporter = stage == graph.deadLetterStage ? nil : deadLetterReporter(stage, isSource: isSource)
    let edges = makeEdges(stage, subtask, isBuffered: isSource)
    let chain = makeChain(stage, subtask, edges, reporter)
    let stageProgress = progress.stages[stage]
    if let source = graph.stages[stage].source, let coordinator = coordinators[stage], let reporter {
      let worker = SourceWorker(
        coordinator: coordinator, builder: sourceBuilder(source), chain: chain,
        edges: edges.sorted { $0.key < $1.key }.map(\.value), deadLetters: reporter,
        counters: progress.counters(stage, subtask), progress: stageProgress, name: source.name,
        checkpoints: checkpoints, participant: nextParticipant, latency: progress.latency, pace: progress.pace,
        onError: SubtaskBuilder.errorRule(source))
      return runnable(stage, subtask, worker.run)
    }
    var outgoing = edges.sorted { $0.key < $1.key }.map(\.value)
    if let reporter { outgoing.append(reporter.edge) }
    if let store, graph.stages[stage].nodes.contains(where: { $0.stateRole != nil }) {
      let keyGroups = KeyGroup.range(ofSubtask: subtask, parallelism: graph.stages[stage].parallelism)
      try chain.attach(store, start.manifest, keyGroups: keyGroups)
    }
    let worker = Subtask(
      inbox: inboxes[stage][subtask], chain: chain, inputs: channelInputs(stage), edges: outgoing,
      progress: stageProgress, checkpoints: checkpoints, participant: nextParticipant, lastCheckpoint: start.lastID,
      liveLatency: graph.stages[stage].writesViews ? progress.latency.live : nil)
    return runnable(stage, subtask, worker.run)
  }

  private func runnable(_ stage: Int, _ subtask: Int, _ run: @escaping () throws -> Void) -> Runnable {
    let name = graph.stages[stage].name
    return Runnable(name: "\(name)-\(subtask)", stage: name) {
      NamedThread.preferThroughput()
      try run()
    }
  }

  private func sourceBuilder(_ source: SourcePlan) -> SourceBatchBuilder {
    let needed = ColumnLiveness(plan).outputs[source.name] ?? []
    return SourceBatchBuilder(source, needed: needed, batchRows: options.batchRows)
  }

  private static func errorRule(_ source: SourcePlan) -> (DecodeFailure, RecordChunk) throws -> Bool {
    { failure, chunk in
      if source.onError == .fail {
        let unit = if case .kafka = source.connector { "offset" } else { "byte" }
        let place = "\(chunk.partition.name), \(unit) \(chunk.position(ofRecordAt: failure.start))"
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
        isBuffered: isBuffered, combines: graph.combinedAggregate(of: edge))
    }
    return writers
  }

  private func schema(of output: ExecutionGraph.Output) -> Schema {
    switch graph.stages[output.stage].nodes[output.node].body {
    case .source(let source): source.outputSchema
    case .step(let step): output.port.flatMap { step.ports[$0] } ?? step.outputSchema
    case .union(let schema), .sort(let schema, _): schema
    case .sink(let sink): sink.schema
    case .view(let view, _): view.schema
    }
  }
}
