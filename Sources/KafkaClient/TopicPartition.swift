import CRdKafka

/// One partition of a topic.
package struct TopicPartition: Hashable, Sendable, CustomStringConvertible {
  package let topic: String
  package let partition: Int32
  package init(topic: String, partition: Int32) {
    self.topic = topic
    self.partition = partition
  }
  /// `topic-partition`, as Kafka's tools write it.
  package var description: String { "\(topic)-\(partition)" }

  /// Reads `description` back.
  package init?(_ text: String) {
    guard let dash = text.lastIndex(of: "-"), let partition = Int32(text[text.index(after: dash)...]) else {
      return nil
    }
    self.init(topic: String(text[..<dash]), partition: partition)
  }
}

/// A position in a partition: the offset of the record to be read next.
package struct PartitionOffset: Hashable, Sendable {
  package let place: TopicPartition
  package let offset: Int64
  package init(_ place: TopicPartition, offset: Int64) {
    self.place = place
    self.offset = offset
  }
}

/// An owned native list of partitions with offsets.
struct PartitionList: ~Copyable {
  let native: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

  init(_ offsets: [PartitionOffset]) {
    native = rd_kafka_topic_partition_list_new(Int32(offsets.count))
    for entry in offsets {
      let added = rd_kafka_topic_partition_list_add(native, entry.place.topic, entry.place.partition)
      added?.pointee.offset = entry.offset
    }
  }

  deinit { rd_kafka_topic_partition_list_destroy(native) }

  /// The entries as they are now; throws the first one's error.
  func entries() throws(KafkaError) -> [PartitionOffset] {
    var entries: [PartitionOffset] = []
    for index in 0..<Int(native.pointee.cnt) {
      let element = native.pointee.elems[index]
      let place = TopicPartition(topic: String(cString: element.topic), partition: element.partition)
      if element.err != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(element.err, "\(place)") }
      entries.append(PartitionOffset(place, offset: element.offset))
    }
    return entries
  }
}
