import Connectors
import Formats
import KafkaClient
import StreamModel

/// Reads the settings of `connector: kafka`, of sources, sinks and tables.
///
/// | key | type | default |
/// |---|---|---|
/// | `bootstrap` | `host:port`, several separated by commas | required |
/// | `properties` | librdkafka's configuration properties | none |
/// | source: `topic` | a topic or a list of them | this or `pattern` is required |
/// | source: `pattern` | an extended regular expression over whole names | |
/// | source: `group` | the group whose offsets follow the checkpoints | the topology's name |
/// | source: `start` | `earliest`, `latest`, `committed`, `timestamp` | `earliest` |
/// | source: `timestamp` | a time; only with `start: timestamp` | |
/// | source: `stop` | `never`, or `latest`: where the partitions end when the run starts | `never` |
/// | source: `discover` | duration, 10ms or more: how often new partitions are looked for | 30s |
/// | source: `message` | `column: key \| timestamp \| topic \| partition \| offset \| header.NAME` | none |
/// | sink, table: `topic` | a topic | required |
/// | sink: `key` | columns | none |
/// | sink: `transaction_timeout` | duration, 1s or more | what the checkpoints ask for |
struct KafkaChecker {
  let section: Section
  /// The directory that relative paths are relative to.
  let base: String

  // MARK: Sources

  /// A source's settings; nil, with faults, where one is faulty.
  func source() -> SourceConnector? {
    let cluster = cluster()
    let topics = topics()
    let start = start()
    let isBounded = section["stop"].map { $0.choice(["never", "latest"]).map { $0 == "latest" } }
    let discover = section["discover"].map { $0.duration(atLeast: 10) }
    let group = section["group"].map(group)
    let message = section["message"].map(message)
    guard let cluster, let topics, let start, isBounded != .some(nil), discover != .some(nil), group != .some(nil),
      message != .some(nil)
    else { return nil }
    var spec = KafkaSourceSpec(cluster: cluster, topics: topics)
    spec.start = start
    spec.group = group ?? nil
    spec.isBounded = (isBounded ?? nil) ?? false
    spec.discoveryMilliseconds = (discover ?? nil) ?? spec.discoveryMilliseconds
    spec.metadata = (message ?? nil) ?? []
    return .kafka(spec)
  }

  private func topics() -> KafkaSourceSpec.Topics? {
    guard let item = section["pattern"] else {
      guard let item = section.required("topic", "the topic to read: topic: usage") else { return nil }
      let names = item.elements.map(KafkaChecker.topic)
      if names.isEmpty { item.fault("is empty", "list the topics to read: topic: [usage]") }
      guard !names.isEmpty, !names.contains(nil) else { return nil }
      return .named(names.compactMap { $0 })
    }
    if let topic = section["topic"] {
      topic.keyFault("stands beside `pattern:`", "remove one of them")
      return nil
    }
    guard let scalar = item.scalar("an extended regular expression over whole names, such as usage\\..*") else {
      return nil
    }
    let pattern = TopicPattern(scalar.text)
    if pattern == nil {
      item.fault(
        "`\(scalar.shown)` is no pattern", "write an extended regular expression over whole names, such as usage\\..*")
    }
    return pattern.map(KafkaSourceSpec.Topics.pattern)
  }

  /// A topic's name, as Kafka allows it.
  static func topic(_ item: Item) -> String? {
    guard let scalar = item.scalar("a topic's name") else { return nil }
    let isName =
      (1...249).contains(scalar.text.utf8.count) && scalar.text != "." && scalar.text != ".."
      && scalar.text.utf8.allSatisfy {
        ($0 >= 0x30 && $0 <= 0x39) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A) || $0 == 0x2E || $0 == 0x5F || $0 == 0x2D
      }
    if !isName { item.fault("`\(scalar.shown)` is no topic's name", "use 1 to 249 of a-z, A-Z, 0-9, `.`, `_` and `-`") }
    return isName ? scalar.text : nil
  }

  private func group(_ item: Item) -> String? { item.scalar("a consumer group")?.text }

  private func start() -> KafkaSourceSpec.Start? {
    let word = section["start"].map { $0.choice(["earliest", "latest", "committed", "timestamp"]) } ?? "earliest"
    guard let word else { return nil }
    if word != "timestamp" {
      section["timestamp"]?.keyFault("is of no use without `start: timestamp`", "write that, or remove it")
    }
    switch word {
    case "earliest": return section["timestamp"] == nil ? .earliest : nil
    case "latest": return section["timestamp"] == nil ? .latest : nil
    case "committed": return section["timestamp"] == nil ? .committed : nil
    default:
      guard let item = section.required("timestamp", "where to start: timestamp: 2026-01-01T00:00:00Z"),
        let scalar = item.scalar("a time such as 2026-01-01T00:00:00Z")
      else { return nil }
      let time = CivilTime.parseTimestamp(scalar.text, allowingBlank: true)
      if time == nil { item.fault("`\(scalar.shown)` is no time", "write it with its zone: 2026-01-01T00:00:00Z") }
      return time.map(KafkaSourceSpec.Start.timestamp)
    }
  }

  private func message(_ item: Item) -> [KafkaSourceSpec.MetadataColumn]? {
    guard let section = item.openSection(expected: "columns and what they hold: {sent_at: timestamp}") else {
      return nil
    }
    let columns = section.items.map { name, item in
      Names.checkColumn(name, item)
        ? content(item).map { KafkaSourceSpec.MetadataColumn(name: name, content: $0) } : nil
    }
    return columns.contains(nil) ? nil : columns.compactMap { $0 }
  }

  private func content(_ item: Item) -> KafkaSourceSpec.MetadataColumn.Content? {
    if case .scalar(let scalar) = item.node.content, scalar.text.hasPrefix("header."), scalar.text.utf8.count > 7 {
      return .header(String(scalar.text.dropFirst(7)))
    }
    switch item.choice(["key", "timestamp", "topic", "partition", "offset", "header.NAME"]) {
    case "key": return .key
    case "timestamp": return .timestamp
    case "topic": return .topic
    case "partition": return .partition
    case "offset": return .offset
    default: return nil
    }
  }

  // MARK: Sinks

  /// A sink's settings, but for its key; nil, with faults, where one is faulty.
  func sink(_ delivery: Delivery?) -> SinkConnector? {
    let cluster = cluster()
    let topic = section.required("topic", "the topic to write: topic: usage.hourly").flatMap(KafkaChecker.topic)
    let format = FormatChecker(section: section, base: base).read(allowed: ["json", "csv", "avro", "raw"])
    let timeout = section["transaction_timeout"].map { $0.duration(atLeast: 1000) }
    if delivery == .atLeastOnce {
      section["transaction_timeout"]?.keyFault("is of no use with `delivery: at_least_once`", "remove it")
    }
    guard let cluster, let topic, let format, timeout != .some(nil) else { return nil }
    var spec = KafkaSinkSpec(cluster: cluster, topic: topic, format: format)
    spec.isTransactional = delivery != .atLeastOnce
    spec.transactionTimeoutMilliseconds = timeout ?? nil
    return .kafka(spec)
  }

  // MARK: Tables

  /// A compacted topic that a lookup looks in; nil, with faults, where a setting is faulty.
  func table() -> TableConnector? {
    let cluster = cluster()
    let topic = section.required("topic", "the compacted topic: topic: rates").flatMap(KafkaChecker.topic)
    let format = FormatChecker(section: section, base: base).read(allowed: ["json", "avro"])
    guard let cluster, let topic, let format else { return nil }
    return .kafka(KafkaTableSpec(cluster: cluster, topic: topic, format: format))
  }

  // MARK: Clusters

  private func cluster() -> KafkaConfiguration? {
    let bootstrap = section.required("bootstrap", "the brokers: bootstrap: localhost:9092").flatMap(bootstrap)
    let properties = section["properties"].map(properties)
    guard let bootstrap, properties != .some(nil) else { return nil }
    return KafkaConfiguration(bootstrap: bootstrap, properties: (properties ?? nil) ?? [:])
  }

  private func bootstrap(_ item: Item) -> String? {
    guard let scalar = item.scalar("brokers such as localhost:9092") else { return nil }
    let brokers = scalar.text.split(separator: ",", omittingEmptySubsequences: false).map {
      String($0.drop { $0 == " " })
    }
    for broker in brokers {
      let colon = broker.lastIndex(of: ":")
      let port = colon.flatMap { Int(broker[broker.index(after: $0)...]) }
      if let colon, colon > broker.startIndex, let port, (1...65535).contains(port), !broker.contains(" ") { continue }
      item.fault("`\(scalar.shown)` names no brokers", "write host:port, several separated by commas: localhost:9092")
      return nil
    }
    return brokers.joined(separator: ",")
  }

  private func properties(_ item: Item) -> [String: String]? {
    guard let section = item.openSection(expected: "librdkafka's properties, such as {linger.ms: 20}") else {
      return nil
    }
    var properties: [String: String] = [:]
    for (name, item) in section.items {
      if let reservation = KafkaConfiguration.reservation(of: name) {
        item.keyFault("cannot be set: \(reservation)", "remove it")
      } else if let scalar = item.scalar("a value"), check(name, scalar, item) {
        properties[name] = scalar.text
      }
    }
    return properties.count == section.entries.count ? properties : nil
  }

  private func check(_ name: String, _ scalar: DocumentScalar, _ item: Item) -> Bool {
    if KafkaConfiguration.isSecret(name), scalar.substitutions.isEmpty {
      item.keyFault("is a secret and stands in the topology", "write ${NAME} and put it into the environment")
      return false
    }
    guard let refusal = KafkaConfiguration.refusal(of: name, scalar.text) else { return true }
    item.keyFault(
      scalar.substitutions.isEmpty ? refusal : "librdkafka does not take its value",
      "see librdkafka's list of configuration properties")
    return false
  }
}

/// Finds Kafka sinks of one job that cannot share its transactions.
struct KafkaConflicts {
  private var first: (name: String, spec: KafkaSinkSpec)?
  private var timeouts: [(timeout: Int64, item: Item)] = []

  mutating func add(_ connector: SinkConnector, named name: String, _ section: Section) {
    guard case .kafka(let spec) = connector, spec.isTransactional else { return }
    if let item = section["transaction_timeout"], let timeout = spec.transactionTimeoutMilliseconds {
      timeouts.append((timeout, item))
    }
    guard let first else {
      self.first = (name, spec)
      return
    }
    if first.spec.cluster.bootstrap != spec.cluster.bootstrap {
      section["bootstrap"]?.fault(
        "the sink `\(first.name)` writes exactly once to another cluster, and a transaction has one",
        "write to the same brokers, or `delivery: at_least_once` in one of them")
    } else if first.spec.cluster.properties != spec.cluster.properties {
      (section["properties"] ?? section["bootstrap"])?.keyFault(
        "the sink `\(first.name)` has other properties, and the job's exactly-once sinks share their producers",
        "give them the same `properties:`")
    }
  }

  /// Reports timeouts that would end a transaction before its checkpoint can.
  func check(_ checkpoint: CheckpointSettings) {
    let needed = checkpoint.leastTransactionTimeoutMilliseconds
    for (timeout, item) in timeouts where timeout < needed {
      let shares =
        "checkpoint.interval \(Durations.format(checkpoint.intervalMilliseconds)), min_pause \(Durations.format(checkpoint.minPauseMilliseconds)), timeout \(Durations.format(checkpoint.timeoutMilliseconds)) and \(Durations.format(checkpoint.commitMilliseconds)) for the commit"
      item.fault(
        "a transaction may stay open for \(Durations.format(needed)): \(shares)",
        "write \(Durations.format(needed)) or more, or lower checkpoint.timeout")
    }
  }
}

extension CheckpointSettings {
  /// How long the commit of a transaction may take: as long as the rest of a checkpoint, but not more than a minute.
  package var commitMilliseconds: Int64 { min(timeoutMilliseconds, 60_000) }

  /// How long a transaction may stay open at most: from the record after one barrier to the end of the next one's commit.
  package var leastTransactionTimeoutMilliseconds: Int64 {
    intervalMilliseconds + minPauseMilliseconds + timeoutMilliseconds + commitMilliseconds
  }
}
