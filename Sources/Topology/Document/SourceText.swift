/// The text of a topology file, by line and column as the YAML reader counts them.
final class SourceText: Sendable {
  let scalars: [Unicode.Scalar]
  private let lineStarts: [Int]

  init(_ text: String) {
    scalars = Array(text.unicodeScalars)
    var starts = [0]
    for (index, scalar) in scalars.enumerated() where SourceText.isLineBreak(scalar) {
      if scalar == "\r", index + 1 < scalars.count, scalars[index + 1] == "\n" { continue }
      starts.append(index + 1)
    }
    lineStarts = starts
  }

  static func isLineBreak(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}": true
    default: false
    }
  }

  static func isBlank(_ scalar: Unicode.Scalar) -> Bool { scalar == " " || scalar == "\t" }

  /// The position in `scalars` of a place in the file, or nil when there is no such place.
  func index(of place: Place) -> Int? {
    guard place.origin == .file, place.line >= 1, place.line <= lineStarts.count, place.column >= 1 else { return nil }
    let index = lineStarts[place.line - 1] + place.column - 1
    return index <= scalars.count ? index : nil
  }

  /// The place of a position in `scalars`.
  func place(of index: Int) -> Place {
    var low = 0
    var high = lineStarts.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if lineStarts[middle] <= index { low = middle } else { high = middle }
    }
    return Place(line: low + 1, column: index - lineStarts[low] + 1)
  }

  /// Where byte `offset` of a scalar's written text stands in the file; the scalar's own place where that cannot be told.
  func place(ofByte offset: Int, in scalar: DocumentScalar, at place: Place) -> Place {
    guard let start = index(of: place) else { return place }
    var trace = ScalarTrace(source: self, style: scalar.style, start: start)
    var consumed = 0
    for character in scalar.written.unicodeScalars {
      guard let index = trace.match(character) else { return place }
      consumed += UTF8.width(character)
      if consumed > offset { return self.place(of: index) }
    }
    return self.place(of: trace.cursor)
  }
}

/// Follows a scalar's text through the source it was written in: quotes, escapes, folded lines.
private struct ScalarTrace {
  private let source: SourceText
  private let style: DocumentScalar.Style
  private(set) var cursor: Int

  init(source: SourceText, style: DocumentScalar.Style, start: Int) {
    self.source = source
    self.style = style
    cursor = start
    switch style {
    case .plain: break
    case .singleQuoted, .doubleQuoted: cursor += 1
    case .block: skipBlockHeader()
    }
  }

  private subscript(index: Int) -> Unicode.Scalar? { index < source.scalars.count ? source.scalars[index] : nil }

  private mutating func skipBlockHeader() {
    while let scalar = self[cursor], !SourceText.isLineBreak(scalar) { cursor += 1 }
    skipSpace()
  }

  private mutating func skipSpace() {
    while let scalar = self[cursor], SourceText.isBlank(scalar) || SourceText.isLineBreak(scalar) { cursor += 1 }
  }

  /// Where the text's next character is written, or nil when source and text differ.
  mutating func match(_ character: Unicode.Scalar) -> Int? {
    skipContinuation()
    guard let scalar = self[cursor] else { return nil }
    let start = cursor
    if style == .doubleQuoted, scalar == "\\" {
      cursor += escapeLength
      return start
    }
    if style == .singleQuoted, scalar == "'", character == "'" {
      cursor += 2
      return start
    }
    if scalar == character, !isFold {
      cursor += 1
      return start
    }
    return matchFold(character)
  }

  /// A backslash at the end of a line in double quotes: the text goes on at the next line's first character.
  private mutating func skipContinuation() {
    guard style == .doubleQuoted, self[cursor] == "\\", let next = self[cursor + 1], SourceText.isLineBreak(next) else {
      return
    }
    cursor += 1
    skipSpace()
  }

  private var escapeLength: Int {
    switch self[cursor + 1] {
    case "x": 4
    case "u": 6
    case "U": 10
    default: 2
    }
  }

  /// Whether blanks and a line end begin here, which the reader folds to a blank or to line feeds.
  private var isFold: Bool {
    var index = cursor
    while let scalar = self[index], SourceText.isBlank(scalar) { index += 1 }
    return self[index].map(SourceText.isLineBreak) ?? false
  }

  private mutating func matchFold(_ character: Unicode.Scalar) -> Int? {
    guard character == " " || character == "\n" else { return nil }
    let start = cursor
    skipSpace()
    if cursor > start { return start }
    let isAfterBreak =
      start > 0 && (SourceText.isBlank(source.scalars[start - 1]) || SourceText.isLineBreak(source.scalars[start - 1]))
    return isAfterBreak ? start : nil
  }
}
