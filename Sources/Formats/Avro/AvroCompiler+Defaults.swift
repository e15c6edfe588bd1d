import StreamModel

extension AvroCompiler {
  /// The code for a column that the writer lacks: the default that the reader's schema gives, as the column holds it.
  mutating func defaultValue(_ node: JSONNode, _ type: AvroType, _ reader: AvroSchema, _ column: Int) {
    // A union's default is of its first branch, since 1.12 of any.
    var types = [type]
    if case .union(let branches) = type { types = branches }
    for type in types {
      if let constant = defaultConstant(node, type, reader, column) { return self.constant(constant, column) }
    }
    fail("the reader's default \(node) is no \(columns[column].type)", column)
  }

  private mutating func defaultConstant(
    _ node: JSONNode, _ type: AvroType, _ reader: AvroSchema, _ column: Int
  ) -> AvroConstant? {
    switch type {
    case .primitive(let primitive, let logical): return constant(node, primitive, logical, column)
    case .named(let name):
      switch reader.named(name).kind {
      case .enumeration(let symbols, _):
        guard columns[column].type == .string, let text = node.text, symbols.contains(text) else { return nil }
        return constant(text: Array(text.utf8))
      case .fixed(let size, let logical):
        guard let bytes = AvroCompiler.bytes(node), bytes.count == size else { return nil }
        return constant(bytes: bytes, logical, column)
      case .record: return nil
      }
    case .array, .map, .union: return nil
    }
  }

  private mutating func constant(
    _ node: JSONNode, _ primitive: AvroPrimitive, _ logical: AvroLogicalType?, _ column: Int
  ) -> AvroConstant? {
    let type = columns[column].type
    switch (primitive, node) {
    case (.null, .null): return columns[column].nullable ? .null : nil
    case (.boolean, .boolean(let flag)): return type == .boolean ? .boolean(flag) : nil
    case (.int, .number(let text)), (.long, .number(let text)):
      return Int64(text).flatMap { whole($0, logical, column) }
    case (.float, .number(let text)): return type == .double ? Float(text).map { .double(Double($0)) } : nil
    case (.double, .number(let text)): return type == .double ? Double(text).map(AvroConstant.double) : nil
    case (.string, .string(let text)):
      return type == .string || type == .bytes ? constant(text: Array(text.utf8)) : nil
    case (.bytes, _): return AvroCompiler.bytes(node).flatMap { constant(bytes: $0, logical, column) }
    default: return nil
    }
  }

  private func whole(_ number: Int64, _ logical: AvroLogicalType?, _ column: Int) -> AvroConstant? {
    switch (columns[column].type, logical) {
    case (.int64, _): return .int64(number)
    case (.double, nil): return Double(exactly: number).map(AvroConstant.double)
    case (.decimal(let precision, let scale), nil):
      return AvroDecimal.rescaled(Int128(number), from: 0, precision: precision, scale: scale).unscaled.map(
        AvroConstant.unscaled)
    case (.date, .date): return AvroRowReader.dates.contains(number) ? .int64(number) : nil
    case (.timestamp, let logical):
      let isSeconds = logical == nil && epochSecondColumns.contains(column)
      return AvroRowReader.milliseconds(number, logical, isSeconds: isSeconds).map(AvroConstant.int64)
    default: return nil
    }
  }

  private mutating func constant(text: [UInt8]) -> AvroConstant {
    let place = append(text: text)
    return .text(start: place.start, length: place.length)
  }

  private mutating func constant(bytes: [UInt8], _ logical: AvroLogicalType?, _ column: Int) -> AvroConstant? {
    switch (columns[column].type, logical) {
    case (.bytes, _): return constant(text: bytes)
    case (.decimal(let precision, let scale), .decimal(_, let written)):
      guard let unscaled = bytes.withUnsafeBufferPointer(AvroDecimal.unscaled) else { return nil }
      return AvroDecimal.rescaled(unscaled, from: written, precision: precision, scale: scale).unscaled.map(
        AvroConstant.unscaled)
    default: return nil
    }
  }

  /// Bytes in JSON: each a character of that number.
  private static func bytes(_ node: JSONNode) -> [UInt8]? {
    guard let text = node.text else { return nil }
    let bytes = text.unicodeScalars.compactMap { UInt8(exactly: $0.value) }
    return bytes.count == text.unicodeScalars.count ? bytes : nil
  }
}

/// Decimals as Avro stores them: the scaled number in two's complement, the highest byte first.
enum AvroDecimal {
  /// Nil where it has more than 128 bits.
  static func unscaled(_ bytes: UnsafeBufferPointer<UInt8>) -> Int128? {
    guard let first = bytes.first else { return 0 }
    let sign: UInt8 = first & 0x80 == 0 ? 0 : 0xFF
    let surplus = max(0, bytes.count - 16)
    guard bytes[..<surplus].allSatisfy({ $0 == sign }) else { return nil }
    if surplus > 0, bytes[surplus] & 0x80 != sign & 0x80 { return nil }
    var value: Int128 = sign == 0 ? 0 : -1
    for byte in bytes[surplus...] { value = value << 8 | Int128(byte) }
    return value
  }

  enum Rescaled: Equatable {
    case value(Int128)
    case losesDigits
    case overflow

    var unscaled: Int128? { if case .value(let unscaled) = self { unscaled } else { nil } }
  }

  /// `unscaled` of scale `from` as a `decimal(precision, scale)`, exactly.
  static func rescaled(_ unscaled: Int128, from: Int, precision: Int, scale: Int) -> Rescaled {
    if from > scale {
      guard from - scale <= 38 else { return unscaled == 0 ? .value(0) : .losesDigits }
      let (quotient, remainder) = unscaled.quotientAndRemainder(dividingBy: Decimal.powersOfTen[from - scale])
      guard remainder == 0 else { return .losesDigits }
      return Decimal.fits(quotient, precision: precision) ? .value(quotient) : .overflow
    }
    guard scale - from <= 38 else { return unscaled == 0 ? .value(0) : .overflow }
    let (product, overflow) = unscaled.multipliedReportingOverflow(by: Decimal.powersOfTen[scale - from])
    return !overflow && Decimal.fits(product, precision: precision) ? .value(product) : .overflow
  }

  /// The fewest bytes that hold a scaled number.
  static func bytes(_ unscaled: Int128) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = unscaled
    while true {
      bytes.append(UInt8(truncatingIfNeeded: rest))
      rest >>= 8
      let isSigned = (bytes[bytes.count - 1] & 0x80 != 0) == (unscaled < 0)
      if isSigned && rest == (unscaled < 0 ? -1 : 0) { return bytes.reversed() }
    }
  }
}
