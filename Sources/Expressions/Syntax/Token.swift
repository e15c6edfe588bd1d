/// A stretch of an expression's text, in UTF-8 bytes.
struct TextRange: Hashable, Sendable {
  let offset: Int
  let length: Int

  var end: Int { offset + length }

  /// From the start of this one to the end of `other`.
  func joined(_ other: TextRange) -> TextRange { TextRange(offset: offset, length: max(other.end - offset, 0)) }
}

/// One word, literal or sign of an expression's text.
struct Token: Hashable, Sendable {
  enum Kind: Hashable, Sendable {
    /// A bare word, as written; keywords and function names are matched without regard to case.
    case word
    /// `"x"` or `` `x` ``: a name and never a keyword.
    case quotedName
    /// Digits only.
    case integer
    /// Digits with a point.
    case decimal
    /// With an exponent: a double.
    case approximate
    /// `'text'`.
    case text
    case sign
    case end
  }

  let kind: Kind
  /// What the token says: a quoted name or text without its quotes, everything else as written.
  let value: String
  let range: TextRange

  /// The word in lower case, or nil.
  var keyword: String? { kind == .word ? value.lowercased() : nil }

  func isSign(_ sign: String) -> Bool { kind == .sign && value == sign }

  /// How a message shows the token.
  var shown: String {
    switch kind {
    case .end: "the end"
    case .text: "'\(value)'"
    case .quotedName: "\"\(value)\""
    default: "`\(value)`"
    }
  }
}
