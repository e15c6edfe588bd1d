import Checkpoint
import Connectors
import Expressions
import Formats
import Operators
import State
import StreamModel
import Synchronization
import Topology
import Views

/// A subtask ready to run on its thread.
///
/// Invariant for `Sendable`: `body` and everything it owns is used by one task only.
struct Runnable: @unchecked Sendable {
  let name: String
  /// Whose subtask it is.
  let stage: String
  let body: () throws -> Void

  init(name: String, stage: String? = nil, body: @escaping () throws -> Void) {
    self.name = name
    self.stage = stage ?? name
    self.body = body
  }

  func run() throws { try body() }
}

/// Puts the parts of a job together: inboxes, edges, chains, workers, checkpoints.
final class JobAssembly: Sendable {
  let coordinators: [SourceCoordinator]
  let progress: JobProgress
  let runnables: [Runnable]
  let restoredFrom: Int64?
  let lastCheckpoint: Int64
  let notices: [String]
  let droppedState: [CheckpointManifest.DroppedState]
  let wasStopped = Atomic<Bool>(false)
  private let inboxes: [[Inbox]]
  let checkpoints: CheckpointDriver
  private let store: StateStore?
  private let views: ViewSet
  private let transactions: KafkaTransactions?
  private let tables: LookupTables

  init(_ plan: LogicalPlan, options: JobOptions, views: ViewSet) throws(JobError) {
    let graph = ExecutionGraphBuilder.build(plan)
    tables = try LookupTables(plan, notice: options.notice)
    let sources = graph.stages.enumerated().compactMap { index, stage in stage.source.map { (index, $0) } }
    var readers: [any SourceReader] = []
    for (_, source) in sources { readers.append(try JobAssembly.open(source, job: plan.name)) }
    let start = try JobStart(plan, options, graph: graph)
    var coordinators: [Int: SourceCoordinator] = [:]
    for ((stage, source), reader) in zip(sources, readers) {
      coordinators[stage] = try JobAssembly.coordinator(source, reader, start.manifest, options)
    }
    let progress = JobProgress(
      graph, restored: start.manifest?.counters, lookups: tables.counters,
      pace: AttemptPace(slowNanoseconds: options.slowWorkNanoseconds))
    views.begin(
      spillFolder: start.storage.directory, lastCheckpoint: start.lastID, restored: start.manifest?.id)
    let store = try JobAssembly.store(plan, graph, start)
    if let store { views.publish(store.backend.makeReader(), checkpoint: start.manifest?.id ?? 0, isNew: false) }
    var settings = JobAssembly.settings(plan, graph, progress, store, views)
    settings.kafka = start.kafka
    settings.sourceNames = sources.map(\.1.name)
    settings.droppedStates = start.manifest?.droppedStates ?? []
    let checkpoints = CheckpointDriver(
      settings, storage: start.storage, store: store, lastID: start.lastID,
      restoredFiles: start.manifest?.files ?? [])
    var builder = SubtaskBuilder(
      plan: plan, options: options, graph: graph, coordinators: coordinators, progress: progress,
      checkpoints: checkpoints, start: start, store: store, views: views, tables: tables)
    do {
      let tables = tables
      runnables =
        try builder.buildAll()
        + [
          // The last to end: by then no subtask asks a table for anything.
          Runnable(name: "checkpoints") {
            defer { tables.close() }
            try checkpoints.run()
          }
        ] + tables.workers.map { worker in Runnable(name: worker.name) { worker.work() } }
    } catch {
      throw error as? JobError ?? .operation(step: plan.name, reason: "\(error)")
    }
    inboxes = builder.inboxes
    self.coordinators = coordinators.sorted { $0.key < $1.key }.map(\.value)
    self.progress = progress
    self.checkpoints = checkpoints
    self.store = store
    self.views = views
    transactions = start.kafka?.transactions
    restoredFrom = start.manifest?.id
    lastCheckpoint = start.lastID
    notices = start.notices
    droppedState = start.dropped
    progress.attach(Array(zip(sources.map(\.1.name), self.coordinators)).map { (name: $0.0, coordinator: $0.1) })
    checkpoints.attach(self.coordinators, builder.inboxes.flatMap { $0 })
  }

  private static func open(_ source: SourcePlan, job: String) throws(JobError) -> any SourceReader {
    let reader = source.connector.makeReader(name: source.name, job: job, format: source.format)
    do { try reader.open() } catch { throw .connector(error) }
    return reader
  }

  private static func coordinator(
    _ source: SourcePlan, _ reader: any SourceReader, _ manifest: CheckpointManifest?, _ options: JobOptions
  ) throws(JobError) -> SourceCoordinator {
    var watermarks = SourceWatermarks(
      delayMilliseconds: source.watermarkDelayMilliseconds, idleAfterMilliseconds: source.idleAfterMilliseconds)
    if let known = manifest?.sources.first(where: { $0.name == source.name }) {
      do {
        try watermarks.restore(known.watermarks, now: Clock.wallMilliseconds())
      } catch {
        throw .operation(step: source.name, reason: "the checkpoint's watermarks cannot be read")
      }
      do {
        try reader.seek(
          to: known.positions.map {
            PartitionPosition(partition: $0.partition, offset: $0.offset, isAtEnd: $0.isAtEnd)
          })
      } catch {
        throw .connector(error)
      }
    }
    return SourceCoordinator(
      reader: reader, watermarks: watermarks, rate: source.rate, targetBytes: options.chunkBytes,
      idleAfterMilliseconds: source.idleAfterMilliseconds)
  }

  /// The job's keyed state; nil where no operator has any.
  private static func store(
    _ plan: LogicalPlan, _ graph: ExecutionGraph, _ start: JobStart
  ) throws(JobError) -> StateStore? {
    let families = graph.stateFamilies
    guard !families.isEmpty else { return nil }
    let budget = StateBudget(limitBytes: plan.stateMemoryBytes)
    do {
      let backend = try RocksStateBackend(
        directory: start.storage.liveDirectory, families: families, blockCacheBytes: budget.blockCacheBytes,
        writeBufferBytes: budget.writeBufferBytes, isRestored: start.manifest?.files.isEmpty == false,
        dropped: Set(families.keys.filter(start.leavesBehind)))
      return StateStore(backend: backend, budget: budget, lastCheckpoint: start.lastID)
    } catch {
      throw .operation(step: "state", reason: "\(start.storage.liveDirectory): \(error)")
    }
  }

  private static func settings(
    _ plan: LogicalPlan, _ graph: ExecutionGraph, _ progress: JobProgress, _ store: StateStore?, _ views: ViewSet
  ) -> CheckpointDriver.Settings {
    let sourceCount = graph.stages.filter { $0.source != nil }.count
    let subtasks = graph.stages.reduce(0) { $0 + ($1.source == nil ? $1.parallelism : 0) }
    return CheckpointDriver.Settings(
      topology: plan.name, retain: plan.checkpoint.retain, sourceCount: sourceCount,
      participantCount: sourceCount + subtasks,
      timing: CheckpointStateMachine.Settings(
        intervalMilliseconds: plan.checkpoint.intervalMilliseconds,
        timeoutMilliseconds: plan.checkpoint.timeoutMilliseconds,
        minPauseMilliseconds: plan.checkpoint.minPauseMilliseconds),
      signatures: graph.stateSignatures, counted: progress.base,
      commit: { (parts) throws(ConnectorError) in try JobStart.commit(parts, plan) },
      committed: { id in
        progress.pace.noteProgress()
        if let store, !plan.views.isEmpty { views.publish(store.backend.makeReader(), checkpoint: id, isNew: true) }
        progress.latency.noteCommitted(id)
      })
  }

  /// Lets go of the state, as do the views' readers, so that another attempt can open it.
  func closeState() {
    views.end()
    store?.close()
  }

  /// Ends every wait of every subtask.
  func abort() {
    for coordinator in coordinators { coordinator.close() }
    for inbox in inboxes.joined() { inbox.close() }
    store?.close()
    tables.close()
    checkpoints.abort()
    transactions?.end()
  }

  /// After every subtask has ended without a last checkpoint: aborts what is open, so that readers need not wait until it
  /// times out.
  func abandonTransactions() { transactions?.abandon() }
}

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
        counters: progress.counters(stage, subtask), progress: stageProgress, name: source.name,
        checkpoints: checkpoints, participant: nextParticipant, latency: progress.latency, pace: progress.pace,
        onError: SubtaskBuilder.errorRule(source))
      return Runnable(name: name, stage: graph.stages[stage].name) {
        NamedThread.preferThroughput()
        try worker.run()
      }
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
    return Runnable(name: name, stage: graph.stages[stage].name) {
      NamedThread.preferThroughput()
      try worker.run()
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

  private func makeChain(
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
