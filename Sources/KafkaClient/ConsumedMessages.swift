import CRdKafka

/// Records and events as the consumer gave them, in order; freed together.
package struct ConsumedMessages: ~Copyable {
  private let messages: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>
  private let capacity: Int
  package private(set) var count = 0

  init(capacity: Int) {
    self.capacity = max(1, capacity)
    messages = .allocate(capacity: self.capacity)
    messages.initialize(repeating: nil, count: self.capacity)
  }

  deinit {
    for index in 0..<count { rd_kafka_message_destroy(messages[index]) }
    messages.deallocate()
  }

  mutating func fill(from queue: OpaquePointer, milliseconds: Int32) {
    let given = rd_kafka_consume_batch_queue(queue, milliseconds, messages + count, capacity - count)
    if given > 0 { count += given }
  }

  /// Waits for one; more are there for the next call.
  mutating func fillOne(from queue: OpaquePointer, milliseconds: Int32) {
    let given = rd_kafka_consume_batch_queue(queue, milliseconds, messages + count, 1)
    guard given > 0 else { return }
    count += given
    if count < capacity { fill(from: queue, milliseconds: 0) }
  }

  /// Message `index`; valid while these messages live.
  package subscript(index: Int) -> KafkaMessage {
    precondition(index < count, "a message that was consumed")
    return KafkaMessage(native: messages[index].unsafelyUnwrapped)
  }
}

/// A view of one consumed message.
package struct KafkaMessage {
  fileprivate let native: UnsafeMutablePointer<rd_kafka_message_t>

  /// What a message is.
  package enum Kind {
    case record
    /// The partition's end was reached; `offset` is the end.
    case end
    case failure(KafkaError)
  }

  package var kind: Kind {
    switch native.pointee.err {
    case RD_KAFKA_RESP_ERR_NO_ERROR: .record
    case RD_KAFKA_RESP_ERR__PARTITION_EOF: .end
    case let code: .failure(KafkaError(code, text: errorText))
    }
  }

  private var errorText: String { rd_kafka_message_errstr(native).map { String(cString: $0) } ?? "" }

  package var offset: Int64 { native.pointee.offset }
  package var partition: Int32 { native.pointee.partition }
  /// Tells topics of one consumer apart without comparing names.
  package var topicIdentity: OpaquePointer? { native.pointee.rkt }
  package var topic: String { native.pointee.rkt.map { String(cString: rd_kafka_topic_name($0)) } ?? "" }

  /// Nil for a tombstone.
  @inline(__always) package var value: UnsafeRawBufferPointer? {
    native.pointee.payload.map { UnsafeRawBufferPointer(start: $0, count: native.pointee.len) }
  }

  @inline(__always) package var key: UnsafeRawBufferPointer? {
    native.pointee.key.map { UnsafeRawBufferPointer(start: $0, count: native.pointee.key_len) }
  }

  /// When the record was made or appended, ms since 1970; nil where the broker keeps no times.
  package var timestamp: Int64? {
    var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
    let time = rd_kafka_message_timestamp(native, &type)
    return type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? nil : time
  }

  /// The last header called `name`; nil where there is none or it is null.
  package func header(_ name: String) -> [UInt8]? {
    var headers: OpaquePointer?
    guard rd_kafka_message_headers(native, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR, let headers else { return nil }
    var value: UnsafeRawPointer?
    var size = 0
    guard rd_kafka_header_get_last(headers, name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR, let value else {
      return nil
    }
    return [UInt8](UnsafeRawBufferPointer(start: value, count: size))
  }
}
