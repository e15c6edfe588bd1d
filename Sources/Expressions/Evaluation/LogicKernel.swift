import StreamModel

#if canImport(Glibc)
  import Glibc
#endif

/// `and` and `or` in three-valued logic, from left to right: an operand is evaluated only on rows that the ones before it
/// have not decided.
struct LogicKernel: Kernel {
  let operands: [any Kernel]
  /// The value that decides: false for `and`, true for `or`.
  let decisive: Bool

  func evaluate(_ frame: Frame, _ mask: Mask?) -> Operand {
    let count = frame.count
    var result = TruthColumn(operands[0].evaluate(frame, mask), count: count)
    for operand in operands.dropFirst() {
      let undecided = result.rows(otherThan: decisive, in: mask)
      if undecided.isEmpty { break }
      result.combine(TruthColumn(operand.evaluate(frame, undecided), count: count), decisive: decisive)
    }
    return result.operand
  }
}

/// `not`.
struct NotKernel: Kernel {
  let operand: any Kernel

  func evaluate(_ frame: Frame, _ mask: Mask?) -> Operand {
    let value = operand.evaluate(frame, mask)
    let cells = value.cells(UInt8.self)
    let output = Output<UInt8>(count: frame.count)
    for row in 0..<frame.count { output.cells[row] = cells[row] ^ 1 }
    return output.finish(.boolean, Validity(value, count: frame.count))
  }
}

/// `is [not] null`, `is [not] true`, `is [not] false`: never null.
struct TestKernel: Kernel {
  let operand: any Kernel
  let test: SyntaxNode.TruthTest
  let negated: Bool

  func evaluate(_ frame: Frame, _ mask: Mask?) -> Operand {
    let value = operand.evaluate(frame, mask)
    let output = Output<UInt8>(count: frame.count)
    Validity(value, count: frame.count).unpack(into: output.cells)
    let flip: UInt8 = (test == .null) == negated ? 0 : 1
    if test == .null {
      for row in 0..<frame.count { output.cells[row] ^= flip }
    } else {
      let cells = value.cells(UInt8.self)
      let other: UInt8 = test == .isTrue ? 0 : 1
      let negation: UInt8 = negated ? 1 : 0
      for row in 0..<frame.count { output.cells[row] = (output.cells[row] & (cells[row] ^ other)) ^ negation }
    }
    return output.finish(.boolean, Validity(count: frame.count))
  }
}

/// A boolean column while it is combined: bytes for the values and, where a row may be null, for its being known.
struct TruthColumn {
  private var values: Mask
  private var known: Mask?

  init(_ operand: Operand, count: Int) {
    values = Mask(uninitialized: count)
    if operand.isConstant {
      memset(values.bytes, CInt(operand.column.booleans[0]), count)
    } else {
      memcpy(values.bytes, operand.column.booleans, count)
    }
    let validity = Validity(operand, count: count)
    if validity.memory != nil {
      let bytes = Mask(uninitialized: count)
      validity.unpack(into: bytes.bytes)
      known = bytes
    }
  }

  /// Every row undecided: neither true nor false.
  init(unknown count: Int) {
    values = Mask(uninitialized: count)
    memset(values.bytes, 0, count)
    known = values
  }

  var count: Int { values.count }

  /// The rows of `mask` that are not known to be `value`.
  func rows(otherThan value: Bool, in mask: Mask?) -> Mask {
    let rows = Mask(copying: mask, count: count)
    let flip: UInt8 = value ? 0 : 1
    let (bytes, values) = (rows.bytes, values.bytes)
    if let known = known?.bytes {
      for row in 0..<count { bytes[row] &= ((values[row] ^ flip) & known[row]) ^ 1 }
    } else {
      for row in 0..<count { bytes[row] &= (values[row] ^ flip) ^ 1 }
    }
    return rows
  }

  /// The rows of `mask` that are known to be true.
  func trueRows(in mask: Mask?) -> Mask {
    let rows = Mask(copying: mask, count: count)
    let (bytes, values) = (rows.bytes, values.bytes)
    for row in 0..<count { bytes[row] &= values[row] }
    if let known = known?.bytes { for row in 0..<count { bytes[row] &= known[row] } }
    return rows
  }

  /// `and` (decisive: false) or `or` (decisive: true) with `other`.
  mutating func combine(_ other: TruthColumn, decisive: Bool) {
    let (left, right) = (values.bytes, other.values.bytes)
    guard known != nil || other.known != nil else {
      if decisive {
        for row in 0..<count { left[row] |= right[row] }
      } else {
        for row in 0..<count { left[row] &= right[row] }
      }
      return
    }
    let leftKnown = known ?? Mask(copying: nil, count: count)
    let rightKnown = other.known ?? Mask(copying: nil, count: count)
    combine(right, leftKnown.bytes, rightKnown.bytes, flip: decisive ? 0 : 1)
    known = leftKnown
  }

  /// With `flip` applied, the decisive value is 1: decided by either side, or known by both.
  private func combine(
    _ right: UnsafeMutablePointer<UInt8>, _ leftKnown: UnsafeMutablePointer<UInt8>,
    _ rightKnown: UnsafeMutablePointer<UInt8>, flip: UInt8
  ) {
    let left = values.bytes
    for row in 0..<count {
      let decided = ((left[row] ^ flip) & leftKnown[row]) | ((right[row] ^ flip) & rightKnown[row])
      leftKnown[row] = decided | (leftKnown[row] & rightKnown[row])
      left[row] = decided ^ flip
    }
  }

  var operand: Operand {
    let output = Output<UInt8>(count: count)
    memcpy(output.cells, values.bytes, count)
    let validity = known.map { Validity(bytes: $0.bytes, count: count) } ?? Validity(count: count)
    return output.finish(.boolean, validity)
  }
}
