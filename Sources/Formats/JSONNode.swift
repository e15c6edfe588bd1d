/// A JSON text as a tree, for documents that are small and rare: schemas, answers of a registry. Numbers keep their text.
package indirect enum JSONNode: Hashable, Sendable {
  case null
  case boolean(Bool)
  case number(String)
  case string(String)
  case array([JSONNode])
  /// In the order of the text; of a repeated name the first counts in `subscript`.
  case object([Member])

  package struct Member: Hashable, Sendable {
    package let name: String
    package let value: JSONNode
    package init(_ name: String, _ value: JSONNode) {
      self.name = name
      self.value = value
    }
  }

  /// The tree of `text`. Throws where it is not JSON, or nested more than 200 deep.
  package static func parse(_ text: String) throws(FormatError) -> JSONNode {
    var reader = JSONReader(Array(text.utf8))
    return try reader.document()
  }

  package subscript(name: String) -> JSONNode? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }

  package var text: String? {
    if case .string(let text) = self { text } else { nil }
  }

  package var integer: Int? {
    if case .number(let text) = self { Int(text) } else { nil }
  }

  package var elements: [JSONNode]? {
    if case .array(let elements) = self { elements } else { nil }
  }
}

extension JSONNode: CustomStringConvertible {
  /// The tree as JSON without blanks.
  package var description: String {
    switch self {
    case .null: "null"
    case .boolean(let flag): flag ? "true" : "false"
    case .number(let text): text
    case .string(let text): JSONNode.quoted(text)
    case .array(let elements): "[" + elements.map(\.description).joined(separator: ",") + "]"
    case .object(let members):
      "{" + members.map { "\(JSONNode.quoted($0.name)):\($0.value)" }.joined(separator: ",") + "}"
    }
  }

  private static func quoted(_ text: String) -> String { String(decoding: JSONEncoder.quoted(text), as: UTF8.self) }
}

/// Reads one JSON document (RFC 8259).
private struct JSONReader {
  private let bytes: [UInt8]
  private var cursor = 0
  private var depth = 0

  private static let maxDepth = 200

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func document() throws(FormatError) -> JSONNode {
    let node = try value()
    skipBlanks()
    if cursor < bytes.count { throw error("text follows the value") }
    return node
  }

  private func error(_ problem: String) -> FormatError { FormatError("no JSON at byte \(cursor): \(problem)") }

  private mutating func skipBlanks() {
    while cursor < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[cursor]) { cursor += 1 }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    skipBlanks()
    guard cursor < bytes.count, bytes[cursor] == byte else { return false }
    cursor += 1
    return true
  }

  private mutating func value() throws(FormatError) -> JSONNode {
    skipBlanks()
    guard cursor < bytes.count else { throw error("it ends too early") }
    depth += 1
    defer { depth -= 1 }
    if depth > JSONReader.maxDepth { throw error("it is nested too deep") }
    switch bytes[cursor] {
    case UInt8(ascii: "{"): return try object()
    case UInt8(ascii: "["): return try array()
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .boolean(true))
    case UInt8(ascii: "f"): return try word("false", .boolean(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  private mutating func word(_ word: StaticString, _ node: JSONNode) throws(FormatError) -> JSONNode {
    let text = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
    guard bytes[cursor...].starts(with: text) else { throw error("a value is expected") }
    cursor += text.count
    return node
  }

  private mutating func number() throws(FormatError) -> JSONNode {
    let start = cursor
    if bytes[cursor] == UInt8(ascii: "-") { cursor += 1 }
    let whole = digits()
    guard whole > 0, whole == 1 || bytes[cursor - whole] != UInt8(ascii: "0") else {
      throw error("a value is expected")
    }
    if cursor < bytes.count, bytes[cursor] == UInt8(ascii: ".") {
      cursor += 1
      if digits() == 0 { throw error("a digit is expected") }
    }
    if cursor < bytes.count, bytes[cursor] | 0x20 == UInt8(ascii: "e") {
      cursor += 1
      if cursor < bytes.count, bytes[cursor] == UInt8(ascii: "-") || bytes[cursor] == UInt8(ascii: "+") { cursor += 1 }
      if digits() == 0 { throw error("a digit is expected") }
    }
    return .number(String(decoding: bytes[start..<cursor], as: UTF8.self))
  }

  private mutating func digits() -> Int {
    let start = cursor
    while cursor < bytes.count, bytes[cursor] &- 48 <= 9 { cursor += 1 }
    return cursor - start
  }

  private mutating func array() throws(FormatError) -> JSONNode {
    cursor += 1
    var elements: [JSONNode] = []
    if take(UInt8(ascii: "]")) { return .array([]) }
    repeat { elements.append(try value()) } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "]")) else { throw error("a comma or a closing bracket is expected") }
    return .array(elements)
  }

  private mutating func object() throws(FormatError) -> JSONNode {
    cursor += 1
    var members: [JSONNode.Member] = []
    if take(UInt8(ascii: "}")) { return .object([]) }
    repeat {
      skipBlanks()
      guard cursor < bytes.count, bytes[cursor] == UInt8(ascii: "\"") else { throw error("a name is expected") }
      let name = try string()
      guard take(UInt8(ascii: ":")) else { throw error("a colon is expected") }
      members.append(JSONNode.Member(name, try value()))
    } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "}")) else { throw error("a comma or a closing brace is expected") }
    return .object(members)
  }

  private mutating func string() throws(FormatError) -> String {
    cursor += 1
    var text: [UInt8] = []
    while cursor < bytes.count, bytes[cursor] != UInt8(ascii: "\"") {
      if bytes[cursor] < 0x20 { throw error("a raw control character") }
      if bytes[cursor] == UInt8(ascii: "\\") {
        cursor += 1
        text.append(contentsOf: Array(String(try escape()).utf8))
      } else {
        text.append(bytes[cursor])
        cursor += 1
      }
    }
    guard cursor < bytes.count else { throw error("a string is not closed") }
    cursor += 1
    guard let valid = String(validating: text, as: UTF8.self) else { throw error("a string is not UTF-8") }
    return valid
  }

  private mutating func escape() throws(FormatError) -> Unicode.Scalar {
    guard cursor < bytes.count else { throw error("a string is not closed") }
    let byte = bytes[cursor]
    cursor += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): return try unicode()
    default: throw error("an escape that JSON lacks")
    }
  }

  private mutating func unicode() throws(FormatError) -> Unicode.Scalar {
    let first = try hex()
    if let scalar = Unicode.Scalar(first) { return scalar }
    let isPair = first < 0xDC00 && bytes[cursor...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")])
    guard isPair else { throw error("half a surrogate pair") }
    cursor += 2
    let second = try hex()
    guard second & 0xFC00 == 0xDC00, let scalar = Unicode.Scalar(0x10000 + (first & 0x3FF) << 10 + second & 0x3FF)
    else { throw error("half a surrogate pair") }
    return scalar
  }

  private mutating func hex() throws(FormatError) -> UInt32 {
    guard cursor + 4 <= bytes.count,
      let number = UInt32(String(decoding: bytes[cursor..<cursor + 4], as: UTF8.self), radix: 16)
    else { throw error("four hexadecimal digits are expected") }
    cursor += 4
    return number
  }
}
