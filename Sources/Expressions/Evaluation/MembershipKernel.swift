import StreamModel

/// `operand in (items)`: true where an item equals it, else null where the operand or an item is null. Items are looked at
/// from left to right, only on rows that no earlier one equals.
struct MembershipKernel: Kernel {
  let operand: any Kernel
  /// Each with the equality by which it is compared.
  let items: [(kernel: any Kernel, comparison: Comparison)]

  func evaluate(_ frame: Frame, _ mask: Mask?) -> Operand {
    let value = operand.evaluate(frame, mask)
    var result: TruthColumn?
    for item in items {
      let undecided = result?.rows(otherThan: true, in: mask)
      if let undecided, undecided.isEmpty { break }
      let equal = item.comparison.apply(value, item.kernel.evaluate(frame, undecided ?? mask), count: frame.count)
      let truth = TruthColumn(equal, count: frame.count)
      result?.combine(truth, decisive: true)
      if result == nil { result = truth }
    }
    return (result ?? TruthColumn(unknown: frame.count)).operand
  }
}

/// `operand in (…)` for constant texts, none of them null.
struct TextMembershipKernel: Kernel {
  let operand: any Kernel
  private let probes: [TextProbe]
  private let texts: Set<[UInt8]>
  /// Up to here the items are tried one by one.
  private static let fewItems = 12

  init(operand: any Kernel, texts: [[UInt8]]) {
    self.operand = operand
    self.texts = Set(texts)
    probes = self.texts.sorted { $0.lexicographicallyPrecedes($1) }.map { $0.withUnsafeBufferPointer { TextProbe($0) } }
  }

  func evaluate(_ frame: Frame, _ mask: Mask?) -> Operand {
    let value = operand.evaluate(frame, mask)
    let output = Output<UInt8>(count: frame.count)
    if probes.count <= TextMembershipKernel.fewItems {
      let (views, bytes) = (value.cells(UInt64.self), value.column.bytes.unsafelyUnwrapped)
      probes.withUnsafeBufferPointer { probes in
        for row in 0..<frame.count {
          let view = views[row]
          var found = false
          for probe in probes where probe.matches(view, bytes) {
            found = true
            break
          }
          output.cells[row] = found ? 1 : 0
        }
      }
    } else {
      for row in 0..<frame.count { output.cells[row] = texts.contains(Array(value.bytes(row))) ? 1 : 0 }
    }
    return output.finish(.boolean, Validity(value, count: frame.count))
  }
}

/// `operand in (…)` for constants of the operand's eight-byte integer representation, none of them null.
struct IntegerMembershipKernel: Kernel {
  let operand: any Kernel
  let items: [Int64]
  private let set: Set<Int64>
  private static let fewItems = 16

  init(operand: any Kernel, items: [Int64]) {
    self.operand = operand
    self.items = items
    set = Set(items)
  }

  func evaluate(_ frame: Frame, _ mask: Mask?) -> Operand {
    let value = operand.evaluate(frame, mask)
    let cells = value.cells(Int64.self)
    let output = Output<UInt8>(count: frame.count)
    if items.count <= IntegerMembershipKernel.fewItems {
      for row in 0..<frame.count { output.cells[row] = 0 }
      for item in items { for row in 0..<frame.count { output.cells[row] |= cells[row] == item ? 1 : 0 } }
    } else {
      for row in 0..<frame.count { output.cells[row] = set.contains(cells[row]) ? 1 : 0 }
    }
    return output.finish(.boolean, Validity(value, count: frame.count))
  }
}

/// `operand [not] between low and high`: `operand >= low and operand <= high`.
struct BetweenKernel: Kernel {
  let operand: any Kernel
  let low: any Kernel
  let high: any Kernel
  let atLeast: Comparison
  let atMost: Comparison

  func evaluate(_ frame: Frame, _ mask: Mask?) -> Operand {
    let value = operand.evaluate(frame, mask)
    var result = TruthColumn(atLeast.apply(value, low.evaluate(frame, mask), count: frame.count), count: frame.count)
    let undecided = result.rows(otherThan: false, in: mask)
    let below = atMost.apply(value, high.evaluate(frame, undecided), count: frame.count)
    result.combine(TruthColumn(below, count: frame.count), decisive: false)
    return result.operand
  }
}
