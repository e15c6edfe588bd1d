import CRdKafka

/// What went wrong at a Kafka broker or on the way to it, and what to do about it.
package struct KafkaError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What the caller has to do.
  package enum Remedy: Hashable, Sendable {
    /// Stop: another producer has been initialised with the same transactional id, or the broker gave the transaction up.
    case stop
    /// Make a new client; this one cannot be used any more.
    case renew
    /// Abort the transaction; the producer can be used after that.
    case abort
    /// Try again later: it may pass by itself.
    case retry
    /// Correct something: a name, a permission, a setting.
    case correct
  }

  /// librdkafka's name of the error, such as `_TIMED_OUT`; names that begin with `_` are the client's own.
  package let name: String
  package let remedy: Remedy
  /// What happened, in words; never holds a secret.
  package let description: String

  package init(name: String, remedy: Remedy, description: String) {
    self.name = name
    self.remedy = remedy
    self.description = description
  }

  /// Whether the broker or the way to it is at fault, rather than the request.
  package var isRetriable: Bool { remedy == .retry }
}

extension KafkaError {
  init(_ code: rd_kafka_resp_err_t, _ detail: String? = nil) {
    let name = String(cString: rd_kafka_err2name(code))
    let text = String(cString: rd_kafka_err2str(code))
    self.init(
      name: name, remedy: KafkaError.remedy(of: code), description: detail.map { "\($0): \(text)" } ?? text)
  }

  /// An error with its own words.
  init(_ code: rd_kafka_resp_err_t, text: String) {
    self.init(
      name: String(cString: rd_kafka_err2name(code)), remedy: KafkaError.remedy(of: code), description: text)
  }

  /// Takes an error object over and frees it; nil for none.
  init?(taking error: OpaquePointer?) {
    guard let error else { return nil }
    defer { rd_kafka_error_destroy(error) }
    let code = rd_kafka_error_code(error)
    var remedy = KafkaError.remedy(of: code)
    if remedy == .stop {
      // Also where librdkafka offers an abort: the id is another's.
    } else if rd_kafka_error_is_fatal(error) != 0 {
      remedy = .renew
    } else if rd_kafka_error_txn_requires_abort(error) != 0 {
      remedy = .abort
    } else if rd_kafka_error_is_retriable(error) != 0 {
      remedy = .retry
    }
    self.init(
      name: String(cString: rd_kafka_error_name(error)), remedy: remedy,
      description: String(cString: rd_kafka_error_string(error)))
  }

  private static func remedy(of code: rd_kafka_resp_err_t) -> Remedy {
    if fencing.contains(code.rawValue) { return .stop }
    if passing.contains(code.rawValue) { return .retry }
    return code == RD_KAFKA_RESP_ERR__FATAL ? .renew : .correct
  }

  private static let fencing: Set<Int32> = Set(
    [
      RD_KAFKA_RESP_ERR__FENCED, RD_KAFKA_RESP_ERR_PRODUCER_FENCED, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
    ].map(\.rawValue))

  private static let passing: Set<Int32> = Set(
    [
      RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__TIMED_OUT,
      RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, RD_KAFKA_RESP_ERR__RESOLVE,
      RD_KAFKA_RESP_ERR__QUEUE_FULL, RD_KAFKA_RESP_ERR__WAIT_COORD, RD_KAFKA_RESP_ERR__RETRY,
      RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
      RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
      RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE,
      RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
      RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
      RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT,
      RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE,
    ].map(\.rawValue))
}
