import Formats
import Glibc
import StreamModel

/// Prints rows as they come: `connector: console`. At a terminal an aligned table, otherwise one JSON object a line.
///
/// Every `write` is given to the system whole before it returns. Commits nothing: what was printed cannot be taken back.
package final class ConsoleSinkWriter: SinkWriter {
  /// How rows are shown.
  package enum Style: Hashable, Sendable {
    /// A table of at most `width` columns of characters, its header repeated after every `height` lines.
    case table(width: Int, height: Int)
    case lines
  }

  private let output: FileOutput
  private let encoder: any RecordEncoder
  private var table: ConsoleTable?
  private var buffer = ByteBuffer()

  /// - Parameters:
  ///   - encoder: Writes JSON, one object a line.
  ///   - style: nil for what suits the descriptor.
  package init(
    descriptor: Int32 = STDOUT_FILENO, encoder: any RecordEncoder, schema: Schema, place: String, style: Style? = nil
  ) {
    output = FileOutput(descriptor: descriptor, path: "console", place: place)
    self.encoder = encoder
    if case .table(let width, let height) = style ?? ConsoleSinkWriter.style(for: descriptor) {
      table = ConsoleTable(schema: schema, width: width, height: height)
    }
  }

  /// A table as large as the terminal, or lines where there is none.
  package static func style(for descriptor: Int32) -> Style {
    guard isatty(descriptor) == 1 else { return .lines }
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
      return .table(width: 80, height: 24)
    }
    return .table(width: Int(size.ws_col), height: max(Int(size.ws_row), 10))
  }

  package func open() throws(ConnectorError) {}

  package func write(_ batch: RecordBatch) throws(ConnectorError) {
    if table == nil {
      encoder.encode(batch, into: &buffer)
    } else {
      table?.append(batch, to: &buffer)
    }
    defer { buffer.removeAll() }
    try output.write(buffer.bytes)
  }

  package func prepare(checkpoint: Int64) throws(ConnectorError) -> [PendingPart] { [] }
  package func commit(_ parts: [PendingPart]) throws(ConnectorError) {}
  package func close() {}
}
