import CRdKafka
import Synchronization

/// Sends records, each exactly once to the partition's log as long as the producer lives (idempotence), to the partition
/// that Kafka's own clients would choose: murmur2 of the key, any partition without one.
///
/// Any number of threads may `produce`; what has failed shows at the latest in `flush`.
package final class KafkaProducer: Sendable {
  package let handle: KafkaHandle
  private let topics = Mutex<[String: KafkaTopic]>([:])

  /// How long `produce` waits for room in the queue at a time.
  private static let fullQueueWaitMilliseconds: Int32 = 20

  /// - Parameters:
  ///   - transactionalID: Nil for a producer without transactions.
  ///   - transactionTimeoutMilliseconds: When the broker gives up a transaction that has not been ended.
  package init(
    _ configuration: KafkaConfiguration, transactionalID: String? = nil, transactionTimeoutMilliseconds: Int64 = 60_000
  ) throws(KafkaError) {
    var own = [
      ("enable.idempotence", "true"), ("partitioner", "murmur2_random"), ("delivery.report.only.error", "true"),
      ("allow.auto.create.topics", "false"),
    ]
    if let transactionalID {
      own.append(("transactional.id", transactionalID))
      own.append(("transaction.timeout.ms", "\(transactionTimeoutMilliseconds)"))
    }
    // A record may wait for its acknowledgement as long as its transaction may stay open, but not longer.
    let delivery = min(transactionTimeoutMilliseconds, 300_000)
    let conf = try configuration.makeNative(
      own,
      defaults: [
        ("linger.ms", "5"), ("batch.size", "1000000"), ("queue.buffering.max.kbytes", "65536"),
        ("queue.buffering.max.messages", "200000"), ("message.timeout.ms", "\(delivery)"),
        ("reconnect.backoff.max.ms", "2000"),
      ])
    handle = try KafkaHandle(RD_KAFKA_PRODUCER, conf, bootstrap: configuration.bootstrap)
  }

  /// A topic to produce to. That it exists shows when records are sent.
  package func topic(_ name: String) throws(KafkaError) -> KafkaTopic {
    if let known = topics.withLock({ $0[name] }) { return known }
    guard let native = rd_kafka_topic_new(handle.native, name, nil) else {
      throw KafkaError(rd_kafka_last_error(), "topic \(name)")
    }
    let topic = KafkaTopic(native: native, name: name, handle: handle)
    topics.withLock { $0[name] = topic }
    return topic
  }

  /// Queues a record; waits while the queue is full, which is the back-pressure.
  /// - Parameters:
  ///   - value: Nil for a tombstone.
  ///   - timestamp: ms since 1970; 0 for now.
  ///   - partition: Nil for the one that the key asks for.
  package func produce(
    to topic: KafkaTopic, key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?, headers: KafkaHeaders? = nil,
    timestamp: Int64 = 0, partition: Int32? = nil
  ) throws(KafkaError) {
    while true {
      let copy = headers.flatMap { rd_kafka_headers_copy($0.native) }
      let code = weir_kafka_produce(
        handle.native, topic.native, partition ?? -1, key?.baseAddress, key?.count ?? 0, value?.baseAddress,
        value?.count ?? 0,
        timestamp, copy)
      if code == RD_KAFKA_RESP_ERR_NO_ERROR { return }
      if let copy { rd_kafka_headers_destroy(copy) }
      guard code == RD_KAFKA_RESP_ERR__QUEUE_FULL else { throw failure(code, topic) }
      handle.poll(milliseconds: KafkaProducer.fullQueueWaitMilliseconds)
      if let failure = handle.notices.deliveryFailure ?? handle.notices.fatal { throw failure }
    }
  }

  /// Queues a record of whole arrays; `key` nil for none.
  package func produce(
    to topic: KafkaTopic, keyBytes: [UInt8]?, valueBytes: [UInt8], partition: Int32? = nil
  ) throws(KafkaError) {
    try (keyBytes ?? []).withUnsafeBufferPointer { (key) throws(KafkaError) in
      try valueBytes.withUnsafeBufferPointer { (value) throws(KafkaError) in
        try produce(
          to: topic, key: keyBytes == nil ? nil : UnsafeRawBufferPointer(key), value: UnsafeRawBufferPointer(value),
          partition: partition)
      }
    }
  }

  private func failure(_ code: rd_kafka_resp_err_t, _ topic: KafkaTopic) -> KafkaError {
    handle.poll(milliseconds: 0)
    return handle.notices.fatal ?? handle.notices.deliveryFailure ?? KafkaError(code, "topic \(topic.name)")
  }

  /// Waits until every record has been acknowledged by the brokers, and says whether all were in time; throws when one will not
  /// be.
  package func hasFlushed(timeoutMilliseconds: Int32) throws(KafkaError) -> Bool {
    let code = rd_kafka_flush(handle.native, timeoutMilliseconds)
    if let failure = handle.notices.fatal ?? handle.notices.takeDeliveryFailure() { throw failure }
    return code == RD_KAFKA_RESP_ERR_NO_ERROR
  }

  /// Waits until every record has been acknowledged by the brokers; throws when one was not.
  package func flush(timeoutMilliseconds: Int32) throws(KafkaError) {
    let code = rd_kafka_flush(handle.native, timeoutMilliseconds)
    if let failure = handle.notices.fatal ?? handle.notices.takeDeliveryFailure() { throw failure }
    if code != RD_KAFKA_RESP_ERR_NO_ERROR {
      throw handle.explained(KafkaError(code, "records are not acknowledged after \(timeoutMilliseconds) ms"))
    }
  }

  /// Records queued or under way.
  package var outstanding: Int { Int(rd_kafka_outq_len(handle.native)) }
}

/// A topic of one producer; keeps the producer.
///
/// Invariant for `Sendable`: the native topic is thread-safe; it is destroyed before its client.
package final class KafkaTopic: @unchecked Sendable {
  let native: OpaquePointer
  package let name: String
  private let handle: KafkaHandle

  init(native: OpaquePointer, name: String, handle: KafkaHandle) {
    self.native = native
    self.name = name
    self.handle = handle
  }

  deinit { rd_kafka_topic_destroy(native) }
}

/// Headers that go with any number of records.
///
/// Invariant for `Sendable`: written only in `init`; copied for every record.
package final class KafkaHeaders: @unchecked Sendable {
  let native: OpaquePointer

  package init(_ headers: [(name: String, value: String)]) {
    native = rd_kafka_headers_new(headers.count)
    for header in headers {
      let value = Array(header.value.utf8)
      _ = value.withUnsafeBytes { rd_kafka_header_add(native, header.name, -1, $0.baseAddress, value.count) }
    }
  }

  deinit { rd_kafka_headers_destroy(native) }
}
