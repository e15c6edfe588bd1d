import Testing

@testable import Topology

@Suite struct FlinkSQLTests {
  private func sql(_ steps: String, sinks: [String]) throws -> String {
    PlanExplainer.flinkSQL(try load(topology(steps: steps, sinks: sinks)))
  }

  /// The expression that `text` becomes as the column `x` of a `select`.
  private func expression(_ text: String) throws -> String {
    let script = try sql("a: {from: usage, select: {x: \"\(text)\"}}", sinks: ["a"])
    let line = script.split(separator: "\n").first { $0.hasPrefix("SELECT CAST(") } ?? ""
    return String(line.dropFirst("SELECT CAST(".count)).replacingOccurrences(" AS `x`,", "")
  }

  @Test func script_hasATableForTheSource_aViewForTheStep_andFillsTheSink() throws {
    let text = try sql(
      """
      big: {from: usage, filter: quantity > 5}
      hour: {from: big, aggregate: {key: [account_id], window: {tumble: 1h}, values: {s: sum(quantity), m: avg(day)}}}
      """, sinks: ["hour"])
    for part in [
      """
      CREATE TEMPORARY TABLE `usage` (
        `record_id` STRING NOT NULL,
        `account_id` STRING NOT NULL,
        `service` STRING,
        `quantity` DECIMAL(18, 3),
        `started_at` TIMESTAMP_LTZ(3) NOT NULL,
        `day` BIGINT,
        `weir_time` AS `started_at`,
        WATERMARK FOR `weir_time` AS `weir_time` - INTERVAL '0.001' SECOND(2, 3)
      ) WITH (
        'connector' = 'filesystem',
        'path' = '/in',
        'format' = 'json',
        'json.timestamp-format.standard' = 'ISO-8601',
        'json.ignore-parse-errors' = 'true'
      );
      """,
      """
      CREATE TEMPORARY VIEW `big` AS
      SELECT *
      FROM `usage`
      WHERE (`quantity` > 5);
      """,
      """
      CREATE TEMPORARY VIEW `hour` AS
      SELECT `account_id`,
        CAST(window_start AS TIMESTAMP_LTZ(3)) AS `window_start`,
        CAST(window_end AS TIMESTAMP_LTZ(3)) AS `window_end`,
        CAST(SUM(`quantity`) AS DECIMAL(38, 3)) AS `s`,
        CAST(AVG(CAST(`day` AS DECIMAL(19, 0))) AS DECIMAL(38, 6)) AS `m`,
        window_time AS `weir_time`
      FROM TABLE(TUMBLE(TABLE `big`, DESCRIPTOR(`weir_time`), INTERVAL '1' HOUR))
      GROUP BY `account_id`, window_start, window_end, window_time;
      """,
      """
      EXECUTE STATEMENT SET
      BEGIN
      INSERT INTO `sink_all`
      SELECT `account_id`, `window_start`, `window_end`, `s`, `m` FROM `hour`;
      END;
      """,
    ] { #expect(text.contains(part), "\(part)\n-- in --\n\(text)") }
  }

  @Test func everyWindowThatFlinkHas_isItsTableFunction() throws {
    for (window, function) in [
      ("{hop: 1h, every: 5m}", "HOP(TABLE `usage`, DESCRIPTOR(`weir_time`), INTERVAL '5' MINUTE, INTERVAL '1' HOUR)"),
      (
        "{cumulate: 1d, every: 1h}",
        "CUMULATE(TABLE `usage`, DESCRIPTOR(`weir_time`), INTERVAL '1' HOUR, INTERVAL '1' DAY)"
      ),
      (
        "{session: 30m}",
        "SESSION(TABLE `usage` PARTITION BY `service`, DESCRIPTOR(`weir_time`), INTERVAL '30' MINUTE)"
      ),
      (
        "{tumble: 1h, offset: 15m}",
        "TUMBLE(TABLE `usage`, DESCRIPTOR(`weir_time`), INTERVAL '1' HOUR, INTERVAL '15' MINUTE)"
      ),
      ("{tumble: week}", "TUMBLE(TABLE `usage`, DESCRIPTOR(`weir_time`), INTERVAL '7' DAY, INTERVAL '4' DAY)"),
    ] {
      let text = try sql(
        "w: {from: usage, aggregate: {key: [service], window: \(window), values: {n: count(*)}}}", sinks: ["w"])
      #expect(text.contains("FROM TABLE(\(function))"), "\(window): \(text)")
    }
  }

  @Test func whatFlinkCannot_isSaidWithItsReason_alsoOfWhatReadsIt() throws {
    let text = try sql(
      """
      month: {from: usage, aggregate: {key: [service], window: {tumble: month, cycle_day: 5}, values: {n: count(*)}}}
      large: {from: month, filter: n > 10}
      late: {from: once.late, filter: day > 1}
      once: {from: usage, deduplicate: {key: [record_id], within: 24h}}
      some: {from: usage, aggregate: {key: [service], window: {tumble: 1h}, values: {n: first(day)}, allowed_lateness: 5m}}
      """, sinks: ["large"])
    for part in [
      "-- step month: not translated: Flink's windows have a fixed length",
      "-- step large: not translated: it reads `month`, which is not translated",
      "-- port once.late: not translated: Flink drops late rows",
      "-- step late: not translated: it reads `once.late`, which is not translated",
      "-- step some: `first(day)`: goes by event time here, by arrival in Flink SQL",
      "-- step some: Flink gives each window once: no early results, and no late ones",
      "-- sink all: lacks `large`, which is not translated",
    ] { #expect(text.contains(part), "\(part)\n-- in --\n\(text)") }
    #expect(!text.contains("EXECUTE STATEMENT SET"))
  }

  @Test func portsThatFlinkCanCompute_areViews() throws {
    let text = try sql(
      """
      big: {from: usage, filter: quantity > 5}
      small: {from: big.rejected, filter: day > 1}
      once: {from: [big, small], deduplicate: {key: [record_id], within: 24h}}
      again: {from: once.duplicates, filter: day > 1}
      """, sinks: ["again"])
    for part in [
      "CREATE TEMPORARY VIEW `big_rejected` AS\nSELECT *\nFROM `usage`\nWHERE (`quantity` > 5) IS NOT TRUE;",
      "FROM `big_rejected`\n",
      "ROW_NUMBER() OVER (PARTITION BY `record_id` ORDER BY `weir_time` ASC) AS weir_rank",
      "FROM (SELECT * FROM `big` UNION ALL SELECT * FROM `small`)",
      "CREATE TEMPORARY VIEW `once_duplicates` AS\n",
    ] { #expect(text.contains(part), "\(part)\n-- in --\n\(text)") }
  }

  @Test func joins_areIntervalJoins() throws {
    let text = try sql(
      """
      right: {from: usage, select: {record_id: record_id, n: day}}
      both: {from: usage, join: {with: right, on: [record_id], between: [-5m, 10m], type: left}}
      """, sinks: ["both"])
    #expect(
      text.contains(
        "LEFT JOIN `right` r\nON l.`record_id` = r.`record_id` AND r.`weir_time` BETWEEN l.`weir_time` + INTERVAL '-5' MINUTE AND l.`weir_time` + INTERVAL '10' MINUTE"
      ), "\(text)")
  }

  @Test(arguments: [
    // Whole numbers divide exactly here, without a fraction in Flink.
    ("day / 2", "(CAST(`day` AS DECIMAL(19, 0)) / 2) AS DECIMAL(30, 11))"),
    ("quantity / 2", "(`quantity` / 2) AS DECIMAL(29, 14))"),
    ("quantity * 2.5", "(`quantity` * 2.5) AS DECIMAL(21, 4))"),
    ("day % 3", "(`day` % 3)"),
    ("length(service)", "CHAR_LENGTH(`service`) AS BIGINT)"),
    ("service like '+35%' or service is null", "((`service` LIKE '+35%') OR (`service` IS NULL)) AS BOOLEAN)"),
    ("date_trunc(hour, started_at)", "FLOOR(`started_at` TO HOUR) AS TIMESTAMP_LTZ(3))"),
    ("extract(dow from started_at)", "EXTRACT(DOW FROM `started_at`) AS BIGINT)"),
    ("timestamp_add(day, 3, started_at)", "TIMESTAMPADD(DAY, 3, `started_at`) AS TIMESTAMP_LTZ(3))"),
    ("started_at + interval '1:30' hour to minute", "(`started_at` + INTERVAL '90' MINUTE) AS TIMESTAMP_LTZ(3))"),
    ("started_at > '2026-01-01T00:00:00Z'", "(`started_at` > TO_TIMESTAMP_LTZ(1767225600000, 3)) AS BOOLEAN)"),
    (
      "case when day = 1 then 'it''s' else service end",
      "CASE WHEN (`day` = 1) THEN 'it''s' ELSE `service` END AS STRING)"
    ),
    ("coalesce(day, 0) in (1, 2)", "(COALESCE(`day`, 0) IN (1, 2)) AS BOOLEAN)"),
    ("regexp_like(service, '^a')", "REGEXP(`service`, '^a') AS BOOLEAN)"),
    ("trim(leading '0' from service)", "LTRIM(`service`, '0') AS STRING)"),
    (
      "try_parse_timestamp(service, '%d/%m/%Y %H:%M', 'Europe/Dublin')",
      "TO_TIMESTAMP_LTZ(`service`, 'dd/MM/yyyy HH:mm', 'Europe/Dublin') AS TIMESTAMP_LTZ(3))"
    ),
  ])
  func expressions_areThoseOfFlink(_ text: String, _ expected: String) throws {
    let found = try expression(text)
    #expect(found.hasPrefix(expected), "\(text) became \(found)")
  }

  @Test func theUsageTopology_isTranslatedButForItsBillingCycles() throws {
    let plan = try load(bundledTopology("usage-aggregation"))
    let text = PlanExplainer.flinkSQL(plan)
    #expect(text.contains("SESSION(TABLE `once` PARTITION BY `account_id`"))
    #expect(text.contains("-- step cycles: not translated: "))
    #expect(text.components("INSERT INTO") == 3)
  }
}

extension String {
  fileprivate func replacingOccurrences(_ part: String, _ other: String) -> String {
    split(separator: part, omittingEmptySubsequences: false).joined(separator: other)
  }
  fileprivate func components(_ part: String) -> Int {
    split(separator: part, omittingEmptySubsequences: false).count - 1
  }
}
