/// Finds values in JSON text without reading them: where members of an object begin and end.
///
/// What is passed over is checked for its brackets and strings alone; who reads a value checks the rest.
struct JSONSpan {
  let bytes: UnsafeBufferPointer<UInt8>
  private(set) var cursor: Int
  private let end: Int

  /// How deep what is passed over may be nested.
  private static let maxDepth = 1024

  init(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) {
    self.bytes = bytes
    cursor = range.lowerBound
    end = range.upperBound
  }

  /// Calls `body` with each member of the object that the text is: its name's text between the quotes, as it is written,
  /// and its value. False where the text is no object.
  static func members(
    _ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ body: (Range<Int>, Range<Int>) -> Void
  ) -> Bool {
    var span = JSONSpan(bytes, range)
    guard span.take(UInt8(ascii: "{")) else { return false }
    if span.take(UInt8(ascii: "}")) { return span.isAtEnd }
    while true {
      guard let name = span.string(), span.take(UInt8(ascii: ":")), let value = span.value() else { return false }
      body(name.lowerBound + 1..<name.upperBound - 1, value)
      if span.take(UInt8(ascii: ",")) { continue }
      return span.take(UInt8(ascii: "}")) && span.isAtEnd
    }
  }

  private var isAtEnd: Bool {
    mutating get {
      skipBlanks()
      return cursor == end
    }
  }

  private mutating func skipBlanks() {
    while cursor < end, bytes[cursor] <= 0x20 { cursor += 1 }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    skipBlanks()
    guard cursor < end, bytes[cursor] == byte else { return false }
    cursor += 1
    return true
  }

  /// A string with its quotes.
  private mutating func string() -> Range<Int>? {
    skipBlanks()
    guard cursor < end, bytes[cursor] == UInt8(ascii: "\"") else { return nil }
    let start = cursor
    cursor += 1
    while cursor < end {
      switch bytes[cursor] {
      case UInt8(ascii: "\\"): cursor += 2
      case UInt8(ascii: "\""):
        cursor += 1
        return start..<cursor
      default: cursor += 1
      }
    }
    return nil
  }

  private mutating func value() -> Range<Int>? {
    skipBlanks()
    let start = cursor
    var depth = 0
    repeat {
      guard cursor < end else { return nil }
      switch bytes[cursor] {
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        depth += 1
        cursor += 1
        if depth > JSONSpan.maxDepth { return nil }
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        guard depth > 0 else { return nil }
        depth -= 1
        cursor += 1
      case UInt8(ascii: "\""): if string() == nil { return nil }
      default:
        let first = cursor
        while cursor < end, !JSONSpan.isStructural(bytes[cursor]) { cursor += 1 }
        // Commas, colons and blanks between what is nested.
        if cursor == first { cursor += 1 }
      }
    } while depth > 0
    return cursor > start && cursor <= end ? start..<trimmed(start) : nil
  }

  private func trimmed(_ start: Int) -> Int {
    var last = cursor
    while last > start, bytes[last - 1] <= 0x20 { last -= 1 }
    return last
  }

  private static func isStructural(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: ","),
      UInt8(ascii: ":"), UInt8(ascii: "\""):
      true
    default: false
    }
  }
}
