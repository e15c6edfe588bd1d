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
  /// By instruction: the variable of which it takes a row; −1 for one that takes none.
  private(set) var variables: [Int32] = []

  init(_ pattern: RowPattern) {
    append(pattern)
    instructions.append(.accept)
    variables = instructions.map { instruction in
      if case .take(let variable) = instruction { Int32(variable) } else { -1 }
    }
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

  // MARK: - Ways

  /// Where a thread goes from an instruction without taking a row: to instructions that take one, in the order of preference, and,
  /// less preferred than all of those, whether the pattern is fulfilled. What were less preferred than that is given up.
  struct Ways {
    var takes: [Take] = []
    var fulfills = false
  }

  struct Take {
    let position: Int32
    let variable: Int32
  }

  /// The ways from `position`. They do not depend on rows, so they are found once.
  func ways(from position: Int) -> Ways {
    var walk = Walk(instructions: instructions)
    walk.follow(position)
    return walk.ways
  }

  private struct Walk {
    let instructions: [Instruction]
    var ways = Ways()
    private var visited: Set<Int> = []

    init(instructions: [Instruction]) { self.instructions = instructions }

    /// Goes on at `position` and what it leads to, the preferred first; instructions that were met before add nothing.
    mutating func follow(_ position: Int) {
      var waiting = [position]
      while let position = waiting.popLast() {
        if case .again(let entry, let next, let out) = instructions[position] {
          waiting.append(visited.contains(entry) ? out : next)
          continue
        }
        guard visited.insert(position).inserted else { continue }
        switch instructions[position] {
        case .take(let variable):
          ways.takes.append(Take(position: Int32(position), variable: Int32(variable)))
        case .split(let preferred, let other): waiting += [other, preferred]
        case .jump(let target): waiting.append(target)
        case .again: break
        case .accept:
          ways.fulfills = true
          return
        }
      }
    }
  }
}
