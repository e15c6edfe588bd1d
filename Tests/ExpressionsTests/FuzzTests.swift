import Expressions
import StreamModel
import Testing

/// Texts that nobody would write: whatever they are, they are checked or refused, and what is checked is evaluated.
@Suite struct FuzzTests {
  private static let seeds = [
    "n * 2 + d / e - x % 3 >= 10.50 and s <> 'a''b' or not b",
    "case when n between 1 and m then s when b is not null then t else null end",
    "case n when 1 then 'x' end || substring(s from 2 for n) || trim(both 'x' from t)",
    "coalesce(nullif(s, 'x'), t, cast(d as string))",
    "at + interval '1 02:03:04.5' day to second > timestamp '2026-01-01T00:00:00Z'",
    "timestamp_diff(month, at, timestamp_add(day, n, at)) = extract(week from at at time zone zone)",
    "s like '%a!_b' escape '!' and regexp_like(s, '^(a|b)*[c-f]{2,3}$')",
    "round(d, 2) + floor(x) * greatest(n, m, 3) - abs(-d)",
    "try_parse_timestamp(date, '%d/%m/%y %H:%M', 'Europe/Dublin') is null",
    "replace(lower(s), 'v', upper(t)) in ('voice', 'data', lpad(s, n, '0'))",
    "try_cast(cast(d as decimal(5,1)) as int64) is distinct from sign(m)",
    "date_trunc('month', day) - interval '1' month", "power(x, n) / sqrt(d) <> mod(n, m)",
    "sum(d) filter (where s = 'data') / count(*) + avg(n)", "count(distinct s) * 2 > max(n)",
  ]
  private static let pieces = [
    "(", ")", ",", "'", "\"", "+", "-", "*", "/", "%", "||", "=", "<>", "<=", " and ", " or ", " not ", " is null ",
    " in (", " between ", " like ", "case ", " when ", " then ", " else ", " end", "cast(", " as int64)", "null",
    "true", "n", "d", "e", "x", "s", "t", "b", "at", "day", "zone", "raw", "0", "1", "9223372036854775807", "0.5",
    "1e300", "99999999999999999999999999999999999999", "interval '1' day", "date '2026-01-31'", "timestamp_add(year, ",
    "extract(week from ", "substring(", "round(", " at time zone ", "\u{0}", "é", "😀", "%Y", "\\", "[", "{", "..",
  ]

  private static func mutated(_ text: String, _ random: inout SeededGenerator) -> String {
    var bytes = Array(text.utf8)
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      let at = Int.random(in: 0...bytes.count, using: &random)
      switch Int.random(in: 0..<4, using: &random) {
      case 0: bytes.insert(contentsOf: (pieces.randomElement(using: &random) ?? "").utf8, at: at)
      case 1: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 0...8, using: &random)))
      case 2: if at < bytes.count { bytes[at] = UInt8.random(in: 0...255, using: &random) }
      default: bytes.insert(contentsOf: (seeds.randomElement(using: &random) ?? "").utf8, at: at)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func random(_ random: inout SeededGenerator) -> String {
    if Bool.random(using: &random) {
      return String(
        decoding: (0..<Int.random(in: 0...40, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) },
        as: UTF8.self)
    }
    return (0..<Int.random(in: 1...14, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
  }

  @Test func noTextCrashes_andEveryFaultLiesInIt() {
    var random = SeededGenerator()
    let fixture = Fixture.usage
    let batch = fixture.batch
    var checked = 0
    for round in 0..<12_000 {
      let text =
        round.isMultiple(of: 3)
        ? FuzzTests.random(&random) : FuzzTests.mutated(FuzzTests.seeds.randomElement(using: &random) ?? "", &random)
      var faults: [ExpressionFault] = []
      switch ExpressionChecker.scalar(text, schema: fixture.schema) {
      case .faults(let found): faults = found
      case .valid(let expression):
        checked += 1
        let evaluation = expression.evaluate(batch)
        #expect(
          evaluation.column.count == 3 && evaluation.column.type == expression.type, "\(text), seed \(random.seed)")
        for row in 0..<3 where !expression.nullable && !evaluation.failures.contains(where: { $0.row == row }) {
          #expect(evaluation.column.isValid(row), "\(text) is null, seed \(random.seed)")
        }
      }
      if case .faults(let found) = ExpressionChecker.aggregate(text, schema: fixture.schema) { faults += found }
      for fault in faults {
        #expect(
          fault.offset >= 0 && fault.length >= 0 && fault.offset + fault.length <= text.utf8.count,
          "\(text): \(fault), seed \(random.seed)")
        #expect(!fault.message.isEmpty && !fault.mend.isEmpty)
      }
    }
    #expect(checked > 100, "the fuzz reaches evaluation, seed \(random.seed)")
  }
}
