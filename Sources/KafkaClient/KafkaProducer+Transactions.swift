import CRdKafka

/// How an attempt to commit a transaction ended.
package enum CommitOutcome: Hashable, Sendable {
  case committed
  /// Certainly not committed: abort it.
  case refused(KafkaError)
  /// Committed or not: only the broker can tell. The producer must not be used any more, nor the commit repeated.
  case unknown(KafkaError)
}

/// Transactions of a producer with a transactional id. Order: `initialize` once, then for each transaction `begin`,
/// `produce`*, `send`*, and `commit` or `abort`.
extension KafkaProducer {
  /// Takes the transactional id over: producers that have it are fenced from now on, what they left open is aborted, what
  /// they were committing is waited out.
  package func initialize(timeoutMilliseconds: Int32) throws(KafkaError) {
    if let error = KafkaError(taking: rd_kafka_init_transactions(handle.native, timeoutMilliseconds)) {
      throw handle.explained(error)
    }
  }

  package func begin() throws(KafkaError) {
    if let error = KafkaError(taking: rd_kafka_begin_transaction(handle.native)) { throw error }
  }

  /// Adds offsets of `group` to the transaction: they are committed with it.
  package func send(
    _ offsets: [PartitionOffset], group: String, timeoutMilliseconds: Int32
  ) throws(KafkaError) {
    let list = PartitionList(offsets)
    guard let metadata = rd_kafka_consumer_group_metadata_new(group) else {
      throw KafkaError(name: "_INVALID_ARG", remedy: .correct, description: "`\(group)` is no consumer group")
    }
    defer { rd_kafka_consumer_group_metadata_destroy(metadata) }
    let error = rd_kafka_send_offsets_to_transaction(handle.native, list.native, metadata, timeoutMilliseconds)
    if let error = KafkaError(taking: error) { throw handle.explained(error) }
  }

  /// Commits the transaction. Everything was flushed before, so that this is one question to the coordinator; librdkafka
  /// repeats it as long as the answer cannot have been given to anybody else.
  package func commit(timeoutMilliseconds: Int32) -> CommitOutcome {
    guard let error = KafkaError(taking: rd_kafka_commit_transaction(handle.native, timeoutMilliseconds)) else {
      return .committed
    }
    return error.remedy == .abort ? .refused(error) : .unknown(handle.explained(error))
  }

  /// Aborts the transaction: its records and offsets are as if they had never been.
  package func abort(timeoutMilliseconds: Int32) throws(KafkaError) {
    _ = rd_kafka_purge(handle.native, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
    if let error = KafkaError(taking: rd_kafka_abort_transaction(handle.native, timeoutMilliseconds)) {
      throw handle.explained(error)
    }
    _ = handle.notices.takeDeliveryFailure()
  }
}
