import CRdKafka

/// Creates and deletes topics.
package struct KafkaAdmin {
  private let handle: KafkaHandle

  /// Works through a client that is there already.
  package init(_ handle: KafkaHandle) { self.handle = handle }

  /// Creates a topic; without effect where it exists.
  /// - Parameter settings: The topic's configuration, such as `cleanup.policy`.
  package func create(
    topic: String, partitions: Int32, replication: Int32 = -1, settings: [String: String] = [:],
    timeoutMilliseconds: Int32
  ) throws(KafkaError) {
    var message = [CChar](repeating: 0, count: 512)
    var new: OpaquePointer? = rd_kafka_NewTopic_new(topic, partitions, replication, &message, message.count)
    guard new != nil else { throw KafkaError(RD_KAFKA_RESP_ERR__INVALID_ARG, "topic \(topic)") }
    defer { rd_kafka_NewTopic_destroy(new) }
    for (name, value) in settings { _ = rd_kafka_NewTopic_set_config(new, name, value) }
    let code = try run(RD_KAFKA_ADMIN_OP_CREATETOPICS, timeoutMilliseconds) { options, queue in
      rd_kafka_CreateTopics(handle.native, &new, 1, options, queue)
    } result: { event in
      guard let result = rd_kafka_event_CreateTopics_result(event) else { return nil }
      var count = 0
      return rd_kafka_CreateTopics_result_topics(result, &count)?[0]
    }
    if code != RD_KAFKA_RESP_ERR_NO_ERROR, code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS {
      throw KafkaError(code, "topic \(topic) cannot be created")
    }
  }

  package func delete(topic: String, timeoutMilliseconds: Int32) throws(KafkaError) {
    var doomed: OpaquePointer? = rd_kafka_DeleteTopic_new(topic)
    defer { rd_kafka_DeleteTopic_destroy(doomed) }
    let code = try run(RD_KAFKA_ADMIN_OP_DELETETOPICS, timeoutMilliseconds) { options, queue in
      rd_kafka_DeleteTopics(handle.native, &doomed, 1, options, queue)
    } result: { event in
      guard let result = rd_kafka_event_DeleteTopics_result(event) else { return nil }
      var count = 0
      return rd_kafka_DeleteTopics_result_topics(result, &count)?[0]
    }
    if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(code, "topic \(topic) cannot be deleted") }
  }

  /// Adds partitions to a topic until it has `count`.
  package func grow(topic: String, to count: Int, timeoutMilliseconds: Int32) throws(KafkaError) {
    var message = [CChar](repeating: 0, count: 512)
    var new: OpaquePointer? = rd_kafka_NewPartitions_new(topic, count, &message, message.count)
    defer { rd_kafka_NewPartitions_destroy(new) }
    let code = try run(RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, timeoutMilliseconds) { options, queue in
      rd_kafka_CreatePartitions(handle.native, &new, 1, options, queue)
    } result: { event in
      guard let result = rd_kafka_event_CreatePartitions_result(event) else { return nil }
      var count = 0
      return rd_kafka_CreatePartitions_result_topics(result, &count)?[0]
    }
    if code != RD_KAFKA_RESP_ERR_NO_ERROR {
      throw KafkaError(code, "topic \(topic) cannot be given \(count) partitions")
    }
  }

  /// Removes the records of a partition before `offset`, as retention would.
  package func deleteRecords(before offset: PartitionOffset, timeoutMilliseconds: Int32) throws(KafkaError) {
    let list = PartitionList([offset])
    var request: OpaquePointer? = rd_kafka_DeleteRecords_new(list.native)
    defer { rd_kafka_DeleteRecords_destroy(request) }
    _ = try run(RD_KAFKA_ADMIN_OP_DELETERECORDS, timeoutMilliseconds) { options, queue in
      rd_kafka_DeleteRecords(handle.native, &request, 1, options, queue)
    } result: { _ in
      nil
    }
  }

  /// Sends an admin request on a queue of its own and waits for the answer.
  private func run(
    _ operation: rd_kafka_admin_op_t, _ timeoutMilliseconds: Int32,
    _ send: (OpaquePointer?, OpaquePointer?) -> Void, result: (OpaquePointer?) -> OpaquePointer?
  ) throws(KafkaError) -> rd_kafka_resp_err_t {
    let queue = rd_kafka_queue_new(handle.native)
    defer { rd_kafka_queue_destroy(queue) }
    let options = rd_kafka_AdminOptions_new(handle.native, operation)
    defer { rd_kafka_AdminOptions_destroy(options) }
    send(options, queue)
    guard let event = rd_kafka_queue_poll(queue, timeoutMilliseconds) else {
      throw handle.explained(KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT, "no broker answers"))
    }
    defer { rd_kafka_event_destroy(event) }
    let code = rd_kafka_event_error(event)
    if code != RD_KAFKA_RESP_ERR_NO_ERROR {
      let text = rd_kafka_event_error_string(event).map { String(cString: $0) }
      throw handle.explained(KafkaError(code, text))
    }
    return result(event).map { rd_kafka_topic_result_error($0) } ?? RD_KAFKA_RESP_ERR_NO_ERROR
  }
}
