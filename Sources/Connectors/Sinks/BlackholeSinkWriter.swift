import StreamModel

/// Takes rows and keeps nothing: `connector: blackhole`.
package final class BlackholeSinkWriter: SinkWriter {
  package init() {}
  package func open() throws(ConnectorError) {}
  package func write(_ batch: RecordBatch) throws(ConnectorError) {}
  package func prepare(checkpoint: Int64) throws(ConnectorError) -> [PendingPart] { [] }
  package func commit(_ parts: [PendingPart]) throws(ConnectorError) {}
  package func close() {}
}
