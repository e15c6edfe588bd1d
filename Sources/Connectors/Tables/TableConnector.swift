import Formats
import Operators

/// The connector of a lookup's table, and its settings.
package enum TableConnector: Sendable {
  case file(FileTableSpec)
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
    step: String, layout: TableLayout, notice: @escaping @Sendable (String) -> Void
  ) throws(ConnectorError) -> any LookupTable {
    switch self {
    case .file(let spec): try FileTable(spec, place: "steps.\(step).lookup.table", layout: layout, notice: notice)
    }
  }

  package var name: String {
    switch self {
    case .file: "file"
    }
  }
}
