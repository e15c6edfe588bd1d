import StreamModel
import Testing

@testable import Expressions

struct RowPatternTests {
  private func fault(_ text: String) -> String? {
    guard case .faults(let faults) = RowPatternParser.parse(text) else { return nil }
    return faults.map { "\($0.offset): \($0.message) — \($0.mend)" }.joined(separator: "\n")
  }

  @Test func everyForm_isRead() throws {
    guard case .valid(let parsed) = RowPatternParser.parse("A (B | C D)*? A{2} B{1,} C{,3}? E{2,4}") else {
      Issue.record("the pattern is not read")
      return
    }
    #expect(parsed.variables == ["A", "B", "C", "D", "E"])
    let parts: [RowPattern] = [
      .variable(0),
      .repetition(
        .alternation([.variable(1), .sequence([.variable(2), .variable(3)])]), least: 0, most: nil, isGreedy: false),
      .repetition(.variable(0), least: 2, most: 2, isGreedy: true),
      .repetition(.variable(1), least: 1, most: nil, isGreedy: true),
      .repetition(.variable(2), least: 0, most: 3, isGreedy: false),
      .repetition(.variable(4), least: 2, most: 4, isGreedy: true),
    ]
    #expect(parsed.pattern == .sequence(parts))
  }

  @Test func faults_sayWhereAndHowToMend() {
    let faults = [
      ("", "0: the pattern ends too early — write a variable here"),
      ("A*", "0: the pattern can match nothing at all — make a part of it obligatory, as A+ instead of A*"),
      ("A, B", "1: unexpected `,` — variables stand side by side, without commas"),
      ("A (B", "4: the pattern ends too early — write `)` here"),
      ("^ A", "0: unexpected `^` — take it out: a match may begin at any row"),
      ("A{3,2}", "1: `{3,2}` repeats more often at least than at most — write {n}, {n,} or {n,m}"),
      ("A B{0}", "3: `{0}` repeats nothing — write {n}, {n,} or {n,m}"),
      ("A*+", "2: a quantifier behind a quantifier — put parentheses round what is repeated"),
      ("A{5000}", "2: too large a number — write at most 2000"),
      (
        "(A{100}){100}",
        "0: the pattern has more than 2000 rows written out — use smaller numbers in { }, or `*` and `within`"
      ),
    ]
    for (text, expected) in faults { #expect(fault(text) == expected, "\(text)") }
  }

  private func conditionFault(_ text: String) -> String? {
    let schema = Schema([Field("x", .int64), Field("at", .timestamp), Field("name", .string)])
    var references = PatternReferences()
    let checked = PatternExpressionChecker.condition(
      text, of: 1, variables: ["A", "B"], schema: schema, references: &references)
    guard case .faults(let faults) = checked else { return nil }
    return faults.map { "\($0.offset): \($0.message) — \($0.mend)" }.joined(separator: "\n")
  }

  @Test func conditions_areCheckedAgainstPatternAndColumns() {
    let faults: [(String, String?)] = [
      ("x > 2 * avg(A.x) and prev(x, 2) < x and first(A.at) < at", nil),
      ("B.x > A.x and count(*) > 1 and count(A.*) < 5 and count(distinct A.name) = 1", nil),
      ("C.x > 1", "0: the pattern has no variable `C` — did you mean A?"),
      ("x > A.y", "4: no column \"y\" — did you mean x?"),
      (
        "sum(A.x + B.x) > 1", "4: `A.x + B.x` mixes rows of different variables — aggregate over one variable at a time"
      ),
      ("sum(first(A.x)) > 1", "4: `first` inside another call — take it out, and combine the results"),
      ("x + 1", "0: the condition is int64, not boolean — compare it with something"),
      ("sum(A.name) > 1", "0: sum takes numbers, and `A.name` is string — count it, or take a number"),
      (
        "prev(x, -1) > 1",
        "8: the number of rows must be a literal whole number, and here is `-1` — write a number from 0 to 1000"
      ),
    ]
    for (text, expected) in faults { #expect(conditionFault(text) == expected, "\(text)") }
  }
}
