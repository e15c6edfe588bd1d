/// Where a piece of a topology was written.
struct Place: Hashable, Sendable {
  enum Origin: Hashable, Sendable {
    case file
    /// A value given with `--set`.
    case override
  }
  let origin: Origin
  /// From 1.
  let line: Int
  /// In Unicode scalars, from 1, as the YAML reader counts.
  let column: Int

  init(line: Int, column: Int) {
    origin = .file
    self.line = line
    self.column = column
  }

  private init(origin: Origin) {
    self.origin = origin
    line = 0
    column = 0
  }

  static let start = Place(line: 1, column: 1)
  static let override = Place(origin: .override)
}

/// A YAML value with its place: what the topology's author wrote, before it means anything.
struct DocumentNode: Sendable {
  enum Content: Sendable {
    case scalar(DocumentScalar)
    case sequence([DocumentNode])
    /// Keys are unique.
    case mapping([DocumentEntry])
  }
  let place: Place
  var content: Content

  /// Whether nothing is written: `key:` with no value.
  var isEmpty: Bool {
    if case .scalar(let scalar) = content { return scalar.isNull }
    return false
  }
}

/// One `key: value` of a mapping.
struct DocumentEntry: Sendable {
  let key: String
  /// The key's.
  let place: Place
  var value: DocumentNode
}

/// A single value's text, and how it was written.
struct DocumentScalar: Sendable {
  enum Style: Sendable { case plain, singleQuoted, doubleQuoted, block }

  /// The text, environment variables put in.
  var text: String
  /// The text as the author wrote it, `${NAME}` and all: the one to quote in messages, for a variable may be a secret.
  let written: String
  let style: Style
  /// What was put in for environment variables, in order.
  var substitutions: [Substitution] = []
  /// Whether a variable in it has no value; that is reported, so nothing else of the scalar is.
  var isUnresolved = false

  struct Substitution: Sendable {
    /// UTF-8 offsets in `text`.
    let range: Range<Int>
    /// UTF-8 offsets in `written`.
    let writtenRange: Range<Int>
  }

  init(_ text: String, style: Style) {
    self.text = text
    written = text
    self.style = style
  }

  /// Whether nothing is written, or YAML's null.
  var isNull: Bool { style == .plain && (written.isEmpty || written == "~" || written == "null") }

  /// The text for a message.
  var shown: String { Shown.text(written) }

  /// Whether `message` may tell something of what the environment gave.
  func isRevealed(by message: String) -> Bool {
    let bytes = Array(text.utf8)
    return substitutions.contains { substitution in
      let value = String(decoding: bytes[substitution.range], as: UTF8.self)
      return value.split { !$0.isLetter && !$0.isNumber }.contains { message.contains($0) } || message.contains(value)
    }
  }

  /// The offset in `written` of an offset in `text`.
  func writtenOffset(ofByte offset: Int) -> Int {
    var shift = 0
    for substitution in substitutions {
      if offset < substitution.range.lowerBound { break }
      if offset < substitution.range.upperBound { return substitution.writtenRange.lowerBound }
      shift = substitution.writtenRange.upperBound - substitution.range.upperBound
    }
    return offset + shift
  }
}

/// Texts of the user's inside messages.
enum Shown {
  /// `text` on one line and not too long.
  static func text(_ text: String, longest: Int = 120) -> String {
    var shown = ""
    for (count, scalar) in text.unicodeScalars.enumerated() {
      if count == longest { return shown + "…" }
      let isControl =
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || (0x2028...0x2029).contains(scalar.value)
      shown.unicodeScalars.append(isControl ? "\u{FFFD}" : scalar)
    }
    return shown
  }

  /// `a`, `a or b`, `a, b or c`.
  static func alternatives(_ names: [String], _ word: String = "or") -> String {
    guard let last = names.last, names.count > 1 else { return names.first ?? "" }
    return names.dropLast().joined(separator: ", ") + " \(word) " + last
  }
}
