/// Reads a regular expression's text.
struct RegularExpressionParser {
  typealias Node = RegularExpressionNode
  typealias Fault = RegularExpression.Fault

  private let scalars: [Unicode.Scalar]
  private var cursor = 0
  private var nesting = 0
  private var ignoresCase = false

  static let nestingLimit = 100
  static let repetitionLimit = 1000
  static let highest: UInt32 = 0x10FFFF

  init(_ pattern: String) { scalars = Array(pattern.unicodeScalars) }

  mutating func parse() throws(Fault) -> Node {
    if scalars.starts(with: "(?i)".unicodeScalars) {
      ignoresCase = true
      cursor = 4
    }
    let node = try choice()
    guard cursor == scalars.count else {
      throw Fault(message: "a `)` that closes nothing", mend: "write \\) for the sign itself")
    }
    return node
  }

  private var current: Unicode.Scalar? { cursor < scalars.count ? scalars[cursor] : nil }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard current == scalar else { return false }
    cursor += 1
    return true
  }

  private mutating func take(_ text: String) -> Bool {
    guard scalars[cursor...].starts(with: text.unicodeScalars) else { return false }
    cursor += text.unicodeScalars.count
    return true
  }

  private mutating func choice() throws(Fault) -> Node {
    nesting += 1
    defer { nesting -= 1 }
    guard nesting <= RegularExpressionParser.nestingLimit else {
      throw Fault(
        message: "groups are nested more than \(RegularExpressionParser.nestingLimit) deep",
        mend: "take out parentheses")
    }
    var branches = [try sequence()]
    while take("|" as Unicode.Scalar) { branches.append(try sequence()) }
    return branches.count == 1 ? branches[0] : .choice(branches)
  }

  private mutating func sequence() throws(Fault) -> Node {
    var parts: [Node] = []
    while let scalar = current, scalar != "|", scalar != ")" { parts.append(try repeated()) }
    return parts.isEmpty ? .empty : parts.count == 1 ? parts[0] : .sequence(parts)
  }

  private mutating func repeated() throws(Fault) -> Node {
    var node = try atom()
    while let scalar = current, "*+?{".unicodeScalars.contains(scalar) {
      if case .assertion = node {
        throw Fault(message: "`\(scalar)` repeats nothing", mend: "write \\\(scalar) for the sign itself")
      }
      cursor += 1
      let (low, high): (Int, Int?) =
        scalar == "*" ? (0, nil) : scalar == "+" ? (1, nil) : scalar == "?" ? (0, 1) : try bounds()
      node = .repetition(node, low, high)
      _ = take("?" as Unicode.Scalar)  // a reluctant repetition finds the same
      if current == "+" {
        throw Fault(message: "possessive repetition (`\(scalar)+`) is not regular", mend: "write `\(scalar)` alone")
      }
    }
    return node
  }

  private mutating func bounds() throws(Fault) -> (Int, Int?) {
    let low = number()
    var high = low
    if take("," as Unicode.Scalar) { high = number() }
    let hasUpper = cursor > 0 && scalars[cursor - 1] != ","
    guard let low, take("}" as Unicode.Scalar), !hasUpper || (high ?? 0) >= low,
      low <= RegularExpressionParser.repetitionLimit,
      (high ?? 0) <= RegularExpressionParser.repetitionLimit
    else {
      throw Fault(
        message: "a `{` that is no repetition",
        mend:
          "write {n}, {n,} or {n,m} with numbers to \(RegularExpressionParser.repetitionLimit), or \\{ for the sign itself"
      )
    }
    return (low, high)
  }

  private mutating func number() -> Int? {
    let start = cursor
    var value = 0
    while let digit = current?.value, digit >= 48, digit < 58, cursor - start < 6 {
      value = value * 10 + Int(digit - 48)
      cursor += 1
    }
    return cursor > start ? value : nil
  }

  private mutating func atom() throws(Fault) -> Node {
    guard let scalar = current else { return .empty }
    cursor += 1
    switch scalar {
    case "^": return .assertion(.start)
    case "$": return .assertion(.end)
    case ".": return .oneOf([0...9, 11...RegularExpressionParser.highest])
    case "(": return try group()
    case "[": return .oneOf(try bracket())
    case "\\": return try escape()
    case "*", "+", "?", "{":
      throw Fault(message: "`\(scalar)` repeats nothing", mend: "write \\\(scalar) for the sign itself")
    default: return .oneOf(folded([scalar.value...scalar.value]))
    }
  }

  private mutating func group() throws(Fault) -> Node {
    if take("?") {
      if take("<"), current != "=", current != "!" {
        while let scalar = current, scalar != ">" { _ = take(scalar) }
        _ = take(">" as Unicode.Scalar)
      } else if !take(":" as Unicode.Scalar) {
        throw Fault(
          message: "`(?` that is neither (?: nor a named group",
          mend: "there is no looking ahead or behind; (?i) stands at the start")
      }
    }
    let node = try choice()
    guard take(")" as Unicode.Scalar) else {
      throw Fault(message: "a `(` that is never closed", mend: "close it, or write \\( for the sign itself")
    }
    return node
  }

  private mutating func escape() throws(Fault) -> Node {
    guard let scalar = current else {
      throw Fault(message: "the pattern ends with a backslash", mend: "write \\\\ for the sign itself")
    }
    cursor += 1
    switch scalar {
    case "b": return .assertion(.wordBoundary)
    case "B": return .assertion(.noWordBoundary)
    case "A": return .assertion(.start)
    case "z", "Z": return .assertion(.end)
    default: break
    }
    return .oneOf(folded(try escaped(scalar)))
  }

  /// The characters that a backslash and `scalar` stand for.
  private mutating func escaped(_ scalar: Unicode.Scalar) throws(Fault) -> [ClosedRange<UInt32>] {
    if let set = CharacterSets.shorthand[scalar] { return set }
    if let set = CharacterSets.shorthand[Unicode.Scalar(scalar.value ^ 0x20) ?? scalar],
      "DWS".unicodeScalars.contains(scalar)
    {
      return CharacterSets.complement(set)
    }
    switch scalar {
    case "t": return [9...9]
    case "n": return [10...10]
    case "f": return [12...12]
    case "r": return [13...13]
    case "x": return try code(digits: 2)
    case "u": return try code(digits: 4)
    default: break
    }
    guard scalar.value >= 0x80 || !(scalar.properties.isAlphabetic || scalar.properties.numericType != nil) else {
      let mend =
        scalar.properties.numericType != nil
        ? "there are no back references" : "write the character itself, or a set such as [a-z]"
      throw Fault(message: "`\\\(scalar)` is not known", mend: mend)
    }
    return [scalar.value...scalar.value]
  }

  private mutating func code(digits: Int) throws(Fault) -> [ClosedRange<UInt32>] {
    let text = String(String.UnicodeScalarView(scalars[cursor...].prefix(digits)))
    guard text.utf8.count == digits, let value = UInt32(text, radix: 16), Unicode.Scalar(value) != nil else {
      throw Fault(
        message: "a character's code of other than \(digits) hexadecimal digits", mend: "write \\x41 or \\u0041")
    }
    cursor += digits
    return [value...value]
  }

  // MARK: Sets

  private mutating func bracket() throws(Fault) -> [ClosedRange<UInt32>] {
    let isNegated = take("^" as Unicode.Scalar)
    var ranges: [ClosedRange<UInt32>] = []
    var isFirst = true
    while isFirst || current != "]" {
      guard let scalar = current else {
        throw Fault(message: "a `[` that is never closed", mend: "close it, or write \\[ for the sign itself")
      }
      isFirst = false
      if take("[:") {
        ranges += try namedSet()
        continue
      }
      cursor += 1
      let item = scalar == "\\" ? try escapedItem() : [scalar.value...scalar.value]
      if item.count == 1, item[0].count == 1, current == "-", cursor + 1 < scalars.count, scalars[cursor + 1] != "]" {
        ranges.append(try range(from: item[0].lowerBound))
      } else {
        ranges += item
      }
    }
    cursor += 1
    let set = CharacterSets.normalized(folded(ranges))
    return isNegated ? CharacterSets.complement(set) : set
  }

  private mutating func escapedItem() throws(Fault) -> [ClosedRange<UInt32>] {
    guard let scalar = current else { throw Fault(message: "a `[` that is never closed", mend: "close it with ]") }
    cursor += 1
    return try escaped(scalar)
  }

  private mutating func range(from low: UInt32) throws(Fault) -> ClosedRange<UInt32> {
    cursor += 1
    let scalar = scalars[cursor]
    cursor += 1
    let high = scalar == "\\" ? try escapedItem() : [scalar.value...scalar.value]
    guard high.count == 1, high[0].count == 1, high[0].lowerBound >= low else {
      throw Fault(
        message: "a range in [ ] whose end comes before its start",
        mend: "exchange them, or write \\- for the sign itself")
    }
    return low...high[0].lowerBound
  }

  private mutating func namedSet() throws(Fault) -> [ClosedRange<UInt32>] {
    let start = cursor
    while let scalar = current, scalar != ":" { _ = take(scalar) }
    let name = String(String.UnicodeScalarView(scalars[start..<cursor]))
    guard let set = CharacterSets.named[name], take(":]") else {
      throw Fault(
        message: "no set [:\(name):]", mend: "sets are \(CharacterSets.named.keys.sorted().joined(separator: ", "))")
    }
    return set
  }

  /// With case ignored, the other case of each letter too.
  private func folded(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
    guard ignoresCase else { return ranges }
    var all = ranges
    for range in ranges where range.count <= 1024 {
      for scalar in range.compactMap({ Unicode.Scalar($0) }) {
        for other in [scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping]
        where other.unicodeScalars.count == 1 {
          for mapped in other.unicodeScalars { all.append(mapped.value...mapped.value) }
        }
      }
    }
    return CharacterSets.normalized(all)
  }
}

/// Sets of Unicode scalars as ranges.
enum CharacterSets {
  static let shorthand: [Unicode.Scalar: [ClosedRange<UInt32>]] = [
    "d": [48...57], "w": [48...57, 65...90, 95...95, 97...122], "s": [9...13, 32...32],
  ]
  static let named: [String: [ClosedRange<UInt32>]] = [
    "alpha": [65...90, 97...122], "digit": [48...57], "alnum": [48...57, 65...90, 97...122], "upper": [65...90],
    "lower": [97...122], "space": [9...13, 32...32], "blank": [9...9, 32...32],
    "punct": [33...47, 58...64, 91...96, 123...126],
    "xdigit": [48...57, 65...70, 97...102], "cntrl": [0...31, 127...127], "print": [32...126], "graph": [33...126],
  ]

  /// Ascending, disjoint and not adjacent.
  static func normalized(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
    var result: [ClosedRange<UInt32>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = result.last, range.lowerBound <= last.upperBound &+ 1 {
        result[result.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        result.append(range)
      }
    }
    return result
  }

  static func complement(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
    var result: [ClosedRange<UInt32>] = []
    var next: UInt32 = 0
    for range in normalized(ranges) {
      if range.lowerBound > next { result.append(next...range.lowerBound - 1) }
      next = range.upperBound + 1
    }
    if next <= RegularExpressionParser.highest { result.append(next...RegularExpressionParser.highest) }
    return result
  }
}
