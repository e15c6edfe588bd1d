import StreamModel

/// A checked SQL scalar expression over the columns of one schema, evaluated a column at a time.
package final class ScalarExpression: Sendable {
  package let text: String
  package let type: DataType
  package let nullable: Bool
  /// Positions of the columns it reads, ascending.
  package let columns: [Int]
  private let kernel: any Kernel

  init(text: String, type: DataType, nullable: Bool, columns: [Int], kernel: any Kernel) {
    self.text = text
    self.type = type
    self.nullable = nullable
    self.columns = columns
    self.kernel = kernel
  }

  /// The column that the expression is, where it is nothing else.
  package var inputColumn: Int? { (kernel as? ColumnKernel)?.index }

  /// The batch's value for every row.
  package func evaluate(_ batch: RecordBatch) -> Evaluation {
    let frame = Frame(columns: batch.columns, count: batch.count)
    let operand = kernel.evaluate(frame, nil)
    var column = operand.expanded(batch.count)
    if column.type != type { column = Column(column, as: type) }
    let failures = frame.firstFailures()
    guard !failures.isEmpty || column.validity != nil, !(kernel is ColumnKernel) else {
      return Evaluation(column: column)
    }
    return Evaluation(column: column.withNulls(at: failures), failures: failures)
  }

  /// The rows of `batch` in which a boolean expression is true, ascending.
  package func select(_ batch: RecordBatch) -> (rows: [Int32], failures: [RowFailure]) {
    precondition(type == .boolean, "only a boolean expression selects rows")
    let frame = Frame(columns: batch.columns, count: batch.count)
    let operand = kernel.evaluate(frame, nil)
    let failures = frame.firstFailures()
    let truth = TruthColumn(operand, count: batch.count).trueRows(in: nil)
    for failure in failures { truth.bytes[failure.row] = 0 }
    let rows = [Int32](unsafeUninitializedCapacity: batch.count) { rows, selected in
      for row in 0..<batch.count {
        rows.baseAddress.unsafelyUnwrapped[selected] = Int32(truncatingIfNeeded: row)
        selected &+= Int(truth.bytes[row])
      }
    }
    return (rows, failures)
  }
}

extension Column {
  /// The column with nulls where rows failed, and zero in every null row.
  fileprivate func withNulls(at failures: [RowFailure]) -> Column {
    var validity = Validity(Operand(self), count: count)
    for failure in failures { validity.clear(failure.row) }
    let stride = type.layout.strideBytes
    let copy = Memory(capacityBytes: count * stride)
    copy.base.copyMemory(from: values, byteCount: count * stride)
    let bits = validity.memory?.base.assumingMemoryBound(to: UInt8.self)
    for cell in 0..<(count + 7) / 8 where bits.map({ $0[cell] != 0xFF }) ?? false {
      for row in cell * 8..<min(cell * 8 + 8, count) where !validity.isValid(row) {
        (copy.base + row * stride).initializeMemory(as: UInt8.self, repeating: 0, count: stride)
      }
    }
    return Column(
      type: type, count: count, values: copy, validity: validity.memory, bytes: bytes,
      bytesOwner: bytes == nil ? nil : self)
  }
}
