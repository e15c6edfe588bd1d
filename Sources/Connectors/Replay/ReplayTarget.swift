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
  ///   - job: The topology's name.
  ///   - destination: Where the records go.
  package func makeReplayTarget(
    name: String, job: String, format: Format, to destination: ReplayDestination
  ) throws(ConnectorError) -> any ReplayTarget {
    switch (self, destination) {
    case (.generator, _):
      throw ConnectorError(
        "sources.\(name): a generator makes its records itself — replay the letters of another source")
    case (.kafka(let spec), .topic): return try KafkaReplayTarget(spec, source: name, job: job)
    case (.file, .topic):
      throw ConnectorError("sources.\(name): reads files, not a topic — replay to a directory or to -")
    case (.file, .directory(let path)), (.kafka, .directory(let path)):
      return FileReplayTarget(source: name, format: format, directory: path)
    case (.file, .standardOutput), (.kafka, .standardOutput):
      return FileReplayTarget(source: name, format: format, directory: nil)
    }
  }
}

/// Where records that are sent back go.
package enum ReplayDestination: Equatable, Sendable {
  case standardOutput
  /// New files in a directory.
  case directory(String)
  /// The topics and partitions that the letters name.
  case topic
}
