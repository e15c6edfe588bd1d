import Testing

@testable import Topology

/// What is wrong with aggregates and their windows.
@Suite struct AggregateFaultTests {
  @Test func aStepThatDoesNotDivideItsWindow_isToldWhichDo() {
    expect(
      steps: """
        a: {from: usage, aggregate: {key: [account_id], window: {hop: 30s, every: 7s}, values: {n: count(*)}}}
        """,
      [
        "9:77: steps.a.aggregate.window.every: 7s does not divide 30s — use 5s, 6s or 10s, or a session window"
      ])
    expect(
      steps: """
        a: {from: usage, aggregate: {key: [account_id], window: {cumulate: 1d, every: 7h}, values: {n: count(*)}}}
        """,
      [
        "9:81: steps.a.aggregate.window.every: 7h does not divide 1d — use 4h, 6h or 8h, or a session window"
      ])
    expect(
      steps: """
        a: {from: usage, aggregate: {key: [account_id], window: {hop: 1s, every: 300ms}, values: {n: count(*)}}}
        """,
      [
        "9:76: steps.a.aggregate.window.every: 300ms does not divide 1s — use 200ms, 250ms or 500ms, or a session window"
      ])
  }

  @Test func aStepIsThereAndShorterThanItsWindow() {
    expect(
      steps: "a: {from: usage, aggregate: {window: {hop: 30s, every: 1m}, values: {n: count(*)}}}",
      [
        "9:58: steps.a.aggregate.window.every: 1m is longer than the window of 30s: rows between windows would be lost — use 30s or a divisor of it"
      ])
    expect(
      steps: "a: {from: usage, aggregate: {window: {hop: 30s}, values: {n: count(*)}}}",
      [
        "9:32: steps.a.aggregate.window.every: is missing — write the step: every: 5m"
      ])
    expect(
      steps: "a: {from: usage, aggregate: {window: {cumulate: 1d, every: 0s}, values: {n: count(*)}}}",
      [
        "9:62: steps.a.aggregate.window.every: 0s is too short — write 1ms or more"
      ])
    expect(
      steps: "a: {from: usage, aggregate: {window: {hop: 30d, every: 1ms}, values: {n: count(*)}}}",
      [
        "9:58: steps.a.aggregate.window.every: 1ms would put each row into 2592000000 windows of 30d — use a longer step"
      ])
    expect(
      steps: "a: {from: usage, aggregate: {window: {hop: day, every: 1h}, values: {n: count(*)}}}",
      [
        "9:46: steps.a.aggregate.window.hop: a hop window has a fixed length — write a duration such as 1d, or use tumble"
      ])
  }

  @Test func aWindowIsPositiveAndOfOneKind() {
    expect(
      steps: "a: {from: usage, aggregate: {window: {tumble: 0s}, values: {n: count(*)}}}",
      [
        "9:49: steps.a.aggregate.window.tumble: 0s is too short — write 1ms or more"
      ])
    expect(
      steps: "a: {from: usage, aggregate: {window: {tumble: -1h}, values: {n: count(*)}}}",
      [
        "9:49: steps.a.aggregate.window.tumble: -1h is negative — write a duration such as 250ms, 10s, 5m, 1h or 30d"
      ])
    expect(
      steps: "a: {from: usage, aggregate: {window: {session: 0s}, values: {n: count(*)}}}",
      [
        "9:50: steps.a.aggregate.window.session: 0s is too short — write 1ms or more"
      ])
    expect(
      steps: "a: {from: usage, aggregate: {window: {tumble: 1h, session: 1h}, values: {n: count(*)}}}",
      [
        "9:53: steps.a.aggregate.window.session: is a second kind of window beside `tumble` — remove `session` or `tumble`"
      ])
    expect(
      steps: "a: {from: usage, aggregate: {window: {}, values: {n: count(*)}}}",
      [
        "9:32: steps.a.aggregate.window: names no kind of window — write {tumble: 1h}, {hop: 1h, every: 5m}, {cumulate: 1d, every: 1h} or {session: 30m}"
      ])
    expect(
      steps: "a: {from: usage, aggregate: {window: 1h, values: {n: count(*)}}}",
      [
        "9:40: steps.a.aggregate.window: is a single value — write {tumble: 1h}, {hop: 1h, every: 5m}, {cumulate: 1d, every: 1h} or {session: 30m}"
      ])
    expect(
      steps: "a: {from: usage, aggregate: {window: {tumble: 40000d}, values: {n: count(*)}}}",
      [
        "9:49: steps.a.aggregate.window.tumble: 40000d is too long — write 36500d or less"
      ])
    expect(
      steps: "a: {from: usage, aggregate: {window: {tumbel: 1h}, values: {n: count(*)}}}",
      [
        "9:41: steps.a.aggregate.window.tumbel: is not known — did you mean `tumble`?"
      ])
    expect(
      steps: "a: {from: usage, aggregate: {window: {tumble: year}, values: {n: count(*)}}}",
      [
        "9:49: steps.a.aggregate.window.tumble: `year` is no length of a window — write a duration such as 1h, or day, week or month"
      ])
  }

  @Test func settingsThatDoNotGoWithAWindow_areFaults() {
    expect(
      steps: "a: {from: usage, aggregate: {window: {session: 30m, offset: 1m}, values: {n: count(*)}}}",
      [
        "9:55: steps.a.aggregate.window.offset: does not go with a session window — remove it"
      ])
    expect(
      steps: "a: {from: usage, aggregate: {window: {tumble: month, offset: 1m}, values: {n: count(*)}}}",
      [
        "9:56: steps.a.aggregate.window.offset: does not go with a calendar window of a month — use cycle_day with month, or a window of fixed length"
      ])
    expect(
      steps: """
        a: {from: usage, aggregate: {window: {tumble: week, cycle_day: 5}, values: {n: count(*)}}}
        """,
      [
        "9:55: steps.a.aggregate.window.cycle_day: does not go with a calendar window of a week — use tumble: month, or remove it"
      ])
    expect(
      steps: "a: {from: usage, aggregate: {window: {tumble: day, cycle_day: 5}, values: {n: count(*)}}}",
      [
        "9:54: steps.a.aggregate.window.cycle_day: does not go with a calendar window of a day — use tumble: month, or remove it"
      ])
    expect(
      steps: "a: {from: usage, aggregate: {window: {tumble: 1h, timezone: UTC}, values: {n: count(*)}}}",
      [
        "9:53: steps.a.aggregate.window.timezone: does not go with a tumbling window of fixed length — use a calendar window: tumble: day, week or month"
      ])
    expect(
      steps: "a: {from: usage, aggregate: {window: {tumble: 1h, every: 1m}, values: {n: count(*)}}}",
      [
        "9:53: steps.a.aggregate.window.every: does not go with a tumbling window of fixed length — use hop or cumulate"
      ])
    expect(
      steps: """
        a: {from: usage, aggregate: {window: {hop: 1h, every: 1m, cycle_day: 1}, values: {n: count(*)}}}
        """,
      [
        "9:61: steps.a.aggregate.window.cycle_day: does not go with a hop window — use a calendar window: tumble: month"
      ])
  }

  @Test func timezoneAndCycleDayAreConstantsOrColumns() {
    expect(
      steps: """
        a: {from: usage, aggregate: {window: {tumble: month, cycle_day: 32}, values: {n: count(*)}}}
        """,
      [
        "9:67: steps.a.aggregate.window.cycle_day: 32 is out of range — write at most 31"
      ])
    expect(
      steps: """
        a: {from: usage, aggregate: {window: {tumble: month, cycle_day: 0}, values: {n: count(*)}}}
        """,
      [
        "9:67: steps.a.aggregate.window.cycle_day: 0 is out of range — write at least 1"
      ])
    expect(
      steps: """
        a: {from: usage, aggregate: {window: {tumble: month, cycle_day: service}, values: {n: count(*)}}}
        """,
      [
        "9:67: steps.a.aggregate.window.cycle_day: the column `service` is string, not a day — use an int64 column"
      ])
    expect(
      steps: """
        a: {from: usage, aggregate: {window: {tumble: month, cycle_day: dya}, values: {n: count(*)}}}
        """,
      [
        "9:67: steps.a.aggregate.window.cycle_day: there is no column `dya` — did you mean `day`?"
      ])
    expect(
      steps: """
        a: {from: usage, aggregate: {window: {tumble: month, timezone: day}, values: {n: count(*)}}}
        """,
      [
        "9:66: steps.a.aggregate.window.timezone: the column `day` is int64, not a time zone's name — use a string column"
      ])
    expect(
      steps: """
        a: {from: usage, aggregate: {window: {tumble: month, timezone: Europe/Dublni}, values: {n: count(*)}}}
        """,
      [
        "9:66: steps.a.aggregate.window.timezone: `Europe/Dublni` is neither a time zone nor a column — did you mean `Europe/Dublin`?"
      ])
    expect(
      steps: """
        a: {from: usage, aggregate: {window: {tumble: month, timezone: ../etc/passwd}, values: {n: count(*)}}}
        """,
      [
        "9:66: steps.a.aggregate.window.timezone: `../etc/passwd` is neither a time zone nor a column — write a name such as Europe/Dublin"
      ])
  }

  @Test func windowsNeedEventTime() {
    expect(
      steps: "a: {from: plain, aggregate: {window: {tumble: 1h}, values: {n: count(*)}}}",
      [
        "9:32: steps.a.aggregate.window: the stream has no event time, which windows count in — give the source an event_time, or leave the window out"
      ])
  }

  @Test func emissionGoesWithTheWindow() {
    expect(
      steps: "a: {from: usage, aggregate: {values: {n: count(*)}, emit: {early: 1s}}}",
      [
        "9:62: steps.a.aggregate.emit.early: belongs to aggregates with a window — use `every`, or add a window"
      ])
    expect(
      steps: """
        a: {from: usage, aggregate: {window: {tumble: 1h}, values: {n: count(*)}, emit: {every: 1s}}}
        """,
      [
        "9:84: steps.a.aggregate.emit.every: belongs to aggregates without a window — use `early` for results before a window closes"
      ])
    expect(
      steps: "a: {from: usage, aggregate: {values: {n: count(*)}, allowed_lateness: 1s}}",
      [
        "9:55: steps.a.aggregate.allowed_lateness: a running aggregate has no windows that could be late — remove it, or add a window"
      ])
    expect(
      steps: """
        a: {from: usage, aggregate: {window: {tumble: 1h}, values: {n: count(*)}, emit: {early: 0s}, allowed_lateness: -5s}}
        """,
      [
        "9:91: steps.a.aggregate.emit.early: 0s is too short — write 1ms or more",
        "9:114: steps.a.aggregate.allowed_lateness: -5s is negative — write a duration such as 250ms, 10s, 5m, 1h or 30d",
      ])
  }

  @Test func columnsOutHaveNamesOfTheirOwn() {
    expect(
      steps: """
        a: {from: usage, aggregate: {key: [account_id, acount_id], window: {tumble: 1h}, values: {account_id: count(*), window_end: count(*), pane: count(*)}}}
        """,
      [
        "9:50: steps.a.aggregate.key[1]: there is no column `acount_id` — did you mean `account_id`?",
        "9:93: steps.a.aggregate.values.account_id: `account_id` is the name of a key column — choose another name",
        "9:115: steps.a.aggregate.values.window_end: `window_end` is the name of a column that every window gives — choose another name",
      ])
    expect(
      steps: """
        a: {from: usage, aggregate: {window: {tumble: 1h}, values: {pane: count(*)}, emit: {early: 1s}}}
        """,
      [
        "9:63: steps.a.aggregate.values.pane: `pane` is the name of the column that `emit.early` and `allowed_lateness` give — choose another name"
      ])
    expect(
      steps: """
        a: {from: usage, aggregate: {window: {tumble: 1h}, values: {n: count(*)}}}
        b: {from: a, aggregate: {key: [window_start], window: {tumble: 1d}, values: {n: sum(n)}}}
        """,
      [
        "10:33: steps.b.aggregate.key: the key column `window_start` has the name of a column that every window gives — rename it before with a `select`"
      ])
  }

  @Test func valuesAreThere() {
    expect(
      steps: "a: {from: usage, aggregate: {window: {tumble: 1h}}}",
      [
        "9:20: steps.a.aggregate.values: is missing — write the columns to compute: values: {records: count(*)}"
      ])
    expect(
      steps: "a: {from: usage, aggregate: {window: {tumble: 1h}, values: {}}}",
      [
        "9:54: steps.a.aggregate.values: names no column — write what to compute, such as {records: count(*)}"
      ])
    expect(
      steps: "a: {from: usage, aggregate: {window: {tumble: 1h}, values: [n]}}",
      [
        "9:62: steps.a.aggregate.values: is a list — write columns and aggregates, such as {records: count(*)}"
      ])
    expect(
      steps: "a: {from: usage, aggregate: {window: {tumble: 1h}, values: {n: }}}",
      [
        "9:66: steps.a.aggregate.values.n: has no value — write an aggregate such as count(*) or sum(quantity)"
      ])
    expect(
      steps: "a: {from: usage, aggregate: {values: {n: count(*)}, kye: [day]}}",
      [
        "9:55: steps.a.aggregate.kye: is not known — did you mean `key`?"
      ])
    expect(
      steps: "a: {from: usage, aggregate: 5}",
      [
        "9:31: steps.a.aggregate: is a single value — write {key, window, values}"
      ])
  }

  @Test func aStreamThatCarriesPane_needsAFilterOnIt() {
    expect(
      steps: """
        a: {from: usage, aggregate: {key: [account_id], window: {tumble: 1h}, values: {n: count(*)}, emit: {early: 1s}}}
        b: {from: a, aggregate: {values: {n: sum(n)}}}
        c: {from: a, filter: "pane = 'late'"}
        d: {from: c, aggregate: {values: {n: sum(n)}}}
        e: {from: a, select: {p: pane, n: n}}
        f: {from: e, aggregate: {values: {n: sum(n)}}}
        g: {from: e, filter: "p <> 'early'"}
        h: {from: g, aggregate: {values: {n: sum(n)}}}
        i: {from: a, filter: n > 1}
        j: {from: i, select: {n: n}}
        k: {from: j, aggregate: {values: {n: sum(n)}}}
        """,
      [
        "10:16: steps.b.aggregate: the stream carries `pane`: its results come several times and would be counted each time — filter it before, as in `filter: pane = 'on_time'`",
        "14:16: steps.f.aggregate: the stream carries `pane`: its results come several times and would be counted each time — filter it before, as in `filter: p = 'on_time'`",
        "19:16: steps.k.aggregate: the stream carries `pane`: its results come several times and would be counted each time — filter on `pane` before the column is dropped",
      ])
  }

  @Test func theUpdatesOfARunningAggregate_areNotAggregated() {
    expect(
      steps: """
        a: {from: usage, aggregate: {values: {n: count(*)}}}
        b: {from: a, aggregate: {values: {n: sum(n)}}}
        c: {from: a.late, filter: day > 0}
        """,
      [
        "10:16: steps.b.aggregate: the stream holds the updates of a running aggregate, which would be counted each time — aggregate what the running aggregate reads, or give that a window",
        "11:13: steps.c.from: `a.late` is the port of a running aggregate, for which no row is late — add a window, or remove this",
      ])
  }
}
