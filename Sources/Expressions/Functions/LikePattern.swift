import StreamModel

/// A compiled pattern of `like`: `%` stands for any characters, `_` for one.
struct LikePattern: Sendable {
  enum Fault: Error, Equatable {
    case escapeIsNoCharacter
    case danglingEscape

    var message: String {
      switch self {
      case .escapeIsNoCharacter: "an escape is one character"
      case .danglingEscape: "the escape stands before neither %, _ nor itself"
      }
    }
    var mend: String {
      switch self {
      case .escapeIsNoCharacter: "write escape '\\'"
      case .danglingEscape: "double the escape where it stands for itself"
      }
    }
  }

  /// What stands between two `%`: bytes, and nil for `_`.
  private let parts: [[UInt8?]]
  /// The pattern's only texts, where it has no `_` and the form `text`, `text%`, `%text`, `%text%` or `text%text`.
  private let simple: Simple?

  private enum Simple: Sendable {
    case exactly([UInt8])
    case affixes([UInt8], [UInt8])
    case containing([UInt8])
  }

  init(_ pattern: String, escape: String? = nil) throws(Fault) {
    let mark = escape?.unicodeScalars.first
    if let escape, escape.unicodeScalars.count != 1 { throw .escapeIsNoCharacter }
    var parts: [[UInt8?]] = [[]]
    var isEscaped = false
    for scalar in pattern.unicodeScalars {
      if isEscaped {
        guard scalar == "%" || scalar == "_" || scalar == mark else { throw .danglingEscape }
        parts[parts.count - 1] += UTF8.encode(scalar).map { Array($0) } ?? []
        isEscaped = false
      } else if scalar == mark {
        isEscaped = true
      } else if scalar == "%" {
        parts.append([])
      } else if scalar == "_" {
        parts[parts.count - 1].append(nil)
      } else {
        parts[parts.count - 1] += UTF8.encode(scalar).map { Array($0) } ?? []
      }
    }
    if isEscaped { throw .danglingEscape }
    self.parts = parts
    simple = LikePattern.simple(parts)
  }

  private static func simple(_ parts: [[UInt8?]]) -> Simple? {
    let texts = parts.map { part in part.compactMap { $0 } }
    guard zip(parts, texts).allSatisfy({ $0.count == $1.count }) else { return nil }
    switch texts.count {
    case 1: return .exactly(texts[0])
    case 2: return .affixes(texts[0], texts[1])
    case 3 where texts[0].isEmpty && texts[2].isEmpty: return .containing(texts[1])
    default: return nil
    }
  }

  /// Whether `text` as a whole is of the pattern.
  func matches(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
    guard parts.count > 1 else { return end(of: parts[0], in: text, from: 0) == text.count }
    guard var cursor = end(of: parts[0], in: text, from: 0) else { return false }
    for part in parts[1..<parts.count - 1] {
      guard let end = firstEnd(of: part, in: text, from: cursor) else { return false }
      cursor = end
    }
    return isSuffix(parts[parts.count - 1], of: text, from: cursor)
  }

  /// Where `part` ends when it begins at `start`; nil when it does not match there.
  private func end(of part: [UInt8?], in text: UnsafeBufferPointer<UInt8>, from start: Int) -> Int? {
    var cursor = start
    for wanted in part {
      guard cursor < text.count else { return nil }
      if let wanted {
        guard text[cursor] == wanted else { return nil }
        cursor += 1
      } else {
        cursor = Texts.offset(ofCharacter: 1, in: text, from: cursor)
      }
    }
    return cursor
  }

  private func firstEnd(of part: [UInt8?], in text: UnsafeBufferPointer<UInt8>, from start: Int) -> Int? {
    var start = start
    while start <= text.count {
      if let end = end(of: part, in: text, from: start) { return end }
      if start == text.count { return nil }
      start = Texts.offset(ofCharacter: 1, in: text, from: start)
    }
    return nil
  }

  /// Whether the text ends with `part`, which may begin at `start` or later.
  private func isSuffix(_ part: [UInt8?], of text: UnsafeBufferPointer<UInt8>, from start: Int) -> Bool {
    var cursor = text.count
    for wanted in part.reversed() {
      guard cursor > start else { return false }
      cursor -= 1
      if let wanted {
        guard text[cursor] == wanted else { return false }
      } else {
        while cursor > start, text[cursor] & 0xC0 == 0x80 { cursor -= 1 }
      }
    }
    return true
  }

  // MARK: Columns

  /// Matches the first argument of every row.
  func match(_ invocation: Invocation) -> Operand {
    let text = invocation.operands[0]
    switch simple {
    case .exactly(let wanted):
      return wanted.withUnsafeBufferPointer { wanted in
        invocation.mapBoolean { text.bytes($0).count == wanted.count && Texts.hasPrefix(text.bytes($0), wanted) }
      }
    case .affixes(let prefix, let suffix):
      return prefix.withUnsafeBufferPointer { prefix in
        suffix.withUnsafeBufferPointer { suffix in
          invocation.mapBoolean { row in
            let bytes = text.bytes(row)
            return bytes.count >= prefix.count + suffix.count && Texts.hasPrefix(bytes, prefix)
              && Texts.hasSuffix(bytes, suffix)
          }
        }
      }
    case .containing(let wanted):
      return wanted.withUnsafeBufferPointer { wanted in
        invocation.mapBoolean { Texts.find(wanted, in: text.bytes($0)) != nil }
      }
    case nil: return invocation.mapBoolean { matches(text.bytes($0)) }
    }
  }

  /// `like` with a pattern of each row's own: arguments text, pattern and perhaps escape. The last pattern is kept compiled.
  static func match(_ invocation: Invocation) -> Operand {
    let (text, pattern) = (invocation.operands[0], invocation.operands[1])
    let escape = invocation.operands.count > 2 ? invocation.operands[2] : nil
    var last: (pattern: String, escape: String?, compiled: LikePattern)?
    return invocation.mapBoolean { row in
      let (source, mark) = (pattern.string(row), escape?.string(row))
      if let last, last.pattern == source, last.escape == mark { return last.compiled.matches(text.bytes(row)) }
      do throws(Fault) {
        let compiled = try LikePattern(source, escape: mark)
        last = (source, mark, compiled)
        return compiled.matches(text.bytes(row))
      } catch {
        return invocation.failure(row, "'\(source)' is no pattern of like: \(error.message)")
      }
    }
  }
}
