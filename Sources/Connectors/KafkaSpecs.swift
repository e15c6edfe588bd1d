import Formats
import Glibc
import KafkaClient
import StreamModel

/// `connector: kafka` as a source.
package struct KafkaSourceSpec: Sendable {
  /// Which topics are read.
  package enum Topics: Hashable, Sendable {
    case named([String])
    /// Every topic whose whole name matches, also those made later.
    case pattern(TopicPattern)
  }

  /// Where a partition is begun that no checkpoint knows.
  package enum Start: Hashable, Sendable {
    case earliest
    case latest
    /// Where the group has committed; from the earliest where it has not.
    case committed
    /// The first record that is not older, ms since 1970.
    case timestamp(EventTime)
  }

  package var cluster: KafkaConfiguration
  package var topics: Topics
  /// Gets the offsets of everything committed, so that lag can be watched; nil for the topology's name.
  package var group: String?
  package var start = Start.earliest
  /// Whether the source ends where its partitions end when the run starts (`stop: latest`).
  package var isBounded = false
  /// How often new partitions are looked for.
  package var discoveryMilliseconds: Int64 = 30_000
  /// Columns made of what a record has beside its value, behind those that are decoded.
  package var metadata: [MetadataColumn] = []

  package init(cluster: KafkaConfiguration, topics: Topics) {
    self.cluster = cluster
    self.topics = topics
  }

  /// A column of a record's key, headers or place.
  package struct MetadataColumn: Hashable, Sendable {
    package enum Content: Hashable, Sendable {
      case key
      case header(String)
      case timestamp, topic, partition, offset
    }
    package let name: String
    package let content: Content

    package init(name: String, content: Content) {
      self.name = name
      self.content = content
    }

    package var field: Field {
      switch content {
      case .key, .header: Field(name, .string)
      case .timestamp: Field(name, .timestamp)
      case .topic: Field(name, .string, nullable: false)
      case .partition, .offset: Field(name, .int64, nullable: false)
      }
    }
  }
}

/// `connector: kafka` as a sink.
package struct KafkaSinkSpec: Sendable {
  package var cluster: KafkaConfiguration
  package var topic: String
  package var format: Format
  /// Positions of the key's columns; empty for records without a key.
  package var key: [Int] = []
  /// Whether records go out in the job's transaction.
  package var isTransactional = true
  /// When the broker gives up a transaction; nil for as long as the checkpoints' settings ask for.
  package var transactionTimeoutMilliseconds: Int64?

  package init(cluster: KafkaConfiguration, topic: String, format: Format) {
    self.cluster = cluster
    self.topic = topic
    self.format = format
  }
}

/// A pattern of topic names, in POSIX's extended syntax.
package struct TopicPattern: Hashable, Sendable, CustomStringConvertible {
  package let description: String

  /// Nil where `text` is no pattern.
  package init?(_ text: String) {
    var expression = regex_t()
    guard regcomp(&expression, TopicPattern.anchored(text), REG_EXTENDED | REG_NOSUB) == 0 else { return nil }
    regfree(&expression)
    description = text
  }

  private static func anchored(_ text: String) -> String { "^(\(text))$" }

  /// Whether `name` as a whole matches.
  package func matches(_ name: String) -> Bool {
    var expression = regex_t()
    guard regcomp(&expression, TopicPattern.anchored(description), REG_EXTENDED | REG_NOSUB) == 0 else { return false }
    defer { regfree(&expression) }
    return regexec(&expression, name, 0, nil, 0) == 0
  }
}
