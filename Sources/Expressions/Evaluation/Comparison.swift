import StreamModel

#if canImport(Glibc)
  import Glibc
#endif

/// How two values of known types are compared: exactly, whatever their scales.
struct Comparison: Sendable {
  enum Form: Sendable {
    /// Eight-byte integers of one scale.
    case int64
    /// Integers of either width, each brought to a common scale by its factor.
    case scaled(Int128, Int128)
    case double
    case boolean
    case bytes
  }

  let comparison: ComparisonOperator
  let form: Form

  /// Compares the rows of `left` and `right`.
  func apply(_ left: Operand, _ right: Operand, count: Int) -> Operand {
    if left.isConstant, !right.isConstant { return mirrored.apply(right, left, count: count) }
    let output = Output<UInt8>(count: count)
    switch form {
    case .int64: fill(left.cells(Int64.self), right.cells(Int64.self), output.cells, count)
    case .double: fill(left.cells(Double.self), right.cells(Double.self), output.cells, count)
    case .boolean: fill(left.cells(UInt8.self), right.cells(UInt8.self), output.cells, count)
    case .bytes: compareBytes(left, right, output.cells, count)
    case .scaled(let leftFactor, let rightFactor):
      compareScaled(left, right, leftFactor, rightFactor, output.cells, count)
    }
    return output.finish(.boolean, Validity(left, right, count: count))
  }

  private var mirrored: Comparison {
    if case .scaled(let left, let right) = form {
      return Comparison(comparison: comparison.mirrored, form: .scaled(right, left))
    }
    return Comparison(comparison: comparison.mirrored, form: form)
  }

  // MARK: Fixed width

  private func fill<Element: Comparable>(
    _ left: Cells<Element>, _ right: Cells<Element>, _ output: UnsafeMutablePointer<UInt8>, _ count: Int
  ) {
    switch comparison {
    case .equal: loop(left, right, output, count) { $0 == $1 }
    case .notEqual: loop(left, right, output, count) { $0 != $1 }
    case .less: loop(left, right, output, count) { $0 < $1 }
    case .lessOrEqual: loop(left, right, output, count) { $0 <= $1 }
    case .greater: loop(left, right, output, count) { $0 > $1 }
    case .greaterOrEqual: loop(left, right, output, count) { $0 >= $1 }
    }
  }

  /// Written out for a constant on the right and for two columns, so that either loop is vectorised.
  @inline(__always) private func loop<Element>(
    _ left: Cells<Element>, _ right: Cells<Element>, _ output: UnsafeMutablePointer<UInt8>, _ count: Int,
    _ test: (Element, Element) -> Bool
  ) {
    if left.step == 0 {
      for row in 0..<count { output[row] = test(left.base[0], right[row]) ? 1 : 0 }
    } else if right.step == 0 {
      let constant = right.base[0]
      for row in 0..<count { output[row] = test(left.base[row], constant) ? 1 : 0 }
    } else {
      for row in 0..<count { output[row] = test(left.base[row], right.base[row]) ? 1 : 0 }
    }
  }

  /// Whether a three-way comparison's outcome satisfies the operator.
  @inline(__always) private func holds(_ order: Int) -> Bool {
    switch comparison {
    case .equal: order == 0
    case .notEqual: order != 0
    case .less: order < 0
    case .lessOrEqual: order <= 0
    case .greater: order > 0
    case .greaterOrEqual: order >= 0
    }
  }

  private func compareScaled(
    _ left: Operand, _ right: Operand, _ leftFactor: Int128, _ rightFactor: Int128,
    _ output: UnsafeMutablePointer<UInt8>, _ count: Int
  ) {
    for row in 0..<count {
      let (leftValue, rightValue) = (
        left.column.unscaled(at: left.index(row)), right.column.unscaled(at: right.index(row))
      )
      let order = Comparison.order(leftValue, leftFactor, rightValue, rightFactor)
      output[row] = holds(order) ? 1 : 0
    }
  }

  /// How `left * leftFactor` compares with `right * rightFactor`. One of the factors is 1, and what overflows is larger in
  /// magnitude than anything that does not.
  @inline(__always) static func order(_ left: Int128, _ leftFactor: Int128, _ right: Int128, _ rightFactor: Int128)
    -> Int
  {
    let (scaledLeft, leftOverflows) = left.multipliedReportingOverflow(by: leftFactor)
    if leftOverflows { return left < 0 ? -1 : 1 }
    let (scaledRight, rightOverflows) = right.multipliedReportingOverflow(by: rightFactor)
    if rightOverflows { return right < 0 ? 1 : -1 }
    return scaledLeft < scaledRight ? -1 : scaledLeft == scaledRight ? 0 : 1
  }

  // MARK: Bytes

  private func compareBytes(_ left: Operand, _ right: Operand, _ output: UnsafeMutablePointer<UInt8>, _ count: Int) {
    guard right.isConstant, !left.isConstant, comparison == .equal || comparison == .notEqual else {
      for row in 0..<count { output[row] = holds(Comparison.order(left.bytes(row), right.bytes(row))) ? 1 : 0 }
      return
    }
    let wanted = TextProbe(right.bytes(0))
    let (views, bytes) = (left.column.views, left.column.bytes.unsafelyUnwrapped)
    let flip: UInt8 = comparison == .equal ? 0 : 1
    for row in 0..<count { output[row] = (wanted.matches(views[row], bytes) ? 1 : 0) ^ flip }
  }

  /// How two texts compare, byte by byte.
  static func order(_ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>) -> Int {
    let shared = min(left.count, right.count)
    if shared > 0, let leftStart = left.baseAddress, let rightStart = right.baseAddress {
      let order = memcmp(leftStart, rightStart, shared)
      if order != 0 { return Int(order) }
    }
    return left.count - right.count
  }
}

/// A constant text, prepared so that most texts that differ from it are told by their length and two loads.
///
/// Invariant for `Sendable`: everything is written by `init` and never after.
struct TextProbe: @unchecked Sendable {
  private let text: [UInt8]
  private let length: Int
  private let first: UInt64
  private let last: UInt64

  init(_ bytes: UnsafeBufferPointer<UInt8>) {
    text = Array(bytes)
    length = bytes.count
    (first, last) = bytes.baseAddress.map { TextProbe.ends($0, bytes.count) } ?? (0, 0)
  }

  /// The first and the last eight bytes of a text; of a shorter one, enough to tell it from others of its length.
  @inline(__always) static func ends(_ start: UnsafePointer<UInt8>, _ length: Int) -> (UInt64, UInt64) {
    let raw = UnsafeRawPointer(start)
    if length >= 8 {
      return (raw.loadUnaligned(as: UInt64.self), raw.loadUnaligned(fromByteOffset: length - 8, as: UInt64.self))
    }
    if length >= 4 {
      return (
        UInt64(raw.loadUnaligned(as: UInt32.self)),
        UInt64(raw.loadUnaligned(fromByteOffset: length - 4, as: UInt32.self))
      )
    }
    if length == 0 { return (0, 0) }
    return (UInt64(start[0]), UInt64(start[length >> 1]) << 8 | UInt64(start[length - 1]))
  }

  @inline(__always) func matches(_ view: UInt64, _ bytes: UnsafePointer<UInt8>) -> Bool {
    guard Int(view & 0xFFFF_FFFF) == length else { return false }
    let start = bytes + Int(view >> 32)
    let (first, last) = TextProbe.ends(start, length)
    guard first == self.first, last == self.last else { return false }
    return length <= 16 || text.withUnsafeBufferPointer { memcmp($0.baseAddress.unsafelyUnwrapped, start, length) == 0 }
  }
}

/// `left = right` and the like.
struct ComparisonKernel: Kernel {
  let left: any Kernel
  let right: any Kernel
  let comparison: Comparison

  func evaluate(_ frame: Frame, _ mask: Mask?) -> Operand {
    comparison.apply(left.evaluate(frame, mask), right.evaluate(frame, mask), count: frame.count)
  }
}

/// `left is [not] distinct from right`: null is a value like others.
struct DistinctKernel: Kernel {
  let left: any Kernel
  let right: any Kernel
  /// An equality.
  let comparison: Comparison
  let negated: Bool

  func evaluate(_ frame: Frame, _ mask: Mask?) -> Operand {
    let (left, right) = (left.evaluate(frame, mask), right.evaluate(frame, mask))
    let result = comparison.apply(left, right, count: frame.count)
    let equal = result.cells(UInt8.self)
    let output = Output<UInt8>(count: frame.count)
    for row in 0..<frame.count {
      let (leftIsValid, rightIsValid) = (left.isValid(row), right.isValid(row))
      let same = leftIsValid && rightIsValid ? equal[row] != 0 : leftIsValid == rightIsValid
      output.cells[row] = same == negated ? 1 : 0
    }
    return output.finish(.boolean, Validity(count: frame.count))
  }
}
