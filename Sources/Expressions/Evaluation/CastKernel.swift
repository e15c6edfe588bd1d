import StreamModel

/// `cast`: text as JSON writes it, numbers rounded as Flink SQL does, and a failed row where a value does not fit.
struct CastKernel: Kernel {
  let operand: any Kernel
  let from: DataType
  let type: DataType
  /// `try_cast`: null instead of a failed row.
  let givesNull: Bool

  func evaluate(_ frame: Frame, _ mask: Mask?) -> Operand {
    let value = operand.evaluate(frame, mask)
    let invocation = Invocation(operands: [value], type: type, frame: frame, mask: mask)
    switch type.layout {
    case .bool8: return invocation.map(UInt8.self) { row in boolean(value, row).or { fail(invocation, row) } }
    case .float64: return invocation.map(Double.self) { row in double(value, row).or { fail(invocation, row) } }
    case .int128: return invocation.map(Int128.self) { row in integer(value, row).or { fail(invocation, row) } }
    case .int64:
      if case .int64 = from.layout, case .decimal = type, let shifted = shiftedUp(value, frame) { return shifted }
      return invocation.map(Int64.self) { row in
        integer(value, row).flatMap { Int64(exactly: $0) }.or { fail(invocation, row) }
      }
    case .view: return text(value, invocation)
    }
  }

  @inline(never) private func fail<Element>(_ invocation: Invocation, _ row: Int) -> Element? {
    if givesNull { return nil }
    return invocation.failure(row, "\(invocation.operands[0].shown(row)) is no \(type)")
  }

  /// A decimal in a wider type of no smaller scale: a multiplication that cannot fail.
  private func shiftedUp(_ value: Operand, _ frame: Frame) -> Operand? {
    guard case .decimal(let fromPrecision, let fromScale) = from, case .decimal(let precision, let scale) = type,
      scale >= fromScale, precision - scale >= fromPrecision - fromScale
    else { return nil }
    let factor = Int64(truncatingIfNeeded: Decimal.powersOfTen[scale - fromScale])
    let cells = value.cells(Int64.self)
    let output = Output<Int64>(count: frame.count)
    for row in 0..<frame.count { output.cells[row] = cells[row] &* factor }
    return output.finish(type, Validity(value, count: frame.count))
  }

  // MARK: To fixed width

  private func boolean(_ value: Operand, _ row: Int) -> UInt8? {
    switch from {
    case .boolean: return value.cells(UInt8.self)[row]
    case .int64: return value.cells(Int64.self)[row] == 0 ? 0 : 1
    default:
      switch Texts.lowercasedASCII(Texts.trimmed(value.bytes(row))) {
      case "true": return 1
      case "false": return 0
      default: return nil
      }
    }
  }

  private func double(_ value: Operand, _ row: Int) -> Double? {
    switch from {
    case .double: value.cells(Double.self)[row]
    case .int64: Double(value.cells(Int64.self)[row])
    case .decimal(_, let scale): DoubleConversion.double(value.column.unscaled(at: value.index(row)), scale: scale)
    case .boolean: Double(value.cells(UInt8.self)[row])
    default: DoubleConversion.parse(Texts.trimmed(value.bytes(row)))
    }
  }

  /// The eight- or sixteen-byte integer that stands for the value in `type`.
  private func integer(_ value: Operand, _ row: Int) -> Int128? {
    switch type {
    case .decimal(let precision, let scale):
      return decimal(value, row, scale).flatMap { Decimal.fits($0, precision: precision) ? $0 : nil }
    case .int64: return whole(value, row)
    case .timestamp:
      switch from {
      case .date: return Int128(value.cells(Int64.self)[row]) * Int128(CivilTime.millisecondsPerDay)
      case .timestamp: return Int128(value.cells(Int64.self)[row])
      default: return Texts.timestamp(Texts.trimmed(value.bytes(row))).map { Int128($0) }
      }
    default:
      switch from {
      case .date: return Int128(value.cells(Int64.self)[row])
      case .timestamp: return Int128(CivilTime.split(value.cells(Int64.self)[row]).day)
      default: return CivilTime.parseDate(Texts.trimmed(value.bytes(row))).map { Int128($0) }
      }
    }
  }

  private func whole(_ value: Operand, _ row: Int) -> Int128? {
    switch from {
    case .int64: Int128(value.cells(Int64.self)[row])
    case .boolean: Int128(value.cells(UInt8.self)[row])
    case .decimal(_, let scale):
      value.column.unscaled(at: value.index(row)) / Decimal.powersOfTen[scale]
    case .double: Int128(exactly: value.cells(Double.self)[row].rounded(.towardZero))
    default: Texts.decimal(Texts.trimmed(value.bytes(row)), precision: 19, scale: 0, rounds: false)
    }
  }

  private func decimal(_ value: Operand, _ row: Int, _ scale: Int) -> Int128? {
    switch from {
    case .int64: return Decimal.rescale(Int128(value.cells(Int64.self)[row]), from: 0, to: scale)
    case .boolean: return Decimal.rescale(Int128(value.cells(UInt8.self)[row]), from: 0, to: scale)
    case .decimal(_, let fromScale):
      return Decimal.rescale(value.column.unscaled(at: value.index(row)), from: fromScale, to: scale)
    case .double: return DoubleConversion.decimal(value.cells(Double.self)[row], scale: scale)
    default: return Texts.decimal(Texts.trimmed(value.bytes(row)), precision: 38, scale: scale, rounds: true)
    }
  }

  // MARK: To text and bytes

  private func text(_ value: Operand, _ invocation: Invocation) -> Operand {
    if type == from { return value }
    if type == .bytes {
      return invocation.write { row, writer in
        guard let bytes = Base64.decode(value.bytes(row)) else { return fail(invocation, row) }
        bytes.withUnsafeBufferPointer { writer.append($0) }
        return ()
      }
    }
    return invocation.write { row, writer in
      append(value, row, &writer)
      return ()
    }
  }

  private func append(_ value: Operand, _ row: Int, _ writer: inout TextWriter) {
    if from == .bytes {
      writer.append(Base64.encode(value.bytes(row)))
      return
    }
    guard case .decimal(_, let scale) = from else {
      switch value.column.value(at: value.index(row)) {
      case .string(let text): writer.append(text)
      case let other: writer.append(other.shown)
      }
      return
    }
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 48) { buffer in
      guard let base = buffer.baseAddress else { return }
      let start = Decimal.write(value.column.unscaled(at: value.index(row)), scale: scale, endingAt: base + 48)
      writer.append(UnsafeBufferPointer(start: start, count: base + 48 - start))
    }
  }
}

extension Optional {
  /// The value, or what `fallback` gives.
  @inline(__always) func or(_ fallback: () -> Wrapped?) -> Wrapped? { self ?? fallback() }
}
