extension Parser {
  /// `name(arguments)`, with the forms that SQL gives some functions of its own.
  mutating func call() throws(ExpressionFault) -> SyntaxNode {
    try enter()
    defer { leave() }
    let start = current.range
    let name = current.value.lowercased()
    advance()
    try expectSign("(")
    var call = SyntaxNode.Call(name: name, nameRange: start, arguments: [])
    switch name {
    case "extract": call = SyntaxNode.Call(name: name, nameRange: start, arguments: try extractArguments())
    case "trim": call = try trim(start)
    case "substring": call = SyntaxNode.Call(name: name, nameRange: start, arguments: try substringArguments())
    case "position": call = SyntaxNode.Call(name: name, nameRange: start, arguments: try positionArguments())
    case "count" where current.isSign("*"):
      advance()
      call.isStar = true
    case "count" where peek().isSign(".") && peek(2).isSign("*"):
      call.starVariable = current.value
      for _ in 0..<3 { advance() }
      call.isStar = true
    default: call = try plainCall(name, start)
    }
    try expectSign(")")
    if at("filter"), peek().isSign("(") { call.filter = try filter() }
    return try node(.call(call), from: start)
  }

  private mutating func plainCall(_ name: String, _ start: TextRange) throws(ExpressionFault) -> SyntaxNode.Call {
    let isDistinct = take("distinct")
    var arguments: [SyntaxNode] = []
    if !current.isSign(")") {
      repeat { arguments.append(try argument(of: name, isFirst: arguments.isEmpty)) } while takeSign(",")
    }
    return SyntaxNode.Call(name: name, nameRange: start, arguments: arguments, isDistinct: isDistinct)
  }

  /// Functions whose first argument is a unit of time, quoted or bare.
  static let unitFirst: Set<String> = [
    "date_trunc", "timestamp_add", "timestamp_diff", "timestampadd", "timestampdiff",
  ]

  private mutating func argument(of name: String, isFirst: Bool) throws(ExpressionFault) -> SyntaxNode {
    isFirst && Parser.unitFirst.contains(name) && [",", ")"].contains(peek().value) ? try unit() : try expression()
  }

  private mutating func unit() throws(ExpressionFault) -> SyntaxNode {
    let token = current
    guard token.kind == .word || token.kind == .text || token.kind == .quotedName,
      let unit = TimeUnit(name: token.value)
    else {
      throw ExpressionFault(
        offset: token.range.offset, length: token.range.length, message: "\(token.shown) is no unit of time",
        mend: Suggestion.mend(for: token.value, among: TimeUnit.allCases.map(\.rawValue))
          ?? "units are \(TimeUnit.names { _ in true })")
    }
    advance()
    return try node(.literal(.unit(unit)), from: token.range)
  }

  private mutating func extractArguments() throws(ExpressionFault) -> [SyntaxNode] {
    let unit = try unit()
    try expect("from")
    return [unit, try expression()]
  }

  /// `trim([[leading | trailing | both] [characters] from] text)`; becomes `trim`, `ltrim` or `rtrim`.
  private mutating func trim(_ start: TextRange) throws(ExpressionFault) -> SyntaxNode.Call {
    var name = "trim"
    let sides = ["leading": "ltrim", "trailing": "rtrim", "both": "trim"]
    var needsFrom = false
    if let side = current.keyword.flatMap({ sides[$0] }),
      ![")", ",", "."].contains(peek().value) || peek().kind != .sign
    {
      name = side
      needsFrom = true
      advance()
      if take("from") { return SyntaxNode.Call(name: name, nameRange: start, arguments: [try expression()]) }
    }
    let first = try expression()
    if take("from") { return SyntaxNode.Call(name: name, nameRange: start, arguments: [try expression(), first]) }
    if needsFrom { throw unexpected("`from`") }
    let second = takeSign(",") ? [try expression()] : []
    return SyntaxNode.Call(name: name, nameRange: start, arguments: [first] + second)
  }

  /// `substring(text from start [for length])` or with commas.
  private mutating func substringArguments() throws(ExpressionFault) -> [SyntaxNode] {
    var arguments = [try expression()]
    if take("from") {
      arguments.append(try expression())
      if take("for") { arguments.append(try expression()) }
      return arguments
    }
    while takeSign(",") { arguments.append(try expression()) }
    return arguments
  }

  private mutating func positionArguments() throws(ExpressionFault) -> [SyntaxNode] {
    let wanted = try sum()
    if !take("in") { try expectSign(",") }
    return [wanted, try expression()]
  }

  private mutating func filter() throws(ExpressionFault) -> SyntaxNode {
    advance()
    try expectSign("(")
    try expect("where")
    let condition = try expression()
    try expectSign(")")
    return condition
  }
}
