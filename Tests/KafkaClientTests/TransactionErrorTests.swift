import KafkaClient
import Testing

/// What the client decides when brokers answer a transaction with errors: go on, abort, or give the producer up. The
/// cluster is librdkafka's own pretended one.
@Suite(.serialized) struct TransactionErrorTests {
  static let timeout: Int32 = 20_000
  static let topic = "results"

  struct Setup {
    let cluster: MockCluster
    let producer: KafkaProducer
    let topic: KafkaTopic

    /// A producer that has taken its id over, with or without a transaction that holds one record.
    init(beginning: Bool = true) throws {
      cluster = try MockCluster()
      cluster.create(topic: TransactionErrorTests.topic, partitions: 2)
      cluster.create(topic: "marker", partitions: 2)
      let configuration = KafkaConfiguration(
        bootstrap: cluster.bootstrap, properties: ["retry.backoff.ms": "20", "reconnect.backoff.ms": "20"])
      producer = try KafkaProducer(configuration, transactionalID: "job-0", transactionTimeoutMilliseconds: 30_000)
      topic = try producer.topic(TransactionErrorTests.topic)
      try producer.initialize(timeoutMilliseconds: TransactionErrorTests.timeout)
      if beginning {
        try producer.begin()
        try produce("one")
      }
    }

    func produce(_ text: String) throws {
      try Array(text.utf8).withUnsafeBytes { try producer.produce(to: topic, key: $0, value: $0) }
    }

    func sendMarker(_ number: Int64) throws {
      try producer.send(
        [PartitionOffset(TopicPartition(topic: "marker", partition: 0), offset: number)], group: "job",
        timeoutMilliseconds: TransactionErrorTests.timeout)
    }
  }

  /// Numbers of errors in Kafka's protocol.
  enum Code {
    static let requestTimedOut: Int32 = 7
    static let coordinatorLoading: Int32 = 14
    static let coordinatorNotAvailable: Int32 = 15
    static let notCoordinator: Int32 = 16
    static let topicAuthorizationFailed: Int32 = 29
    static let groupAuthorizationFailed: Int32 = 30
    static let invalidProducerEpoch: Int32 = 47
    static let invalidTransactionState: Int32 = 48
    static let invalidProducerIDMapping: Int32 = 49
    static let transactionCoordinatorFenced: Int32 = 52
    static let transactionalIDAuthorizationFailed: Int32 = 53
    static let unknownProducerID: Int32 = 59
    static let producerFenced: Int32 = 90
    static let notLeader: Int32 = 6
    static let notEnoughReplicas: Int32 = 19
  }

  static let passing = [Code.coordinatorLoading, Code.coordinatorNotAvailable, Code.notCoordinator]

  @Test(arguments: passing)
  func whenTheCoordinatorMoves_initialisingGoesOn(_ code: Int32) throws {
    let cluster = try MockCluster()
    cluster.fail(.initProducerID, with: [code, code])
    let producer = try KafkaProducer(
      KafkaConfiguration(bootstrap: cluster.bootstrap, properties: ["retry.backoff.ms": "20"]),
      transactionalID: "job-0")
    try producer.initialize(timeoutMilliseconds: TransactionErrorTests.timeout)
    try producer.begin()
    #expect(producer.commit(timeoutMilliseconds: TransactionErrorTests.timeout) == .committed)
  }

  @Test func whenTheIDIsNotAllowed_initialisingSaysSo() throws {
    let cluster = try MockCluster()
    cluster.fail(.initProducerID, with: [Code.transactionalIDAuthorizationFailed])
    let producer = try KafkaProducer(KafkaConfiguration(bootstrap: cluster.bootstrap), transactionalID: "job-0")
    let error = #expect(throws: KafkaError.self) {
      try producer.initialize(timeoutMilliseconds: TransactionErrorTests.timeout)
    }
    #expect(error?.name == "TRANSACTIONAL_ID_AUTHORIZATION_FAILED" && error?.isRetriable == false)
  }

  @Test(arguments: passing)
  func whenTheCoordinatorMovesDuringTheCommit_theCommitIsFoundOut(_ code: Int32) throws {
    let setup = try Setup()
    setup.cluster.fail(.endTransaction, with: [code, code])
    try setup.producer.flush(timeoutMilliseconds: TransactionErrorTests.timeout)
    #expect(setup.producer.commit(timeoutMilliseconds: TransactionErrorTests.timeout) == .committed)
  }

  @Test(arguments: [Code.invalidProducerEpoch, Code.producerFenced])
  func whenTheEpochIsFenced_theCommitIsNotTriedAgain_andTheProducerStops(_ code: Int32) throws {
    let setup = try Setup()
    try setup.producer.flush(timeoutMilliseconds: TransactionErrorTests.timeout)
    setup.cluster.fail(.endTransaction, with: [code])
    guard case .unknown(let error) = setup.producer.commit(timeoutMilliseconds: TransactionErrorTests.timeout) else {
      Issue.record("a fenced producer committed")
      return
    }
    #expect(error.remedy == .stop, "\(error.name): \(error)")
    #expect(throws: KafkaError.self) { try setup.producer.begin() }
  }

  @Test(arguments: [Code.unknownProducerID, Code.invalidProducerIDMapping])
  func whenTheBrokerForgotTheProducer_theCommitIsRefused_andNothingElseCanBeBegun(_ code: Int32) throws {
    let setup = try Setup()
    try setup.producer.flush(timeoutMilliseconds: TransactionErrorTests.timeout)
    setup.cluster.fail(.endTransaction, with: [code])
    let outcome = setup.producer.commit(timeoutMilliseconds: TransactionErrorTests.timeout)
    guard case .refused(let error) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(error.remedy == .abort)
    #expect(throws: KafkaError.self) { try setup.producer.begin() }
  }

  @Test func whenTheAnswerToTheCommitDoesNotCome_theOutcomeIsUnknown() throws {
    let setup = try Setup()
    try setup.producer.flush(timeoutMilliseconds: TransactionErrorTests.timeout)
    for broker in 1...3 { setup.cluster.slow(broker: Int32(broker), milliseconds: 5_000) }
    guard case .unknown(let error) = setup.producer.commit(timeoutMilliseconds: 300) else {
      Issue.record("the outcome of a commit that nobody answered is known")
      return
    }
    #expect(error.remedy != .abort && error.remedy != .correct, "\(error.name)")
  }

  @Test(arguments: [Code.notLeader, Code.notEnoughReplicas, Code.requestTimedOut])
  func whenALeaderMoves_recordsAreSentAgain_andCommitted(_ code: Int32) throws {
    let setup = try Setup()
    setup.cluster.fail(.produce, with: [code, code])
    try setup.produce("two")
    try setup.producer.flush(timeoutMilliseconds: TransactionErrorTests.timeout)
    #expect(setup.producer.commit(timeoutMilliseconds: TransactionErrorTests.timeout) == .committed)
  }

  @Test func whenATopicMayNotBeWritten_flushSaysSo_andOnlyAnAbortIsLeft() throws {
    let setup = try Setup(beginning: false)
    setup.cluster.fail(.addPartitionsToTransaction, with: [Code.topicAuthorizationFailed])
    try setup.producer.begin()
    try setup.produce("one")
    #expect(throws: KafkaError.self) {
      try setup.producer.flush(timeoutMilliseconds: 2_000)
      try setup.sendMarker(1)
    }
    try setup.producer.abort(timeoutMilliseconds: TransactionErrorTests.timeout)
    try setup.producer.begin()
    try setup.produce("two")
    #expect(setup.producer.commit(timeoutMilliseconds: TransactionErrorTests.timeout) == .committed)
  }

  @Test(arguments: [Code.coordinatorLoading, Code.notCoordinator, Code.coordinatorNotAvailable])
  func whenTheGroupsCoordinatorMoves_offsetsAreSentAgain(_ code: Int32) throws {
    let setup = try Setup()
    setup.cluster.fail(.transactionOffsetCommit, with: [code])
    try setup.sendMarker(1)
    #expect(setup.producer.commit(timeoutMilliseconds: TransactionErrorTests.timeout) == .committed)
  }

  @Test func whenTheGroupMayNotBeWritten_theTransactionHasToBeAborted() throws {
    let setup = try Setup()
    setup.cluster.fail(.transactionOffsetCommit, with: [Code.groupAuthorizationFailed])
    let error = #expect(throws: KafkaError.self) { try setup.sendMarker(1) }
    #expect(error?.remedy == .abort, "\(String(describing: error))")
    try setup.producer.abort(timeoutMilliseconds: TransactionErrorTests.timeout)
  }

  @Test func whenFencedWhileAddingOffsets_theProducerStops() throws {
    let setup = try Setup()
    setup.cluster.fail(.addOffsetsToTransaction, with: [Code.producerFenced])
    let error = #expect(throws: KafkaError.self) { try setup.sendMarker(1) }
    #expect(error?.remedy == .stop, "\(String(describing: error))")
  }

  @Test func whenTheCoordinatorCannotBeFoundAtFirst_theProducerAsksAgain() throws {
    let setup = try Setup(beginning: false)
    setup.cluster.fail(.findCoordinator, with: [Code.coordinatorNotAvailable, Code.coordinatorNotAvailable])
    setup.cluster.moveCoordinator(ofTransaction: "job-0", to: 2)
    try setup.producer.begin()
    try setup.produce("one")
    try setup.sendMarker(7)
    #expect(setup.producer.commit(timeoutMilliseconds: TransactionErrorTests.timeout) == .committed)
  }

  // MARK: Every request

  /// One transaction as a job makes it: a record, the marker, the commit.
  private static func runTransaction(_ setup: Setup) throws {
    try setup.producer.begin()
    try setup.produce("one")
    try setup.producer.flush(timeoutMilliseconds: timeout)
    try setup.sendMarker(7)
    switch setup.producer.commit(timeoutMilliseconds: timeout) {
    case .committed: return
    case .refused(let error), .unknown(let error): throw error
    }
  }

  static let ofATransaction: [MockCluster.Request] = [
    .addPartitionsToTransaction, .addOffsetsToTransaction, .transactionOffsetCommit, .endTransaction,
  ]

  @Test(arguments: ofATransaction, passing)
  func whateverRequestMeetsACoordinatorThatMoves_theTransactionIsCommitted(
    _ request: MockCluster.Request, _ code: Int32
  ) throws {
    let setup = try Setup(beginning: false)
    setup.cluster.fail(request, with: [code, code])
    try TransactionErrorTests.runTransaction(setup)
  }

  @Test func everyRequestThatCanFail_isMadeToFailSomewhere() {
    // Reading: ConsumerErrorTests. The rest stands here.
    let reading: Set<MockCluster.Request> = [.fetch, .listOffsets, .offsetCommit, .offsetFetch]
    let writing: Set<MockCluster.Request> = [.produce, .findCoordinator, .initProducerID]
    let all = reading.union(writing).union(TransactionErrorTests.ofATransaction)
    #expect(all == Set(MockCluster.Request.allCases))
  }

  @Test(arguments: ofATransaction, [Code.invalidProducerEpoch, Code.producerFenced])
  func whateverRequestIsFenced_theProducerStops_andCommitsNothingMore(
    _ request: MockCluster.Request, _ code: Int32
  ) throws {
    let setup = try Setup(beginning: false)
    setup.cluster.fail(request, with: [code])
    let error = #expect(throws: KafkaError.self) { try TransactionErrorTests.runTransaction(setup) }
    #expect(error?.remedy == .stop, "\(error?.name ?? ""): \(String(describing: error))")
    #expect(setup.producer.commit(timeoutMilliseconds: 1_000) != .committed)
  }
}
