import Testing

@testable import Topology

/// What is wrong with sources.
@Suite struct SourceFaultTests {
  @Test func aConnectorIsNamedAndKnown() {
    expect(
      source: """
        connector: fle
        path: x
        schema: {a: string not null, at: timestamp, n: int64}
        """,
      [
        "5:16: sources.s.connector: there is no connector `fle` here — did you mean `file`?"
      ])
    expect(
      source: """
        path: x
        schema: {a: string not null, at: timestamp, n: int64}
        frmat: json
        """,
      [
        "4:3: sources.s.connector: is missing — write file, generator or kafka",
        "7:5: sources.s.frmat: is not known — did you mean `format`?",
      ])
    expect(
      source: """
        connector: [file]
        schema: {a: string not null, at: timestamp, n: int64}
        """,
      [
        "5:16: sources.s.connector: is a list — write file, generator or kafka"
      ])
    expect(
      source: """
        connector: file
        schema: {a: string not null, at: timestamp, n: int64}
        """,
      [
        "4:3: sources.s.path: is missing — write a file, a directory or a glob: path: ../data/usage"
      ])
  }

  @Test func connectorsAndFormatsOfOtherVersionsAreNamedAndTheRestChecked() {
    expect(
      source: """
        connector: postgres
        query: x
        schema: {a: string not null, at: timestamp, n: int64}
        """,
      [
        "5:16: sources.s.connector: the postgres connector is not available in this version of Weir — use file, generator or kafka"
      ])
    expect(
      source: """
        connector: http
        url: x
        schema: {a: string not null, at: timestamp, n: int64}
        """,
      [
        "5:16: sources.s.connector: the http connector is not available in this version of Weir — use file, generator or kafka"
      ])
  }

  @Test func avroOptions_areThoseOfAvroFiles() {
    let schema = "schema: {a: string not null, at: timestamp, n: int64}"
    expect(
      source: """
        connector: file
        path: x
        format: avro
        registry: http://localhost:8081
        codec: deflate
        \(schema)
        """,
      [
        "8:5: sources.s.registry: belongs to messages; an Avro file carries its schema — remove it",
        "9:5: sources.s.codec: is not known — known here: connector, format, schema, computed, event_time, watermark, on_error, rate, header, delimiter, quote, reader_schema, registry, registry_credentials, metadata, path, order",
      ])
    expect(
      source: """
        connector: file
        path: x
        format: json
        reader_schema: x.avsc
        \(schema)
        """,
      ["8:5: sources.s.reader_schema: belongs to format avro, not to json — remove it, or write `format: avro`"])
    expect(
      source: """
        connector: file
        path: x
        format: avro
        reader_schema: nowhere.avsc
        \(schema)
        """,
      [
        "8:20: sources.s.reader_schema: /t/topologies/nowhere.avsc cannot be opened: No such file or directory — check the path and its permissions"
      ])
  }

  @Test func debeziumChanges_needAColumnThatTellsThemApart() {
    expect(
      source: """
        connector: file
        path: x
        format: debezium-json
        schema: {a: string not null, at: timestamp, n: int64}
        """,
      [
        "7:13: sources.s.format: a deletion would look like an insertion: no column tells what a change was — add `metadata: {op: op, changed_at: source.timestamp}`"
      ])
    expect(
      source: """
        connector: file
        path: x
        format: debezium-json
        metadata: {a: op, b: source.tabel, c: before.m, changed: source.timestamp}
        schema: {a: string not null, at: timestamp, n: int64}
        """,
      [
        "8:16: sources.s.metadata.a: `a` is a column of the row already — give the column another name",
        "8:26: sources.s.metadata.b: a change has no `source.tabel` — did you mean `source.table`?",
        "8:43: sources.s.metadata.c: the row has no column `m` — known here: a, at, n",
      ])
    expect(
      source: """
        connector: file
        path: x
        format: debezium-json
        metadata: {changed: source.timestamp}
        schema: {a: string not null, at: timestamp, n: int64}
        """,
      [
        "8:5: sources.s.metadata: a deletion would look like an insertion: no column holds `op` — add a column for it, as in `metadata: {op: op, changed_at: source.timestamp}`"
      ])
  }

  @Test func formatsHaveTheirOptions() {
    expect(
      source: """
        connector: file
        path: x
        format: xml
        schema: {a: string not null, at: timestamp, n: int64}
        """,
      [
        "7:13: sources.s.format: `xml` is not known here — write json, csv, avro, debezium-json or raw"
      ])
    expect(
      source: """
        connector: file
        path: x
        header: true
        schema: {a: string not null, at: timestamp, n: int64}
        """,
      [
        "7:5: sources.s.header: belongs to format csv, not to json — remove it, or write `format: csv`"
      ])
    expect(
      source: """
        connector: file
        path: x
        format: csv
        header: yes
        delimiter: ab
        quote: "é"
        schema: {a: string not null, at: timestamp, n: int64}
        """,
      [
        "8:13: sources.s.header: `yes` is neither true nor false — write true or false",
        "9:16: sources.s.delimiter: `ab` is not one ASCII character — write one character in quotes, such as \";\" or \"\\t\"",
        "10:12: sources.s.quote: `é` is not one ASCII character — write one character in quotes, such as \";\" or \"\\t\"",
      ])
    expect(
      source: """
        connector: file
        path: x
        format: csv
        delimiter: ";"
        quote: ";"
        schema: {a: string not null, at: timestamp, n: int64}
        """,
      [
        "9:12: sources.s.quote: delimiter and quote are the same character — use two different ones"
      ])
    expect(
      source: """
        connector: file
        path: x
        format: raw
        schema: {a: string not null, at: timestamp, n: int64}
        """,
      [
        "8:5: sources.s.schema: format raw gives one column, `value` of type bytes or string — write `schema: {value: bytes not null}`, or leave it out"
      ])
    expect(
      source: """
        connector: generator
        format: raw
        """,
      [
        "6:13: sources.s.format: `raw` is not known here — write json or csv"
      ])
  }

  @Test func everyColumnHasAType() {
    expect(
      source: """
        connector: file
        path: x
        """,
      [
        "4:3: sources.s.schema: is missing — write the columns and their types, such as `schema: {record_id: string not null}`"
      ])
    expect(
      source: """
        connector: file
        path: x
        schema: {}
        """,
      [
        "7:5: sources.s.schema: has 0 columns — list 1 to 1000 columns, such as `record_id: string not null`"
      ])
    expect(
      source: """
        connector: file
        path: x
        schema:
          a: strng
          b: int
          c: decimal
          d: decimal(39,2)
          e: decimal(5,6)
          f: string nullable
          g:
          h: [string]
          i: varchar(20)
          j: timestamp(epoch_us)
          k: not null
          l: decimal(18)
        """,
      [
        "8:10: sources.s.schema.a: `strng` is no type — did you mean `string`?",
        "9:10: sources.s.schema.b: `int` is no type — did you mean `int64`?",
        "10:10: sources.s.schema.c: `decimal` is no decimal type — give digits and fraction digits: decimal(18,3)",
        "11:10: sources.s.schema.d: a decimal has 1 to 38 digits, not 39 — use decimal(38,2)",
        "12:10: sources.s.schema.e: 6 fraction digits do not fit 5 digits — give at most as many fraction digits as digits: decimal(5,5)",
        "13:10: sources.s.schema.f: `string nullable` is no type — did you mean `string`?",
        "14:9: sources.s.schema.g: has no value — write a type such as string, decimal(18,3) or `timestamp not null`",
        "15:10: sources.s.schema.h: is a list — write a type such as string, decimal(18,3) or `timestamp not null`",
        "16:10: sources.s.schema.i: `varchar(20)` is no type — did you mean `string`?",
        "17:10: sources.s.schema.j: `timestamp(epoch_us)` is no type — did you mean `timestamp`?",
        "18:10: sources.s.schema.k: `not null` is no type — use boolean, int64, double, decimal(p,s), string, bytes, date, timestamp or timestamp(epoch_s), with `not null` behind where it is never missing",
        "19:10: sources.s.schema.l: `decimal(18)` is no decimal type — give digits and fraction digits: decimal(18,3)",
      ])
  }

  @Test func eventTimeIsATimestamp() {
    expect(
      source: """
        connector: file
        path: x
        schema: {a: string not null, at: timestamp, n: int64}
        event_time: n
        watermark: {delay: 10}
        """,
      [
        "8:17: sources.s.event_time: the column `n` is int64, not a timestamp — declare it as timestamp (milliseconds) or timestamp(epoch_s) in the schema",
        "9:24: sources.s.watermark.delay: `10` has no unit — write 10s, or another of ms, s, m, h, d",
      ])
    expect(
      source: """
        connector: file
        path: x
        schema: {a: string not null, at: timestamp, n: int64}
        event_time: a
        watermark: {dely: 10s}
        """,
      [
        "8:17: sources.s.event_time: the column `a` is string, not a timestamp — declare it as timestamp, or add a timestamp under `computed:` with parse_timestamp",
        "9:17: sources.s.watermark.dely: is not known — did you mean `delay`?",
      ])
    expect(
      source: """
        connector: file
        path: x
        schema: {a: string not null, at: timestamp, n: int64}
        event_time: t
        """,
      [
        "8:17: sources.s.event_time: there is no column `t` — known here: a, at, n"
      ])
    expect(
      source: """
        connector: file
        path: x
        schema: {a: string not null, at: timestamp, n: int64}
        watermark: {delay: 10s}
        """,
      [
        "8:5: sources.s.watermark: a watermark needs an event time — name the timestamp column: event_time: started_at"
      ])
    expect(
      source: """
        connector: file
        path: x
        schema: {a: string not null, at: timestamp, n: int64}
        event_time: at
        watermark: 10s
        """,
      [
        "9:16: sources.s.watermark: is a single value — write {delay: 10s, idle_after: 30s}"
      ])
  }

  @Test func computedColumnsAreNew() {
    expect(
      source: """
        connector: file
        path: x
        schema: {a: string not null, at: timestamp, n: int64}
        computed: {a: n, c: at}
        event_time: c
        """,
      [
        "8:16: sources.s.computed.a: `a` is a column of the schema already — give the computed column another name"
      ])
    expect(
      source: """
        connector: file
        path: x
        schema: {a: string not null, at: timestamp, n: int64}
        computed: at
        """,
      [
        "8:15: sources.s.computed: is a single value — write columns and their expressions"
      ])
  }

  @Test func settingsAreInRange() {
    expect(
      source: """
        connector: file
        path: x
        schema: {a: string not null, at: timestamp, n: int64}
        on_error: ignore
        rate: 0
        """,
      [
        "8:15: sources.s.on_error: `ignore` is not known here — write dead_letter, skip or fail",
        "9:11: sources.s.rate: 0 is out of range — write a number of rows a second, more than 0",
      ])
    expect(
      source: """
        connector: file
        path: x
        schema: {a: string not null, at: timestamp, n: int64}
        rate: fast
        order: size
        rows: 5
        """,
      [
        "8:11: sources.s.rate: `fast` is no number — write a number of rows a second, more than 0",
        "9:12: sources.s.order: `size` is not known here — write name",
        "10:5: sources.s.rows: belongs to connector generator, not to file — remove it",
      ])
    expect(
      source: """
        connector: generator
        kind: cdr
        rows: -1
        rate: 10
        seed: x
        accounts: 0
        start: 2026-01-01
        anomalies: {duplicates: 2, lates: 0.1}
        path: x
        """,
      [
        "6:11: sources.s.kind: `cdr` is not known here — write usage",
        "7:11: sources.s.rows: -1 is out of range — write at least 0",
        "9:11: sources.s.seed: `x` is no whole number — write digits only, such as 10",
        "10:15: sources.s.accounts: 0 is out of range — write at least 1",
        "11:12: sources.s.start: `2026-01-01` is no time — write it with its zone: 2026-01-01T00:00:00Z",
        "12:29: sources.s.anomalies.duplicates: 2 is out of range — write a share of the records, from 0 to 1",
        "12:32: sources.s.anomalies.lates: is not known — did you mean `late`?",
        "13:5: sources.s.path: belongs to connector file, not to generator — remove it",
      ])
    expect(
      source: """
        connector: generator
        anomalies: {duplicates: 0.6, late: 0.6}
        """,
      [
        "6:5: sources.s.anomalies: the shares add up to more than 1 — lower them"
      ])
    expect(
      source: """
        connector: generator
        rows: 1_000
        records_per_event_second: 0
        """,
      [
        "6:11: sources.s.rows: `1_000` is no whole number — write digits only, such as 1000",
        "7:31: sources.s.records_per_event_second: 0 is out of range — write a number of records a second of event time, more than 0",
      ])
  }
}
