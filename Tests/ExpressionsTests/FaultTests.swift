import Expressions
import StreamModel
import Testing

@Suite struct FaultTests {
  @Test(arguments: [
    ("acount + 1", 0, 6, "no column \"acount\"", "columns are n, m, d, e, x, s, t, b, at, day, zone, raw, date"),
    ("zonne = 'a'", 0, 5, "no column \"zonne\"", "did you mean zone?"),
    (
      "n + s", 4, 1, "`+` needs numbers, and `s` is string",
      "join texts with ||, or cast it: cast(s as decimal(18,3)), or int64 or double"
    ),
    (
      "n = s", 0, 5, "values that do not compare: `n` is int64, `s` is string",
      "cast one of them: cast(x as int64), or quote a literal"
    ),
    ("n and b", 0, 1, "an operand of `and` must be boolean, and `n` is int64", "compare it: n <> 0"),
    ("not s", 4, 1, "what `not` negates must be boolean, and `s` is string", "compare it: s = '…'"),
    ("roud(n)", 0, 4, "no function `roud`", "did you mean round?"),
    (
      "round(n, m)", 9, 1, "the number of digits must be a literal whole number, and here is `m`",
      "write a number from -38 to 38"
    ), ("length(n)", 7, 1, "length takes a string here, and `n` is int64", "write cast(n as string)"),
    ("left(s)", 0, 7, "left takes 2 arguments, not 1", "write left(text, length)"),
    (
      "sum(n)", 0, 6, "`sum` is an aggregate, and here each row stands for itself",
      "aggregate in a step with `aggregate:` and use its column here"
    ), ("SPIKE.n > 1", 0, 7, "`SPIKE.n` is a qualified name, and there is nothing to qualify by here", "write n alone"),
    (
      "at - at", 0, 7, "the difference of two times has no type of its own",
      "write timestamp_diff(second, at, at), in the unit that is meant"
    ), ("extract(hours2 from at)", 8, 6, "`hours2` is no unit of time", "did you mean hour?"),
    ("extract(day2 from at)", 8, 4, "`day2` is no unit of time", "did you mean day?"),
    (
      "date_trunc('dow', at)", 11, 5, "date_trunc has no unit dow",
      "units are millisecond, second, minute, hour, day, week, month, quarter, year"
    ),
    (
      "at at time zone 'Europe/Dubln'", 16, 14, "no time zone 'Europe/Dubln'",
      "write a name of the IANA database such as 'Europe/Dublin', or an offset such as '+01:00'"
    ),
    ("n ==", 2, 2, "`==` is no operator", "write ="),
    ("n = 'open", 4, 5, "a quote that is never closed", "close it with '; a ' inside is written ''"),
    ("(n", 2, 0, "found the end", "`)` is needed here"),
    ("n n", 2, 1, "found `n`", "an operator or the end is needed here"),
    ("", 0, 0, "found the end", "a value is needed here"),
    (
      "5m", 0, 2, "`5m` is neither a number nor a name",
      "put a blank between them; a duration is written interval '5' minute; a name that starts with a digit \"5m\""
    ), ("n --1", 2, 2, "`--` is no operator", "comments are written in YAML (#); put blanks round a double minus"),
    ("n # 1", 2, 1, "unexpected `#`", "take it out, or quote it: '#'"),
    ("null", 0, 4, "null alone has no type", "write cast(null as string), or the type that is meant"),
    (
      "interval '1' day", 0, 16, "`interval '1' day` is no value by itself",
      "add it to a timestamp, or use timestamp_add"
    ), ("interval '5 minutes'", 9, 11, "an interval's unit stands outside its quotes", "write interval '5' minute"),
    ("timestamp 'x'", 0, 13, "'x' is no timestamp", "write timestamp '2026-01-31T13:45:00Z', with a zone"),
    ("at > 'yesterday'", 5, 11, "'yesterday' is no timestamp", "write '2026-01-31T13:45:00Z'"),
    ("cast(n as decimal(39,2))", 10, 13, "no type `decimal(39,2)`", "write decimal(p,s) with 1 ≤ p ≤ 38 and s ≤ p"),
    ("cast(n as strin)", 10, 5, "no type `strin`", "did you mean string?"),
    (
      "cast(n as timestamp)", 0, 20, "int64 cannot be cast to timestamp",
      "write timestamp_add(millisecond, n, timestamp '1970-01-01T00:00:00Z')"
    ),
    (
      "s like 'a!' escape '!'", 7, 4, "the escape stands before neither %, _ nor itself",
      "double the escape where it stands for itself"
    ), ("s like 'a' escape 'ab'", 18, 4, "an escape is one character", "write escape '\\'"),
    (
      "regexp_like(s, '[')", 15, 3, "'[' is no regular expression: a `[` that is never closed",
      "close it, or write \\[ for the sign itself"
    ),
    (
      "parse_timestamp(s, '%Q')", 19, 4, "%Q is no field of a format",
      "fields are %Y %y %m %d %e %j %b %B %a %A %H %I %M %S %f %p %z %Z %s %T %R %F %D %%"
    ),
    (
      "parse_timestamp(s, '%H:%M')", 19, 7, "the format '%H:%M' has no year",
      "write %Y or %y, or %s for seconds since 1970"
    ),
    ("parse_timestamp(s, s)", 19, 1, "the format must be a literal", "write it in quotes: '%Y-%m-%d %H:%M:%S'"),
    (
      "case when b then n else s end", 0, 29, "the results of `case` have no type in common: n is int64, s is string",
      "cast them to one type: cast(x as string)"
    ),
    (
      "coalesce(null, null)", 0, 20, "the arguments of coalesce are all null",
      "write cast(null as string), or the type that is meant"
    ),
    (
      "cast(n as decimal(38,20)) * cast(n as decimal(38,20))", 0, 53,
      "the product has 40 digits after the point, and a decimal has at most 38",
      "round a factor first: round(cast(n as decimal(38,20)), 6)"
    ), ("s || n", 5, 1, "`||` joins texts, and `n` is int64", "write cast(n as string)"),
    ("day + interval '1' hour", 0, 23, "a date has no time of day to add to", "write cast(day as timestamp) first"),
    ("trim(leading s)", 14, 1, "found `)`", "`from` is needed here"),
    ("n is maybe", 5, 5, "found `maybe`", "`null`, `true`, `false` or `distinct from` is needed here"),
    (
      "12345678901234567890123456789012345678901", 0, 41,
      "`12345678901234567890123456789012345678901` has more than 38 digits",
      "write it with an exponent, as a double: 12345678901234567890123456789012345678901e0"
    ),
    ("abs(distinct n)", 0, 3, "`distinct` belongs to aggregates, and abs is none", "take it out"),
    ("-s", 0, 2, "`-` needs a number, and `s` is string", "cast it: cast(s as decimal(18,3)), or int64 or double"),
    ("and", 0, 3, "found `and`", "a value is needed here"),
    ("1e999", 0, 5, "`1e999` is too large for a double", "write a smaller number"),
  ]) func aFault_saysWhereWhatAndHowToMend(text: String, offset: Int, length: Int, message: String, mend: String) {
    #expect(outcome(text) == "fault@\(offset)+\(length): \(message) — \(mend)")
  }

  @Test func everyFaultOfAnExpression_isReportedInOnePass() throws {
    guard
      case .faults(let faults) = ExpressionChecker.scalar(
        "foo > 1 and roud(n) = 2 or s + 1 = lenth(bar)", schema: Fixture.usage.schema)
    else {
      Issue.record("no fault")
      return
    }
    #expect(faults.map(\.offset) == [0, 12, 27, 35, 41])
  }

  @Test func offsets_areInUTF8Bytes() {
    #expect(outcome("'é✓' = nope").hasPrefix("fault@10+4: no column \"nope\""))
  }

  @Test(arguments: [
    ("\"n\" + 1", "8"), ("`n` + 1", "8"), ("N + 1", "fault"), ("SUBSTRING('abc' FROM 2)", "'bc'"),
    ("CASE WHEN TRUE THEN 1 END", "1"), ("date", "'31/01/26 13:45'"), ("date || ''", "'31/01/26 13:45'"),
    ("\"date\"", "'31/01/26 13:45'"), ("length(date)", "14"),
  ]) func names_areCaseSensitiveAndKeywordsAreNot(text: String, expected: String) {
    #expect(value(text).hasPrefix(expected))
  }

  @Test(arguments: [
    ("(", ")"), ("abs(", ")"), ("not ", ""), ("- ", ""), ("position('a' in ", ")"), ("case when true then ", " end"),
    ("cast(", " as int64)"), ("trim(", ")"), ("[", "]"), ("coalesce(", ")"), ("position(", " in 'a')"), ("1 + (", ")"),
    ("n in (", ")"), ("extract(day from ", ")"), ("sum(n) filter (where ", ")"),
  ])
  func nestingWithoutBound_isAFault(open: String, close: String) {
    let text = String(repeating: open, count: 10_000) + "n" + String(repeating: close, count: 10_000)
    for case .faults(let faults) in [
      ExpressionChecker.scalar(String(text.prefix(60_000)), schema: Fixture.usage.schema)
    ] { #expect(!faults.isEmpty) }
    #expect(outcome(text).hasPrefix("f") || outcome(text).hasPrefix("int64"))
  }

  @Test(arguments: ["+", "and", "||", "=", "at time zone", "is null or"])
  func aLongChain_isCheckedOrRefusedButNeverOverflows(sign: String) {
    let operand = sign == "and" ? "b" : sign == "||" || sign == "=" ? "s" : "n"
    let text = ([String](repeating: operand, count: 5000)).joined(separator: " \(sign) ")
    #expect(outcome(text).isEmpty == false)
    if sign == "and" || sign == "||" { #expect(!outcome(text).hasPrefix("fault")) }
  }

  @Test func nestingWithinTheBound_isEvaluated() {
    #expect(value(String(repeating: "(", count: 150) + "n" + String(repeating: ")", count: 150)) == "7")
    #expect(value(String(repeating: "abs(", count: 95) + "n" + String(repeating: ")", count: 95)) == "7")
    #expect(
      value(String(repeating: "case when b then ", count: 95) + "n" + String(repeating: " end", count: 95)) == "7")
  }

  @Test func aTextBeyondTheBound_isAFault() {
    #expect(
      outcome("'" + String(repeating: "a", count: 70_000) + "'").hasPrefix(
        "fault@65536+4466: the expression has 70002 bytes, the most is 65536"))
  }

  @Test func columnsRead_areThoseOfTheExpression() throws {
    #expect(try valid("case when d > 1 then n else m + n end").columns == [0, 1, 2])
    #expect(try valid("1 + 1").columns.isEmpty)
  }
}
