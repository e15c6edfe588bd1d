import StreamModel

/// One operation of a compiled expression, evaluated a column at a time.
///
/// Evaluation is total: a row without a value is reported to the frame and null. For rows that `mask` leaves out, the branch
/// is not taken: nothing is reported, and what the result holds there is unspecified (but a boolean is 0 or 1 and a view
/// lies in its bytes).
protocol Kernel: Sendable {
  func evaluate(_ frame: Frame, _ mask: Mask?) -> Operand
}

/// One evaluation over one batch: what is read, and which rows failed.
final class Frame {
  let columns: [Column]
  let count: Int
  private(set) var failures: [RowFailure] = []

  init(columns: [Column], count: Int) {
    self.columns = columns
    self.count = count
  }

  func fail(_ row: Int, _ reason: String) { failures.append(RowFailure(row: row, reason: reason)) }

  /// The failures in row order, the first of each row.
  func firstFailures() -> [RowFailure] {
    guard failures.count > 1 else { return failures }
    let ordered = failures.enumerated().sorted { ($0.element.row, $0.offset) < ($1.element.row, $1.offset) }
    var first: [RowFailure] = []
    for (_, failure) in ordered where failure.row != first.last?.row { first.append(failure) }
    return first
  }
}

/// What a kernel gave: a column with a value a row, or one value (a column of one row) that stands for all.
struct Operand {
  let column: Column
  let isConstant: Bool

  init(_ column: Column) {
    self.column = column
    isConstant = false
  }

  init(constant column: Column) {
    self.column = column
    isConstant = true
  }

  /// The row of `column` that holds the value of row `row`.
  @inline(__always) func index(_ row: Int) -> Int { isConstant ? 0 : row }

  @inline(__always) func isValid(_ row: Int) -> Bool { column.isValid(index(row)) }

  @inline(__always) func cells<Element>(_: Element.Type) -> Cells<Element> {
    Cells(base: column.values.assumingMemoryBound(to: Element.self), step: isConstant ? 0 : 1)
  }

  /// The bytes of row `row` of a view column; valid while the column lives.
  @inline(__always) func bytes(_ row: Int) -> UnsafeBufferPointer<UInt8> { column.bytes(at: index(row)) }

  func string(_ row: Int) -> String { String(decoding: bytes(row), as: UTF8.self) }

  /// A column of `count` rows.
  func expanded(_ count: Int) -> Column {
    guard isConstant else { return column }
    let zeros = [Int32](repeating: 0, count: count)
    return zeros.withUnsafeBufferPointer { column.gather($0) }
  }

  /// How a message shows the value of row `row`.
  func shown(_ row: Int) -> String { column.value(at: index(row)).shown }
}

/// Fixed-width values of an operand: `step` is 0 where one value stands for all rows.
struct Cells<Element> {
  let base: UnsafePointer<Element>
  let step: Int

  @inline(__always) subscript(_ row: Int) -> Element { base[row &* step] }
}

extension Value {
  /// The value as a message shows it.
  var shown: String {
    switch self {
    case .null: "null"
    case .boolean(let value): value ? "true" : "false"
    case .int64(let value): "\(value)"
    case .double(let value): "\(value)"
    case .decimal(let value, let scale): Decimal.format(value, scale: scale)
    case .string(let value):
      value.utf8.count <= 100 ? "'\(value)'" : "'\(value.prefix(60))…' (\(value.utf8.count) bytes)"
    case .bytes(let value): "\(value.count) bytes"
    case .date(let value): CivilTime.formatDate(value)
    case .timestamp(let value): CivilTime.formatTimestamp(value)
    }
  }
}

/// A column of the batch.
struct ColumnKernel: Kernel {
  let index: Int
  func evaluate(_ frame: Frame, _ mask: Mask?) -> Operand { Operand(frame.columns[index]) }
}

/// A value known when the expression was checked: a column of one row.
struct ConstantKernel: Kernel {
  let column: Column
  func evaluate(_ frame: Frame, _ mask: Mask?) -> Operand { Operand(constant: column) }
}
