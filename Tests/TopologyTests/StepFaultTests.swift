import Testing

@testable import Topology

/// What is wrong with steps, with the place and the mend of every fault.
@Suite struct StepFaultTests {
  @Test func aReferenceToNothing_namesWhatIsNear() {
    expect(
      steps: """
        a:
          from: usge
          filter: day > 0
        """,
      [
        "10:11: steps.a.from: there is no source or step `usge` — did you mean `usage`?"
      ])
    expect(
      steps: "a: {from: usage.late, filter: day > 0}",
      [
        "9:13: steps.a.from: `usage.late`: a source has no port — read `usage`; what does not decode flows to dead_letters"
      ])
    expect(
      steps: """
        a: {from: once.rejected, filter: day > 0}
        once: {from: usage, deduplicate: {key: [record_id], within: 1h}}
        """,
      [
        "9:13: steps.a.from: `deduplicate` has no port `rejected` — read `once.duplicates` or `once.late`"
      ])
    expect(
      steps: """
        a: {from: b.late, filter: day > 0}
        b: {from: usage, select: {day: day}}
        """,
      [
        "9:13: steps.a.from: `select` has no port `late` — read `b`"
      ])
    expect(
      steps: "a: {from: usage.lat, filter: day > 0}",
      [
        "9:13: steps.a.from: `usage.lat` names no port — did you mean `late`?"
      ])
    expect(
      steps: "a: {from: {x: 1}, filter: day > 0}",
      [
        "9:13: steps.a.from: is a section — write a source, a step, a port (`step.late`), or a list of them"
      ])
    expect(
      steps: "a: {from: [], filter: day > 0}",
      [
        "9:13: steps.a.from: is an empty list — name a source or a step"
      ])
    expect(
      steps: "a: {filter: day > 0}",
      [
        "9:3: steps.a.from: is missing — write the source or step it reads: from: usage"
      ])
  }

  @Test func aStepHasExactlyOneOperation() {
    expect(
      steps: """
        a:
          from: usage
          fliter: day > 0
        """,
      [
        "11:5: steps.a.fliter: is not known — did you mean `filter`?"
      ])
    expect(
      steps: """
        a:
          from: usage
        """,
      [
        "9:3: steps.a: has no operation — add one of filter, select, extend, deduplicate, aggregate, join, lookup, match, rate, invoice"
      ])
    expect(
      steps: """
        a:
          from: usage
          filter: day > 0
          select: {x: day}
        """,
      [
        "12:5: steps.a.select: is a second operation beside `filter` — give it a step of its own"
      ])
    expect(
      steps: """
        a: 5
        b: [x]
        c:
        """,
      [
        "9:6: steps.a: is a single value — write `from:` and an operation",
        "10:6: steps.b: is a list — write `from:` and an operation",
        "11:3: steps.c: has no operation — add one of filter, select, extend, deduplicate, aggregate, join, lookup, match, rate, invoice",
        "11:3: steps.c.from: is missing — write the source or step it reads: from: usage",
      ])
  }

  @Test func namesAreCheckedAndUnique() {
    expect(
      steps: "1a: {from: usage, filter: day > 0}",
      [
        "9:3: steps.1a: `1a` is no name — use at most 63 letters, digits, `_` and `-`, with a letter or `_` first"
      ])
    expect(
      steps: "usage: {from: plain, filter: price > 0}",
      [
        "9:3: steps.usage: `usage` is the name of a source already — choose another name"
      ])
    expect(
      steps: "a: {from: usage, on_eror: fail, filter: day > 0}",
      [
        "9:20: steps.a.on_eror: is not known — did you mean `on_error`?"
      ])
    expect(
      steps: "a: {from: usage, on_error: skip, filter: day > 0}",
      [
        "9:30: steps.a.on_error: `skip` is not known here — write dead_letter or fail"
      ])
  }

  @Test func aCycleIsNamedOnce() {
    expect(
      steps: """
        a: {from: b, filter: day > 0}
        b: {from: c, filter: day > 0}
        c: {from: a, filter: day > 0}
        d: {from: a, filter: day > 0}
        """,
      [
        "9:13: steps.a.from: the steps read each other in a circle: a → c → b → a — let one of them read something else"
      ])
    expect(
      steps: "a: {from: [usage, a], filter: day > 0}",
      [
        "9:13: steps.a.from: the steps read each other in a circle: a → a — let one of them read something else"
      ])
  }

  @Test func aUnionNeedsOneSchema() {
    expect(
      steps: "a: {from: [usage, plain], filter: day > 0}",
      [
        "9:21: steps.a.from[1]: `plain` has other columns than `usage`: column 1 is `account_id string not null`, not `record_id string not null` — make them equal with a `select` before the union"
      ])
    expect(
      steps: "a: {from: [usage, usage], filter: day > 0}",
      [
        "9:21: steps.a.from[1]: `usage` is listed twice — list it once: a union would hold its rows twice"
      ])
  }

  @Test func deduplicateNeedsAKeyASpanAndEventTime() {
    expect(
      steps: "a: {from: usage, deduplicate: {key: [record_id]}}",
      [
        "9:20: steps.a.deduplicate.within: is missing — write how long a key is remembered: within: 24h"
      ])
    expect(
      steps: "a: {from: usage, deduplicate: {within: 24h}}",
      [
        "9:20: steps.a.deduplicate.key: is missing — write the columns that tell records apart: key: [record_id]"
      ])
    expect(
      steps: "a: {from: usage, deduplicate: {key: [recordid], within: 0s}}",
      [
        "9:40: steps.a.deduplicate.key[0]: there is no column `recordid` — did you mean `record_id`?",
        "9:59: steps.a.deduplicate.within: 0s is too short — write 1ms or more",
      ])
    expect(
      steps: "a: {from: usage, deduplicate: {key: [], within: 24}}",
      [
        "9:39: steps.a.deduplicate.key: is empty — list the columns that tell records apart: key: [record_id]",
        "9:51: steps.a.deduplicate.within: `24` has no unit — write 24s, or another of ms, s, m, h, d",
      ])
    expect(
      steps: "a: {from: usage, deduplicate: {key: [day, day], within: 1.5h}}",
      [
        "9:45: steps.a.deduplicate.key[1]: the column `day` is listed twice — list it once",
        "9:59: steps.a.deduplicate.within: `1.5h` is no duration — write a whole number and a unit, such as 250ms, 10s, 5m, 1h or 30d",
      ])
    expect(
      steps: "a: {from: plain, deduplicate: {key: [account_id], within: 24h}}",
      [
        "9:20: steps.a.deduplicate: the stream has no event time, which `within` counts in — give the source an event_time"
      ])
    expect(
      steps: "a: {from: usage, deduplicate: 5}",
      [
        "9:33: steps.a.deduplicate: is a single value — write {key: [record_id], within: 24h}"
      ])
  }

  @Test func joinNeedsKeysBoundsAndEventTime() {
    expect(
      steps: "a: {from: usage, join: {with: usage, on: [account_id], between: [-5m, 10m]}}",
      [
        "9:20: steps.a.join: both sides have columns `record_id`, `service`, `quantity`, `started_at` and `day` beside the key — rename them on one side with a `select` before the join"
      ])
    expect(
      steps: "a: {from: usage, join: {with: plain, on: [account_id], between: [10m, 5m]}}",
      [
        "9:27: steps.a.join.with: the right stream has no event time, which `between` counts in — give its source an event_time",
        "9:67: steps.a.join.between: the lower bound 10m is above the upper bound 5m — write [5m, 10m]",
      ])
    expect(
      steps: """
        b: {from: usage, select: {k: day, other: service}}
        a: {from: usage, join: {with: b, on: {account_id: k, recor: other}, between: [1m]}}
        """,
      [
        "10:53: steps.a.join.on.account_id: the key is string on the left and int64 on the right — make the types equal before, with `extend` and cast",
        "10:56: steps.a.join.on.recor: there is no column `recor` on the left side — known here: record_id, account_id, service, quantity, started_at, day",
        "10:80: steps.a.join.between: is not two durations — write the earliest and the latest distance of the right row: [-5m, 10m]",
      ])
    expect(
      steps: """
        b: {from: usage, select: {k: day, other: service}}
        a: {from: usage, join: {with: b, on: {account_id: other}, type: outer}}
        c: {from: a.late, filter: day > 0}
        """,
      [
        "10:20: steps.a.join.between: is missing — write how far apart the rows may be: between: [-5m, 10m]",
        "10:67: steps.a.join.type: `outer` is not known here — write inner or left",
        "11:13: steps.c.from: `a.late` holds rows of both sides, whose columns differ — leave it to dead_letters, or make the columns of both sides equal",
      ])
    expect(
      steps: "a: {from: usage, join: {on: [], between: [1m, 2m]}}",
      [
        "9:20: steps.a.join.with: is missing — write the source or step to join with"
      ])
    expect(
      steps: """
        b: {from: usage, select: {account_id: account_id}}
        a: {from: usage, join: {with: b, on: [account_id, account_id], between: [0s, 2m]}}
        """,
      [
        "10:40: steps.a.join.on: names a column twice — name each key column once"
      ])
  }

  @Test func aFaultyPartIsReportedOnce_andItsReadersAreNotBlamed() {
    expect(
      steps: """
        a: {from: usage, join: 5}
        b: 5
        c: {from: b.late, filter: day > 0}
        d: {from: [a, b], aggregate: {values: {n: sum(x)}}}
        """,
      [
        "9:26: steps.a.join: is a single value — write {with: other, on: [account_id], between: [-5m, 10m]}",
        "10:6: steps.b: is a single value — write `from:` and an operation",
      ])
  }

  @Test func operationsOfOtherVersionsAreNamedAndStillChecked() {
    expect(
      steps: """
        a: {from: usage, match: {key: [acount_id], pattern: A, within: 5}}
        b: {from: usage, rate: {plan: x}}
        c: {from: b.rejected, filter: day > 0}
        d: {from: a.timed_out, filter: day > 0}
        """,
      [
        "9:20: steps.a.match.measures: is missing — write the columns to give: measures: {started: first(A.at)}",
        "9:34: steps.a.match.key[0]: there is no column `acount_id` — did you mean `account_id`?",
        "9:66: steps.a.match.within: `5` has no unit — write 5s, or another of ms, s, m, h, d",
        "10:20: steps.b.rate.catalog: is missing — write the file of its tariffs: catalog: catalog/consumer.yaml",
        "10:33: steps.b.rate.plan: there is no column `x` — known here: record_id, account_id, service, quantity, started_at, day",
        "12:34: steps.d.filter: no column \"day\" — columns are match_start, match_end",
      ])
  }

  @Test func match_isCheckedAgainstItsPatternAndInput() {
    expect(
      steps: """
        a: {from: usage, match: {key: [day], pattern: "A B+", define: {C: day > 1, B: quantity > 2 * avg(A.quantty)}, measures: {day: first(A.day), match_end: count(*), n: sum(D.day)}, after_match: skip_to_last Z}}
        b: {from: usage, match: {pattern: "A* B*", measures: {n: count(*)}, after_match: skip_to_first}}
        c: {from: plain, match: {pattern: "A", measures: {n: count(*)}, within: 0s}}
        """,
      [
        "9:66: steps.a.match.define.C: the pattern has no variable `C` — known here: A, B",
        "9:100: steps.a.match.define.B: no column \"quantty\" — did you mean quantity?",
        "9:124: steps.a.match.measures.day: `day` is the name of a key column — choose another name",
        "9:143: steps.a.match.measures.match_end: `match_end` is the name of a column that every match gives — choose another name",
        "9:171: steps.a.match.measures.n: the pattern has no variable `D` — did you mean A?",
        "9:193: steps.a.match.after_match: the pattern has no variable `Z` — known here: A, B",
        "10:38: steps.b.match.pattern: the pattern can match nothing at all — make a part of it obligatory, as A+ instead of A*",
        "10:84: steps.b.match.after_match: `skip_to_first` names no variable — write skip_to_first and a variable of the pattern",
        "11:20: steps.c.match: the stream has no event time, by which rows are put in order — give the source an event_time",
        "11:75: steps.c.match.within: 0s is too short — write 1ms or more",
      ])
  }

  @Test func match_givesTheKeyTheMeasuresAndItsSpan() throws {
    let plan = try load(
      topology(
        steps: """
          a: {from: usage, match: {key: [account_id], pattern: "CALM{3,} SPIKE+?", define: {CALM: quantity <= 10, SPIKE: quantity > 5 * avg(CALM.quantity)}, measures: {started: first(SPIKE.started_at), usual: avg(CALM.quantity), n: count(*)}, within: 6h, after_match: skip_to_first SPIKE}}
          b: {from: a.timed_out, filter: n > 3}
          """, sinks: ["a", "b"]))
    let step = try #require(plan.steps.first { $0.name == "a" })
    #expect(
      step.outputSchema.description
        == "account_id string not null, started timestamp, usual decimal(38,6), n int64 not null, match_start timestamp not null, match_end timestamp not null"
    )
    #expect(step.ports[.timedOut] == step.outputSchema)
    #expect(step.ports[.late] == step.inputSchema)
    let text = PlanExplainer.text(plan)
    for line in [
      "  match       by (account_id)", "  pattern     CALM{3,} SPIKE+?", "  define      CALM as quantity <= 10",
      "  measure     usual = avg(CALM.quantity)", "  within      6h", "  after match skip_to_first SPIKE",
    ] {
      #expect(text.contains(line + "\n"), "\(line)")
    }
  }
}
