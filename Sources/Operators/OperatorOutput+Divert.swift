import StreamModel

extension OperatorOutput {
  /// Hands the rows at `rows` of `batch` to side port `port`, or only counts them where nothing reads it.
  package func divert(_ batch: RecordBatch, _ rows: UnsafeBufferPointer<Int32>, to port: SidePort) {
    guard !rows.isEmpty else { return }
    guard isRead(port) else { return count(rows.count, on: port) }
    emit(rows.count == batch.count ? batch : batch.gather(rows), on: port)
  }

  package func divert(_ batch: RecordBatch, _ rows: [Int32], to port: SidePort) {
    rows.withUnsafeBufferPointer { divert(batch, $0, to: port) }
  }

  /// Hands on the rows at `rows` of `batch`: the batch itself, uncopied, where these are all. They ascend.
  package func emit(_ batch: RecordBatch, rows: UnsafeBufferPointer<Int32>) {
    guard !rows.isEmpty else { return }
    emit(rows.count == batch.count ? batch : batch.gather(rows))
  }

  package func emit(_ batch: RecordBatch, rows: [Int32]) {
    rows.withUnsafeBufferPointer { emit(batch, rows: $0) }
  }
}
