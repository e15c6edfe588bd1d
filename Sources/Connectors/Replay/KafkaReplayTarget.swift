import KafkaClient

/// Sends records back to the topics they came from: the topic and partition that each letter names, all in one transaction, so that
/// a replay that fails has sent nothing. What letters do not hold, a record's key and headers, is not sent.
final class KafkaReplayTarget: ReplayTarget {
  private static let timeoutMilliseconds: Int32 = 60_000
  /// How long the broker keeps the transaction open.
  private static let transactionMilliseconds: Int64 = 600_000

  private let source: String
  private let bootstrap: String
  private let producer: KafkaProducer
  private var counts: [TopicPartition: Int] = [:]
  private var known: [String: Int32] = [:]
  /// After a commit whose outcome is not known nothing is taken back: it may have happened.
  private var mayBeCommitted = false

  init(_ spec: KafkaSourceSpec, source: String, job: String) throws(ConnectorError) {
    self.source = source
    bootstrap = spec.cluster.bootstrap
    do {
      producer = try KafkaProducer(
        spec.cluster.forMarker, transactionalID: "weir.\(job).replay",
        transactionTimeoutMilliseconds: KafkaReplayTarget.transactionMilliseconds)
      try producer.initialize(timeoutMilliseconds: KafkaReplayTarget.timeoutMilliseconds)
      try producer.begin()
    } catch {
      throw .kafka(error, place: "sources.\(source): replay", bootstrap: spec.cluster.bootstrap)
    }
  }

  func write(_ letter: DeadLetter) throws(ConnectorError) {
    guard let place = letter.partition.flatMap({ TopicPartition($0) }) else {
      throw ConnectorError(
        "dead letters: a letter of \(source) names no partition of a topic (\(letter.partition ?? "none")) — correct the letter or take it out"
      )
    }
    try checkExists(place)
    do {
      let topic = try producer.topic(place.topic)
      try producer.produce(to: topic, keyBytes: nil, valueBytes: letter.record, partition: place.partition)
    } catch {
      throw failure(error, "\(place)")
    }
    counts[place, default: 0] += 1
  }

  private func checkExists(_ place: TopicPartition) throws(ConnectorError) {
    if known[place.topic] == nil {
      do {
        let topic = try producer.handle.topic(place.topic, timeoutMilliseconds: KafkaReplayTarget.timeoutMilliseconds)
        known[place.topic] = topic?.partitionCount ?? 0
      } catch { throw failure(error, "\(place)") }
    }
    guard place.partition < known[place.topic] ?? 0 else {
      throw ConnectorError(
        "dead letters: \(place): there is no such partition at \(bootstrap) any more — correct the letter or take it out"
      )
    }
  }

  func finish() throws(ConnectorError) -> [String] {
    do {
      try producer.flush(timeoutMilliseconds: KafkaReplayTarget.timeoutMilliseconds)
    } catch {
      throw failure(error, "nothing was sent")
    }
    switch producer.commit(timeoutMilliseconds: KafkaReplayTarget.timeoutMilliseconds) {
    case .committed: break
    case .refused(let error): throw failure(error, "nothing was sent")
    case .unknown(let error):
      mayBeCommitted = true
      throw failure(error, "whether the records were sent is not known: look before sending them again")
    }
    return counts.keys.map(\.description).sorted()
  }

  func abandon() {
    if mayBeCommitted { return }
    try? producer.abort(timeoutMilliseconds: KafkaReplayTarget.timeoutMilliseconds)
  }

  private func failure(_ error: KafkaError, _ what: String) -> ConnectorError {
    .kafka(error, place: "sources.\(source): replay: \(what)", bootstrap: bootstrap)
  }
}
