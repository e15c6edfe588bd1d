import Expressions

/// A row pattern as an automaton: a list of instructions that threads run through, in the order of preference.
///
/// Repetitions with bounds are written out; what is preferred always stands first in a `split`, so that of all threads that
/// are at work on a row the first is the preferred one (as in Pike's machine for regular expressions).
struct MatchProgram: Sendable {
  enum Instruction: Hashable, Sendable {
    /// Takes a row as one of the variable, and goes on behind.
    case take(variable: Int)
    /// Goes on in both places, the first being preferred.
    case split(Int, Int)
    case jump(Int)
    /// Behind an iteration that is not obligatory and began at `entry`: goes on at `next`, or at `out` where the iteration took
    /// no row, since a further one would take none either.
    case again(entry: Int, next: Int, out: Int)
    case accept
  }

  private(set) var instructions: [Instruction] = []

  init(_ pattern: RowPattern) {
    append(pattern)
    instructions.append(.accept)
  }

  private mutating func append(_ pattern: RowPattern) {
    switch pattern {
    case .variable(let variable): instructions.append(.take(variable: variable))
    case .sequence(let parts): for part in parts { append(part) }
    case .alternation(let parts): append(alternatives: parts[...])
    case .repetition(let part, let least, let most, let isGreedy):
      for _ in 0..<least { append(part) }
      if let most {
        append(options: most - least, of: part, isGreedy)
      } else {
        append(starOf: part, isGreedy)
      }
    }
  }

  private mutating func append(alternatives parts: ArraySlice<RowPattern>) {
    guard let first = parts.first else { return }
    guard parts.count > 1 else { return append(first) }
    let split = instructions.count
    instructions.append(.split(split + 1, 0))
    append(first)
    let jump = instructions.count
    instructions.append(.jump(0))
    instructions[split] = .split(split + 1, instructions.count)
    append(alternatives: parts.dropFirst())
    instructions[jump] = .jump(instructions.count)
  }

  private mutating func append(starOf part: RowPattern, _ isGreedy: Bool) {
    let split = instructions.count
    instructions.append(.split(0, 0))
    append(part)
    instructions.append(.again(entry: split, next: split, out: instructions.count + 1))
    instructions[split] = MatchProgram.choice(split + 1, instructions.count, isGreedy)
  }

  private mutating func append(options count: Int, of part: RowPattern, _ isGreedy: Bool) {
    var splits: [Int] = []
    var ends: [Int] = []
    for _ in 0..<count {
      splits.append(instructions.count)
      instructions.append(.split(0, 0))
      append(part)
      ends.append(instructions.count)
      instructions.append(.jump(0))
    }
    for (split, end) in zip(splits, ends) {
      instructions[end] = .again(entry: split, next: end + 1, out: instructions.count)
    }
    for split in splits { instructions[split] = MatchProgram.choice(split + 1, instructions.count, isGreedy) }
  }

  private static func choice(_ more: Int, _ done: Int, _ isGreedy: Bool) -> Instruction {
    isGreedy ? .split(more, done) : .split(done, more)
  }
}
