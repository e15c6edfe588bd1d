extension Parser {
  /// Words that are never a column's name unless quoted.
  static let reserved: Set<String> = [
    "and", "or", "not", "is", "null", "true", "false", "between", "in", "like", "escape", "case", "when", "then",
    "else",
    "end", "cast", "try_cast", "distinct",
  ]

  mutating func primary() throws(ExpressionFault) -> SyntaxNode {
    let token = current
    switch token.kind {
    case .integer: return try literal(.integer(token.value))
    case .decimal: return try literal(.decimal(token.value))
    case .approximate: return try literal(.double(token.value))
    case .text: return try literal(.text(token.value))
    case .quotedName: return try name()
    case .word: return try wordly()
    case .sign where token.value == "(":
      advance()
      let inner = try expression()
      try expectSign(")")
      return inner
    case .sign, .end: throw unexpected("a value")
    }
  }

  private mutating func literal(_ literal: SyntaxNode.Literal) throws(ExpressionFault) -> SyntaxNode {
    let start = current.range
    advance()
    return try node(.literal(literal), from: start)
  }

  private mutating func wordly() throws(ExpressionFault) -> SyntaxNode {
    let word = current.value.lowercased()
    switch word {
    case "null": return try literal(.null)
    case "true": return try literal(.boolean(true))
    case "false": return try literal(.boolean(false))
    case "case": return try choice()
    case "cast", "try_cast": return try cast(givesNull: word == "try_cast")
    case "date" where peek().kind == .text, "timestamp" where peek().kind == .text: return try timeLiteral(word)
    case "interval" where [.text, .integer, .decimal].contains(peek().kind) || isSignedInterval: return try interval()
    default: break
    }
    if Parser.reserved.contains(word) { throw unexpected("a value") }
    return peek().isSign("(") ? try call() : try name()
  }

  private var isSignedInterval: Bool { (peek().isSign("-") || peek().isSign("+")) && peek(2).kind == .text }

  private mutating func name() throws(ExpressionFault) -> SyntaxNode {
    let start = current.range
    var parts = [current.value]
    advance()
    while current.isSign(".") {
      advance()
      guard current.kind == .word || current.kind == .quotedName else { throw unexpected("a column") }
      parts.append(current.value)
      advance()
    }
    return try node(.name(parts), from: start)
  }

  // MARK: Literals of time

  private mutating func timeLiteral(_ word: String) throws(ExpressionFault) -> SyntaxNode {
    let start = current.range
    advance()
    let text = current.value
    advance()
    return try node(.literal(word == "date" ? .date(text) : .timestamp(text)), from: start)
  }

  private mutating func interval() throws(ExpressionFault) -> SyntaxNode {
    let start = current.range
    advance()
    let isNegative = takeSign("-")
    if !isNegative { _ = takeSign("+") }
    let quoted = current
    advance()
    let first = try intervalUnit(after: quoted)
    let last = take("to") ? try intervalUnit(after: quoted) : nil
    guard let interval = Interval(quoted.value, from: first, to: last) else {
      let unit = last.map { "\(first.rawValue) to \($0.rawValue)" } ?? first.rawValue
      throw ExpressionFault(
        offset: quoted.range.offset, length: quoted.range.length, message: "\(quoted.shown) is no interval \(unit)",
        mend: "write interval '5' minute, interval '1:30' hour to minute or interval '1 02:03:04.500' day to second")
    }
    return try node(.literal(.interval(isNegative ? interval.negated : interval)), from: start)
  }

  private mutating func intervalUnit(after quoted: Token) throws(ExpressionFault) -> TimeUnit {
    guard let word = current.keyword, let unit = TimeUnit(name: word), unit.isLength else {
      let parts = quoted.value.split(separator: " ")
      if quoted.kind == .text, parts.count == 2, let unit = TimeUnit(name: String(parts[1])) {
        throw ExpressionFault(
          offset: quoted.range.offset, length: quoted.range.length,
          message: "an interval's unit stands outside its quotes",
          mend: "write interval '\(parts[0])' \(unit.rawValue)")
      }
      throw unexpected("a unit (\(TimeUnit.names(where: \.isLength)))")
    }
    advance()
    return unit
  }

  // MARK: Case and cast

  private mutating func choice() throws(ExpressionFault) -> SyntaxNode {
    let start = current.range
    advance()
    let subject = at("when") ? nil : try expression()
    var branches: [(when: SyntaxNode, then: SyntaxNode)] = []
    while take("when") {
      let when = try expression()
      try expect("then")
      branches.append((when, try expression()))
    }
    guard !branches.isEmpty else { throw unexpected("`when`") }
    let otherwise = take("else") ? try expression() : nil
    try expect("end")
    return try node(.choice(subject: subject, branches, otherwise: otherwise), from: start)
  }

  private mutating func cast(givesNull: Bool) throws(ExpressionFault) -> SyntaxNode {
    let start = current.range
    advance()
    try expectSign("(")
    let operand = try expression()
    try expect("as")
    let type = try typeName()
    try expectSign(")")
    return try node(.cast(operand, type, givesNull: givesNull), from: start)
  }

  private mutating func typeName() throws(ExpressionFault) -> SyntaxNode.TypeName {
    let start = current.range
    guard var name = current.keyword else { throw unexpected("a type") }
    advance()
    if name == "double", take("precision") { name = "double" }
    var parameters: [Int] = []
    if takeSign("(") {
      repeat {
        guard current.kind == .integer, let number = Int(current.value) else { throw unexpected("a number of digits") }
        parameters.append(number)
        advance()
      } while takeSign(",")
      try expectSign(")")
    }
    return SyntaxNode.TypeName(name: name, parameters: parameters, range: start.joined(previousRange))
  }
}
