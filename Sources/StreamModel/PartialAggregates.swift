/// Aggregates of rows that a batch stands for, one a row of the batch, computed before the rows were exchanged.
///
/// Row `i` of the batch has the key columns and the event time of one of its rows; its aggregates are the record at
/// `i × strideBytes`, laid out as whoever takes it lays out its own.
package struct PartialAggregates: Sendable {
  package let records: Memory
  package let strideBytes: Int
  /// How many rows the batch stands for.
  package let rowCount: Int

  package init(records: Memory, strideBytes: Int, rowCount: Int) {
    self.records = records
    self.strideBytes = strideBytes
    self.rowCount = rowCount
  }
}
