import StreamModel

#if canImport(Glibc)
  import Glibc
#endif

/// `case`: each condition is evaluated only on rows that no earlier one has taken, each result only on rows it is for.
struct ChoiceKernel: Kernel {
  /// A condition: a boolean, or an item that must equal the case's subject.
  enum Condition: Sendable {
    case boolean(any Kernel)
    case equal(any Kernel, Comparison)
  }

  let subject: (any Kernel)?
  let branches: [(condition: Condition, result: any Kernel)]
  let otherwise: any Kernel
  let type: DataType

  func evaluate(_ frame: Frame, _ mask: Mask?) -> Operand {
    let value = subject?.evaluate(frame, mask)
    var remaining = Mask(copying: mask, count: frame.count)
    var blend = Blend(type: type, count: frame.count)
    for branch in branches where !remaining.isEmpty {
      let condition = TruthColumn(truth(branch.condition, value, frame, remaining), count: frame.count)
      let taken = condition.trueRows(in: remaining)
      remaining = condition.rows(otherThan: true, in: remaining)
      if !taken.isEmpty { blend.take(branch.result.evaluate(frame, taken), on: taken) }
    }
    if !remaining.isEmpty { blend.take(otherwise.evaluate(frame, remaining), on: remaining) }
    return blend.finish()
  }

  private func truth(_ condition: Condition, _ subject: Operand?, _ frame: Frame, _ mask: Mask) -> Operand {
    switch condition {
    case .boolean(let kernel): return kernel.evaluate(frame, mask)
    case .equal(let kernel, let comparison):
      let item = kernel.evaluate(frame, mask)
      return comparison.apply(subject ?? item, item, count: frame.count)
    }
  }
}

/// `coalesce`: each argument is evaluated only on rows in which all before it are null.
struct CoalesceKernel: Kernel {
  let arguments: [any Kernel]
  let type: DataType

  func evaluate(_ frame: Frame, _ mask: Mask?) -> Operand {
    let remaining = Mask(copying: mask, count: frame.count)
    var blend = Blend(type: type, count: frame.count)
    for argument in arguments {
      let value = argument.evaluate(frame, remaining)
      let validity = Validity(value, count: frame.count)
      if validity.memory == nil, mask == nil, blend.isUntouched { return value }
      let taken = Mask(uninitialized: frame.count)
      validity.unpack(into: taken.bytes)
      for row in 0..<frame.count {
        taken.bytes[row] &= remaining.bytes[row]
        remaining.bytes[row] &= taken.bytes[row] ^ 1
      }
      blend.take(value, on: taken)
      if remaining.isEmpty { break }
    }
    return blend.finish()
  }
}

/// `nullif(left, right)`: the left one, null where they are equal.
struct NullIfKernel: Kernel {
  let left: any Kernel
  /// The left one as it is compared.
  let comparable: any Kernel
  let right: any Kernel
  let comparison: Comparison

  func evaluate(_ frame: Frame, _ mask: Mask?) -> Operand {
    let value = left.evaluate(frame, mask)
    let equal = comparison.apply(comparable.evaluate(frame, mask), right.evaluate(frame, mask), count: frame.count)
    let keep = TruthColumn(equal, count: frame.count).rows(otherThan: true, in: nil)
    var blend = Blend(type: value.column.type, count: frame.count)
    blend.take(value, on: keep)
    return blend.finish()
  }
}

/// `greatest` and `least`: null where an argument is null.
struct ExtremeKernel: Kernel {
  let arguments: [any Kernel]
  /// `>` for `greatest`, `<` for `least`.
  let comparison: Comparison

  func evaluate(_ frame: Frame, _ mask: Mask?) -> Operand {
    let operands = arguments.map { $0.evaluate(frame, mask) }
    var best = operands[0]
    for operand in operands.dropFirst() {
      let isBetter = TruthColumn(comparison.apply(operand, best, count: frame.count), count: frame.count)
      let taken = isBetter.trueRows(in: nil)
      var blend = Blend(type: best.column.type, count: frame.count)
      blend.take(operand, on: taken)
      blend.take(best, on: isBetter.rows(otherThan: true, in: nil))
      best = blend.finish()
    }
    var blend = Blend(type: best.column.type, count: frame.count)
    let known = Mask(uninitialized: frame.count)
    Validity(operands, count: frame.count).unpack(into: known.bytes)
    blend.take(best, on: known)
    return blend.finish()
  }
}
