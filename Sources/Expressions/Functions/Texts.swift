import StreamModel

#if canImport(Glibc)
  import Glibc
#endif

/// Readings of UTF-8 text that casts and functions share.
enum Texts {
  /// Without blanks (U+0020) at either end.
  static func trimmed(_ text: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
    var (start, end) = (0, text.count)
    while start < end, text[start] == 0x20 { start += 1 }
    while end > start, text[end - 1] == 0x20 { end -= 1 }
    return UnsafeBufferPointer(rebasing: text[start..<end])
  }

  /// A short ASCII word in lower case; empty when it is long.
  static func lowercasedASCII(_ text: UnsafeBufferPointer<UInt8>) -> String {
    text.count > 16 ? "" : String(decoding: text, as: UTF8.self).lowercased()
  }

  /// A time as RFC 3339 writes it, with a blank for the `T` allowed; a date alone is its first instant.
  static func timestamp(_ text: UnsafeBufferPointer<UInt8>) -> EventTime? {
    CivilTime.parseTimestamp(text, allowingBlank: true)
  }

  /// A number's unscaled value; digits that the scale lacks are rounded half away from zero, or make it nil.
  static func decimal(_ text: UnsafeBufferPointer<UInt8>, precision: Int, scale: Int, rounds: Bool) -> Int128? {
    switch Decimal.parse(text, precision: precision, scale: scale) {
    case .value(let value): return value
    case .malformed, .overflow: return nil
    case .losesDigits: return rounds ? roundedDecimal(text, scale: scale) : nil
    }
  }

  /// Rounds by the digits themselves: those up to the scale, plus one where the next is 5 or more.
  private static func roundedDecimal(_ text: UnsafeBufferPointer<UInt8>, scale: Int) -> Int128? {
    guard let number = DecimalDigits(text) else { return nil }
    return number.rounded(scale: scale)
  }

  /// The number of characters (Unicode scalars) in UTF-8 text.
  @inline(__always) static func length(_ text: UnsafeBufferPointer<UInt8>) -> Int {
    var count = 0
    for byte in text { count &+= byte & 0xC0 == 0x80 ? 0 : 1 }
    return count
  }

  /// The byte at which character `index` (from 0) begins; the end when there are not so many.
  @inline(__always) static func offset(ofCharacter index: Int, in text: UnsafeBufferPointer<UInt8>, from start: Int = 0)
    -> Int
  {
    var offset = start
    var left = index
    while offset < text.count, left > 0 {
      offset += 1
      while offset < text.count, text[offset] & 0xC0 == 0x80 { offset += 1 }
      left -= 1
    }
    return offset
  }

  /// Where `wanted` first occurs in `text` at or after `start`, in bytes.
  static func find(_ wanted: UnsafeBufferPointer<UInt8>, in text: UnsafeBufferPointer<UInt8>, from start: Int = 0)
    -> Int?
  {
    if wanted.isEmpty { return start <= text.count ? start : nil }
    guard let base = text.baseAddress, let wantedBase = wanted.baseAddress else { return nil }
    var cursor = start
    while cursor + wanted.count <= text.count {
      let room = text.count - wanted.count - cursor + 1
      guard let found = memchr(base + cursor, CInt(wanted[0]), room) else { return nil }
      cursor = UnsafeRawPointer(found) - UnsafeRawPointer(base)
      if memcmp(base + cursor, wantedBase, wanted.count) == 0 { return cursor }
      cursor += 1
    }
    return nil
  }

  static func hasPrefix(_ text: UnsafeBufferPointer<UInt8>, _ prefix: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let start = text.baseAddress, let wanted = prefix.baseAddress, prefix.count > 0 else { return prefix.isEmpty }
    return text.count >= prefix.count && memcmp(start, wanted, prefix.count) == 0
  }

  static func hasSuffix(_ text: UnsafeBufferPointer<UInt8>, _ suffix: UnsafeBufferPointer<UInt8>) -> Bool {
    text.count >= suffix.count && hasPrefix(UnsafeBufferPointer(rebasing: text[(text.count - suffix.count)...]), suffix)
  }
}

/// The digits of a number's text, however many: `0.digits × 10^exponent`.
struct DecimalDigits {
  let isNegative: Bool
  /// Without leading zeros.
  let digits: [UInt8]
  /// How many of the digits stand before the point; may be negative or more than there are.
  let pointPosition: Int

  /// Reads `[-+]digits[.digits][e[+-]digits]`; nil when it is something else.
  init?(_ text: some Collection<UInt8>) {
    var rest = text[...]
    isNegative = rest.first == UInt8(ascii: "-")
    if isNegative || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
    let mantissa = rest.prefix { $0 != UInt8(ascii: "e") && $0 != UInt8(ascii: "E") }
    let parts = mantissa.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
    let written = parts.flatMap { Array($0) }
    guard !written.isEmpty, written.allSatisfy({ $0 &- 48 <= 9 }) else { return nil }
    var exponent = 0
    if mantissa.endIndex != rest.endIndex {
      guard let value = Int(String(decoding: rest[rest.index(after: mantissa.endIndex)...], as: UTF8.self)) else {
        return nil
      }
      exponent = max(-1_000_000, min(1_000_000, value))
    }
    let zeros = written.prefix { $0 == 48 }.count
    digits = Array(written.dropFirst(zeros))
    pointPosition = parts[0].count - zeros + exponent
  }

  /// The unscaled value at `scale`, half away from zero; nil when it has more than 38 digits.
  func rounded(scale: Int) -> Int128? {
    let kept = pointPosition + scale
    guard kept >= 0, !digits.isEmpty else { return 0 }
    guard kept <= 38 else { return nil }
    var value: Int128 = 0
    for index in 0..<kept { value = value * 10 + Int128(index < digits.count ? digits[index] - 48 : 0) }
    if kept < digits.count, digits[kept] >= 53 { value += 1 }
    return isNegative ? -value : value
  }
}

/// Between doubles and exact numbers.
enum DoubleConversion {
  /// The double nearest to `unscaled × 10^-scale`.
  static func double(_ unscaled: Int128, scale: Int) -> Double {
    if scale <= 22, unscaled.magnitude < 1 << 53 {
      return Double(Int64(truncatingIfNeeded: unscaled)) / Double(Int128Powers.double[scale])
    }
    return strtod(Decimal.format(unscaled, scale: scale), nil)
  }

  /// The double's shortest text, read as a decimal; half away from zero. Nil when it has too many digits or is not finite.
  static func decimal(_ value: Double, scale: Int) -> Int128? {
    guard value.isFinite else { return nil }
    return DecimalDigits(Array("\(value)".utf8))?.rounded(scale: scale)
  }

  /// A number as JSON writes it; nil when it is something else or not finite.
  static func parse(_ text: UnsafeBufferPointer<UInt8>) -> Double? {
    guard DecimalDigits(text) != nil else { return nil }
    let value = strtod(String(decoding: text, as: UTF8.self), nil)
    return value.isFinite ? value : nil
  }

  private enum Int128Powers {
    /// 10⁰ … 10²², all exact.
    static let double: [Double] = (0...22).map { Double(Decimal.powersOfTen[$0]) }
  }
}

/// Base64 (RFC 4648, with padding): how JSON writes bytes.
enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  static func encode(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = (0..<3).map { start + $0 < bytes.count ? UInt32(bytes[start + $0]) : 0 }
      let bits = group[0] << 16 | group[1] << 8 | group[2]
      for position in 0..<4 {
        let isPadding = start + position > bytes.count
        text.append(isPadding ? UInt8(ascii: "=") : alphabet[Int(bits >> UInt32(18 - 6 * position) & 63)])
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// The bytes, or nil when `text` is no base64.
  static func decode(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
    guard text.count % 4 == 0 else { return nil }
    let padding = text.reversed().prefix { $0 == UInt8(ascii: "=") }.count
    guard padding <= 2 else { return nil }
    var bytes: [UInt8] = []
    var bits: UInt32 = 0
    for (position, letter) in text.dropLast(padding).enumerated() {
      guard let value = alphabet.firstIndex(of: letter) else { return nil }
      bits = bits << 6 | UInt32(value)
      if position % 4 != 0 { bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(6 - position % 4 * 2))) }
    }
    return bytes
  }
}
