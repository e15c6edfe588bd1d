import Checkpoint
import Connectors
import KafkaClient
import StreamModel
import Synchronization
import Topology

/// Commits checkpoints of a job with Kafka transactions: the transaction that carries the output, the sources' offsets and
/// the checkpoint's number *is* the commit.
///
/// Legal order: `open` at the job's start; then for each checkpoint `prepare` (its sinks are flushed), the manifest made
/// durable by the caller, `commit`, the files renamed by the caller, `complete`. What may follow what is
/// `TransactionCommitStateMachine`'s to say.
///
/// Invariant for `Sendable`: `machine` is touched only by the one who takes checkpoints; the rest is thread-safe or constant.
final class KafkaCommitPoint: @unchecked Sendable {
  let transactions: KafkaTransactions
  /// The highest number used so far, here or at the broker.
  let lastNumber: Int64
  private let plan: LogicalPlan
  private let identity: Int64
  private let directory: String
  private let reader: KafkaMarkerReader
  private var machine: TransactionCommitStateMachine

  fileprivate init(
    plan: LogicalPlan, directory: String, reader: KafkaMarkerReader, transactions: KafkaTransactions,
    marker: KafkaMarker, lastNumber: Int64
  ) {
    self.plan = plan
    self.directory = directory
    self.reader = reader
    self.transactions = transactions
    self.lastNumber = lastNumber
    identity = marker.identity
    machine = TransactionCommitStateMachine(last: lastNumber, identity: marker.identity)
  }

  // MARK: Checkpoints

  /// Checkpoint `id` is flushed: its manifest may be written.
  func prepare(_ id: Int64) throws(JobError) { try follow(machine.flushed(id)) }

  /// Commits checkpoint `manifest.id`, which is durable. When it returns readers see its output; when it throws, only the
  /// next start can tell.
  func commit(_ manifest: CheckpointManifest) throws(JobError) {
    try follow(machine.manifestIsDurable())
    do {
      try transactions.stage(KafkaMarker(number: manifest.id, identity: identity), offsets(of: manifest))
    } catch {
      try fail(error, "checkpoint \(manifest.id) was not committed")
    }
    CrashPoint.reached("commit-staged")
    try follow(machine.commitIsSent())
    CrashPoint.reachedSoon("commit-sent")
    let outcome = transactions.commit()
    CrashPoint.reached("commit-acknowledged")
    switch outcome {
    case .committed: try follow(machine.commitEnded(.committed))
    case .refused(let error): try fail(error, "checkpoint \(manifest.id) was not committed")
    case .unknown(let error): try fail(error, "whether checkpoint \(manifest.id) is committed the next start will ask")
    }
    try checkOwnership()
  }

  /// Files of a checkpoint may get their names only while the job is this process's own.
  private func checkOwnership() throws(JobError) {
    let marker: KafkaMarker?
    do { marker = try reader.read() } catch { throw .connector(error) }
    try follow(machine.found(marker.map { .init(number: $0.number, identity: $0.identity) }))
  }

  /// Files have their names: the checkpoint is complete.
  func complete(_ id: Int64) throws(JobError) {
    do {
      try TransactionStart.LocalRecord(identity: identity, completed: id).write(in: directory)
    } catch { throw .checkpoint(error) }
    try follow(machine.published())
  }

  /// Aborts what is open, so that readers need not wait until it times out.
  func abandon() { transactions.abandon() }

  private func follow(_ action: TransactionCommitStateMachine.Action) throws(JobError) {
    switch action {
    case .writeManifest, .commit, .checkOwnership, .publish, .wait: return
    case .restart(let reason): throw .connector(ConnectorError(place + reason, isRetriable: true))
    case .stop(let reason): throw .connector(ConnectorError("\(place)\(reason) — this one ends; stop one of them"))
    }
  }

  /// Nothing follows a failed transaction in this process: says whether somebody else is at work.
  private func fail(_ error: KafkaError, _ what: String) throws(JobError) {
    _ = machine.failed(error.description, hasPassedSink: true)
    if error.remedy == .stop, let marker = try? reader.read(), marker.identity != identity {
      throw .connector(
        ConnectorError(
          "\(place)\(what): another process has taken job \(plan.name) over — this one ends; stop one of them"))
    }
    throw .connector(.kafka(error, place: place + what, bootstrap: transactions.settings.cluster.bootstrap))
  }

  private var place: String { "checkpoint: " }

  /// What the sources on the same cluster have been read up to.
  private func offsets(of manifest: CheckpointManifest) -> [KafkaTransactions.GroupOffsets] {
    plan.sources.compactMap { source in
      guard case .kafka(let spec) = source.connector,
        spec.cluster.bootstrap == transactions.settings.cluster.bootstrap,
        let known = manifest.sources.first(where: { $0.name == source.name })
      else { return nil }
      let offsets = known.positions.compactMap { position in
        TopicPartition(position.partition).flatMap {
          position.offset >= 0 ? PartitionOffset($0, offset: position.offset) : nil
        }
      }
      return KafkaTransactions.GroupOffsets(group: spec.group ?? plan.name, offsets: offsets)
    }
  }
}

// MARK: - The start

extension KafkaCommitPoint {
  /// What a job with a Kafka commit point begins with.
  struct Opened {
    let commitPoint: KafkaCommitPoint
    /// The checkpoint to restore, which is the last committed; nil to begin anew.
    let restores: Int64?
    /// Whether the user's own choice of a checkpoint holds, whatever the broker says.
    let isOverridden: Bool
  }

  /// The job's transactional sinks; none when its commit point is the manifest.
  static func sinks(of plan: LogicalPlan) -> [(name: String, spec: KafkaSinkSpec)] {
    (plan.sinks + [plan.deadLetters]).compactMap { sink in
      if case .kafka(let spec) = sink.connector, spec.isTransactional { (sink.name, spec) } else { nil }
    }
  }

  /// Takes the job over, if it is this directory's: looks at the marker, refuses what does not fit, then takes both
  /// transactional ids, looks again now that nobody else can change it, and says from where to go on.
  /// Nil when the job has no exactly-once sink in Kafka.
  /// - Parameter checkpoints: Numbers of the checkpoints in `directory`, ascending.
  static func open(
    _ plan: LogicalPlan, directory: String, checkpoints: [Int64], request: TransactionStart.Request, acceptsLoss: Bool
  ) throws(JobError) -> Opened? {
    let local: TransactionStart.LocalRecord?
    do { local = try .read(in: directory) } catch { throw .checkpoint(error) }
    guard let sink = sinks(of: plan).first else {
      if let local, !acceptsLoss { throw noCommitPoint(plan, local) }
      return nil
    }
    do {
      return try KafkaJobStart(
        plan: plan, sink: sink, directory: directory, local: local, checkpoints: checkpoints, request: request,
        acceptsLoss: acceptsLoss
      ).open()
    } catch let error as ConnectorError {
      throw .connector(error)
    } catch let error as CheckpointError {
      throw .checkpoint(error)
    } catch {
      throw .operation(step: "checkpoint", reason: "\(error)")
    }
  }

  private static func noCommitPoint(_ plan: LogicalPlan, _ local: TransactionStart.LocalRecord) -> JobError {
    .checkpoint(
      CheckpointError(
        "the checkpoints of job \(plan.name) were committed with Kafka transactions (\(local.completed) is the last), and now no "
          + "exactly-once Kafka sink takes part — give the job another name, or begin anew with --from none \(TransactionStart.flag)"
      ))
  }
}

/// The start of one job with a Kafka commit point.
private struct KafkaJobStart {
  let plan: LogicalPlan
  let sink: (name: String, spec: KafkaSinkSpec)
  let directory: String
  let local: TransactionStart.LocalRecord?
  let checkpoints: [Int64]
  let request: TransactionStart.Request
  let acceptsLoss: Bool

  private var place: String { sink.name == "dead_letters" ? sink.name : "sinks.\(sink.name)" }

  func open() throws -> KafkaCommitPoint.Opened {
    let reader = try KafkaMarkerReader(cluster: sink.spec.cluster, job: plan.name, place: place)
    try checkTopics(reader)
    let before = try decide(try reader.read())
    try reader.createTopic()
    let transactions = try makeTransactions()
    CrashPoint.reached("ids-taken")
    let marker = try reader.read()
    let action = try decide(marker)
    guard action.isCompatible(with: before) else {
      throw ConnectorError("\(place): another process started job \(plan.name) at this very moment — stop one of them")
    }
    return try begin(action, marker, reader, transactions)
  }

  private func checkTopics(_ reader: KafkaMarkerReader) throws {
    for (name, spec) in KafkaCommitPoint.sinks(of: plan) where try !reader.hasTopic(spec.topic) {
      throw KafkaSinkWriter.noTopic(spec, place: name == "dead_letters" ? name : "sinks.\(name)")
    }
  }

  private func decide(_ marker: KafkaMarker?) throws -> TransactionStart.Action {
    let start = TransactionStart(
      job: plan.name, marker: marker.map { .init(number: $0.number, identity: $0.identity) }, local: local,
      checkpoints: checkpoints, request: request, acceptsLoss: acceptsLoss)
    let action = start.decide()
    if case .refuse(let reason) = action { throw CheckpointError(reason) }
    return action
  }

  private func makeTransactions() throws -> KafkaTransactions {
    let timeout =
      KafkaCommitPoint.sinks(of: plan).compactMap(\.spec.transactionTimeoutMilliseconds).max()
      ?? plan.checkpoint.leastTransactionTimeoutMilliseconds
    var settings = KafkaTransactions.Settings(
      cluster: sink.spec.cluster, job: plan.name, transactionTimeoutMilliseconds: timeout)
    settings.commitTimeoutMilliseconds = Int32(clamping: plan.checkpoint.commitMilliseconds)
    do {
      let transactions = try KafkaTransactions(settings)
      try transactions.start()
      return transactions
    } catch {
      let detail = error.name == "INVALID_TRANSACTION_TIMEOUT" ? " (transaction.timeout.ms is \(timeout))" : ""
      throw ConnectorError.kafka(
        error, place: "\(place): transactions\(detail)", bootstrap: sink.spec.cluster.bootstrap)
    }
  }

  private func begin(
    _ action: TransactionStart.Action, _ marker: KafkaMarker?, _ reader: KafkaMarkerReader,
    _ transactions: KafkaTransactions
  ) throws -> KafkaCommitPoint.Opened {
    switch action {
    case .refuse(let reason): throw CheckpointError(reason)
    case .first: return try settle(KafkaMarker(number: 0, identity: newIdentity()), reader, transactions)
    case .override(let above):
      return try settle(
        KafkaMarker(number: above, identity: newIdentity()), reader, transactions, isOverridden: true)
    case .begin(let above):
      guard let marker else { throw CheckpointError("the broker's marker of job \(plan.name) vanished") }
      return opened(marker, above, nil, reader, transactions)
    case .restore(let number):
      guard let marker else { throw CheckpointError("the broker's marker of job \(plan.name) vanished") }
      return opened(marker, max(number, checkpoints.last ?? 0), number, reader, transactions)
    }
  }

  /// An identity is kept here before the broker hears of it, so that a crash in between is no riddle.
  private func settle(
    _ marker: KafkaMarker, _ reader: KafkaMarkerReader, _ transactions: KafkaTransactions, isOverridden: Bool = false
  ) throws -> KafkaCommitPoint.Opened {
    try TransactionStart.LocalRecord(identity: marker.identity, completed: marker.number).write(in: directory)
    CrashPoint.reached("identity-kept")
    do { try transactions.stage(marker, []) } catch {
      throw ConnectorError.kafka(error, place: "\(place): the job's marker", bootstrap: sink.spec.cluster.bootstrap)
    }
    switch transactions.commit() {
    case .committed: break
    case .refused(let error), .unknown(let error):
      throw ConnectorError.kafka(error, place: "\(place): the job's marker", bootstrap: sink.spec.cluster.bootstrap)
    }
    CrashPoint.reached("marker-made")
    return opened(marker, marker.number, nil, reader, transactions, isOverridden: isOverridden)
  }

  private func opened(
    _ marker: KafkaMarker, _ lastNumber: Int64, _ restores: Int64?, _ reader: KafkaMarkerReader,
    _ transactions: KafkaTransactions, isOverridden: Bool = false
  ) -> KafkaCommitPoint.Opened {
    let commitPoint = KafkaCommitPoint(
      plan: plan, directory: directory, reader: reader, transactions: transactions, marker: marker,
      lastNumber: lastNumber)
    return KafkaCommitPoint.Opened(commitPoint: commitPoint, restores: restores, isOverridden: isOverridden)
  }

  private func newIdentity() -> Int64 { Int64.random(in: 1...Int64.max) }
}

extension TransactionStart.Action {
  /// Whether what was decided with the ids in hand goes with what was decided before: the job's own last transaction may
  /// have been completed in between, nothing else.
  fileprivate func isCompatible(with before: TransactionStart.Action) -> Bool {
    switch (before, self) {
    case (.first, .first), (.begin, .begin), (.begin, .restore), (.restore, .restore), (.override, .override): true
    default: false
    }
  }
}
