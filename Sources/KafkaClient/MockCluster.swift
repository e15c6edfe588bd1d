import CRdKafka

/// librdkafka's own cluster of pretended brokers inside this process, for tests of how a client decides on errors.
///
/// Invariant for `Sendable`: the native cluster is thread-safe, made in `init` and destroyed in `deinit`.
package final class MockCluster: @unchecked Sendable {
  private let handle: KafkaHandle
  private let native: OpaquePointer

  /// Requests whose answers can be made errors: all that Weir's clients send, but for metadata and administration, which the
  /// pretended brokers always answer or do not know.
  package enum Request: Int16, CaseIterable, Sendable {
    case produce = 0
    case fetch = 1
    case listOffsets = 2
    case offsetCommit = 8
    case offsetFetch = 9
    case findCoordinator = 10
    case initProducerID = 22
    case addPartitionsToTransaction = 24
    case addOffsetsToTransaction = 25
    case endTransaction = 26
    case transactionOffsetCommit = 28
  }

  package init(brokers: Int32 = 3) throws(KafkaError) {
    let conf = try KafkaConfiguration(bootstrap: "").makeNative([], defaults: [])
    handle = try KafkaHandle(RD_KAFKA_PRODUCER, conf, bootstrap: "")
    guard let native = rd_kafka_mock_cluster_new(handle.native, brokers) else {
      throw KafkaError(RD_KAFKA_RESP_ERR__FAIL, "no cluster can be pretended")
    }
    self.native = native
  }

  deinit { rd_kafka_mock_cluster_destroy(native) }

  package var bootstrap: String { String(cString: rd_kafka_mock_cluster_bootstraps(native)) }

  package func create(topic: String, partitions: Int32) {
    rd_kafka_mock_topic_create(native, topic, partitions, 1)
  }

  /// The next answers to `request` are these errors, by their numbers in the protocol; 0 for an answer as usual.
  package func fail(_ request: Request, with codes: [Int32]) {
    let errors = codes.map { rd_kafka_resp_err_t(rawValue: $0) }
    rd_kafka_mock_push_request_errors_array(native, request.rawValue, errors.count, errors)
  }

  /// Every answer of a broker comes after `milliseconds`.
  package func slow(broker: Int32, milliseconds: Int32) {
    _ = rd_kafka_mock_broker_set_rtt(native, broker, milliseconds)
  }

  package func setDown(broker: Int32) { _ = rd_kafka_mock_broker_set_down(native, broker) }
  package func setUp(broker: Int32) { _ = rd_kafka_mock_broker_set_up(native, broker) }

  /// Moves the coordinator of a transactional id to a broker.
  package func moveCoordinator(ofTransaction id: String, to broker: Int32) {
    _ = rd_kafka_mock_coordinator_set(native, "transaction", id, broker)
  }

  /// Moves the coordinator of a consumer group to a broker.
  package func moveCoordinator(ofGroup id: String, to broker: Int32) {
    _ = rd_kafka_mock_coordinator_set(native, "group", id, broker)
  }
}
