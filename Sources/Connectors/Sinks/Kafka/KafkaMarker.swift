import KafkaClient

/// Which checkpoint of a job is committed, and which job it is: two offsets of a consumer group of the job's own, on the two
/// partitions of a small topic that never gets a record. They are committed in the transactions that carry the output.
package struct KafkaMarker: Hashable, Sendable {
  /// The number of the last committed checkpoint; 0 before the first.
  package let number: Int64
  /// A random number made at the job's first start.
  package let identity: Int64

  package init(number: Int64, identity: Int64) {
    self.number = number
    self.identity = identity
  }

  /// Shared by all jobs of a cluster; each has its own group.
  package static let topic = "weir.checkpoints"
  package static let partitionCount: Int32 = 2

  package static func group(ofJob job: String) -> String { "weir.\(job)" }
  package static func transactionalIDs(ofJob job: String) -> [String] { ["weir.\(job).0", "weir.\(job).1"] }

  static let places = (0..<partitionCount).map { TopicPartition(topic: topic, partition: $0) }

  var offsets: [PartitionOffset] {
    [
      PartitionOffset(KafkaMarker.places[0], offset: number), PartitionOffset(KafkaMarker.places[1], offset: identity),
    ]
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
      guard let number = offsets[0], let identity = offsets[1] else { return nil }
      return KafkaMarker(number: number, identity: identity)
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

  /// Makes the marker's topic where it is not there.
  package func createTopic() throws(ConnectorError) {
    do {
      let timeout = KafkaMarkerReader.timeoutMilliseconds
      if try consumer.handle.topic(KafkaMarker.topic, timeoutMilliseconds: timeout) != nil { return }
      try KafkaAdmin(consumer.handle).create(
        topic: KafkaMarker.topic, partitions: KafkaMarker.partitionCount, timeoutMilliseconds: timeout)
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
