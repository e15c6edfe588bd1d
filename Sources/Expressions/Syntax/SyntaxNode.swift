/// A part of an expression as it was written, not yet checked.
struct SyntaxNode: Sendable {
  let kind: Kind
  let range: TextRange
  /// The longest way down to a leaf; bounded, so that recursion over a tree is.
  let depth: Int

  static let depthLimit = 200

  init(_ kind: Kind, _ range: TextRange) {
    self.kind = kind
    self.range = range
    depth = 1 + (kind.children.lazy.map(\.depth).max() ?? 0)
  }

  indirect enum Kind: Sendable {
    case literal(Literal)
    /// `column`, or `variable.column`.
    case name([String])
    case negated(SyntaxNode)
    case not(SyntaxNode)
    case arithmetic(ArithmeticOperator, SyntaxNode, SyntaxNode)
    case comparison(ComparisonOperator, SyntaxNode, SyntaxNode)
    /// Two or more operands: a chain is one node.
    case all([SyntaxNode])
    case any([SyntaxNode])
    case joinedText([SyntaxNode])
    case test(SyntaxNode, TruthTest, negated: Bool)
    case distinct(SyntaxNode, SyntaxNode, negated: Bool)
    case between(SyntaxNode, low: SyntaxNode, high: SyntaxNode, negated: Bool)
    case inList(SyntaxNode, [SyntaxNode], negated: Bool)
    case like(SyntaxNode, pattern: SyntaxNode, escape: SyntaxNode?, negated: Bool)
    case choice(subject: SyntaxNode?, [(when: SyntaxNode, then: SyntaxNode)], otherwise: SyntaxNode?)
    case cast(SyntaxNode, TypeName, givesNull: Bool)
    case atTimeZone(SyntaxNode, SyntaxNode)
    case call(Call)
  }

  struct Call: Sendable {
    /// In lower case.
    let name: String
    let nameRange: TextRange
    let arguments: [SyntaxNode]
    /// `count(*)`.
    var isStar = false
    /// `count(V.*)` of a row pattern.
    var starVariable: String?
    var isDistinct = false
    var filter: SyntaxNode?
  }

  /// A type as written in a cast.
  struct TypeName: Sendable {
    let name: String
    let parameters: [Int]
    let range: TextRange
  }

  enum Literal: Sendable {
    case null
    case boolean(Bool)
    /// Digits, perhaps with a minus.
    case integer(String)
    case decimal(String)
    case double(String)
    case text(String)
    case timestamp(String)
    case date(String)
    case interval(Interval)
    /// A bare unit of time as an argument: `extract(hour from ts)`.
    case unit(TimeUnit)
  }

  enum TruthTest: Sendable { case null, isTrue, isFalse }
}

enum ArithmeticOperator: String, Sendable {
  case add = "+"
  case subtract = "-"
  case multiply = "*"
  case divide = "/"
  case remainder = "%"
}

enum ComparisonOperator: String, Sendable {
  case equal = "="
  case notEqual = "<>"
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="

  /// The operator that says the same with its operands exchanged.
  var mirrored: ComparisonOperator {
    switch self {
    case .less: .greater
    case .lessOrEqual: .greaterOrEqual
    case .greater: .less
    case .greaterOrEqual: .lessOrEqual
    default: self
    }
  }
}

extension SyntaxNode.Kind {
  var children: [SyntaxNode] {
    switch self {
    case .literal, .name: []
    case .negated(let operand), .not(let operand), .test(let operand, _, _), .cast(let operand, _, _): [operand]
    case .arithmetic(_, let left, let right), .comparison(_, let left, let right), .distinct(let left, let right, _),
      .atTimeZone(let left, let right):
      [left, right]
    case .all(let operands), .any(let operands), .joinedText(let operands): operands
    case .between(let operand, let low, let high, _): [operand, low, high]
    case .inList(let operand, let items, _): [operand] + items
    case .like(let operand, let pattern, let escape, _): [operand, pattern] + (escape.map { [$0] } ?? [])
    case .choice(let subject, let branches, let otherwise):
      [subject, otherwise].compactMap { $0 } + branches.flatMap { [$0.when, $0.then] }
    case .call(let call): call.arguments + (call.filter.map { [$0] } ?? [])
    }
  }
}
