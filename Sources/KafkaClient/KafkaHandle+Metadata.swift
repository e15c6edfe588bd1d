import CRdKafka

extension KafkaHandle {
  /// A topic that exists.
  package struct Topic: Hashable, Sendable {
    package let name: String
    package let partitionCount: Int32
  }

  /// All topics of the cluster, by name.
  package func topics(timeoutMilliseconds: Int32) throws(KafkaError) -> [Topic] {
    try metadata(of: nil, timeoutMilliseconds).compactMap { topic in
      topic.error == RD_KAFKA_RESP_ERR_NO_ERROR ? topic.topic : nil
    }.sorted { $0.name < $1.name }
  }

  /// The topic called `name`; nil where the cluster has none.
  package func topic(_ name: String, timeoutMilliseconds: Int32) throws(KafkaError) -> Topic? {
    guard let native = rd_kafka_topic_new(self.native, name, nil) else {
      throw KafkaError(rd_kafka_last_error(), "topic \(name)")
    }
    defer { rd_kafka_topic_destroy(native) }
    guard let found = try metadata(of: native, timeoutMilliseconds).first else { return nil }
    switch found.error {
    case RD_KAFKA_RESP_ERR_NO_ERROR: return found.topic.partitionCount > 0 ? found.topic : nil
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART: return nil
    default: throw KafkaError(found.error, "topic \(name)")
    }
  }

  private func metadata(
    of topic: OpaquePointer?, _ timeoutMilliseconds: Int32
  ) throws(KafkaError) -> [(topic: Topic, error: rd_kafka_resp_err_t)] {
    try asking(timeoutMilliseconds: timeoutMilliseconds) { (rest) throws(KafkaError) in
      var answer: UnsafePointer<rd_kafka_metadata>?
      let code = rd_kafka_metadata(native, topic == nil ? 1 : 0, topic, &answer, rest)
      guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let answer else { throw KafkaError(code, "no broker answers") }
      defer { rd_kafka_metadata_destroy(answer) }
      return (0..<Int(answer.pointee.topic_cnt)).map { index in
        let topic = answer.pointee.topics[index]
        return (Topic(name: String(cString: topic.topic), partitionCount: topic.partition_cnt), topic.err)
      }
    }
  }

  /// The cluster's own name for itself; nil where it has none.
  package func clusterID(timeoutMilliseconds: Int32) -> String? {
    guard let text = rd_kafka_clusterid(native, timeoutMilliseconds) else { return nil }
    defer { rd_kafka_mem_free(native, text) }
    return String(cString: text)
  }
}
