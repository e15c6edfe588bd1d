import Glibc
import KafkaClient

/// The measuring stick of `scripts/bench --kafka`: reads every partition of a topic to its end with librdkafka alone, and
/// looks at nothing but the records' sizes.
struct BareConsumer {
  let bootstrap: String
  let topic: String

  /// Records read, and how many a second.
  func run() throws(KafkaError) -> (rows: Int, rowsPerSecond: Double) {
    let timeout: Int32 = 10_000
    let consumer = try KafkaConsumer(KafkaConfiguration(bootstrap: bootstrap), group: "bench")
    let partitions = try consumer.handle.topic(topic, timeoutMilliseconds: timeout)?.partitionCount ?? 0
    let places = (0..<partitions).map { TopicPartition(topic: topic, partition: $0) }
    var open = Set(0..<partitions)
    let start = BareConsumer.seconds()
    try consumer.assign(places.map { PartitionOffset($0, offset: 0) })
    var rows = 0
    var sizeBytes = 0
    while !open.isEmpty {
      let messages = consumer.poll(10_000, milliseconds: 100)
      for index in 0..<messages.count {
        switch messages[index].kind {
        case .record:
          rows += 1
          sizeBytes += messages[index].value?.count ?? 0
        case .end: open.remove(messages[index].partition)
        case .failure(let error): if !error.isRetriable { throw error }
        }
      }
    }
    return (rows, Double(rows) / (BareConsumer.seconds() - start))
  }

  private static func seconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
