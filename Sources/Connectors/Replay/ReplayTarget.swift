import Formats

/// Where records go that are sent back to their source. One owner.
///
/// Order: `write`*, then `finish`. This is where a connector of messages takes part: its target sends each record to the topic
/// that the letter's partition names, and `finish` waits until all of them are acknowledged.
package protocol ReplayTarget: AnyObject {
  func write(_ letter: DeadLetter) throws(ConnectorError)
  /// Makes everything written durable; returns where it went.
  func finish() throws(ConnectorError) -> [String]
  /// Takes back what was written, where that can be done.
  func abandon()
}

extension SourceConnector {
  /// A target for records of this source.
  /// - Parameters:
  ///   - name: The source's name in the topology.
  ///   - directory: Where files go; nil for the standard output.
  package func makeReplayTarget(
    name: String, format: Format, directory: String?
  ) throws(ConnectorError) -> any ReplayTarget {
    switch self {
    case .file: return FileReplayTarget(source: name, format: format, directory: directory)
    // Records of a topic are written to files too; whoever owns the topic sends them.
    case .kafka: return FileReplayTarget(source: name, format: format, directory: directory)
    case .generator:
      throw ConnectorError(
        "sources.\(name): a generator makes its records itself — replay the letters of another source")
    }
  }
}
