import Formats
import Operators

/// The connector of a lookup's table, and its settings.
package enum TableConnector: Sendable {
  case file(FileTableSpec)
  case http(HTTPTableSpec)
  case kafka(KafkaTableSpec)
  case postgres(PostgresTableSpec)
}

/// `connector: file` as a table.
package struct FileTableSpec: Sendable {
  /// Absolute: one file.
  package let path: String
  /// csv or json.
  package let format: Format

  package init(path: String, format: Format) {
    self.path = path
    self.format = format
  }
}

extension TableConnector {
  /// The table, ready to be asked: one that is held in memory has been read. Throws where it is not there or faulty.
  /// - Parameters:
  ///   - step: The name of the lookup in the topology.
  ///   - notice: Called, from any thread, with what somebody should know: a reload that was refused.
  package func makeTable(
    step: String, spec: LookupSpec, notice: @escaping @Sendable (String) -> Void
  ) throws(ConnectorError) -> any LookupTable {
    let place = "steps.\(step).lookup.table"
    switch self {
    case .file(let file): return try FileTable(file, place: place, layout: spec.layout, notice: notice)
    case .kafka(let kafka): return try KafkaTable(kafka, place: place, layout: spec.layout, notice: notice)
    case .http(let http):
      let client = HTTPTableClient(http, place: place, layout: spec.layout)
      return AskedTable(client, spec: spec, retry: http.retry, breaker: http.breaker)
    case .postgres(let postgres):
      let client = PostgresTableClient(postgres, place: place, layout: spec.layout)
      return AskedTable(client, spec: spec, retry: postgres.retry, breaker: postgres.breaker)
    }
  }

  /// Whether the table is held in memory whole, so that nothing is cached of it and nobody is asked.
  package var isInMemory: Bool {
    switch self {
    case .file, .kafka: true
    case .http, .postgres: false
    }
  }

  package var name: String {
    switch self {
    case .file: "file"
    case .http: "http"
    case .kafka: "kafka"
    case .postgres: "postgres"
    }
  }
}
