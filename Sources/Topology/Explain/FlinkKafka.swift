import Connectors
import Expressions
import KafkaClient
import StreamModel

/// Kafka sources and sinks as Flink's Kafka connector has them.
enum FlinkKafka {
  static func options(_ spec: KafkaSourceSpec, source: String) -> [(String, String)] {
    var options = [
      ("connector", "kafka"), topics(spec.topics), ("properties.bootstrap.servers", spec.cluster.bootstrap),
    ]
    options.append(("properties.group.id", spec.group ?? source))
    options.append(("properties.isolation.level", "read_committed"))
    switch spec.start {
    case .earliest: options.append(("scan.startup.mode", "earliest-offset"))
    case .latest: options.append(("scan.startup.mode", "latest-offset"))
    case .committed:
      options += [("scan.startup.mode", "group-offsets"), ("properties.auto.offset.reset", "earliest")]
    case .timestamp(let time):
      options += [("scan.startup.mode", "timestamp"), ("scan.startup.timestamp-millis", "\(time)")]
    }
    if spec.isBounded { options.append(("scan.bounded.mode", "latest-offset")) }
    options.append(("scan.topic-partition-discovery.interval", "\(spec.discoveryMilliseconds) ms"))
    return options
  }

  private static func topics(_ topics: KafkaSourceSpec.Topics) -> (String, String) {
    switch topics {
    case .named(let names): ("topic", names.joined(separator: ";"))
    case .pattern(let pattern): ("topic-pattern", pattern.description)
    }
  }

  static func options(_ spec: KafkaSinkSpec, _ schema: Schema, job: String) -> [(String, String)] {
    var options = [
      ("connector", "kafka"), ("topic", spec.topic), ("properties.bootstrap.servers", spec.cluster.bootstrap),
    ]
    if !spec.key.isEmpty {
      options.append(("key.format", spec.key.count == 1 ? "raw" : "json"))
      options.append(("key.fields", spec.key.map { schema[$0].name }.joined(separator: ";")))
    }
    options.append(("sink.delivery-guarantee", spec.isTransactional ? "exactly-once" : "at-least-once"))
    if spec.isTransactional { options.append(("sink.transactional-id-prefix", job)) }
    return options
  }

  /// Columns of what a record has beside its value.
  static func columns(_ spec: KafkaSourceSpec, _ notes: inout [String]) -> [String] {
    spec.metadata.compactMap { column -> String? in
      let origin: String
      switch column.content {
      case .timestamp: origin = "timestamp"
      case .topic: origin = "topic"
      case .partition: origin = "partition"
      case .offset: origin = "offset"
      case .key, .header:
        notes.append("`\(column.name)` is not translated: Flink gives keys by key.fields, and headers as one map")
        return nil
      }
      let type = FlinkText.type(column.field.type)
      return "  \(FlinkText.name(column.name)) \(type) METADATA FROM '\(origin)' VIRTUAL"
    }
  }

  /// Properties may hold secrets, and are librdkafka's, not the Java client's.
  static func notes(_ cluster: KafkaConfiguration) -> [String] {
    if cluster.properties.isEmpty { return [] }
    let names = cluster.properties.keys.sorted().joined(separator: ", ")
    return ["set these as properties.* of the Java client: \(names)"]
  }
}
