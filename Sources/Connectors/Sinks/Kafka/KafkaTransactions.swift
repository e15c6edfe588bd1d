import KafkaClient
import Synchronization

/// The Kafka transactions of one job: producers take turns, so that records of the next checkpoint flow while one commits.
///
/// An *epoch* is what one transaction carries: everything between two checkpoints. Epoch *e* belongs to producer *e* mod 3; the
/// producer that committed last has nothing open, so that nothing that is aborted is of the same id as what was committed.
/// A transaction begins with its first record, or when it is committed. Order: `start`, `claim`, then for each epoch
/// `producer(ofEpoch:)`* and `flush` by the writers, and `commit` by the one who takes checkpoints; epoch *e* + 2 is used
/// only after *e* has been committed, which the barriers see to: number *N* + 1 is not let in before *N* is known.
///
/// After any error but one of `flush` that `abort` settles the producers are not used again: a new start asks the broker what
/// became of it.
package final class KafkaTransactions: Sendable {
  package struct Settings: Sendable {
    package let cluster: KafkaConfiguration
    package let job: String
    package let transactionTimeoutMilliseconds: Int64
    /// How long a commit may take.
    package var commitTimeoutMilliseconds: Int32 = 60_000

    package init(cluster: KafkaConfiguration, job: String, transactionTimeoutMilliseconds: Int64) {
      self.cluster = cluster
      self.job = job
      self.transactionTimeoutMilliseconds = transactionTimeoutMilliseconds
    }
  }

  /// Transactions open at a time: the one that is being committed, and the next.
  private static let openLimit = 2
  /// How long taking an id over may take: what its last owner was committing is waited out.
  private static let initializeTimeoutMilliseconds: Int32 = 60_000

  private struct State {
    /// Epochs whose transaction has begun and not ended.
    var open: Set<Int> = []
    var committed = 0
    /// The highest checkpoint whose barrier has passed a writer, and the highest that was given up before it had.
    var passed: Int64 = 0
    var withdrawn: Int64 = 0
    /// Whether the job ends: nothing begins and nothing is waited for any more.
    var isEnding = false
  }

  package let settings: Settings
  private let producers: [KafkaProducer]
  private let state = Mutex(State())

  /// Makes the producers; nothing is fenced before `start`.
  package init(_ settings: Settings) throws(KafkaError) {
    self.settings = settings
    var producers: [KafkaProducer] = []
    for id in KafkaMarker.transactionalIDs(ofJob: settings.job) {
      producers.append(
        try KafkaProducer(
          settings.cluster, transactionalID: id,
          transactionTimeoutMilliseconds: settings.transactionTimeoutMilliseconds))
    }
    self.producers = producers
  }

  /// Takes the job's transactional ids over: from now on nobody else of this name can commit anything.
  package func start() throws(KafkaError) {
    for producer in producers {
      try producer.initialize(timeoutMilliseconds: KafkaTransactions.initializeTimeoutMilliseconds)
    }
  }

  /// Commits a transaction of one record: a start that cannot commit shows before anything depends on it. And what the last
  /// owner had committed is settled after this with brokers that settle a transaction with the next one on the same partition.
  package func claim() throws(KafkaError) {
    let producer = producers[0]
    try producer.begin()
    try note("\"claimed\":true", by: producer)
    switch producer.commit(timeoutMilliseconds: settings.commitTimeoutMilliseconds) {
    case .committed: return
    case .refused(let error), .unknown(let error): throw error
    }
  }

  /// Puts a record of the job into the marker's topic, where people can read it.
  private func note(_ members: String, by producer: KafkaProducer) throws(KafkaError) {
    let topic = try producer.topic(KafkaMarker.topic)
    try producer.produce(
      to: topic, keyBytes: Array(settings.job.utf8), valueBytes: Array("{\"job\":\"\(settings.job)\",\(members)}".utf8),
      partition: KafkaMarker.recordPartition)
    try producer.flush(timeoutMilliseconds: settings.commitTimeoutMilliseconds)
  }

  /// The epoch that the next commit is of.
  package var nextEpoch: Int { state.withLock { $0.committed } }

  /// The producer for records of epoch `epoch`, its transaction begun.
  package func producer(ofEpoch epoch: Int) throws(KafkaError) -> KafkaProducer {
    let producer = producers[epoch % producers.count]
    try state.withLock { (state) throws(KafkaError) in
      precondition(
        (state.committed..<state.committed + KafkaTransactions.openLimit).contains(epoch),
        "epoch \(epoch) while \(state.committed) is the next to be committed")
      if state.open.contains(epoch) { return }
      if state.isEnding { throw KafkaTransactions.ended }
      try producer.begin()
      state.open.insert(epoch)
    }
    return producer
  }

  /// A writer that has flushed for checkpoint `id` asks whether its next record belongs to the next epoch: not when the checkpoint
  /// was given up, whose records then go with the next one's.
  package func pass(_ id: Int64) -> Bool {
    state.withLock { state in
      if id <= state.withdrawn { return false }
      state.passed = max(state.passed, id)
      return true
    }
  }

  /// Checkpoint `id` is given up. False when a writer has passed it: then it is too late.
  package func withdraw(_ id: Int64) -> Bool {
    state.withLock { state in
      if id <= state.passed { return false }
      state.withdrawn = max(state.withdrawn, id)
      return true
    }
  }

  /// Waits until every record of the epoch is acknowledged.
  package func flush(epoch: Int, timeoutMilliseconds: Int32) throws(KafkaError) {
    guard state.withLock({ $0.open.contains(epoch) }) else { return }
    let producer = producers[epoch % producers.count]
    var rest = timeoutMilliseconds
    while rest > KafkaTransactions.flushSliceMilliseconds {
      if try producer.hasFlushed(timeoutMilliseconds: KafkaTransactions.flushSliceMilliseconds) { return }
      if state.withLock({ $0.isEnding }) { throw KafkaTransactions.ended }
      rest -= KafkaTransactions.flushSliceMilliseconds
    }
    try producer.flush(timeoutMilliseconds: rest)
  }

  /// How soon a wait for acknowledgements sees that the job ends.
  private static let flushSliceMilliseconds: Int32 = 100
  private static let ended = KafkaError(
    name: "_STATE", remedy: .renew, description: "the job's transactions have ended")

  /// Offsets of a group to be committed with a transaction.
  package struct GroupOffsets: Hashable, Sendable {
    package let group: String
    package let offsets: [PartitionOffset]
    package init(group: String, offsets: [PartitionOffset]) {
      self.group = group
      self.offsets = offsets
    }
  }

  /// Puts the marker and the sources' offsets into the transaction of the next epoch, and a record: not every broker commits
  /// offsets without any. Nothing is committed yet.
  package func stage(_ marker: KafkaMarker, _ sources: [GroupOffsets]) throws(KafkaError) {
    let epoch = state.withLock { $0.committed }
    let producer = try self.producer(ofEpoch: epoch)
    try note("\"checkpoint\":\(marker.number)", by: producer)
    let timeout = settings.commitTimeoutMilliseconds
    for source in sources where !source.offsets.isEmpty {
      try producer.send(source.offsets, group: source.group, timeoutMilliseconds: timeout)
    }
    try producer.send(
      marker.offsets(of: epoch % producers.count), group: KafkaMarker.group(ofJob: settings.job),
      timeoutMilliseconds: timeout)
  }

  /// Commits the transaction of the next epoch. Sent once, whatever comes of it.
  package func commit() -> CommitOutcome {
    let epoch = state.withLock { $0.committed }
    let outcome = producers[epoch % producers.count].commit(timeoutMilliseconds: settings.commitTimeoutMilliseconds)
    state.withLock { state in
      switch outcome {
      case .committed:
        state.open.remove(epoch)
        state.committed = epoch + 1
      case .unknown: state.open.remove(epoch)  // not to be aborted: it may be committed
      case .refused: break
      }
    }
    return outcome
  }

  /// The job ends: writers that wait give up, and begin no more transactions.
  package func end() { state.withLock { $0.isEnding = true } }

  /// After `end`, when no writer is at work any more: aborts what is open, as far as that is still possible: readers need not wait for it to time out.
  package func abandon(timeoutMilliseconds: Int32 = 5_000) {
    let open = state.withLock { state in
      defer { state.open = [] }
      return state.open
    }
    for epoch in open { try? producers[epoch % producers.count].abort(timeoutMilliseconds: timeoutMilliseconds) }
  }
}
