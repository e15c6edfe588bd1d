/// Cuts an expression's text into tokens.
///
/// Blanks separate tokens. Keywords are words; which word is a keyword the parser decides by its place, so that columns may
/// be called `date` or `first`. There are no comments: `--` would silently swallow the rest of `a --1`.
struct Lexer {
  /// The longest text that is read.
  static let limitBytes = 65_536

  private let bytes: [UInt8]
  private var cursor = 0

  private init(_ text: String) { bytes = Array(text.utf8) }

  /// All tokens of `text`, the last one being `.end`.
  static func tokens(of text: String) throws(ExpressionFault) -> [Token] {
    guard text.utf8.count <= limitBytes else {
      throw ExpressionFault(
        offset: limitBytes, length: text.utf8.count - limitBytes,
        message: "the expression has \(text.utf8.count) bytes, the most is \(limitBytes)",
        mend: "split it over several steps")
    }
    var lexer = Lexer(text)
    var tokens: [Token] = []
    while true {
      let token = try lexer.next()
      tokens.append(token)
      if token.kind == .end { return tokens }
    }
  }

  private mutating func next() throws(ExpressionFault) -> Token {
    while cursor < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[cursor]) { cursor += 1 }
    guard cursor < bytes.count else { return Token(kind: .end, value: "", range: range(from: cursor)) }
    let byte = bytes[cursor]
    switch byte {
    case UInt8(ascii: "'"): return try quoted(.text, by: byte)
    case UInt8(ascii: "\""), UInt8(ascii: "`"): return try quoted(.quotedName, by: byte)
    case UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    case UInt8(ascii: ".") where isDigit(cursor + 1): return try number()
    default: return Lexer.startsWord(byte) ? word() : try sign()
    }
  }

  private func range(from start: Int) -> TextRange { TextRange(offset: start, length: cursor - start) }

  private func isDigit(_ index: Int) -> Bool { index < bytes.count && bytes[index] &- 48 <= 9 }

  private static func startsWord(_ byte: UInt8) -> Bool {
    byte >= 0x80 || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "$")
      || (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z"))
  }

  private func token(_ kind: Token.Kind, from start: Int) -> Token {
    Token(kind: kind, value: String(decoding: bytes[start..<cursor], as: UTF8.self), range: range(from: start))
  }

  private mutating func word() -> Token {
    let start = cursor
    while cursor < bytes.count, Lexer.startsWord(bytes[cursor]) || isDigit(cursor) { cursor += 1 }
    return token(.word, from: start)
  }

  private mutating func quoted(_ kind: Token.Kind, by quote: UInt8) throws(ExpressionFault) -> Token {
    let start = cursor
    var value: [UInt8] = []
    cursor += 1
    while cursor < bytes.count {
      if bytes[cursor] == quote {
        cursor += 1
        guard cursor < bytes.count, bytes[cursor] == quote else {
          return Token(kind: kind, value: String(decoding: value, as: UTF8.self), range: range(from: start))
        }
      }
      value.append(bytes[cursor])
      cursor += 1
    }
    let sign = String(UnicodeScalar(quote))
    throw ExpressionFault(
      offset: start, length: cursor - start, message: "a quote that is never closed",
      mend: "close it with \(sign); a \(sign) inside is written \(sign)\(sign)")
  }

  private mutating func number() throws(ExpressionFault) -> Token {
    let start = cursor
    var kind = Token.Kind.integer
    while isDigit(cursor) { cursor += 1 }
    if cursor < bytes.count, bytes[cursor] == UInt8(ascii: ".") {
      kind = .decimal
      cursor += 1
      while isDigit(cursor) { cursor += 1 }
    }
    if cursor < bytes.count, bytes[cursor] | 0x20 == UInt8(ascii: "e") {
      let signed = cursor + 1 < bytes.count && [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(bytes[cursor + 1])
      if isDigit(cursor + (signed ? 2 : 1)) {
        kind = .approximate
        cursor += signed ? 2 : 1
        while isDigit(cursor) { cursor += 1 }
      }
    }
    if cursor < bytes.count, Lexer.startsWord(bytes[cursor]) {
      while cursor < bytes.count, Lexer.startsWord(bytes[cursor]) || isDigit(cursor) { cursor += 1 }
      let written = String(decoding: bytes[start..<cursor], as: UTF8.self)
      throw ExpressionFault(
        offset: start, length: cursor - start, message: "`\(written)` is neither a number nor a name",
        mend:
          "put a blank between them; a duration is written interval '5' minute; a name that starts with a digit \"\(written)\""
      )
    }
    return token(kind, from: start)
  }

  private static let longSigns: Set<String> = ["<>", "!=", "<=", ">=", "||"]
  private static let signs: Set<String> = ["(", ")", ",", ".", "*", "/", "%", "+", "-", "=", "<", ">"]
  private static let mends = [
    "==": "write =", "&&": "write and", "--": "comments are written in YAML (#); put blanks round a double minus",
    "!": "write not", ";": "an expression is not a statement: take it out", "|": "write or, or || to join texts",
    "&": "write and", "^": "write power(x, n)", "=>": "write >=", "::": "write cast(x as type)",
  ]

  private mutating func sign() throws(ExpressionFault) -> Token {
    let start = cursor
    let pair = cursor + 1 < bytes.count ? String(decoding: bytes[cursor..<cursor + 2], as: UTF8.self) : ""
    let single = String(UnicodeScalar(bytes[cursor]))
    if Lexer.longSigns.contains(pair) {
      cursor += 2
      return token(.sign, from: start)
    }
    if let mend = Lexer.mends[pair] {
      throw ExpressionFault(offset: start, length: 2, message: "`\(pair)` is no operator", mend: mend)
    }
    guard Lexer.signs.contains(single) else {
      let mend = Lexer.mends[single] ?? "take it out, or quote it: '\(single)'"
      throw ExpressionFault(offset: start, length: 1, message: "unexpected `\(single)`", mend: mend)
    }
    cursor += 1
    return token(.sign, from: start)
  }
}
