import Testing

@testable import Topology

@Suite struct ExplainTests {
  private let text = """
    weir: 1
    topology: t
    description: "A \\"test\\" <one>"
    parallelism: 2
    sources:
      u: {connector: file, path: /in, schema: {id: string not null, at: timestamp, n: int64}, event_time: at, watermark: {delay: 10s}}
      v: {connector: file, path: /in2, schema: {id: string not null, t: timestamp, w: double}, event_time: t}
    steps:
      big: {from: u, filter: n > 5}
      once: {from: big, deduplicate: {key: [id], within: 24h}}
      hour: {from: once, aggregate: {key: [id], window: {tumble: 1h}, values: {s: sum(n)}}}
      all: {from: once, aggregate: {values: {c: count(*)}}}
      both: {from: once, join: {with: v, on: [id], between: [-5m, 10m]}}
    sinks:
      hours: {from: hour, connector: file, path: /out, format: csv}
      rest: {from: [big.rejected, once.duplicates], connector: console}
      pairs: {from: both, connector: blackhole}
    views:
      totals: {from: all, key: [c], retain: 35d}

    """

  @Test func text_saysWhatRunsOnWhatAndWhereRowsGo() throws {
    let expected = """
      topology t
        about       A "test" <one>
        file        /t/topologies/t.yaml
        parallelism 2
        checkpoints every 10s to /t/checkpoints, 3 kept
        state       at most 256MB of memory
        restarts    10, after 1s to 1m

      source u
        reads       file /in, json
        columns     id string not null, at timestamp, n int64
        event time  at, watermark 10s behind
        on error    dead_letter

      source v
        reads       file /in2, json
        columns     id string not null, t timestamp, w double
        event time  t, watermark 0s behind
        on error    dead_letter

      step big
        from        u
        filter      n > 5
        columns     id string not null, at timestamp, n int64
        port rejected → rest

      step once
        from        big, exchanged by key (id)
        deduplicate first of (id) within 1d
        columns     id string not null, at timestamp, n int64
        port duplicates → rest
        port late   → dead_letters

      step hour
        from        once, exchanged by key (id)
        aggregate   by (id)
        window      tumble 1h
        value       s = sum(n)
        columns     id string not null, window_start timestamp not null, window_end timestamp not null, s int64
        port late   → dead_letters

      step all
        from        once, exchanged to one subtask
        aggregate   all rows as one group
        window      none (running)
        value       c = count(*)
        emits       every 1s
        columns     c int64 not null

      step both
        from        once, exchanged by key (id)
        with        v, exchanged by key (id)
        join        inner, between -5m and 10m
        columns     id string not null, at timestamp, n int64, t timestamp, w double

      sink hours
        from        hour
        writes      file /out, csv
        delivery    exactly_once
        columns     id string not null, window_start timestamp not null, window_end timestamp not null, s int64

      sink rest
        from        big.rejected, once.duplicates
        writes      console
        delivery    at_least_once, what came after the last checkpoint once more after a crash
        columns     id string not null, at timestamp, n int64

      sink pairs
        from        both
        writes      blackhole
        delivery    none, rows are counted
        columns     id string not null, at timestamp, n int64, t timestamp, w double

      dead letters
        writes      file /t/checkpoints/t/dead-letters, json
        columns     topology string not null, step string not null, port string not null, reason string not null, source string, partition string, offset int64, event_time timestamp, failed_at timestamp not null, record string

      view totals
        from        all
        key         c
        retains     35d

      """
    #expect(PlanExplainer.text(try load(text)) == expected)
  }

  @Test func mermaid_drawsExchangesAndPorts() throws {
    let expected = """
      flowchart LR
        source0[/"u<br/>file"/]
        source1[/"v<br/>file"/]
        step0["big<br/>filter n #gt; 5"]
        step1["once<br/>deduplicate within 1d"]
        step2["hour<br/>aggregate<br/>window tumble 1h"]
        step3["all<br/>aggregate<br/>window none (running)"]
        step4["both<br/>inner join<br/>-5m to 10m"]
        sink0[("hours<br/>file")]
        sink1[("rest<br/>console")]
        sink2[("pairs<br/>blackhole")]
        view0(["totals<br/>view"])
        dead_letters[("dead letters<br/>file")]
        source0 -. "undecodable" .-> dead_letters
        source1 -. "undecodable" .-> dead_letters
        source0 --> step0
        step0 -- "by id" --> step1
        step1 -. "late" .-> dead_letters
        step1 -- "by id" --> step2
        step2 -. "late" .-> dead_letters
        step1 -- "to one subtask" --> step3
        step1 -- "by id" --> step4
        source1 -- "by id" --> step4
        step2 --> sink0
        step0 -. "rejected" .-> sink1
        step1 -. "duplicates" .-> sink1
        step4 --> sink2
        step3 --> view0

      """
    #expect(PlanExplainer.mermaid(try load(text)) == expected)
  }

  @Test func json_isTheSameEveryTimeAndKeepsItsKeys() throws {
    let json = PlanExplainer.json(try load(text))
    #expect(json == PlanExplainer.json(try load(text)))
    #expect(json.hasPrefix("{\n  \"weir\": 1,\n  \"topology\": \"t\",\n  \"description\": \"A \\\"test\\\" <one>\",\n"))
    for part in [
      """
            "exchange": {
              "key": [
                "id"
              ]
            },
      """,
      """
              "window": {
                "kind": "tumble",
                "size_ms": 3600000,
                "offset_ms": 0
              },
      """,
      """
                "name": "late",
                "to": [
                  "dead_letters"
                ],
      """,
      """
            "exchange": {
              "key": []
            },
      """,
    ] { #expect(json.contains(part), "\(part)") }
  }

  @Test func everyKindOfOperationIsExplained() throws {
    let steps = """
      a: {from: usage, select: {x: day + 1, at: started_at}}
      b: {from: usage, extend: {x: day + 1}}
      c: {from: usage, aggregate: {window: {tumble: month, timezone: service, cycle_day: 5}, values: {n: count(*)}, allowed_lateness: 5m}}
      d: {from: usage, aggregate: {window: {hop: 1h, every: 5m, offset: 1m}, values: {n: count(*)}, emit: {early: 2s}}, on_error: fail}
      e: {from: usage, aggregate: {window: {session: 30m}, values: {n: count(*)}}}
      f: {from: usage, aggregate: {window: {cumulate: 1d, every: 1h}, values: {n: count(*)}}}
      """
    let plan = try load(topology(steps: steps, sinks: ["a"]))
    let text = PlanExplainer.text(plan)
    for line in [
      "  select      x = day + 1", "  extend      x = day + 1",
      "  window      tumble month, timezone of column service, cycle_day 5",
      "  lateness    5m", "  window      hop 1h every 5m, offset 1m", "  emits       early, every 2s",
      "  on error    fail",
      "  window      session 30m", "  window      cumulate 1d every 1h",
    ] { #expect(text.contains(line + "\n"), "\(line)") }
    let json = PlanExplainer.json(plan)
    for part in [
      "\"kind\": \"calendar\"", "\"cycle_day\": 5", "\"kind\": \"session\"", "\"kind\": \"cumulate\"",
      "\"emit_early_ms\": 2000",
      "\"allowed_lateness_ms\": 300000",
    ] { #expect(json.contains(part), "\(part)") }
  }
}
