import StreamModel

/// A compiled regular expression that is searched for in UTF-8 text, in time linear in the text.
///
/// The syntax is that of Java's and POSIX's extended expressions as far as they describe regular languages; there are no
/// back references and no looking ahead or behind. A pattern becomes a non-deterministic automaton over bytes
/// (`RegularExpressionCompiler`) and, unless that grows large, a table of states ahead of time. Immutable.
struct RegularExpression: Sendable {
  /// What is wrong with a pattern.
  struct Fault: Error, Equatable {
    let message: String
    let mend: String
  }

  private let automaton: Automaton
  private let table: StateTable?

  init(_ pattern: String) throws(Fault) {
    var parser = RegularExpressionParser(pattern)
    let node = try parser.parse()
    automaton = try Automaton(node)
    table = StateTable(automaton)
  }

  /// Whether the pattern occurs in `text`.
  func matches(_ text: UnsafeBufferPointer<UInt8>) -> Bool { table?.matches(text) ?? automaton.matches(text) }

  /// Searches the first argument of every row.
  func match(_ invocation: Invocation) -> Operand {
    let text = invocation.operands[0]
    return invocation.mapBoolean { matches(text.bytes($0)) }
  }

  /// How many patterns of a column are kept compiled within a batch.
  private static let cacheCapacity = 256

  /// Searches the first argument of every row for the pattern in the second.
  static func match(_ invocation: Invocation) -> Operand {
    let (text, patterns) = (invocation.operands[0], invocation.operands[1])
    var compiled: [String: Result<RegularExpression, Fault>] = [:]
    return invocation.mapBoolean { row in
      let pattern = patterns.string(row)
      if compiled.count > cacheCapacity { compiled.removeAll() }
      let expression = compiled[pattern] ?? Result { () throws(Fault) in try RegularExpression(pattern) }
      compiled[pattern] = expression
      switch expression {
      case .success(let expression): return expression.matches(text.bytes(row))
      case .failure(let fault):
        return invocation.failure(row, "'\(pattern)' is no regular expression: \(fault.message)")
      }
    }
  }
}

/// A regular expression as a tree.
indirect enum RegularExpressionNode {
  case empty
  /// One character out of these ranges of Unicode scalars.
  case oneOf([ClosedRange<UInt32>])
  case sequence([RegularExpressionNode])
  case choice([RegularExpressionNode])
  case repetition(RegularExpressionNode, Int, Int?)
  case assertion(Assertion)

  enum Assertion: Sendable { case start, end, wordBoundary, noWordBoundary }
}
