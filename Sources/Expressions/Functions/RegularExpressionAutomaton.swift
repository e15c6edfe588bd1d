/// A non-deterministic automaton over bytes that recognises a regular expression anywhere in a text.
struct Automaton: Sendable {
  enum Instruction: Sendable {
    /// Reads a byte from `low` to `high`.
    case byte(low: UInt8, high: UInt8, next: Int)
    case split(Int, Int)
    case assertion(RegularExpressionNode.Assertion, next: Int)
    case match
  }

  /// What lies beside a position in a text.
  enum Neighbour: Int, Sendable { case nothing, word, other }

  /// The most instructions; bounds the work per byte.
  static let limit = 4000

  private(set) var instructions: [Instruction] = [.match]
  private(set) var start = 0

  init(_ node: RegularExpressionNode) throws(RegularExpression.Fault) { start = try emit(node, to: 0) }

  private mutating func append(_ instruction: Instruction) throws(RegularExpression.Fault) -> Int {
    guard instructions.count < Automaton.limit else {
      throw RegularExpression.Fault(message: "it grows too large", mend: "repeat less: {n,m} counts as m copies")
    }
    instructions.append(instruction)
    return instructions.count - 1
  }

  /// Adds what recognises `node` and goes on at `next`; gives where it begins.
  private mutating func emit(_ node: RegularExpressionNode, to next: Int) throws(RegularExpression.Fault) -> Int {
    switch node {
    case .empty: return next
    case .assertion(let assertion): return try append(.assertion(assertion, next: next))
    case .oneOf(let ranges): return try emit(ranges, to: next)
    case .sequence(let parts):
      var begin = next
      for part in parts.reversed() { begin = try emit(part, to: begin) }
      return begin
    case .choice(let branches):
      var begin = try emit(branches[branches.count - 1], to: next)
      for branch in branches.dropLast().reversed() { begin = try append(.split(try emit(branch, to: next), begin)) }
      return begin
    case .repetition(let part, let low, let high):
      var begin = next
      if let high {
        for _ in 0..<max(high - low, 0) { begin = try append(.split(try emit(part, to: begin), next)) }
      } else {
        begin = try append(.split(next, next))
        instructions[begin] = .split(try emit(part, to: begin), next)
      }
      for _ in 0..<low { begin = try emit(part, to: begin) }
      return begin
    }
  }

  private mutating func emit(_ ranges: [ClosedRange<UInt32>], to next: Int) throws(RegularExpression.Fault) -> Int {
    var begin: Int?
    for range in ranges {
      for bytes in ByteSequences.of(range) {
        var branch = next
        for byte in bytes.reversed() {
          branch = try append(.byte(low: byte.lowerBound, high: byte.upperBound, next: branch))
        }
        begin = try begin.map { (other) throws(RegularExpression.Fault) in try append(.split(branch, other)) } ?? branch
      }
    }
    // An empty set matches nothing: a range that no byte is in.
    return try begin ?? append(.byte(low: 1, high: 0, next: next))
  }

  // MARK: Running

  static func isWord(_ byte: UInt8) -> Bool {
    byte &- 48 < 10 || (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte == UInt8(ascii: "_")
  }

  static func neighbour(_ byte: UInt8) -> Neighbour { isWord(byte) ? .word : .other }

  private static func holds(_ assertion: RegularExpressionNode.Assertion, _ before: Neighbour, _ after: Neighbour)
    -> Bool
  {
    switch assertion {
    case .start: before == .nothing
    case .end: after == .nothing
    case .wordBoundary: (before == .word) != (after == .word)
    case .noWordBoundary: (before == .word) == (after == .word)
    }
  }

  /// The byte instructions that can be reached from `states` between two neighbours without reading; nil when a match is.
  func reachable(from states: [Int], _ before: Neighbour, _ after: Neighbour) -> [Int]? {
    var seen = [Bool](repeating: false, count: instructions.count)
    var pending = states
    var reached: [Int] = []
    while let state = pending.popLast() {
      if seen[state] { continue }
      seen[state] = true
      switch instructions[state] {
      case .match: return nil
      case .byte: reached.append(state)
      case .split(let first, let second): pending += [second, first]
      case .assertion(let assertion, let next): if Automaton.holds(assertion, before, after) { pending.append(next) }
      }
    }
    return reached
  }

  /// The states after reading `byte` in `reached`, and the start again: a match may begin anywhere.
  func step(_ reached: [Int], _ byte: UInt8) -> [Int] {
    var states: Set<Int> = [start]
    for state in reached {
      if case .byte(let low, let high, let next) = instructions[state], low <= byte, byte <= high {
        states.insert(next)
      }
    }
    return states.sorted()
  }

  /// Whether a match occurs in `text`, followed through all states at once.
  func matches(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
    var states = [start]
    var before = Neighbour.nothing
    for byte in text {
      let after = Automaton.neighbour(byte)
      guard let reached = reachable(from: states, before, after) else { return true }
      states = step(reached, byte)
      before = after
    }
    return reachable(from: states, before, .nothing) == nil
  }
}

/// The states of an automaton worked out ahead of time: one look-up a byte.
struct StateTable: Sendable {
  /// Each byte's class: bytes that no instruction tells apart have one.
  private let classes: [UInt8]
  private let classCount: Int
  /// `next[state * classCount + class]`; `accepting` once a match is certain.
  private let next: [UInt16]
  /// Whether a text that ends in the state matches.
  private let matchesAtEnd: [Bool]

  private static let accepting = UInt16.max
  private static let stateLimit = 1000
  /// The most instruction visits spent on building a table.
  private static let workLimit = 4_000_000

  private struct State: Hashable {
    let states: [Int]
    let before: Automaton.Neighbour
  }

  /// Nil where the table would grow too large.
  init?(_ automaton: Automaton) {
    let (classes, samples) = StateTable.classes(automaton)
    let initial = State(states: [automaton.start], before: .nothing)
    var numbers = [initial: 0]
    var queue = [initial]
    var next: [UInt16] = []
    var matchesAtEnd: [Bool] = []
    var work = 0
    while matchesAtEnd.count < queue.count {
      let state = queue[matchesAtEnd.count]
      matchesAtEnd.append(automaton.reachable(from: state.states, state.before, .nothing) == nil)
      for sample in samples {
        work += automaton.instructions.count
        guard work < StateTable.workLimit, queue.count < StateTable.stateLimit else { return nil }
        let after = Automaton.neighbour(sample)
        guard let reached = automaton.reachable(from: state.states, state.before, after) else {
          next.append(StateTable.accepting)
          continue
        }
        let following = State(states: automaton.step(reached, sample), before: after)
        if numbers[following] == nil {
          numbers[following] = queue.count
          queue.append(following)
        }
        next.append(UInt16(numbers[following] ?? 0))
      }
    }
    self.classes = classes
    classCount = samples.count
    self.next = next
    self.matchesAtEnd = matchesAtEnd
  }

  /// The class of each byte, and one byte of each class.
  private static func classes(_ automaton: Automaton) -> (classes: [UInt8], samples: [UInt8]) {
    var begins = [Bool](repeating: false, count: 257)
    for instruction in automaton.instructions {
      if case .byte(let low, let high, _) = instruction, low <= high {
        begins[Int(low)] = true
        begins[Int(high) + 1] = true
      }
    }
    for byte in 1..<256 where Automaton.isWord(UInt8(byte)) != Automaton.isWord(UInt8(byte - 1)) { begins[byte] = true }
    begins[0] = true
    var classes: [UInt8] = []
    var samples: [UInt8] = []
    for byte in 0..<256 {
      if begins[byte] { samples.append(UInt8(byte)) }
      classes.append(UInt8(samples.count - 1))
    }
    return (classes, samples)
  }

  func matches(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
    classes.withUnsafeBufferPointer { classes in
      next.withUnsafeBufferPointer { next in
        var state = 0
        for byte in text {
          let following = next[state &* classCount &+ Int(classes[Int(byte)])]
          if following == StateTable.accepting { return true }
          state = Int(following)
        }
        return matchesAtEnd[state]
      }
    }
  }
}

/// Ranges of Unicode scalars as sequences of byte ranges in UTF-8.
enum ByteSequences {
  static func of(_ range: ClosedRange<UInt32>) -> [[ClosedRange<UInt8>]] {
    var pending = [range]
    var sequences: [[ClosedRange<UInt8>]] = []
    while let range = pending.popLast() {
      if let (low, high) = split(range) {
        pending += [high, low]
      } else {
        let (first, last) = (encode(range.lowerBound), encode(range.upperBound))
        sequences.append(zip(first, last).map { $0...$1 })
      }
    }
    return sequences
  }

  /// Cuts a range where its encodings differ in length, or do not share all but their last bytes.
  private static func split(_ range: ClosedRange<UInt32>) -> (ClosedRange<UInt32>, ClosedRange<UInt32>)? {
    let (low, high) = (range.lowerBound, range.upperBound)
    for end: UInt32 in [0x7F, 0x7FF, 0xFFFF] where low <= end && high > end { return (low...end, end + 1...high) }
    if high < 0x80 { return nil }
    for shift: UInt32 in [6, 12, 18] {
      let mask: UInt32 = (1 << shift) - 1
      guard low & ~mask != high & ~mask else { continue }
      if low & mask != 0 { return (low...(low | mask), (low | mask) + 1...high) }
      if high & mask != mask { return (low...(high & ~mask) - 1, high & ~mask...high) }
    }
    return nil
  }

  private static func encode(_ value: UInt32) -> [UInt8] {
    func rest(_ shift: UInt32) -> UInt8 { 0x80 | UInt8(value >> shift & 0x3F) }
    if value < 0x80 { return [UInt8(value)] }
    if value < 0x800 { return [0xC0 | UInt8(value >> 6), rest(0)] }
    if value < 0x10000 { return [0xE0 | UInt8(value >> 12), rest(6), rest(0)] }
    return [0xF0 | UInt8(value >> 18), rest(12), rest(6), rest(0)]
  }
}
