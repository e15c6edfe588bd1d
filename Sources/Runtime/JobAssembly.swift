import Checkpoint
import Connectors
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
