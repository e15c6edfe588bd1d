import Expressions
import StreamModel

/// Matches the rows of one key after another.
///
/// Rows are tried as the first of a match in their order. An attempt runs all its threads over each row once; it is decided
/// when no thread is left, when a row comes that `within` leaves out, or when it is ended from outside. Then the preferred
/// match is given, or the attempt fails, and the next one begins at the row that follows from that.
struct Matcher {
  /// What becomes of attempts.
  enum Event {
    case match(MatchRun.Candidate)
    case timedOut(MatchThread)
    /// The rows from `start` up to this one cannot begin a match for want of room.
    case gaveUp(upTo: Int, reason: String)
    /// A condition has no value for the row at `next`.
    case failed(reason: String)
  }

  private let spec: MatchSpec
  private let evaluator: MatchEvaluator
  private let instructions: [MatchProgram.Instruction]
  /// By variable: the references that a row of it changes.
  private let touched: [[Int]]
  /// References that conditions read, by which threads at one place may differ.
  private let decisive: [Int]
  private let markVariable: Int?
  private let keepsFirstMark: Bool
  private let historyRows: Int

  // Scratch of one step.
  private var visited: [Int]
  private var round = 0
  private var list: [MatchThread] = []

  init(_ spec: MatchSpec, _ evaluator: MatchEvaluator) {
    self.spec = spec
    self.evaluator = evaluator
    instructions = MatchProgram(spec.pattern.pattern).instructions
    visited = Array(repeating: 0, count: instructions.count)
    historyRows = spec.historyRows
    touched = spec.pattern.variables.indices.map { variable in
      spec.references.indices.filter { Matcher.isTouched(spec.references[$0], by: variable) }
    }
    let read = Set(spec.conditions.flatMap { $0?.columns ?? [] })
    decisive = read.filter { !spec.references[$0].isPhysical }.sorted()
    switch spec.afterMatch {
    case .toFirst(let variable): (markVariable, keepsFirstMark) = (variable, true)
    case .toLast(let variable): (markVariable, keepsFirstMark) = (variable, false)
    case .pastLastRow, .toNextRow: (markVariable, keepsFirstMark) = (nil, false)
    }
  }

  private static func isTouched(_ reference: PatternReference, by variable: Int) -> Bool {
    switch reference.kind {
    case .current: false
    case .previous: reference.variable.map { $0 == variable || $0 < 0 } ?? false
    case .first, .last, .aggregate: reference.variable == nil || reference.variable == variable
    }
  }

  // MARK: - Attempts

  /// Looks at all rows of `run` that it has not looked at.
  mutating func drive(_ run: MatchRun, _ handle: (Event) -> Void) {
    while run.next < run.rows.count {
      let row = run.rows[run.next]
      if run.threads.isEmpty { begin(run) }
      if let within = spec.withinMilliseconds, row.time &- run.startTime >= within {
        conclude(run, isTimeout: true, handle)
        continue
      }
      if run.next - run.start >= spec.maxRows {
        giveUp(run, max(1, spec.maxRows / 4), "more than \(spec.maxRows) rows of an undecided match", handle)
        continue
      }
      step(run, row, handle)
      run.next += 1
      if run.threads.isEmpty {
        conclude(run, isTimeout: false, handle)
      } else if run.threads.count > spec.maxPartialMatches {
        giveUp(run, 1, "more than \(spec.maxPartialMatches) partial matches", handle)
      }
    }
    run.trim(history: historyRows)
  }

  /// Decides the attempt as if no further row could be one of it. The caller drives on.
  func conclude(_ run: MatchRun, isTimeout: Bool, _ handle: (Event) -> Void) {
    guard let match = run.candidate else {
      if isTimeout, let first = run.threads.first, run.next > run.start { handle(.timedOut(first)) }
      return run.restart(at: run.start + 1)
    }
    handle(.match(match))
    switch spec.afterMatch {
    case .pastLastRow: run.restart(at: match.end)
    case .toNextRow: run.restart(at: run.start + 1)
    case .toFirst, .toLast: run.restart(at: run.start + max(1, match.thread.mark))
    }
  }

  private func giveUp(_ run: MatchRun, _ rows: Int, _ reason: String, _ handle: (Event) -> Void) {
    handle(.gaveUp(upTo: run.start + rows, reason: reason))
    run.restart(at: run.start + rows)
  }

  private mutating func begin(_ run: MatchRun) {
    list = []
    round += 1
    let fresh = MatchThread(
      position: 0, mark: -1, registers: Array(repeating: .empty, count: spec.references.count))
    _ = add(0, fresh, run, end: run.next)
    run.threads = list
  }

  // MARK: - Rows

  private mutating func step(_ run: MatchRun, _ row: MatchRow, _ handle: (Event) -> Void) {
    let threads = run.threads
    run.threads = []
    list.removeAll(keepingCapacity: true)
    for thread in threads {
      guard case .take(let variable) = instructions[thread.position] else { continue }
      guard holds(variable, thread, run, row, handle) else { continue }
      round += 1
      if add(thread.position + 1, mapped(thread, variable, run, row), run, end: run.next + 1) { break }
    }
    run.threads = list
  }

  /// The thread with the row as one of `variable`.
  private func mapped(_ thread: MatchThread, _ variable: Int, _ run: MatchRun, _ row: MatchRow) -> MatchThread {
    var thread = thread
    for reference in touched[variable] {
      let value = argument(reference, run, row)
      thread.registers[reference] = thread.registers[reference].adding(value, spec.references[reference])
    }
    if variable == markVariable, thread.mark < 0 || !keepsFirstMark { thread.mark = run.next - run.start }
    return thread
  }

  /// The reference's argument: on the row, or of `prev` on one before it.
  private func argument(_ reference: Int, _ run: MatchRun, _ row: MatchRow) -> Value {
    guard case .previous(let offset) = spec.references[reference].kind else { return row.argument(reference) }
    let place = run.next - offset
    return place >= 0 ? run.rows[place].argument(reference) : .null
  }

  private func holds(
    _ variable: Int, _ thread: MatchThread, _ run: MatchRun, _ row: MatchRow, _ handle: (Event) -> Void
  ) -> Bool {
    switch evaluator.kinds[variable] {
    case .always: return true
    case .row: return row.block.truths[variable].map { $0[row.row] != 0 } ?? false
    case .physical, .matched: break
    }
    guard let condition = spec.conditions[variable] else { return true }
    let (truth, reason) = evaluator.holds(condition) { reference in
      let meaning = spec.references[reference]
      if meaning.isPhysical { return argument(reference, run, row) }
      let register = thread.registers[reference]
      guard touched[variable].contains(reference) else { return register.result(meaning) }
      return register.adding(argument(reference, run, row), meaning).result(meaning)
    }
    if let truth { return truth }
    handle(.failed(reason: reason))
    return false
  }

  // MARK: - Threads

  /// Follows the instructions from `position` to those that take a row, in the order of preference. Returns whether the
  /// pattern is fulfilled on the way: what is less preferred than that is given up.
  private mutating func add(_ position: Int, _ thread: MatchThread, _ run: MatchRun, end: Int) -> Bool {
    if case .again(let entry, let next, let out) = instructions[position] {
      return add(visited[entry] == round ? out : next, thread, run, end: end)
    }
    if visited[position] == round { return false }
    visited[position] = round
    switch instructions[position] {
    case .jump(let target): return add(target, thread, run, end: end)
    case .again: return false
    case .split(let preferred, let other):
      return add(preferred, thread, run, end: end) || add(other, thread, run, end: end)
    case .accept:
      run.candidate = MatchRun.Candidate(thread: thread, end: end)
      return true
    case .take:
      if !isOutdone(position, thread) {
        var thread = thread
        thread.position = position
        list.append(thread)
      }
      return false
    }
  }

  /// Whether a preferred thread will go the same way whatever comes.
  private func isOutdone(_ position: Int, _ thread: MatchThread) -> Bool {
    list.contains { other in
      other.position == position && decisive.allSatisfy { other.registers[$0] == thread.registers[$0] }
    }
  }
}
