/// A row pattern (ISO 9075-2, `<row pattern>`): which sequences of rows match, and which of several matches is preferred.
///
/// Of an alternation the first alternative is preferred, of a greedy repetition as many as possible, of a reluctant one as
/// few as possible; what comes first in the pattern decides first.
package indirect enum RowPattern: Hashable, Sendable {
  /// A row for which the variable's condition is true, by the variable's position in `ParsedRowPattern.variables`.
  case variable(Int)
  case sequence([RowPattern])
  case alternation([RowPattern])
  /// `most` nil: without bound.
  case repetition(RowPattern, least: Int, most: Int?, isGreedy: Bool)

  /// Whether it matches no row at all.
  package var matchesNothing: Bool {
    switch self {
    case .variable: false
    case .sequence(let parts): parts.allSatisfy(\.matchesNothing)
    case .alternation(let parts): parts.contains(where: \.matchesNothing)
    case .repetition(let part, let least, _, _): least == 0 || part.matchesNothing
    }
  }

  /// How many variables there are once repetitions are written out.
  package var writtenOutCount: Int {
    switch self {
    case .variable: return 1
    case .sequence(let parts), .alternation(let parts):
      return parts.reduce(0) { min($0 + $1.writtenOutCount, RowPatternParser.maxWrittenOut + 1) }
    case .repetition(let part, let least, let most, _):
      let copies = max(most ?? (least + 1), 1)
      let (product, overflow) = part.writtenOutCount.multipliedReportingOverflow(by: copies)
      return overflow ? RowPatternParser.maxWrittenOut + 1 : min(product, RowPatternParser.maxWrittenOut + 1)
    }
  }
}

/// A pattern's text, read.
package struct ParsedRowPattern: Hashable, Sendable {
  /// In the order in which they first stand in the pattern.
  package let variables: [String]
  package let pattern: RowPattern
}

/// Reads a row pattern: concatenation, `|`, parentheses, `*`, `+`, `?`, `{n}`, `{n,}`, `{,m}`, `{n,m}`, each reluctant with a
/// `?` behind it.
package struct RowPatternParser {
  /// The most variables, repetitions written out.
  package static let maxWrittenOut = 2_000
  private static let maxDepth = 100

  private let bytes: [UInt8]
  private var cursor = 0
  private var depth = 0
  private var variables: [String] = []

  private init(_ text: String) { bytes = Array(text.utf8) }

  package static func parse(_ text: String) -> Checked<ParsedRowPattern> {
    var parser = RowPatternParser(text)
    do throws(ExpressionFault) {
      let pattern = try parser.alternation()
      if parser.next != nil { throw parser.unexpected("`|`, a variable or the end") }
      let whole = parser.fault(0, parser.bytes.count)
      if pattern.matchesNothing {
        throw whole("the pattern can match nothing at all", "make a part of it obligatory, as A+ instead of A*")
      }
      if pattern.writtenOutCount > maxWrittenOut {
        throw whole(
          "the pattern has more than \(maxWrittenOut) rows written out",
          "use smaller numbers in { }, or `*` and `within`")
      }
      return .valid(ParsedRowPattern(variables: parser.variables, pattern: pattern))
    } catch {
      return .faults([error])
    }
  }

  // MARK: - Reading

  private func fault(_ offset: Int, _ length: Int) -> (String, String) -> ExpressionFault {
    { ExpressionFault(offset: offset, length: length, message: $0, mend: $1) }
  }

  /// The next byte that is no blank.
  private var next: UInt8? {
    mutating get {
      while cursor < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[cursor]) { cursor += 1 }
      return cursor < bytes.count ? bytes[cursor] : nil
    }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard next == byte else { return false }
    cursor += 1
    return true
  }

  private mutating func unexpected(_ wanted: String) -> ExpressionFault {
    guard let byte = next else {
      return fault(bytes.count, 0)("the pattern ends too early", "write \(wanted) here")
    }
    let mends: [UInt8: String] = [
      UInt8(ascii: "^"): "take it out: a match may begin at any row",
      UInt8(ascii: "$"): "take it out: a match may end at any row",
      UInt8(ascii: ","): "variables stand side by side, without commas",
      UInt8(ascii: "-"): "exclusion {- -} is not part of the language: all rows of a match count",
    ]
    return fault(cursor, 1)("unexpected `\(Unicode.Scalar(byte))`", mends[byte] ?? "write \(wanted) here")
  }

  private mutating func alternation() throws(ExpressionFault) -> RowPattern {
    depth += 1
    defer { depth -= 1 }
    if depth > RowPatternParser.maxDepth {
      throw fault(cursor, 1)("the pattern is nested too deep", "take out parentheses")
    }
    var parts = [try sequence()]
    while take(UInt8(ascii: "|")) { parts.append(try sequence()) }
    return parts.count == 1 ? parts[0] : .alternation(parts)
  }

  private mutating func sequence() throws(ExpressionFault) -> RowPattern {
    var parts: [RowPattern] = []
    while let byte = next, byte == UInt8(ascii: "(") || RowPatternParser.startsName(byte) { parts.append(try factor()) }
    if parts.isEmpty { throw unexpected("a variable") }
    return parts.count == 1 ? parts[0] : .sequence(parts)
  }

  private mutating func factor() throws(ExpressionFault) -> RowPattern {
    var part: RowPattern
    if take(UInt8(ascii: "(")) {
      part = try alternation()
      guard take(UInt8(ascii: ")")) else { throw unexpected("`)`") }
    } else {
      part = .variable(variable())
    }
    if let (least, most) = try quantifier() {
      let isGreedy = !take(UInt8(ascii: "?"))
      part = .repetition(part, least: least, most: most, isGreedy: isGreedy)
      if let byte = next, "*+?{".utf8.contains(byte) {
        throw fault(cursor, 1)("a quantifier behind a quantifier", "put parentheses round what is repeated")
      }
    }
    return part
  }

  private static func startsName(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "_") || byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")
  }

  private mutating func variable() -> Int {
    let start = cursor
    while cursor < bytes.count, RowPatternParser.startsName(bytes[cursor]) || bytes[cursor] &- 48 <= 9 { cursor += 1 }
    let name = String(decoding: bytes[start..<cursor], as: UTF8.self)
    if let known = variables.firstIndex(of: name) { return known }
    variables.append(name)
    return variables.count - 1
  }

  private mutating func quantifier() throws(ExpressionFault) -> (least: Int, most: Int?)? {
    if take(UInt8(ascii: "*")) { return (0, nil) }
    if take(UInt8(ascii: "+")) { return (1, nil) }
    if take(UInt8(ascii: "?")) { return (0, 1) }
    guard next == UInt8(ascii: "{") else { return nil }
    let start = cursor
    cursor += 1
    let least = try number()
    var most = least
    if take(UInt8(ascii: ",")) {
      most = try number()
      if least == nil, most == nil { throw unexpected("a number") }
    } else if least == nil {
      throw unexpected("a number")
    }
    guard take(UInt8(ascii: "}")) else { throw unexpected("`}`") }
    if let most, most < least ?? 0 || most == 0 {
      let written = String(decoding: bytes[start..<cursor], as: UTF8.self)
      throw fault(start, cursor - start)(
        "`\(written)` repeats \(most == 0 ? "nothing" : "more often at least than at most")", "write {n}, {n,} or {n,m}"
      )
    }
    return (least ?? 0, most)
  }

  private mutating func number() throws(ExpressionFault) -> Int? {
    guard let first = next, first &- 48 <= 9 else { return nil }
    let start = cursor
    while cursor < bytes.count, bytes[cursor] &- 48 <= 9 { cursor += 1 }
    guard let number = Int(String(decoding: bytes[start..<cursor], as: UTF8.self)),
      number <= RowPatternParser.maxWrittenOut
    else {
      throw fault(start, cursor - start)("too large a number", "write at most \(RowPatternParser.maxWrittenOut)")
    }
    return number
  }
}
