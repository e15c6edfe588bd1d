import StreamModel

/// What a topology says of `format: debezium-json`.
package struct DebeziumOptions: Hashable, Sendable {
  /// Columns of the decoded schema, by name, that hold something of the change rather than of the row.
  package var metadata: [Metadata]

  package struct Metadata: Hashable, Sendable {
    package let column: String
    package let part: DebeziumPart
    package init(column: String, part: DebeziumPart) {
      self.column = column
      self.part = part
    }
  }

  package init(metadata: [Metadata]) { self.metadata = metadata }
}

/// A part of a change, by the name that a topology gives it. Where Flink has a name for it, it is that.
package enum DebeziumPart: Hashable, Sendable {
  /// `c`reate, `r`ead in a snapshot, `u`pdate, `d`elete.
  case operation
  /// When the connector saw the change.
  case ingestionTimestamp
  /// When it was made in the database.
  case sourceTimestamp
  case sourceDatabase
  case sourceSchema
  case sourceTable
  /// Whether it is of a snapshot: `true`, `first`, `last`, `false` and so on, as the connector writes it.
  case sourceSnapshot
  /// A column of the row as it was before.
  case before(String)

  package static let names = [
    "op", "ingestion-timestamp", "source.timestamp", "source.database", "source.schema", "source.table",
    "source.snapshot", "before.COLUMN",
  ]

  package init?(name: String) {
    switch name {
    case "op": self = .operation
    case "ingestion-timestamp": self = .ingestionTimestamp
    case "source.timestamp": self = .sourceTimestamp
    case "source.database": self = .sourceDatabase
    case "source.schema": self = .sourceSchema
    case "source.table": self = .sourceTable
    case "source.snapshot": self = .sourceSnapshot
    default:
      guard name.hasPrefix("before."), name != "before." else { return nil }
      self = .before(String(name.dropFirst("before.".count)))
    }
  }

  /// The type of the column; nil for that of the column of the row.
  package var type: DataType? {
    switch self {
    case .operation, .sourceDatabase, .sourceSchema, .sourceTable, .sourceSnapshot: .string
    case .ingestionTimestamp, .sourceTimestamp: .timestamp
    case .before: nil
    }
  }
}
