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
      ["9:48: steps.a.lookup.table.connector: there is no connector `redis` here — use file"])
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
