import KafkaClient

/// What a job may have left open in its topics: for people who wonder why readers wait.
package struct KafkaTransactionReport: Sendable {
  /// One partition that the job writes.
  package struct Partition: Sendable {
    package let place: TopicPartition
    /// Where the log ends, and up to where committed readers can read.
    package let end: Int64
    package let stableEnd: Int64
    /// Records that committed readers cannot see yet, markers among them.
    package var heldBack: Int64 { max(0, end - stableEnd) }
  }

  package let marker: KafkaMarker?
  package let transactionalIDs: [String]
  package let partitions: [Partition]

  private static let timeoutMilliseconds: Int32 = 10_000

  /// Looks at a job's marker and at the topics it writes; changes nothing.
  package init(job: String, cluster: KafkaConfiguration, topics: [String]) throws(ConnectorError) {
    marker = try KafkaMarkerReader(cluster: cluster, job: job, place: "transactions of \(job)").read()
    transactionalIDs = KafkaMarker.transactionalIDs(ofJob: job)
    do {
      partitions = try KafkaTransactionReport.partitions(cluster.forMarker, topics)
    } catch {
      throw .kafka(error, place: "transactions of \(job)", bootstrap: cluster.bootstrap)
    }
  }

  private static func partitions(
    _ cluster: KafkaConfiguration, _ topics: [String]
  ) throws(KafkaError) -> [Partition] {
    let all = try KafkaConsumer(cluster, group: "weir", readsUncommitted: true)
    let committed = try KafkaConsumer(cluster, group: "weir")
    var partitions: [Partition] = []
    for name in topics {
      guard let topic = try all.handle.topic(name, timeoutMilliseconds: timeoutMilliseconds) else { continue }
      for partition in 0..<topic.partitionCount {
        let place = TopicPartition(topic: name, partition: partition)
        partitions.append(
          Partition(
            place: place, end: try all.bounds(of: place, timeoutMilliseconds: timeoutMilliseconds).end,
            stableEnd: try committed.bounds(of: place, timeoutMilliseconds: timeoutMilliseconds).end))
      }
    }
    return partitions
  }

  /// Takes the job's transactional ids over, which aborts what they left open and fences whoever still uses them.
  package static func abort(job: String, cluster: KafkaConfiguration) throws(ConnectorError) {
    let hasMarkerTopic = try KafkaMarkerReader(cluster: cluster, job: job, place: "transactions of \(job)").hasTopic(
      KafkaMarker.topic)
    do {
      let transactions = try KafkaTransactions(
        .init(cluster: cluster, job: job, transactionTimeoutMilliseconds: 60_000))
      try transactions.start()
      if hasMarkerTopic { try transactions.claim() }
    } catch {
      throw .kafka(error, place: "transactions of \(job)", bootstrap: cluster.bootstrap)
    }
  }
}
