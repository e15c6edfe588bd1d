import Connectors
import Operators
import StreamModel
import Testing

@testable import Topology

/// What is wrong with lookups, and what a right one means.
@Suite struct LookupFaultTests {
  private static let table = "table: {connector: file, path: rates.csv, format: csv}"

  private func lookup(_ text: String) throws -> (LookupSpec, TableConnector, Schema) {
    let plan = try load(topology(steps: "a: {from: usage, lookup: {\(text)}}", sinks: ["a"]))
    guard case .lookup(let spec, let table) = plan.steps[0].operation else { preconditionFailure("no lookup") }
    return (spec, table, plan.steps[0].outputSchema)
  }

  @Test func whatIsTakenIsAddedBehind_orReplacesWhatHasItsName() throws {
    let (spec, table, output) = try lookup(
      "\(Self.table), on: {service: base}, take: {rate: 'decimal(18,8) not null', day: int64}")
    #expect(spec.key == [2] && spec.asOf == nil && spec.missing == .port)
    #expect("\(spec.layout.schema)" == "base string not null, rate decimal(18,8) not null, day int64")
    #expect(spec.layout.taken == [1, 2] && spec.layout.validity == nil)
    #expect(
      spec.items == [.input(0), .input(1), .input(2), .input(3), .input(4), .taken(1), .taken(0)])
    #expect(output.fields.suffix(2).map(\.name) == ["day", "rate"])
    guard case .file(let file) = table else { preconditionFailure("no file") }
    #expect(file.path == "/t/topologies/rates.csv")
  }

  @Test(arguments: ["null", "'null'"]) func nullIsAWayToGoOnWithoutARow(_ word: String) throws {
    let (spec, _, _) = try lookup("\(Self.table), on: {service: base}, take: {rate: double}, missing: \(word)")
    #expect(spec.missing == .null)
  }

  @Test func versionsAreBoundedByTheNamedColumns() throws {
    let (plain, _, _) = try lookup(
      "\(Self.table), on: [service], as_of: started_at, take: {rate: double}, missing: 'null'")
    #expect(
      "\(plain.layout.schema)"
        == "service string not null, valid_from timestamp not null, valid_to timestamp, rate double")
    #expect(plain.asOf == .init(column: 4) && plain.layout.validity == .init(from: 1, to: 2) && plain.layout.givesNulls)
    let (named, _, output) = try lookup(
      "\(Self.table), on: [service], as_of: {at: started_at, max_age: 3d, valid_from: since, valid_to: until}, take: {rate: double, since: timestamp not null}"
    )
    #expect(
      "\(named.layout.schema)" == "service string not null, since timestamp not null, until timestamp, rate double")
    #expect(named.asOf == .init(column: 4, maxAgeMilliseconds: 259_200_000) && named.layout.taken == [3, 1])
    #expect(output.fields.suffix(2).map(\.name) == ["rate", "since"])
  }

  @Test func everyFaultOfALookupIsFoundInOnePass() {
    expect(
      steps: """
        a:
          from: usage
          lookup:
            table: {connector: file, format: avro}
            on: {dya: x}
            as_of: {at: quantity, max_age: 5}
            take: {rate: decimel(18,8)}
            missing: drop
            mising: port
        b: {from: a.missing, filter: nothing > 0}
        """,
      [
        "12:7: steps.a.lookup.table.path: is missing — write the table's file: path: rates.csv",
        "12:40: steps.a.lookup.table.format: `avro` is not known here — write json or csv",
        "13:12: steps.a.lookup.on.dya: there is no column `dya` — did you mean `day`?",
        "14:38: steps.a.lookup.as_of.max_age: `5` has no unit — write 5s, or another of ms, s, m, h, d",
        "15:20: steps.a.lookup.take.rate: `decimel(18,8)` is no type — did you mean `decimal(18,3)`?",
        "16:16: steps.a.lookup.missing: `drop` is not known here — write port, null or fail",
        "17:7: steps.a.lookup.mising: is not known — did you mean `missing`?",
        "18:32: steps.b.filter: no column \"nothing\" — columns are record_id, account_id, service, quantity, started_at, day",
      ])
    expect(
      steps: "a: {from: usage, lookup: {}}",
      [
        "9:20: steps.a.lookup.on: is missing — write the stream's columns and the table's: on: {currency: base}",
        "9:20: steps.a.lookup.table: is missing — write the table it looks in: table: {connector: file, path: rates.csv}",
        "9:20: steps.a.lookup.take: is missing — write the table's columns and their types: take: {rate: decimal(18,8)}",
      ])
  }

  @Test func theTimeOfALookupIsATimestamp_andItsColumnsAreToldApart() {
    expect(
      steps: "a: {from: usage, lookup: {\(Self.table), on: [service], as_of: day, take: {rate: double}}}",
      [
        "9:107: steps.a.lookup.as_of: the column `day` is int64, not a timestamp — name a timestamp column, or cast it before, with `extend`"
      ])
    expect(
      steps:
        "a: {from: usage, lookup: {\(Self.table), on: {service: valid_to}, as_of: started_at, take: {valid_from: date}}}",
      [
        "9:117: steps.a.lookup.as_of: `valid_to` is a column of the key too — name the column that bounds a version",
        "9:148: steps.a.lookup.take.valid_from: `valid_from` is timestamp in the key or as a bound of versions — write that type, or leave it out",
      ])
    expect(
      steps: "a: {from: usage, lookup: {\(Self.table), on: {service: x, account_id: x}, take: {rate: double}}}",
      ["9:89: steps.a.lookup.on: names a column twice — name each key column once"])
    expect(
      steps: "a: {from: usage, lookup: {table: {connector: redis}, on: [service], take: {rate: double}}}",
      ["9:48: steps.a.lookup.table.connector: there is no connector `redis` here — use file, http, postgres or kafka"])
  }
}

/// How a lookup is explained.
@Suite struct LookupExplanationTests {
  private func plan() throws -> LogicalPlan {
    try load(
      topology(
        steps: """
          a:
            from: usage
            lookup:
              table: {connector: file, path: rates.csv, format: csv}
              on: {service: base}
              as_of: {at: started_at, max_age: 3d}
              take: {rate: "decimal(18,8)"}
          """, sinks: ["a"]))
  }

  @Test func text_saysWhereItLooksAndByWhat() throws {
    let text = PlanExplainer.text(try plan())
    for line in [
      "  lookup      in file /t/topologies/rates.csv (csv), in memory", "  on          service = base",
      "  as of       valid_from ≤ started_at < valid_to, begun at most 3d before", "  take        rate",
      "  missing     port", "  port missing → dead_letters",
    ] { #expect(text.contains(line + "\n"), "\(line)") }
    #expect(PlanExplainer.mermaid(try plan()).contains("lookup<br/>file /t/topologies/rates.csv (csv), in memory"))
    #expect(PlanExplainer.json(try plan()).contains("\"max_age_ms\": 259200000"))
  }

  @Test func flink_joinsATableOfThisFile() throws {
    let text = PlanExplainer.flinkSQL(try plan())
    for part in [
      """
      CREATE TEMPORARY TABLE `table_a` (
        `base` STRING NOT NULL,
        `valid_from` TIMESTAMP_LTZ(3) NOT NULL,
        `valid_to` TIMESTAMP_LTZ(3),
        `rate` DECIMAL(18, 8)
      ) WITH (
        'connector' = 'filesystem',
        'path' = '/t/topologies/rates.csv',
      """,
      """
        s.`weir_time`
      FROM `usage` s
      JOIN `table_a` t
      ON s.`service` = t.`base`
        AND s.`started_at` >= t.`valid_from`
        AND (t.`valid_to` IS NULL OR s.`started_at` < t.`valid_to`)
      """,
    ] { #expect(text.contains(part), "\(part)") }
  }
}

/// What is wrong with tables that are asked, and what a right one means.
@Suite struct AskedTableFaultTests {
  private func lookup(_ text: String) throws -> (LookupSpec, TableConnector) {
    let plan = try load(topology(steps: "a: {from: usage, lookup: {\(text)}}", sinks: ["a"]))
    guard case .lookup(let spec, let table) = plan.steps[0].operation else { preconditionFailure("no lookup") }
    return (spec, table)
  }

  @Test func aServiceIsReadWithItsDefaults_andWithEverySetting() throws {
    let (plain, service) = try lookup(
      "table: {connector: http, url: \"http://r/{service}\"}, on: [service], take: {rate: double}")
    guard case .http(let defaults) = service else { preconditionFailure("no service") }
    #expect(defaults.url.parts == [.text("http://r/"), .key(0)] && defaults.timeoutMilliseconds == 5_000)
    #expect(defaults.retry.attempts == 3 && defaults.retry.backoffMilliseconds == 100)
    #expect(defaults.breaker.failures == 5 && defaults.breaker.pauseMilliseconds == 5_000)
    #expect(plain.cache == .none && plain.capacity == 16)
    let (full, other) = try lookup(
      """
      table: {connector: http, url: "https://r/{account_id}?s={service}", format: json, timeout: 2s,
        retry: {attempts: 5, backoff: 10ms}, breaker: {failures: 2, pause: 1s}, headers: {Authorization: Bearer x},
        rows: data.items, columns: {rate: "rates.{service}"}, check: rate > 0},
        on: {service: quote, account_id: base}, take: {rate: double}, capacity: 4,
        cache: {max_rows: 5, expire_after_write: 1m, expire_after_access: 2m, serve_stale: 3m, cache_missing: false}
      """.split(separator: "\n").joined(separator: " "))
    guard case .http(let spec) = other else { preconditionFailure("no service") }
    #expect(spec.url.parts == [.text("https://r/"), .key(1), .text("?s="), .key(0)])
    #expect(spec.timeoutMilliseconds == 2_000 && spec.retry.attempts == 5 && spec.breaker.failures == 2)
    #expect(spec.headers.map(\.name) == ["Authorization"] && spec.rows.map(\.text) == ["data", "items"])
    #expect(spec.columns["rate"]?.last?.parts == [.key(0)] && full.layout.check?.text == "rate > 0")
    #expect(full.capacity == 4 && full.cache.maxRows == 5 && full.cache.expireAfterWriteMilliseconds == 60_000)
    #expect(full.cache.serveStaleMilliseconds == 180_000 && !full.cache.cachesMissing)
  }

  @Test func aDatabaseIsAskedForATableOrAQuery() throws {
    let head = "table: {connector: postgres, connection: \"host=db\","
    guard
      case .postgres(let table) = try lookup("\(head) table: billing.rates}, on: [service], take: {rate: double}").1,
      case .table("billing.rates") = table.source
    else {
      Issue.record("no table")
      return
    }
    let query = "query: \"select rate from r where s = {service} and a = {account_id}\""
    guard
      case .postgres(let asked) = try lookup("\(head) \(query)}, on: [account_id, service], take: {rate: double}").1,
      case .query("select rate from r where s = $2 and a = $1") = asked.source
    else {
      Issue.record("no query")
      return
    }
  }

  @Test func aTopicIsATable_withTheSettingsOfItsCluster() throws {
    let head = "table: {connector: kafka, bootstrap: \"b:9092\", topic: rates"
    let (_, table) = try lookup("\(head), properties: {client.id: x}}, on: [service], take: {rate: double}")
    guard case .kafka(let spec) = table, case .json = spec.format else {
      Issue.record("no topic of JSON")
      return
    }
    #expect(spec.topic == "rates" && spec.cluster.bootstrap == "b:9092")
    #expect(spec.cluster.properties == ["client.id": "x"])
    #expect(table.phrase == "kafka topic rates at b:9092 (json), in memory")
    guard
      case .kafka(let avro) = try lookup(
        "\(head), format: avro, registry: \"http://r:1\"}, on: [service], take: {rate: double}"
      ).1,
      case .avro = avro.format
    else {
      Issue.record("no topic of Avro")
      return
    }
  }

  @Test func theFaultsOfATopicsTable_areFoundInOnePass() {
    expect(
      steps: """
        a:
          from: usage
          lookup:
            table: {connector: kafka, topic: "ra tes", path: x, format: avro, properties: {isolation.level: x}}
            on: [service]
            take: {rate: double}
        """,
      [
        "12:7: steps.a.lookup.table.bootstrap: is missing — write the brokers: bootstrap: localhost:9092",
        "12:40: steps.a.lookup.table.topic: `ra tes` is no topic's name — use 1 to 249 of a-z, A-Z, 0-9, `.`, `_` and `-`",
        "12:50: steps.a.lookup.table.path: belongs to connector file, not to kafka — remove it",
        "12:67: steps.a.lookup.table.format: Avro messages need a schema registry — name it: registry: http://localhost:8081",
        "12:86: steps.a.lookup.table.properties.isolation.level: cannot be set: Weir reads committed records only — remove it",
      ])
  }

  @Test func everyFaultOfATableThatIsAskedIsFoundInOnePass() {
    expect(
      steps: """
        a:
          from: usage
          lookup:
            table:
              connector: http
              url: ftp://r/{service}
              timeout: 5
              retry: {attempts: 0, backof: 1s}
              breaker: {failures: no}
              path: rates.csv
            on: [service]
            take: {rate: double}
            cache: {max_rows: 0, serve_stale: 1m, expire: 1s}
            capacity: 1000
        """,
      [
        "14:14: steps.a.lookup.table.url: `ftp://r/{service}` is no HTTP address — begin it with http:// or https://",
        "15:18: steps.a.lookup.table.timeout: `5` has no unit — write 5s, or another of ms, s, m, h, d",
        "16:27: steps.a.lookup.table.retry.attempts: 0 is out of range — write at least 1",
        "16:30: steps.a.lookup.table.retry.backof: is not known — did you mean `backoff`?",
        "17:29: steps.a.lookup.table.breaker.failures: `no` is no whole number — write digits only, such as 10",
        "18:9: steps.a.lookup.table.path: belongs to connector file, not to http — remove it",
        "21:25: steps.a.lookup.cache.max_rows: 0 is out of range — write at least 1",
        "21:28: steps.a.lookup.cache.serve_stale: nothing becomes stale — say when: expire_after_write: 60s",
        "21:45: steps.a.lookup.cache.expire: is not known — known here: max_rows, expire_after_write, expire_after_access, serve_stale, cache_missing",
        "22:17: steps.a.lookup.capacity: 1000 is out of range — write at most 256",
      ])
    expect(
      steps: """
        a:
          from: usage
          lookup:
            table: {connector: http, url: "http://r/{servce}", columns: {rat: x.y}, check: rate}
            on: [service, account_id]
            take: {rate: double}
        """,
      [
        "12:37: steps.a.lookup.table.url: `{servce}` is no column of the stream that `on` names — did you mean `service`?",
        "12:68: steps.a.lookup.table.columns.rat: `rat` is not taken — did you mean `rate`?",
        "12:86: steps.a.lookup.table.check: the condition is double, not boolean — compare it with something, as in `rate > 0`",
      ])
    expect(
      steps: """
        a:
          from: usage
          lookup: {table: {connector: http, url: "http://r/{service}"}, on: [service, account_id], take: {rate: double}}
        b:
          from: usage
          lookup: {table: {connector: postgres, table: r, query: "select 1"}, on: [service], take: {rate: double}}
        """,
      [
        "11:44: steps.a.lookup.table.url: the address does not depend on `account_id`, which `on` names — put {account_id} into it, or take the column out of `on`",
        "14:14: steps.b.lookup.table.connection: is missing — write where the database is: connection: \"host=db dbname=billing\"",
        "14:43: steps.b.lookup.table.table: stands beside `query` — leave one of them",
      ])
  }

  @Test func secretsAreNotShown() throws {
    for table in [
      "{connector: http, url: \"http://r/{service}\", headers: {Authorization: hunter2}}",
      "{connector: postgres, connection: \"host=db password=hunter2\", table: rates}",
    ] {
      let steps =
        "a: {from: usage, lookup: {table: \(table), on: [service], take: {rate: double}, cache: {expire_after_write: 60s}}}"
      let plan = try load(topology(steps: steps, sinks: ["a"]))
      for text in [
        PlanExplainer.text(plan), PlanExplainer.json(plan), PlanExplainer.mermaid(plan), PlanExplainer.flinkSQL(plan),
      ] {
        #expect(!text.contains("hunter2"), "\(text)")
      }
      #expect(PlanExplainer.text(plan).contains("  cache       10000 rows, for 1m, 16 requests at once\n"))
    }
  }
}
