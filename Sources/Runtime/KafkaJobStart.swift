import Checkpoint
import Connectors
import KafkaClient
import StreamModel
import Topology

/// The start of a job with a Kafka commit point.
///
/// Order: `look`, which changes nothing, neither here nor at the broker; the caller then finds and checks the checkpoint that
/// `action` names; `take` takes the transactional ids over, looks again now that nobody else can change the marker, and
/// `action` is what holds from then on; `settle` makes the job's marker where there is to be a new one. Until `take` whoever
/// runs the job elsewhere is not disturbed.
final class KafkaJobStart {
  private let plan: LogicalPlan
  private let sink: (name: String, spec: KafkaSinkSpec)
  private let directory: String
  private let record: TransactionStart.LocalRecord?
  private let checkpoints: [Int64]
  private let request: TransactionStart.Request
  private let acceptsLoss: Bool
  private let reader: KafkaMarkerReader
  /// From where the job goes on.
  private(set) var action: TransactionStart.Action
  /// The job's marker: the one that was found, or the one that `settle` makes.
  private var marker: KafkaMarker?
  private var transactions: KafkaTransactions?

  private var place: String { KafkaJobStart.place(sink.name) }
  private static func place(_ sink: String) -> String { sink == "dead_letters" ? sink : "sinks.\(sink)" }

  /// Looks at the broker and at `directory`, and refuses what does not fit. Nil when the job has no exactly-once sink in Kafka.
  /// - Parameter checkpoints: Numbers of the checkpoints in `directory`, ascending.
  static func look(
    _ plan: LogicalPlan, directory: String, checkpoints: [Int64], request: TransactionStart.Request, acceptsLoss: Bool
  ) throws(JobError) -> KafkaJobStart? {
    let record: TransactionStart.LocalRecord?
    do { record = try .read(in: directory) } catch { throw .checkpoint(error) }
    guard let sink = KafkaCommitPoint.sinks(of: plan).first else {
      if let record, !acceptsLoss { try checkLeaving(plan, record, request) }
      return nil
    }
    return try JobError.wrapping {
      try KafkaJobStart(
        plan: plan, sink: sink, directory: directory, record: record, checkpoints: checkpoints, request: request,
        acceptsLoss: acceptsLoss)
    }
  }

  /// A job whose last exactly-once Kafka sink was taken away goes on from a savepoint of all that it has committed.
  private static func checkLeaving(
    _ plan: LogicalPlan, _ record: TransactionStart.LocalRecord, _ request: TransactionStart.Request
  ) throws(JobError) {
    if case .checkpoint(let number, let identity) = request, number >= record.completed, identity == record.identity {
      return
    }
    throw .checkpoint(
      CheckpointError(
        "the checkpoints of job \(plan.name) were committed with Kafka transactions (\(record.completed) is the last), and now no "
          + "exactly-once Kafka sink takes part — go on from a savepoint of its end (--from PATH), give the job another name, or "
          + "begin anew with --from none \(TransactionStart.flag)"))
  }

  private init(
    plan: LogicalPlan, sink: (name: String, spec: KafkaSinkSpec), directory: String,
    record: TransactionStart.LocalRecord?, checkpoints: [Int64], request: TransactionStart.Request, acceptsLoss: Bool
  ) throws {
    self.plan = plan
    self.sink = sink
    self.directory = directory
    self.record = record
    self.checkpoints = checkpoints
    self.request = request
    self.acceptsLoss = acceptsLoss
    reader = try KafkaMarkerReader(
      cluster: sink.spec.cluster, job: plan.name, place: KafkaJobStart.place(sink.name))
    for (name, spec) in KafkaCommitPoint.sinks(of: plan) where try !reader.hasTopic(spec.topic) {
      throw KafkaSinkWriter.noTopic(spec, place: KafkaJobStart.place(name))
    }
    action = .first
    try decide(try reader.read(), mayLag: true)
  }

  private func decide(_ marker: KafkaMarker?, mayLag: Bool) throws {
    self.marker = marker
    var start = TransactionStart(
      job: plan.name, marker: marker.map { .init(number: $0.number, identity: $0.identity) }, record: record,
      checkpoints: checkpoints, request: request, acceptsLoss: acceptsLoss)
    start.mayLag = mayLag
    action = start.decide()
    if case .refuse(let reason) = action { throw CheckpointError(reason) }
  }

  /// The identity that the checkpoint to be restored must have been committed under.
  var identity: Int64? { marker?.identity }

  // MARK: Taking over

  /// Takes the job's transactional ids: from now on nobody else of its name can commit anything.
  func take() throws(JobError) {
    try JobError.wrapping {
      let before = action
      try reader.createTopic()
      let transactions = try makeTransactions()
      self.transactions = transactions
      CrashPoint.reached("ids-taken")
      try decide(try reader.read(atLeast: record?.settled(by: nil)?.completed ?? 0), mayLag: false)
      guard action.isCompatible(with: before) else {
        throw ConnectorError(
          "\(place): another process started job \(plan.name) at this very moment — stop one of them")
      }
      switch action {
      case .first: marker = KafkaMarker(number: 0, identity: KafkaJobStart.newIdentity())
      case .override(let above): marker = KafkaMarker(number: above + 1, identity: KafkaJobStart.newIdentity())
      case .begin, .restore, .refuse: break
      }
    }
  }

  private static func newIdentity() -> Int64 { Int64.random(in: 1...Int64.max) }

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
      try transactions.claim()
      return transactions
    } catch {
      let detail = error.name == "INVALID_TRANSACTION_TIMEOUT" ? " (transaction.timeout.ms is \(timeout))" : ""
      throw failure(error, "transactions\(detail)")
    }
  }

  // MARK: The marker

  /// The checkpoint that a job with a new identity goes on from gets this number here; nil for any other start.
  var adoptedNumber: Int64? {
    if case .override(let above) = action { above + 1 } else { nil }
  }

  /// Makes the job's marker at the broker, where it is to have a new one.
  /// - Parameter hasCheckpoint: Whether a checkpoint lies here under `adoptedNumber`.
  func settle(hasCheckpoint: Bool) throws(JobError) -> KafkaCommitPoint {
    guard let marker, let transactions else {
      throw .checkpoint(CheckpointError("the broker's marker of job \(plan.name) vanished while the job began"))
    }
    try JobError.wrapping {
      switch action {
      case .first:
        // Kept here before the broker hears of it, so that a crash in between is no riddle.
        try TransactionStart.LocalRecord(identity: marker.identity, completed: 0).write(in: directory)
        try commit(marker, transactions)
      case .override:
        var record = record ?? TransactionStart.LocalRecord(identity: 0, completed: 0)
        record.next = .init(number: marker.number, identity: marker.identity, hasCheckpoint: hasCheckpoint)
        try record.write(in: directory)
        try commit(marker, transactions)
      case .begin, .restore, .refuse: break
      }
    }
    return KafkaCommitPoint(
      plan: plan, directory: directory, reader: reader, transactions: transactions, marker: marker,
      lastNumber: max(marker.number, checkpoints.last ?? 0))
  }

  private func commit(_ marker: KafkaMarker, _ transactions: KafkaTransactions) throws {
    CrashPoint.reached("identity-kept")
    do { try transactions.stage(marker, []) } catch { throw failure(error, "the job's marker") }
    switch transactions.commit() {
    case .committed: break
    case .refused(let error), .unknown(let error): throw failure(error, "the job's marker")
    }
    CrashPoint.reached("marker-made")
  }

  private func failure(_ error: KafkaError, _ what: String) -> ConnectorError {
    .kafka(error, place: "\(place): \(what)", bootstrap: sink.spec.cluster.bootstrap)
  }
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

extension JobError {
  /// Gives errors of connectors and checkpoints their place among a job's.
  fileprivate static func wrapping<Result>(_ body: () throws -> Result) throws(JobError) -> Result {
    do { return try body() } catch let error as JobError {
      throw error
    } catch let error as ConnectorError {
      throw .connector(error)
    } catch let error as CheckpointError {
      throw .checkpoint(error)
    } catch {
      throw .operation(step: "checkpoint", reason: "\(error)")
    }
  }
}
