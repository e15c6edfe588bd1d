import Formats
import StreamModel

/// `connector: file` as a source.
package struct FileSourceSpec: Sendable {
  /// Absolute: a file, a directory (every file in it, recursively, whose name does not begin with `.` or `_`) or a glob.
  package let path: String
  /// How partitions are made: every file its own, or (`order: name`) all files in the order of their names as one.
  package let isOnePartition: Bool

  package init(path: String, isOnePartition: Bool) {
    self.path = path
    self.isOnePartition = isOnePartition
  }
}

/// `connector: generator`, `kind: usage`.
package struct GeneratorSpec: Sendable {
  /// How many records; nil without end.
  package var rows: Int64? = nil
  package var seed: UInt64 = 1
  package var accounts = 1000
  /// Event time of the first record, ms.
  package var start: EventTime = 1_767_225_600_000
  /// Mean event-time distance covered by the whole run: records per second of event time.
  package var recordsPerEventSecond = 50.0
  /// Shares of records, 0…1.
  package var duplicates = 0.0
  package var missing = 0.0
  package var corrupt = 0.0
  package var late = 0.0
  package var spikes = 0.0
  /// Planted cases of fraud a day of event time, at most `fraudCasesPerDayLimit`.
  package var fraudCasesPerDay = 0
  package static let fraudCasesPerDayLimit = FraudModel.maxCasesPerDay
  /// Where the planted cases are written, as JSON lines, when the source is opened; nil for nowhere. Needs `rows`.
  package var truthPath: String?
  /// Leaves out what aggregation does not need: msisdn, destination and cell_id. JSON only; about 180 bytes a record.
  package var isBrief = false
  package init() {}
}

/// A source's connector and its settings.
package enum SourceConnector: Sendable {
  case file(FileSourceSpec)
  case generator(GeneratorSpec)
  case kafka(KafkaSourceSpec)
}

/// A sink's connector and its settings.
package enum SinkConnector: Sendable {
  /// A directory of part files.
  case file(path: String, format: Format)
  case kafka(KafkaSinkSpec)
  case console
  case blackhole

  /// How rows become bytes; nil where the topology does not say.
  package var format: Format? {
    switch self {
    case .file(_, let format): format
    case .kafka(let spec): spec.format
    case .console, .blackhole: nil
    }
  }

  /// Whether its output becomes visible with a Kafka transaction.
  package var isTransactional: Bool {
    if case .kafka(let spec) = self { spec.isTransactional } else { false }
  }
}
