/// Reads tokens into a tree by recursive descent; operators bind, from loose to tight:
/// `or`, `and`, `not`, comparisons and predicates, `+ - ||`, `* / %`, sign, `at time zone`.
///
/// The first fault of syntax ends it: what follows one cannot be told apart from its consequences.
struct Parser {
  private let tokens: [Token]
  private var position = 0
  private var nesting = 0

  init(_ tokens: [Token]) { self.tokens = tokens }

  /// The whole text as one expression.
  static func parse(_ text: String) throws(ExpressionFault) -> SyntaxNode {
    var parser = Parser(try Lexer.tokens(of: text))
    let node = try parser.expression()
    guard parser.current.kind == .end else { throw parser.unexpected("an operator or the end") }
    return node
  }

  // MARK: Tokens

  var current: Token { tokens[position] }
  func peek(_ ahead: Int = 1) -> Token { tokens[min(position + ahead, tokens.count - 1)] }
  var previousRange: TextRange { tokens[max(position - 1, 0)].range }

  mutating func advance() {
    if position < tokens.count - 1 { position += 1 }
  }

  func at(_ keyword: String) -> Bool { current.keyword == keyword }

  mutating func take(_ keyword: String) -> Bool {
    guard at(keyword) else { return false }
    advance()
    return true
  }

  mutating func takeSign(_ sign: String) -> Bool {
    guard current.isSign(sign) else { return false }
    advance()
    return true
  }

  mutating func expect(_ keyword: String) throws(ExpressionFault) {
    guard take(keyword) else { throw unexpected("`\(keyword)`") }
  }

  mutating func expectSign(_ sign: String) throws(ExpressionFault) {
    guard takeSign(sign) else { throw unexpected("`\(sign)`") }
  }

  func unexpected(_ wanted: String) -> ExpressionFault {
    ExpressionFault(
      offset: current.range.offset, length: current.range.length, message: "found \(current.shown)",
      mend: "\(wanted) is needed here")
  }

  /// Mutating, so that the parser is looked at after the parts in `kind` have been read.
  mutating func node(_ kind: SyntaxNode.Kind, from start: TextRange) throws(ExpressionFault) -> SyntaxNode {
    let node = SyntaxNode(kind, start.joined(previousRange))
    if node.depth > SyntaxNode.depthLimit { throw tooDeep(node.range) }
    return node
  }

  private func tooDeep(_ range: TextRange) -> ExpressionFault {
    ExpressionFault(
      offset: range.offset, length: range.length,
      message: "the expression is nested more than \(SyntaxNode.depthLimit) levels deep",
      mend: "take out parentheses, or split it over several steps")
  }

  /// Every way in which the parser calls itself goes through here.
  mutating func enter() throws(ExpressionFault) {
    nesting += 1
    if nesting > SyntaxNode.depthLimit { throw tooDeep(current.range) }
  }

  mutating func leave() { nesting -= 1 }

  // MARK: Logic

  mutating func expression() throws(ExpressionFault) -> SyntaxNode {
    try enter()
    defer { leave() }
    let start = current.range
    var operands = [try conjunction()]
    while take("or") { operands.append(try conjunction()) }
    return operands.count == 1 ? operands[0] : try node(.any(operands), from: start)
  }

  private mutating func conjunction() throws(ExpressionFault) -> SyntaxNode {
    let start = current.range
    var operands = [try negation()]
    while take("and") { operands.append(try negation()) }
    return operands.count == 1 ? operands[0] : try node(.all(operands), from: start)
  }

  private mutating func negation() throws(ExpressionFault) -> SyntaxNode {
    let start = current.range
    var negations = 0
    while take("not") { negations += 1 }
    let operand = try predicate()
    return negations % 2 == 0 ? operand : try node(.not(operand), from: start)
  }

  // MARK: Predicates

  private mutating func predicate() throws(ExpressionFault) -> SyntaxNode {
    let start = current.range
    var left = try sum()
    while true {
      if current.kind == .sign, let comparison = comparisonOperator() {
        advance()
        left = try node(.comparison(comparison, left, try sum()), from: start)
      } else if take("is") {
        left = try isTest(left, from: start)
      } else if let next = try negatablePredicate(left, from: start) {
        left = next
      } else {
        return left
      }
    }
  }

  private func comparisonOperator() -> ComparisonOperator? {
    ComparisonOperator(rawValue: current.value == "!=" ? "<>" : current.value)
  }

  private mutating func isTest(_ operand: SyntaxNode, from start: TextRange) throws(ExpressionFault) -> SyntaxNode {
    let negated = take("not")
    if take("distinct") {
      try expect("from")
      return try node(.distinct(operand, try sum(), negated: negated), from: start)
    }
    let tests: [(String, SyntaxNode.TruthTest)] = [
      ("null", .null), ("unknown", .null), ("true", .isTrue), ("false", .isFalse),
    ]
    for (word, test) in tests where take(word) { return try node(.test(operand, test, negated: negated), from: start) }
    throw unexpected("`null`, `true`, `false` or `distinct from`")
  }

  /// `[not] between`, `in` and `like`; nil when none follows.
  private mutating func negatablePredicate(_ operand: SyntaxNode, from start: TextRange) throws(ExpressionFault)
    -> SyntaxNode?
  {
    let predicates: Set<String> = ["between", "in", "like"]
    let negated = at("not") && predicates.contains(peek().keyword ?? "")
    if negated { advance() }
    if take("between") {
      let low = try sum()
      try expect("and")
      return try node(.between(operand, low: low, high: try sum(), negated: negated), from: start)
    }
    if take("in") {
      try expectSign("(")
      var items = [try expression()]
      while takeSign(",") { items.append(try expression()) }
      try expectSign(")")
      return try node(.inList(operand, items, negated: negated), from: start)
    }
    guard take("like") else { return nil }
    let pattern = try sum()
    let escape = take("escape") ? try sum() : nil
    return try node(.like(operand, pattern: pattern, escape: escape, negated: negated), from: start)
  }

  // MARK: Arithmetic

  mutating func sum() throws(ExpressionFault) -> SyntaxNode {
    let start = current.range
    var left = try product()
    while current.kind == .sign {
      if takeSign("||") {
        var parts = [left, try product()]
        while takeSign("||") { parts.append(try product()) }
        left = try node(.joinedText(parts), from: start)
      } else if let sign = ArithmeticOperator(rawValue: current.value), sign == .add || sign == .subtract {
        advance()
        left = try node(.arithmetic(sign, left, try product()), from: start)
      } else {
        break
      }
    }
    return left
  }

  private mutating func product() throws(ExpressionFault) -> SyntaxNode {
    let start = current.range
    var left = try signed()
    while current.kind == .sign, let sign = ArithmeticOperator(rawValue: current.value), sign != .add, sign != .subtract
    {
      advance()
      left = try node(.arithmetic(sign, left, try signed()), from: start)
    }
    return left
  }

  private mutating func signed() throws(ExpressionFault) -> SyntaxNode {
    let start = current.range
    var negations = 0
    while current.isSign("-") || current.isSign("+") {
      if current.isSign("-") { negations += 1 }
      advance()
    }
    let isNegative = negations % 2 == 1
    if isNegative, let literal = negativeLiteral() {
      advance()
      return try zoned(try node(.literal(literal), from: start), from: start)
    }
    let operand = try zoned(try primary(), from: start)
    return isNegative ? try node(.negated(operand), from: start) : operand
  }

  private func negativeLiteral() -> SyntaxNode.Literal? {
    switch current.kind {
    case .integer: .integer("-" + current.value)
    case .decimal: .decimal("-" + current.value)
    case .approximate: .double("-" + current.value)
    default: nil
    }
  }

  private mutating func zoned(_ operand: SyntaxNode, from start: TextRange) throws(ExpressionFault) -> SyntaxNode {
    var operand = operand
    while at("at"), peek().keyword == "time", peek(2).keyword == "zone" {
      for _ in 0..<3 { advance() }
      operand = try node(.atTimeZone(operand, try primary()), from: start)
    }
    return operand
  }
}
