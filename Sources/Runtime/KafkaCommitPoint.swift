import Checkpoint
import Connectors
import KafkaClient
import StreamModel
import Synchronization
import Topology

/// Commits checkpoints of a job with Kafka transactions: the transaction that carries the output, the sources' offsets and
/// the checkpoint's number *is* the commit.
///
/// Legal order: `KafkaJobStart` makes it; then for each checkpoint `prepare` (its sinks are flushed), the manifest made
/// durable by the caller, `commit`, the files renamed by the caller, `complete`. What may follow what is
/// `TransactionCommitStateMachine`'s to say.
///
/// Invariant for `Sendable`: `machine` is touched only by the one who takes checkpoints; the rest is thread-safe or constant.
final class KafkaCommitPoint: @unchecked Sendable {
  let transactions: KafkaTransactions
  /// The marker's number when the job began, and the highest number used by then, here or at the broker.
  let number: Int64
  let lastNumber: Int64
  private let plan: LogicalPlan
  /// The job's, which every manifest names.
  let identity: Int64
  private let directory: String
  private let reader: KafkaMarkerReader
  private var machine: TransactionCommitStateMachine

  init(
    plan: LogicalPlan, directory: String, reader: KafkaMarkerReader, transactions: KafkaTransactions,
    marker: KafkaMarker, lastNumber: Int64
  ) {
    self.plan = plan
    self.directory = directory
    self.reader = reader
    self.transactions = transactions
    self.lastNumber = lastNumber
    identity = marker.identity
    number = marker.number
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

  /// Checkpoint `id` is given up. Throws where its barrier has passed a sink: it cannot be called back, and the transaction would
  /// hold what no checkpoint does.
  func withdraw(_ id: Int64, reason: String) throws(JobError) {
    try follow(machine.failed(reason, hasPassedSink: !transactions.withdraw(id)))
  }

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

extension KafkaCommitPoint {
  /// The job's transactional sinks; none when its commit point is the manifest.
  static func sinks(of plan: LogicalPlan) -> [(name: String, spec: KafkaSinkSpec)] {
    (plan.sinks + [plan.deadLetters]).compactMap { sink in
      if case .kafka(let spec) = sink.connector, spec.isTransactional { (sink.name, spec) } else { nil }
    }
  }
}

extension LogicalPlan {
  /// Whether a Kafka transaction is the commit of this job's checkpoints.
  var hasKafkaCommitPoint: Bool { (sinks + [deadLetters]).contains { $0.connector.isTransactional } }
}
