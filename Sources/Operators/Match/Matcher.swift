import Expressions
import StreamModel

/// Matches the rows of one key after another.
///
/// Rows are tried as the first of a match in their order. An attempt runs all its threads over each row once; it is decided
/// when no thread is left, when a row comes that `within` leaves out, or when it is ended from outside. Then the preferred
/// match is given, or the attempt fails, and the next one begins at the row that follows from that.
///
/// Most conditions are decided before, for whole batches (`MatchEvaluator`). Where one depends on how rows were matched, the
/// key waits until all keys have come as far; then it is evaluated for all of them at once.
final class Matcher {
  /// What becomes of attempts.
  enum Event {
    /// A match: its thread's number in `threads`, which ends before place `end`.
    case match(MatchThreads, end: Int)
    /// The preferred of `threads`, the first.
    case timedOut(MatchThreads)
    /// The rows from `start` up to this one cannot begin a match for want of room.
    case gaveUp(upTo: Int, reason: String)
    /// A condition has no value for the row at `next`.
    case failed(reason: String)
  }

  typealias Handler = (Event, MatchRun) -> Void

  private let spec: MatchSpec
  private let blocks: MatchBlocks
  private let layout: MatchLayout
  private let program: MatchProgram
  private let historyRows: Int
  private let variableCount: Int
  /// By instruction: where threads go behind it; found when they are needed.
  private var ways: [MatchProgram.Ways?]
  private let first: MatchProgram.Ways
  /// Registers that conditions read, by which threads at one place may differ.
  private let decisive: [MatchRegister]
  private let decisiveSets: [Int]
  /// What is being asked, and what was asked before and has been answered.
  private var questions: MatchQuestions
  private var answers: MatchQuestions

  // Scratch.
  private var spare: [MatchThreads] = []
  private let current: MatchThreads
  private var waiting: [(run: MatchRun, question: Int)] = []
  /// By instruction: the last step in which a thread came to stand at it.
  private var reached: [Int]
  private var step = 0

  init(_ spec: MatchSpec, _ layout: MatchLayout, _ blocks: MatchBlocks, _ evaluator: MatchEvaluator) {
    self.spec = spec
    self.blocks = blocks
    self.layout = layout
    program = MatchProgram(spec.pattern.pattern)
    historyRows = spec.historyRows
    variableCount = spec.pattern.variables.count
    ways = Array(repeating: nil, count: program.instructions.count)
    first = program.ways(from: 0)
    reached = Array(repeating: 0, count: program.instructions.count)
    let read = Set(spec.conditions.flatMap { $0?.columns ?? [] }).sorted().map { layout.registers[$0] }
    decisive = read.filter { $0.form != .nothing && $0.form != .distinct }
    decisiveSets = read.filter { $0.form == .distinct }.map { Int($0.set) }
    questions = MatchQuestions(spec, layout, blocks, evaluator)
    answers = MatchQuestions(spec, layout, blocks, evaluator)
    current = MatchThreads(layout, capacity: 1)
  }

  /// The variables of which a match's first row may be one.
  static func firstVariables(_ spec: MatchSpec) -> [Int] {
    Set(MatchProgram(spec.pattern.pattern).ways(from: 0).takes.map { Int($0.variable) }).sorted()
  }

  // MARK: - Attempts

  /// Looks at all rows of `runs` that it has not looked at.
  func drive(_ runs: [MatchRun], _ handle: Handler) {
    for run in runs { advance(run, handle) }
    while !waiting.isEmpty {
      swap(&questions, &answers)
      questions.forget()
      answers.answer()
      let answered = waiting
      waiting.removeAll(keepingCapacity: true)
      for (run, question) in answered {
        take(run, question, handle)
        advance(run, handle)
      }
    }
  }

  /// Goes on until all rows have been looked at, or a condition has to be evaluated for this key's threads.
  private func advance(_ run: MatchRun, _ handle: Handler) {
    while run.next < run.count {
      let id = run[run.next]
      let cells = blocks.cells[Int(id.block)]
      if run.threads == nil {
        guard cells.canBegin(id.row) else {
          run.restart(at: run.next + 1)
          continue
        }
        begin(run)
      }
      if let within = spec.withinMilliseconds, cells.times[Int(id.row)] &- blocks.time(run[run.start]) >= within {
        conclude(run, isTimeout: true, handle)
        continue
      }
      if run.next - run.start >= spec.maxRows {
        giveUp(run, max(1, spec.maxRows / 4), "more than \(spec.maxRows) rows of an undecided match", handle)
        continue
      }
      if let question = ask(run, cells.verdicts(id.row)) {
        waiting.append((run, question))
        return
      }
      take(run, 0, handle)
    }
    run.trim(history: historyRows, blocks)
  }

  /// Decides the attempt as if no further row could be one of it. The caller drives on.
  func conclude(_ run: MatchRun, isTimeout: Bool, _ handle: Handler) {
    guard let match = run.candidate else {
      if isTimeout, let threads = run.threads, threads.count > 0, run.next > run.start {
        handle(.timedOut(threads), run)
      }
      return restart(run, at: run.start + 1)
    }
    handle(.match(match, end: run.candidateEnd), run)
    switch spec.afterMatch {
    case .pastLastRow: restart(run, at: run.candidateEnd)
    case .toNextRow: restart(run, at: run.start + 1)
    case .toFirst, .toLast: restart(run, at: run.start + max(1, Int(MatchThread(match[0]).mark)))
    }
  }

  private func giveUp(_ run: MatchRun, _ rows: Int, _ reason: String, _ handle: Handler) {
    handle(.gaveUp(upTo: run.start + rows, reason: reason), run)
    restart(run, at: run.start + rows)
  }

  private func begin(_ run: MatchRun) {
    let threads = fresh()
    for take in first.takes {
      MatchThread(threads.append(layout.empty, layout.emptySets)).position = take.position
    }
    run.threads = threads
  }

  private func restart(_ run: MatchRun, at start: Int) {
    for threads in [run.threads, run.candidate] { if let threads { recycle(threads) } }
    run.restart(at: start)
  }

  private func fresh() -> MatchThreads { spare.popLast() ?? MatchThreads(layout) }

  private static let maxSpare = 64

  private func recycle(_ threads: MatchThreads) {
    threads.removeAll()
    if spare.count < Matcher.maxSpare { spare.append(threads) }
  }

  // MARK: - Rows

  /// Asks for what the conditions say that depend on the threads. Returns the first question; nil where there is none.
  private func ask(_ run: MatchRun, _ verdicts: UnsafePointer<UInt8>) -> Int? {
    guard let threads = run.threads else { return nil }
    var first: Int?
    for index in 0..<threads.count {
      let variable = program.variables[Int(MatchThread(threads[index]).position)]
      guard verdicts[Int(variable)] == MatchVerdict.open else { continue }
      let question = questions.ask(run, Int(variable), threads[index], threads.sets(index))
      first = first ?? question
    }
    return first
  }

  /// Takes the row at `next`; the answers that it needs begin at `question`.
  private func take(_ run: MatchRun, _ question: Int, _ handle: Handler) {
    guard let threads = run.threads else { return }
    let id = run[run.next]
    let verdicts = blocks.cells[Int(id.block)].verdicts(id.row)
    let rows = run.rows(blocks)
    let list = fresh()
    var question = question
    step += 1
    for index in 0..<threads.count {
      let position = Int(MatchThread(threads[index]).position)
      let variable = Int(program.variables[position])
      var verdict = verdicts[variable]
      var thread = threads[index]
      var sets = threads.sets(index)
      var reason: String?
      if verdict == MatchVerdict.open {
        (verdict, reason) = answers.verdict(question)
        thread = answers.threads[question]
        sets = answers.threads.sets(question)
        question += 1
      } else if verdict == MatchVerdict.yes {
        current.removeAll()
        thread = current.append(thread, [])
        layout.extend(thread, &sets, by: variable, at: run.next, of: rows)
      }
      if verdict == MatchVerdict.failed {
        handle(.failed(reason: reason ?? blocks[id.block].reason(Int(id.row), variable)), run)
      }
      if verdict == MatchVerdict.yes, follow(position + 1, thread, sets, run, rows, into: list) { break }
    }
    recycle(threads)
    run.threads = list
    run.next += 1
    if list.count == 0 {
      conclude(run, isTimeout: false, handle)
    } else if list.count > spec.maxPartialMatches {
      giveUp(run, 1, "more than \(spec.maxPartialMatches) partial matches", handle)
    }
  }

  // MARK: - Threads

  /// Puts a thread wherever it goes from `position`. Returns whether the pattern is fulfilled on the way: what is less preferred
  /// than that is given up.
  private func follow(
    _ position: Int, _ thread: UnsafeMutableRawPointer, _ sets: [Set<Value>], _ run: MatchRun, _ rows: MatchRows,
    into list: MatchThreads
  ) -> Bool {
    if ways[position] == nil { ways[position] = program.ways(from: position) }
    guard let found = ways[position] else { return false }
    for take in found.takes {
      if reached[Int(take.position)] == step, isOutdone(take.position, thread, sets, rows, by: list) { continue }
      reached[Int(take.position)] = step
      MatchThread(list.append(thread, sets)).position = take.position
    }
    guard found.fulfills else { return false }
    if let known = run.candidate { recycle(known) }
    let match = fresh()
    _ = match.append(thread, sets)
    run.set(candidate: match, end: run.next + 1)
    return true
  }

  /// Whether a preferred thread will go the same way whatever comes.
  private func isOutdone(
    _ position: Int32, _ thread: UnsafeMutableRawPointer, _ sets: [Set<Value>], _ rows: MatchRows,
    by list: MatchThreads
  ) -> Bool {
    for index in 0..<list.count where MatchThread(list[index]).position == position {
      let other = list[index]
      if decisive.allSatisfy({ $0.isSame(thread, other, rows) }),
        decisiveSets.allSatisfy({ sets[$0] == list.sets(index)[$0] })
      {
        return true
      }
    }
    return false
  }
}
