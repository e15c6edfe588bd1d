import KafkaClient

/// Which checkpoint of a job is committed, and which job it is: two offsets of a consumer group of the job's own, on a small
/// topic, committed in the transactions that carry the output.
///
/// Each of the job's producers keeps the two in partitions of its own, and the newest counts: numbers only rise, so what becomes
/// of one producer's transaction, and when it shows, cannot touch what another has committed
/// (docs/decisions/0041-a-marker-for-each-producer.md).
package struct KafkaMarker: Hashable, Sendable {
  /// The number of the last committed checkpoint; 0 before the first.
  package let number: Int64
  /// A random number made at the job's first start.
  package let identity: Int64

  package init(number: Int64, identity: Int64) {
    self.number = number
    self.identity = identity
  }

  /// Producers of a job. Two may have a transaction open; a third, so that the one that committed last begins no other before the
  /// next commit is known.
  package static let producerCount = 3
  /// Shared by all jobs of a cluster; each has its own group.
  package static let topic = "weir.checkpoints"
  package static let partitionCount = Int32(2 * producerCount)
  /// The partition of the topic that gets a record with every transaction, so that none holds offsets alone.
  static let recordPartition: Int32 = 0

  package static func group(ofJob job: String) -> String { "weir.\(job)" }
  package static func transactionalIDs(ofJob job: String) -> [String] {
    (0..<producerCount).map { "weir.\(job).\($0)" }
  }

  /// All partitions of the topic: of each producer one for the number, and one for the identity.
  static let places = (0..<partitionCount).map { TopicPartition(topic: topic, partition: $0) }

  /// The marker as offsets of producer `producer`.
  func offsets(of producer: Int) -> [PartitionOffset] {
    [
      PartitionOffset(KafkaMarker.places[2 * producer], offset: number),
      PartitionOffset(KafkaMarker.places[2 * producer + 1], offset: identity),
    ]
  }

  /// The newest of what the producers have committed; nil where none has.
  /// - Parameter offsets: By `places`.
  package static func newest(_ offsets: [Int64?]) -> KafkaMarker? {
    (0..<producerCount).compactMap { producer -> KafkaMarker? in
      guard let number = offsets[2 * producer], let identity = offsets[2 * producer + 1] else { return nil }
      return KafkaMarker(number: number, identity: identity)
    }.max { $0.number < $1.number }
  }
}

/// Reads a job's marker.
package final class KafkaMarkerReader: Sendable {
  private static let timeoutMilliseconds: Int32 = 30_000
  /// How often a marker that is behind is read again, and how long to wait in between: ten seconds in all.
  private static let lagTries = 200
  private static let lagPauseMilliseconds: Int32 = 50

  private let consumer: KafkaConsumer
  private let cluster: KafkaConfiguration
  private let place: String

  package init(cluster: KafkaConfiguration, job: String, place: String) throws(ConnectorError) {
    self.cluster = cluster
    self.place = place
    do {
      consumer = try KafkaConsumer(cluster.forMarker, group: KafkaMarker.group(ofJob: job))
    } catch {
      throw .kafka(error, place: place, bootstrap: cluster.bootstrap)
    }
  }

  /// The marker; nil where the job never started here. Waits out transactions that are about to set it.
  package func read() throws(ConnectorError) -> KafkaMarker? {
    do {
      let timeout = KafkaMarkerReader.timeoutMilliseconds
      guard try consumer.handle.topic(KafkaMarker.topic, timeoutMilliseconds: timeout) != nil else { return nil }
      let offsets = try consumer.committed(KafkaMarker.places, timeoutMilliseconds: timeout)
      return KafkaMarker.newest(offsets)
    } catch {
      throw .kafka(error, place: "\(place): the job's marker", bootstrap: cluster.bootstrap)
    }
  }

  /// The marker, once it has reached `number` or time is up: a commit that was acknowledged may be seen a little later.
  package func read(atLeast number: Int64) throws(ConnectorError) -> KafkaMarker? {
    for _ in 0..<KafkaMarkerReader.lagTries {
      guard let marker = try read() else { return nil }
      if marker.number >= number { return marker }
      consumer.handle.poll(milliseconds: KafkaMarkerReader.lagPauseMilliseconds)
    }
    return try read()
  }

  /// Makes the marker's topic where it is not there, and gives it the partitions it lacks.
  package func createTopic() throws(ConnectorError) {
    do {
      let timeout = KafkaMarkerReader.timeoutMilliseconds
      let admin = KafkaAdmin(consumer.handle)
      if let topic = try consumer.handle.topic(KafkaMarker.topic, timeoutMilliseconds: timeout) {
        if topic.partitionCount >= KafkaMarker.partitionCount { return }
        try admin.grow(
          topic: KafkaMarker.topic, to: Int(KafkaMarker.partitionCount), timeoutMilliseconds: timeout)
      } else {
        try admin.create(
          topic: KafkaMarker.topic, partitions: KafkaMarker.partitionCount, settings: ["cleanup.policy": "compact"],
          timeoutMilliseconds: timeout)
      }
      _ = try consumer.handle.topic(KafkaMarker.topic, timeoutMilliseconds: timeout)
    } catch {
      throw ConnectorError(
        "\(place): \(error) — create the topic \(KafkaMarker.topic) with \(KafkaMarker.partitionCount) partitions, or let this user do so",
        isRetriable: error.isRetriable)
    }
  }

  /// Whether a topic is there.
  package func hasTopic(_ name: String) throws(ConnectorError) -> Bool {
    do {
      return try consumer.handle.topic(name, timeoutMilliseconds: KafkaMarkerReader.timeoutMilliseconds) != nil
    } catch {
      throw .kafka(error, place: place, bootstrap: cluster.bootstrap)
    }
  }
}

extension KafkaConfiguration {
  /// The cluster without what is for producers only.
  var forMarker: KafkaConfiguration {
    KafkaConfiguration(
      bootstrap: bootstrap,
      properties: properties.filter { name, _ in
        name.hasPrefix("sasl.") || name.hasPrefix("ssl.") || name.hasPrefix("security.")
          || name.hasPrefix("socket.") || name.hasPrefix("broker.") || name == "client.id"
      })
  }
}
