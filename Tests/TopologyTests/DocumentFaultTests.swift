import Testing

@testable import Topology

/// What is wrong with a topology as a whole.
@Suite struct DocumentFaultTests {
  @Test func aDocumentIsATopology() {
    expect(
      text: "",
      [
        "1:1: is empty — write a topology: `weir: 1`, `topology: NAME`, `sources`, `steps`, `sinks`"
      ])
    expect(
      text: """
        # nothing

        """,
      [
        "1:1: is empty — write a topology: `weir: 1`, `topology: NAME`, `sources`, `steps`, `sinks`"
      ])
    expect(
      text: """
        [1]

        """,
      [
        "1:1: is no topology — begin with `weir: 1` and `topology: NAME`"
      ])
    expect(
      text: """
        x

        """,
      [
        "1:1: is no topology — begin with `weir: 1` and `topology: NAME`"
      ])
    expect(
      text: """
        weir: 1

        """,
      [
        "1:1: sinks: nothing is written — add a sink: sinks: {out: {from: STEP, connector: console}}",
        "1:1: sources: there is nothing to read — add a source: sources: {usage: {connector: generator}}",
        "1:1: topology: is missing — write its name: topology: usage-aggregation",
      ])
    expect(
      text: """
        weir: 1
        topology: t
        sources: {s: {connector: generator}}
        sinks:
        steps:

        """,
      [
        "4:1: sinks: nothing is written — add a sink: sinks: {out: {from: STEP, connector: console}}"
      ])
    expect(
      text: """
        weir: 1
        topology: t
        sources:
        sinks: {o: {from: s, connector: blackhole}}

        """,
      [
        "3:1: sources: there is nothing to read — add a source: sources: {usage: {connector: generator}}",
        "4:19: sinks.o.from: there is no source or step `s` — add it",
      ])
  }

  @Test func theVersionNameAndKeysAreKnown() {
    expect(
      text: """
        weir: 2
        topology: Usage
        paralelism: 3
        sources: {s: {connector: generator}}
        sinks: {o: {from: s, connector: blackhole}}

        """,
      [
        "1:7: weir: there is no version `2` of the topology language — write `weir: 1`",
        "2:11: topology: `Usage` is no topology name — use 1 to 63 of a-z, 0-9 and `-`",
        "3:1: paralelism: is not known — did you mean `parallelism`?",
      ])
    expect(
      text: """
        weir: 1
        topology: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        sources: {s: {connector: generator}}
        sinks: {o: {from: s, connector: blackhole}}

        """,
      [
        "2:11: topology: `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` is no topology name — use 1 to 63 of a-z, 0-9 and `-`"
      ])
  }

  @Test func settingsAreInRange() {
    expect(
      text: """
        weir: 1
        topology: t
        parallelism: 0
        checkpoint: {interval: 10, retain: 0, timeout: 0s, min_pause: 1x, directory: }
        state: {memory: 1B}
        restart: {attempts: -1, initial_backoff: 2m, max_backoff: 1m}
        sources: {s: {connector: generator}}
        sinks: {o: {from: s, connector: blackhole}}

        """,
      [
        "3:14: parallelism: 0 is out of range — write at least 1",
        "4:24: checkpoint.interval: `10` has no unit — write 10s, or another of ms, s, m, h, d",
        "4:36: checkpoint.retain: 0 is out of range — write at least 1",
        "4:48: checkpoint.timeout: 0s is too short — write 1ms or more",
        "4:63: checkpoint.min_pause: `1x` is no duration — write a whole number and a unit, such as 250ms, 10s, 5m, 1h or 30d",
        "4:78: checkpoint.directory: has no value — write a path",
        "5:17: state.memory: `1B` is no size — write a whole number and a unit: 64KB, 256MB or 2GB",
        "6:21: restart.attempts: -1 is out of range — write at least 0",
        "6:42: restart.initial_backoff: the first pause of 2m is longer than the longest of 1m — raise max_backoff or lower initial_backoff",
      ])
    expect(
      text: """
        weir: 1
        topology: t
        parallelism: many
        restart: {atempts: 1}
        state: {memory: 64KB, mem: 1}
        checkpoint: 10s
        sources: {s: {connector: generator}}
        sinks: {o: {from: s, connector: blackhole}}

        """,
      [
        "3:14: parallelism: `many` is no whole number — write digits only, such as 10",
        "4:11: restart.atempts: is not known — did you mean `attempts`?",
        "5:17: state.memory: 64KB is too small — write 1MB or more",
        "5:23: state.mem: is not known — known here: memory",
        "6:13: checkpoint: is a single value — write {interval: 10s, directory: ../checkpoints}",
      ])
  }

  @Test func sinksHaveAConnectorAndAPlaceOfTheirOwn() {
    expect(
      text: """
        weir: 1
        topology: t
        sources: {s: {connector: generator}}
        sinks:
          a: {from: s, connector: postgres, table: x}
          b: {from: s, connector: file}
          c: {from: s, connector: file, path: o, format: raw, key: [x]}
          d: {from: s, connector: console, delivery: exactly_once}
          e: {connector: console, delivery: twice}
          f: {from: s}
          g: {from: s, connector: file, path: p}
          h: {from: s, connector: file, path: p/x}
          i: {from: z, connector: blackhole}
          dead_letters: {from: s, connector: console}

        """,
      [
        "5:27: sinks.a.connector: the postgres connector is not available in this version of Weir — use file, console, blackhole or kafka",
        "6:3: sinks.b.path: is missing — write a directory: path: ../out/hourly",
        "7:50: sinks.c.format: raw writes one column of type bytes or string — write json or csv, or `select` that column",
        "7:55: sinks.c.key: belongs to connector kafka, not to file — remove it",
        "8:46: sinks.d.delivery: the console cannot take back rows after a crash — write at_least_once, or use a file sink",
        "9:3: sinks.e.from: is missing — write the step it writes: from: STEP",
        "9:37: sinks.e.delivery: `twice` is not known here — write exactly_once or at_least_once",
        "10:3: sinks.f.connector: is missing — write file, console, blackhole or kafka",
        "12:39: sinks.h.path: is, holds or lies in the directory of `g` — give each sink a directory of its own",
        "13:13: sinks.i.from: there is no source or step `z` — known here: s",
        "14:3: sinks.dead_letters: `dead_letters` is a sink of every topology — choose another name",
      ])
    expect(
      text: """
        weir: 1
        topology: t
        dead_letters: {connector: file, path: /o, from: s}
        sources: {s: {connector: file, path: /in, schema: {a: string}}}
        sinks: {o: {from: s, connector: file, path: /in/out}}

        """,
      [
        "3:43: dead_letters.from: is not known — known here: connector, path, format, header, delimiter, quote, codec, schema_name",
        "5:45: sinks.o.path: lies in what the source `s` reads: the job would read its own output — write elsewhere",
      ])
    expect(
      text: """
        weir: 1
        topology: t
        dead_letters: {connector: postgres, path: x}
        sources: {s: {connector: generator}}
        sinks: {o: {from: s, connector: blackhole}}

        """,
      [
        "3:27: dead_letters.connector: the postgres connector is not available in this version of Weir — use file, console, blackhole or kafka"
      ])
    expect(
      text: """
        weir: 1
        topology: t
        dead_letters: {connector: file, path: x, format: raw}
        sources: {s: {connector: generator}}
        sinks: {o: {from: s, connector: file, path: y, format: raw}}

        """,
      [
        "3:50: dead_letters.format: dead letters have more than one column — write json or csv",
        "5:56: sinks.o.format: raw writes one column of type bytes or string — write json or csv, or `select` that column",
      ])
  }

  @Test func viewsHaveAKey() {
    expect(
      text: """
        weir: 1
        topology: t
        sources: {s: {connector: generator}}
        views:
          v: {from: s, key: []}
          w: {from: [s, s], key: [a]}
          x: {from: s, key: [acount_id], retain: 0s}
          y: {from: s}
          z: {from: s, key: [account_id], reatin: 35d}

        """,
      [
        "5:21: views.v.key: is empty — list the columns that tell rows apart: key: [account_id]",
        "6:17: views.w.from[1]: `s` is listed twice — list it once: a union would hold its rows twice",
        "7:22: views.x.key[0]: there is no column `acount_id` — did you mean `account_id`?",
        "7:42: views.x.retain: 0s is too short — write 1ms or more",
        "8:3: views.y.key: is missing — write the columns that tell rows apart: key: [account_id]",
        "9:35: views.z.reatin: is not known — did you mean `retain`?",
      ])
  }

  @Test func everyRepeatedKeyIsAFault() {
    expect(
      text: """
        weir: 1
        weir: 1
        topology: t
        topology: u
        sources: {s: {connector: generator}}
        sinks: {o: {from: s, connector: blackhole}, "o": {from: s, connector: console}, o: {from: s}}

        """,
      [
        "2:1: weir: is given twice, first on line 1 — keep one of them",
        "4:1: topology: is given twice, first on line 3 — keep one of them",
        "6:45: sinks.o: is given twice, first on line 6 — keep one of them",
        "6:81: sinks.o: is given twice, first on line 6 — keep one of them",
      ])
    expect(
      text: """
        weir: 1
        topology: t
        paralelism: 1
        sources: {s: {connector: generator, rows: 1, rows: 2}}
        sinks: {o: {from: s, connector: blackhole}}

        """,
      [
        "3:1: paralelism: is not known — did you mean `parallelism`?",
        "4:46: sources.s.rows: is given twice, first on line 4 — keep one of them",
      ])
  }

  @Test func textThatIsNoYAML_saysWhere() {
    expect(
      text: "weir: 1\ntopology: t\nsources:\n\ts: x\n",
      [
        "4:1: is no YAML: found character that cannot start any token while scanning for the next token — indent with blanks, not tabs"
      ])
    expect(
      text: """
        weir: 1
        topology: t: u

        """,
      [
        "2:12: is no YAML: mapping values are not allowed in this context — quote a text that holds `: `, and check the indentation"
      ])
    expect(
      text: """
        weir: 1
        topology: "t

        """,
      [
        "3:1: is no YAML: found unexpected end of stream while scanning a quoted scalar — check quotes, brackets and indentation"
      ])
    expect(
      text: """
        weir: 1
        ---
        weir: 1

        """,
      [
        "2:1: holds a second document — write one topology a file"
      ])
    expect(
      text: """
        weir: 1
        topology: *x

        """,
      [
        "2:11: is no YAML: found undefined alias — quote a text that begins with `*`"
      ])
    expect(
      text: "weir: 1\ntopology: a\u{1}b\n",
      [
        "2:12: holds the character U+1, which YAML does not allow here — remove it"
      ])
    expect(
      text: """
        weir: 1
        topology: [a, b

        """,
      [
        "3:1: is no YAML: did not find expected ',' or ']' while parsing a flow sequence — check quotes, brackets and indentation; quote a text that holds a comma inside {…} or […]"
      ])
    expect(
      text: """
        weir: 1
         topology: t

        """,
      [
        "2:10: is no YAML: mapping values are not allowed in this context — quote a text that holds `: `, and check the indentation"
      ])
  }

  @Test func tagsAndComplexKeysAreRefused() {
    expect(
      text: """
        weir: 1
        topology: !x t
        ? [a]
        : b
        sources: {s: {connector: generator}}
        sinks: {o: {from: s, connector: blackhole}}

        """,
      [
        "2:11: topology: has a YAML tag (`!…`), which the topology language does not use — remove the tag, or quote the text",
        "3:3: has a key that is a list or a section — write a plain name before the colon",
      ])
  }
}
