import Expressions
import StreamModel

/// Conditions that depend on how rows were matched, of the threads of many keys, evaluated together. One owner.
///
/// `ask` for each thread, `answer` once; then verdicts and threads are there until `forget`, after which it can be asked anew.
final class MatchQuestions {
  /// The threads as they are where the answer is yes: each has the row as one of its variable.
  let threads: MatchThreads
  private var verdicts: [UInt8] = []
  private var reasons: [Int: String] = [:]
  private var runs: [MatchRun] = []
  /// Questions by variable.
  private var byVariable: [[Int]]
  private let spec: MatchSpec
  private let layout: MatchLayout
  private let blocks: MatchBlocks
  private let evaluator: MatchEvaluator

  init(_ spec: MatchSpec, _ layout: MatchLayout, _ blocks: MatchBlocks, _ evaluator: MatchEvaluator) {
    self.spec = spec
    self.layout = layout
    self.blocks = blocks
    self.evaluator = evaluator
    threads = MatchThreads(layout, capacity: 16)
    byVariable = Array(repeating: [], count: spec.pattern.variables.count)
  }

  /// Whether a thread may take its run's next row as one of `variable`. Returns the question's number.
  func ask(_ run: MatchRun, _ variable: Int, _ thread: UnsafeMutableRawPointer, _ sets: [Set<Value>]) -> Int {
    let question = threads.count
    var sets = sets
    let extended = threads.append(thread, sets)
    layout.extend(extended, &sets, by: variable, at: run.next, of: run.rows(blocks))
    threads.setSets(sets, of: question)
    runs.append(run)
    byVariable[variable].append(question)
    return question
  }

  func verdict(_ question: Int) -> (UInt8, reason: String?) { (verdicts[question], reasons[question]) }

  /// Evaluates what was asked.
  func answer() {
    verdicts = Array(repeating: MatchVerdict.no, count: threads.count)
    reasons = [:]
    for variable in byVariable.indices where !byVariable[variable].isEmpty {
      answer(byVariable[variable], spec.conditions[variable])
      byVariable[variable].removeAll(keepingCapacity: true)
    }
    runs.removeAll(keepingCapacity: true)
  }

  func forget() { threads.removeAll() }

  private func answer(_ asked: [Int], _ condition: ScalarExpression?) {
    guard let condition else {
      for question in asked { verdicts[question] = MatchVerdict.yes }
      return
    }
    var overflows: [Int] = []
    var columns = spec.references.map { Column.absent($0.type, count: asked.count) }
    for reference in condition.columns { columns[reference] = column(reference, asked, &overflows) }
    let rows = RecordBatch(
      schema: evaluator.referenceSchema, columns: columns, count: asked.count,
      eventTimes: .absent(.timestamp, count: asked.count))
    let (selected, failures) = condition.select(rows)
    for row in selected { verdicts[asked[Int(row)]] = MatchVerdict.yes }
    for failure in failures { fail(asked[failure.row], failure.reason) }
    for question in overflows { fail(question, "an aggregate of the match overflows") }
  }

  private func fail(_ question: Int, _ reason: String) {
    verdicts[question] = MatchVerdict.failed
    reasons[question] = reason
  }

  private func column(_ reference: Int, _ asked: [Int], _ overflows: inout [Int]) -> Column {
    let meaning = spec.references[reference]
    let builder = ColumnBuilder(meaning.type, capacity: asked.count)
    for question in asked {
      let run = runs[question]
      let rows = run.rows(blocks)
      if meaning.isPhysical {
        MatchResults.append(reference, at: run.next - MatchRegister.distance(meaning), rows, to: builder)
      } else if !layout.registers[reference].appendResult(
        meaning, threads[question], threads.sets(question), rows, to: builder)
      {
        builder.appendNull()
        overflows.append(question)
      }
    }
    return builder.finish()
  }
}
