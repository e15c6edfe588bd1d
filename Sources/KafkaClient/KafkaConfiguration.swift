import CRdKafka

/// How a client reaches a cluster: its bootstrap brokers and whatever else librdkafka is to be told.
///
/// Values of secret properties are given to librdkafka and to nobody else: no description, error or log shows them.
package struct KafkaConfiguration: Hashable, Sendable {
  /// `host:port`, several separated by commas.
  package let bootstrap: String
  /// librdkafka's own configuration properties.
  package let properties: [String: String]

  package init(bootstrap: String, properties: [String: String] = [:]) {
    self.bootstrap = bootstrap
    self.properties = properties
  }

  /// Which kind of client a property is for.
  package enum Role: Hashable, Sendable { case consumer, producer }

  /// Properties that the protocol of exactly-once delivery rests on, or that have a key of their own, and why they
  /// cannot be set.
  package static func reservation(of property: String) -> String? { reserved[property] }

  private static let reserved: [String: String] = [
    "bootstrap.servers": "it is `bootstrap:`", "metadata.broker.list": "it is `bootstrap:`",
    "group.id": "it is `group:`", "isolation.level": "Weir reads committed records only",
    "enable.auto.commit": "offsets are committed with the checkpoint",
    "enable.auto.offset.store": "offsets are committed with the checkpoint",
    "auto.offset.reset": "it is `start:`", "enable.partition.eof": "Weir needs it",
    "group.instance.id": "Weir assigns partitions itself", "partition.assignment.strategy": "Weir assigns them itself",
    "transactional.id": "it is made of the topology's name", "transaction.timeout.ms": "it is `transaction_timeout:`",
    "enable.idempotence": "Weir needs it", "acks": "Weir needs all", "request.required.acks": "Weir needs all",
    "enable.gapless.guarantee": "transactions have one of their own",
    "partitioner": "records go where Kafka's own clients put them",
    "delivery.report.only.error": "Weir needs it", "allow.auto.create.topics": "a misspelt topic would be created",
  ]

  /// Whether a property's value may never be shown, and may come from the environment only.
  package static func isSecret(_ property: String) -> Bool {
    property.contains("password") || property.contains("secret") || property.hasSuffix("key.pem")
      || property == "sasl.oauthbearer.config"
  }

  /// What librdkafka has against a property; nil for nothing.
  package static func refusal(of property: String, _ value: String) -> String? {
    let conf = rd_kafka_conf_new()
    defer { rd_kafka_conf_destroy(conf) }
    return set(conf, property, value)
  }

  private static func set(_ conf: OpaquePointer?, _ property: String, _ value: String) -> String? {
    var message = [CChar](repeating: 0, count: 512)
    let result = rd_kafka_conf_set(conf, property, value, &message, message.count)
    if result == RD_KAFKA_CONF_OK { return nil }
    if result == RD_KAFKA_CONF_UNKNOWN { return "librdkafka has no such property" }
    if isSecret(property) { return "librdkafka does not take its value" }
    return String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// librdkafka's configuration object, which the caller owns. `own` goes before the user's properties.
  func makeNative(_ own: [(String, String)], defaults: [(String, String)]) throws(KafkaError) -> OpaquePointer? {
    let conf = rd_kafka_conf_new()
    let all = defaults + properties.sorted { $0.key < $1.key } + [("bootstrap.servers", bootstrap)] + own
    for (property, value) in all {
      if let refusal = KafkaConfiguration.set(conf, property, value) {
        rd_kafka_conf_destroy(conf)
        throw KafkaError(name: "_INVALID_ARG", remedy: .correct, description: "\(property): \(refusal)")
      }
    }
    return conf
  }
}

extension KafkaConfiguration: CustomStringConvertible {
  /// The brokers and the names of the properties; no value, since one may be secret.
  package var description: String {
    properties.isEmpty ? bootstrap : "\(bootstrap) (\(properties.keys.sorted().joined(separator: ", ")))"
  }
}
