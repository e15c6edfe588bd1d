import StreamModel

@testable import Formats

/// The slow, obvious reading of JSON lines that the decoder is compared with.
struct JSONReference {
  indirect enum Node {
    case null
    case boolean(Bool)
    case number(String)
    case string(String)
    case array
    case object([(String, Node)])
  }

  struct Malformed: Error {}

  let schema: Schema

  func outcomes(_ bytes: [UInt8]) -> [Outcome] {
    var outcomes: [Outcome] = []
    var start = 0
    for var line in bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
      let next = start + line.count + 1
      if line.last == 0x0D { line = line.dropLast() }
      let range = start..<start + line.count
      start = next
      if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
      outcomes.append(row(Array(line)).map { .row(range, $0) } ?? .failure(range))
    }
    return outcomes
  }

  private func row(_ line: [UInt8]) -> [Value]? {
    guard String(validating: line, as: UTF8.self) != nil else { return nil }
    var parser = JSONReferenceParser(line)
    guard case .object(let members)? = try? parser.document() else { return nil }
    var values: [Value] = []
    for field in schema.fields {
      let node = members.last { $0.0.utf8.elementsEqual(field.name.utf8) }?.1 ?? .null
      guard let value = value(node, field) else { return nil }
      values.append(value)
    }
    return values
  }

  private func value(_ node: Node, _ field: Field) -> Value? {
    if case .null = node { return field.nullable ? .null : nil }
    switch (field.type, node) {
    case (.boolean, .boolean(let value)): return .boolean(value)
    case (.string, .string(let text)): return .string(text)
    case (.bytes, .string(let text)): return Base64Reference.decode(text).map { .bytes($0) }
    case (.date, .string(let text)):
      return Array(text.utf8).withUnsafeBufferPointer { CivilTime.parseDate($0) }.map { .date($0) }
    case (.timestamp, .string(let text)): return CivilTime.parseTimestamp(text).map { .timestamp($0) }
    case (.timestamp, .number(let text)):
      guard let time = int64(text), time >= EventTimes.earliestRecord, time <= EventTimes.latestRecord else {
        return nil
      }
      return .timestamp(time)
    case (.int64, .number(let text)): return int64(text).map { .int64($0) }
    case (.double, .number(let text)):
      guard let value = Double(text), value.isFinite else { return nil }
      return .double(value)
    case (.decimal(let precision, let scale), .number(let text)): return decimal(text, precision, scale)
    case (.decimal(let precision, let scale), .string(let text)):
      var parser = JSONReferenceParser(Array(text.utf8))
      guard (try? parser.number()) != nil, parser.isAtEnd else { return nil }
      return decimal(text, precision, scale)
    default: return nil
    }
  }

  private func int64(_ text: String) -> Int64? {
    guard !text.contains("."), case .value(let value) = Decimal.parse(text, precision: 19, scale: 0) else { return nil }
    return Int64(exactly: value)
  }

  private func decimal(_ text: String, _ precision: Int, _ scale: Int) -> Value? {
    guard case .value(let value) = Decimal.parse(text, precision: precision, scale: scale) else { return nil }
    return .decimal(value, scale: scale)
  }
}

/// Base64 letter by letter.
enum Base64Reference {
  static let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  static func decode(_ text: String) -> [UInt8]? {
    let body = text.utf8.reversed().drop { $0 == UInt8(ascii: "=") }.reversed()
    let padding = text.utf8.count - body.count
    guard text.utf8.count % 4 == 0, padding <= 2 else { return nil }
    var bits: [Bool] = []
    for letter in body {
      guard let value = letters.firstIndex(of: letter) else { return nil }
      for bit in (0..<6).reversed() { bits.append(value >> bit & 1 == 1) }
    }
    let count = bits.count / 8
    if bits.count % 8 != padding * 2 || bits[(count * 8)...].contains(true) { return nil }
    return (0..<count).map { byte in bits[(byte * 8)..<(byte * 8 + 8)].reduce(0) { $0 << 1 | ($1 ? 1 : 0) } }
  }
}

struct JSONReferenceParser {
  private let text: [UInt8]
  private var cursor = 0

  init(_ text: [UInt8]) { self.text = text }

  var isAtEnd: Bool { cursor == text.count }
  private var byte: UInt8? { cursor < text.count ? text[cursor] : nil }

  mutating func document() throws -> JSONReference.Node {
    skipBlanks()
    let node = try value(depth: 0)
    skipBlanks()
    guard isAtEnd else { throw JSONReference.Malformed() }
    return node
  }

  private mutating func skipBlanks() {
    while let byte, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { cursor += 1 }
  }

  private mutating func take(_ expected: String) throws {
    guard text[cursor...].starts(with: expected.utf8) else { throw JSONReference.Malformed() }
    cursor += expected.utf8.count
  }

  private mutating func value(depth: Int) throws -> JSONReference.Node {
    if depth > JSONDecoder.maxDepth { throw JSONReference.Malformed() }
    switch byte {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): try take("true"); return .boolean(true)
    case UInt8(ascii: "f"): try take("false"); return .boolean(false)
    case UInt8(ascii: "n"): try take("null"); return .null
    default: return .number(try number())
    }
  }

  private mutating func object(depth: Int) throws -> JSONReference.Node {
    try take("{")
    skipBlanks()
    if byte == UInt8(ascii: "}") { cursor += 1; return .object([]) }
    var members: [(String, JSONReference.Node)] = []
    while true {
      skipBlanks()
      let name = try string()
      skipBlanks()
      try take(":")
      skipBlanks()
      members.append((name, try value(depth: depth + 1)))
      skipBlanks()
      if byte == UInt8(ascii: "}") { cursor += 1; return .object(members) }
      try take(",")
    }
  }

  private mutating func array(depth: Int) throws -> JSONReference.Node {
    try take("[")
    skipBlanks()
    if byte == UInt8(ascii: "]") { cursor += 1; return .array }
    while true {
      skipBlanks()
      _ = try value(depth: depth + 1)
      skipBlanks()
      if byte == UInt8(ascii: "]") { cursor += 1; return .array }
      try take(",")
    }
  }

  mutating func number() throws -> String {
    let start = cursor
    if byte == UInt8(ascii: "-") { cursor += 1 }
    if byte == UInt8(ascii: "0") { cursor += 1 } else { try digits() }
    if byte == UInt8(ascii: ".") { cursor += 1; try digits() }
    if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
      cursor += 1
      if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") { cursor += 1 }
      try digits()
    }
    return String(decoding: text[start..<cursor], as: UTF8.self)
  }

  private mutating func digits() throws {
    let start = cursor
    while let byte, byte >= 0x30 && byte <= 0x39 { cursor += 1 }
    if cursor == start { throw JSONReference.Malformed() }
  }

  private mutating func string() throws -> String {
    try take("\"")
    var scalars = String.UnicodeScalarView()
    var plain: [UInt8] = []
    func flush() { scalars.append(contentsOf: String(decoding: plain, as: UTF8.self).unicodeScalars) }
    while let next = byte {
      cursor += 1
      if next < 0x20 { throw JSONReference.Malformed() }
      if next == UInt8(ascii: "\"") { flush(); return String(scalars) }
      if next != UInt8(ascii: "\\") { plain.append(next); continue }
      flush()
      plain = []
      scalars.append(try escape())
    }
    throw JSONReference.Malformed()
  }

  private mutating func escape() throws -> Unicode.Scalar {
    guard let kind = byte else { throw JSONReference.Malformed() }
    cursor += 1
    let simple: [Character: Unicode.Scalar] = [
      "\"": "\"", "\\": "\\", "/": "/", "b": "\u{8}", "f": "\u{c}", "n": "\n", "r": "\r", "t": "\t",
    ]
    if let scalar = simple[Character(Unicode.Scalar(kind))] { return scalar }
    guard kind == UInt8(ascii: "u") else { throw JSONReference.Malformed() }
    let high = try codeUnit()
    if high & 0xFC00 != 0xD800 {
      guard let scalar = Unicode.Scalar(high) else { throw JSONReference.Malformed() }
      return scalar
    }
    try take("\\u")
    let low = try codeUnit()
    guard low & 0xFC00 == 0xDC00, let scalar = Unicode.Scalar(0x10000 + (high & 0x3FF) << 10 + low & 0x3FF) else {
      throw JSONReference.Malformed()
    }
    return scalar
  }

  private mutating func codeUnit() throws -> UInt32 {
    guard cursor + 4 <= text.count else { throw JSONReference.Malformed() }
    var unit: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = Character(Unicode.Scalar(text[cursor])).hexDigitValue else { throw JSONReference.Malformed() }
      unit = unit << 4 | UInt32(digit)
      cursor += 1
    }
    return unit
  }
}
