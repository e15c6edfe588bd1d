import Testing

@Suite struct LogicTests {
  private static let truths = ["true", "false", "cast(null as boolean)"]

  @Test func andOrAndNot_followThreeValuedLogic() {
    func shown(_ value: Bool?) -> String { value.map { "\($0)" } ?? "null" }
    let values: [Bool?] = [true, false, nil]
    for (left, leftText) in zip(values, LogicTests.truths) {
      #expect(value("not \(leftText)") == shown(left.map { !$0 }))
      for (right, rightText) in zip(values, LogicTests.truths) {
        let conjunction = left == false || right == false ? false : left == nil || right == nil ? nil : true
        let disjunction = left == true || right == true ? true : left == nil || right == nil ? nil : false
        #expect(value("\(leftText) and \(rightText)") == shown(conjunction))
        #expect(value("\(leftText) or \(rightText)") == shown(disjunction))
      }
    }
  }

  @Test(arguments: [
    ("n is null", "false true false"), ("n is not null", "true false true"), ("b is true", "true false false"),
    ("b is not true", "false true true"),
    ("b is false", "false false true"), ("b is not false", "true true false"), ("b is unknown", "false true false"),
    ("not b", "false null true"),
    ("n = 7", "true null false"), ("n <> 7", "false null true"), ("n != 7", "false null true"),
    ("7 > n", "false null true"), ("n >= 7", "true null false"),
    ("n between 0 and 6", "false null true"), ("n not between 0 and 6", "true null false"),
    ("m between n and 9", "false null true"),
    ("m between 6 and n", "false false false"), ("n in (7, 9)", "true null false"),
    ("n not in (7, 9)", "false null true"),
    ("n in (7, null)", "true null null"), ("n not in (7, null)", "false null null"),
    ("s in ('data', 'voice')", "true null true"),
    ("s not in ('sms')", "true null true"), ("s in ('data', t)", "false null true"),
    ("n is distinct from 7", "false true true"),
    ("n is not distinct from null", "false true false"), ("n = m", "false null false"),
    ("d = 12.345", "true null false"), ("d > 0", "true null false"),
    ("d < 12.3451", "true null true"), ("d >= -0.5", "true null true"), ("0 < d", "true null false"),
    ("d > n", "true null false"), ("e > d", "false null true"),
    ("d > 99999999999999999999999999999999999999", "false null false"), ("x = 2.5", "true null false"),
    ("x = 0", "false null true"), ("x > n", "false null false"),
    ("s < 'voicf'", "true null true"), ("t = ''", "false true false"), ("s = t", "false null false"),
    ("at > timestamp '2026-01-01T00:00:00Z'", "true null false"),
    ("at >= '2026-01-31T00:00:00Z'", "true null false"), ("at > date '2026-01-31'", "true null false"),
    ("day = date '2026-01-31'", "true null false"),
    ("day in ('2026-01-31', '1969-12-31')", "true null true"), ("b = true", "true null false"),
    ("b < true", "false null true"), ("raw = raw", "true null true"),
    ("not not b", "true null false"), ("n = 7 and s = 'voice' or b", "true null false"),
    ("not n = 7", "false null true"), ("n in (1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17)", "true null false"),
    ("s in ('a','b','c','d','e','f','g','h','i','j','k','l','voice')", "true null false"),
    ("e in (2.5, 3)", "true null false"), ("x in (2.5, 3)", "true null false"),
  ]) func predicates_overValueNullAndAnotherValue(text: String, expected: String) {
    #expect((0..<3).map { value(text, row: $0) }.joined(separator: " ") == expected)
  }

  @Test(arguments: [
    ("m <> 0 and 10 / m > 1", "false false true"), ("m = 0 or 10 / m < 0", "true true false"),
    ("case when m = 0 then 0 else 10 / m end", "-5.00000000000000000000 0.00000000000000000000 2.00000000000000000000"),
    (
      "case m when 0 then 'none' when -2 then cast(1 / n as string) else 'x' end", "'0.14285714285714285714' 'none' 'x'"
    ),
    ("coalesce(n, 1 / m)", "7.00000000000000000000 failed: division by zero: 1 / 0 0.00000000000000000000"),
    ("m in (-2, 0, 1 / n)", "true true failed: division by zero: 1 / 0"),
    ("m between 1 and 1 / n", "false false failed: division by zero: 1 / 0"),
    ("not (m = 0 or 1 / m > 0)", "true false false"),
    (
      "coalesce(case when m = 0 then null else 10 / m end, 1)",
      "-5.00000000000000000000 1.00000000000000000000 2.00000000000000000000"
    ),
    (
      "case when s like 'v%' then 1 / (n - 7) else 1 end",
      "failed: division by zero: 1 / 0 1.00000000000000000000 1.00000000000000000000"
    ),
  ]) func aBranchThatIsNotTaken_failsNoRow(text: String, expected: String) {
    #expect((0..<3).map { value(text, row: $0) }.joined(separator: " ") == expected)
  }

  @Test(arguments: [
    ("case when n = 7 then 'seven' end", "'seven' null null"),
    ("case n when 7 then 1 when 0 then 2.5 else 3e0 end", "1.0 3.0 2.5"),
    ("case when b then n else m end", "7 0 5"), ("case when n is null then null else s end", "'voice' null 'data'"),
    ("coalesce(s, t, 'x')", "'voice' '' 'data'"), ("coalesce(null, n, -1)", "7 -1 0"), ("nullif(n, 7)", "null null 0"),
    ("nullif(s, 'data')", "'voice' null null"),
    ("nullif(n, 7.0)", "null null 0"), ("greatest(n, m)", "7 null 5"),
    ("least(d, e)", "2.5000000000 null -0.5000000000"), ("coalesce(b, false)", "true false false"),
    ("coalesce(d, 0)", "12.345 0.000 -0.500"), ("case when true then x end", "2.5 null -0.0"),
    ("coalesce(raw, raw)", "[1, 2, 250] null []"),
  ]) func choices_giveTheFirstThatHolds(text: String, expected: String) {
    #expect((0..<3).map { value(text, row: $0) }.joined(separator: " ") == expected)
  }

  @Test func aFailedPart_failsTheRowThoughAnotherValueWouldCoverIt() {
    #expect(outcome("coalesce(cast(1 / m as int64), 9)", row: 1) == "failed: division by zero: 1 / 0")
    #expect(outcome("(1 / m) is null", row: 1) == "failed: division by zero: 1 / 0")
  }
}
