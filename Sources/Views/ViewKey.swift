import Formats
import StreamModel

/// Keys of a view as bytes whose order is that of the keys: column by column, null first, numbers and times by value, text by
/// its UTF-8 bytes. The bytes of a key's first columns are a prefix of the key's.
///
/// A column is a byte 0 (null) or 1 and its value: fixed-width numbers big-endian with the sign bit turned; text with 0
/// written as 0, 255, and ended by two zeros. The encoding is part of the state's layout.
package enum ViewKey {
  /// Appends row `row` of a column.
  static func append(_ column: Column, row: Int, to bytes: inout ByteBuffer) {
    guard column.isValid(row) else { return bytes.append(0) }
    bytes.append(1)
    switch column.type.layout {
    case .bool8: bytes.append(column.booleans[row] == 0 ? 0 : 1)
    case .int64: appendNumber(column.int64s[row], to: &bytes)
    case .int128: appendNumber(column.int128s[row], to: &bytes)
    case .float64: appendDouble(column.doubles[row], to: &bytes)
    case .view: appendText(column.bytes(at: row), to: &bytes)
    }
  }

  /// Appends a value of a column's type.
  private static func append(_ value: Value, as type: DataType, to bytes: inout ByteBuffer) {
    let builder = ColumnBuilder(type, capacity: 1)
    builder.append(value)
    append(builder.finish(), row: 0, to: &bytes)
  }

  private static func appendNumber<Number: FixedWidthInteger>(_ number: Number, to bytes: inout ByteBuffer) {
    withUnsafeBytes(of: (number ^ Number.min).bigEndian) { bytes.append($0.assumingMemoryBound(to: UInt8.self)) }
  }

  /// Negative doubles sort backwards as bits.
  private static func appendDouble(_ number: Double, to bytes: inout ByteBuffer) {
    let bits = (number == 0 ? 0.0 : number.isNaN ? Double.nan : number).bitPattern
    let ordered = bits >> 63 == 1 ? ~bits : bits | 1 << 63
    withUnsafeBytes(of: ordered.bigEndian) { bytes.append($0.assumingMemoryBound(to: UInt8.self)) }
  }

  private static func appendText(_ text: UnsafeBufferPointer<UInt8>, to bytes: inout ByteBuffer) {
    if text.contains(0) {
      for byte in text {
        bytes.append(byte)
        if byte == 0 { bytes.append(0xFF) }
      }
    } else {
      bytes.append(text)
    }
    bytes.append(0)
    bytes.append(0)
  }

  // MARK: From text

  /// What stands for null in a request, and what a text that begins so is preceded by.
  package static let nullText = "~null"

  /// The key, or the first columns of one, that `texts` say, as people write them in an address: one text a column, values as JSON
  /// writes them without quotes, `~null` for null; a text that begins with `~` has another before it.
  package static func bytes(of texts: [String], _ view: ViewDefinition) throws(ViewError) -> [UInt8] {
    guard texts.count <= view.key.count else {
      throw .request("the key of view \(view.name) has \(view.key.count) columns, not \(texts.count)")
    }
    var bytes = ByteBuffer(capacity: 64)
    for (text, column) in zip(texts, view.key) {
      let field = view.schema[column]
      guard let value = value(text, field.type) else {
        throw .request("key column \(field.name): `\(text.prefix(100))` is no \(field.type)")
      }
      append(value, as: field.type, to: &bytes)
    }
    return [UInt8](bytes.bytes)
  }

  /// The bytes of one text value as a key column has them.
  static func bytes(ofText text: [UInt8]) -> [UInt8] {
    var bytes = ByteBuffer(capacity: 64)
    bytes.append(1)
    text.withUnsafeBufferPointer { appendText($0, to: &bytes) }
    return [UInt8](bytes.bytes)
  }

  private static func value(_ written: String, _ type: DataType) -> Value? {
    if written == nullText { return .null }
    let text = written.hasPrefix("~~") ? String(written.dropFirst()) : written
    switch type {
    case .boolean: return text == "true" ? .boolean(true) : text == "false" ? .boolean(false) : nil
    case .int64: return Int64(text).map { .int64($0) }
    case .double: return Double(text).map { .double($0) }
    case .decimal(let precision, let scale):
      guard case .value(let unscaled) = Decimal.parse(text, precision: precision, scale: scale) else { return nil }
      return .decimal(unscaled, scale: scale)
    case .string: return .string(text)
    case .bytes: return Base64.decode(text).map { .bytes($0) }
    case .date:
      var text = text
      return text.withUTF8 { CivilTime.parseDate($0) }.map { .date($0) }
    case .timestamp: return (CivilTime.parseTimestamp(text) ?? Int64(text)).map { .timestamp($0) }
    }
  }
}

extension ViewKey {
  /// The values of a key's columns.
  static func values(of key: UnsafeRawBufferPointer, _ view: ViewDefinition) -> [Value] {
    var reader = KeyReader(key: key)
    return view.key.map { reader.next(view.schema[$0].type) }
  }

  private struct KeyReader {
    let key: UnsafeRawBufferPointer
    var cursor = 0

    mutating func next(_ type: DataType) -> Value {
      guard cursor < key.count else { return .null }
      let isPresent = key[cursor] == 1
      cursor += 1
      guard isPresent else { return .null }
      switch type.layout {
      case .bool8: return .boolean(number(UInt8.self) != 0)
      case .int64: return value(number(Int64.self), type)
      case .int128:
        if case .decimal(_, let scale) = type { return .decimal(number(Int128.self), scale: scale) }
        return .null
      case .float64:
        let bits = number(UInt64.self)
        return .double(Double(bitPattern: bits >> 63 == 1 ? bits & ~(1 << 63) : ~bits))
      case .view:
        let text = text()
        return type == .bytes ? .bytes(text) : .string(String(decoding: text, as: UTF8.self))
      }
    }

    private mutating func number<Number: FixedWidthInteger>(_: Number.Type) -> Number {
      defer { cursor += MemoryLayout<Number>.size }
      return Number(bigEndian: key.loadUnaligned(fromByteOffset: cursor, as: Number.self)) ^ Number.min
    }

    private func value(_ number: Int64, _ type: DataType) -> Value {
      switch type {
      case .decimal(_, let scale): .decimal(Int128(number), scale: scale)
      case .date: .date(number)
      case .timestamp: .timestamp(number)
      default: .int64(number)
      }
    }

    private mutating func text() -> [UInt8] {
      var text: [UInt8] = []
      while cursor < key.count {
        let byte = key[cursor]
        cursor += 1
        guard byte == 0 else {
          text.append(byte)
          continue
        }
        let next = key[cursor]
        cursor += 1
        if next == 0 { break }
        text.append(0)
      }
      return text
    }
  }
}
