import Expressions
import Operators
import StreamModel
import TestSupport

/// Row pattern matching by the book: for each first row all ways of matching are tried in the order of preference, over
/// the whole sequence of a key. Slow and obvious.
struct MatchModel {
  struct Row {
    let x: Int64?
    let time: EventTime
  }

  /// What a condition or measure sees: the key's rows, the place of a match's first, and which variable each row is one of.
  struct View {
    let rows: [Row]
    let start: Int
    let variables: [Int]

    /// The numbers of a variable's rows, or of all.
    func numbers(of variable: Int? = nil) -> [Int64?] {
      variables.indices.filter { variable == nil || variables[$0] == variable }.map { rows[start + $0].x }
    }
    /// Of the last row mapped.
    var current: Int64? { rows[start + variables.count - 1].x }
    var previous: Int64? { start + variables.count >= 2 ? rows[start + variables.count - 2].x : nil }
  }

  let rows: [Row]
  let pattern: RowPattern
  /// By variable; nil: every row. The row that is tried is the last of the view.
  let conditions: [((View) -> Bool)?]
  let within: Int64?
  let afterMatch: MatchSpec.AfterMatch

  enum Outcome {
    case match(View)
    case timedOut(View)
  }

  func outcomes() -> [Outcome] {
    var outcomes: [Outcome] = []
    var start = 0
    while start < rows.count {
      let attempt = Attempt(model: self, start: start)
      if let match = attempt.preferred() {
        outcomes.append(.match(View(rows: rows, start: start, variables: match)))
        start = next(start, match)
      } else {
        if within != nil, let partial = attempt.partial {
          outcomes.append(.timedOut(View(rows: rows, start: start, variables: partial)))
        }
        start += 1
      }
    }
    return outcomes
  }

  private func next(_ start: Int, _ match: [Int]) -> Int {
    switch afterMatch {
    case .pastLastRow: start + match.count
    case .toNextRow: start + 1
    case .toFirst(let variable): start + max(1, match.firstIndex(of: variable) ?? 0)
    case .toLast(let variable): start + max(1, match.lastIndex(of: variable) ?? 0)
    }
  }

  private final class Attempt {
    let model: MatchModel
    let start: Int
    /// Rows from here on lie beyond `within`, or are not there.
    let limit: Int
    /// The preferred way to match all rows before the limit and want more.
    private(set) var partial: [Int]?

    init(model: MatchModel, start: Int) {
      self.model = model
      self.start = start
      let first = model.rows[start].time
      limit =
        model.rows[start...].firstIndex { row in model.within.map { row.time - first >= $0 } ?? false }
        ?? model.rows.count
    }

    func preferred() -> [Int]? { match(model.pattern, []) { $0 } }

    private func match(_ pattern: RowPattern, _ taken: [Int], _ rest: ([Int]) -> [Int]?) -> [Int]? {
      switch pattern {
      case .variable(let variable):
        if start + taken.count == limit {
          if partial == nil, !taken.isEmpty { partial = taken }
          return nil
        }
        let tried = taken + [variable]
        let view = View(rows: model.rows, start: start, variables: tried)
        guard model.conditions[variable]?(view) ?? true else { return nil }
        return rest(tried)
      case .sequence(let parts): return sequence(parts[...], taken, rest)
      case .alternation(let parts):
        for part in parts { if let found = match(part, taken, rest) { return found } }
        return nil
      case .repetition(let part, let least, let most, let isGreedy):
        return repetition(part, least, most, isGreedy, 0, taken, rest)
      }
    }

    private func sequence(_ parts: ArraySlice<RowPattern>, _ taken: [Int], _ rest: ([Int]) -> [Int]?) -> [Int]? {
      guard let first = parts.first else { return rest(taken) }
      return match(first, taken) { sequence(parts.dropFirst(), $0, rest) }
    }

    private func repetition(
      _ part: RowPattern, _ least: Int, _ most: Int?, _ isGreedy: Bool, _ count: Int, _ taken: [Int],
      _ rest: ([Int]) -> [Int]?
    ) -> [Int]? {
      func more() -> [Int]? {
        if let most, count >= most { return nil }
        return match(part, taken) { now in
          // An iteration that takes no row is the last.
          now.count == taken.count && count >= least
            ? rest(now) : repetition(part, least, most, isGreedy, count + 1, now, rest)
        }
      }
      func done() -> [Int]? { count >= least ? rest(taken) : nil }
      return isGreedy ? more() ?? done() : done() ?? more()
    }
  }
}
