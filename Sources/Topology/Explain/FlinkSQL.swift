import Connectors
import Expressions
import Formats
import Operators
import StreamModel

/// A plan as a Flink SQL script: a table for each source, a view for each step, one statement set that fills the sinks.
///
/// Written for Flink 2 and its SQL client. Where Flink has no counterpart a comment says so and why, and what reads the step is left
/// out too, with the reason. Every stream has a column `weir_time`, its rows' event time, which Flink needs as a time attribute.
struct FlinkSQL {
  let plan: LogicalPlan
  static let timeColumn = "weir_time"

  var text: String {
    var blocks = [header.joined(separator: "\n"), settings.joined(separator: "\n")]
    var missing: [String: String] = [:]
    for source in plan.sources { blocks.append(FlinkSource(source: source).statement) }
    for step in plan.steps {
      let absent = (step.inputs + step.rightInputs).first { missing[$0.description] != nil }
      if let absent {
        let reason = "it reads `\(absent)`, which is not translated"
        missing[step.name] = reason
        blocks.append(FlinkSQL.comment("step \(step.name): not translated: \(reason)"))
      } else {
        let translated = FlinkStep(plan: plan, step: step).translate()
        if !translated.isComplete { missing[step.name] = translated.statement }
        blocks.append(translated.statement)
      }
      for (port, _) in step.portsInOrder { blocks += portView(port, of: step, &missing) }
    }
    let (tables, inserts) = sinks(missing)
    blocks += tables
    if !inserts.isEmpty {
      blocks.append("EXECUTE STATEMENT SET\nBEGIN\n" + inserts.joined(separator: "\n") + "\nEND;")
    }
    return blocks.joined(separator: "\n\n") + "\n"
  }

  static func comment(_ text: String) -> String { "-- " + Shown.text(text, longest: 4000) }

  private var header: [String] {
    [
      FlinkSQL.comment("\(plan.name)\(plan.description.isEmpty ? "" : ": \(plan.description)")"),
      "-- Translated by `weir explain --format flink-sql`. What is not the same in Flink, whatever the topology:",
      "-- a record that does not decode or a row that cannot be evaluated fails the job or becomes NULL, where Weir makes a dead letter;",
      "-- late rows are dropped, and counted only in a metric; int64 sums and products wrap round instead of failing the row;",
      "-- a watermark comes every 200 ms, so which rows are late depends on timing.",
    ]
  }

  private var settings: [String] {
    var lines = [
      "SET 'pipeline.name' = \(FlinkText.literal(plan.name));",
      "SET 'table.local-time-zone' = 'UTC';",
      "SET 'parallelism.default' = '\(plan.parallelism)';",
      "SET 'execution.checkpointing.interval' = '\(plan.checkpoint.intervalMilliseconds) ms';",
      "SET 'execution.checkpointing.timeout' = '\(plan.checkpoint.timeoutMilliseconds) ms';",
    ]
    if let idle = plan.sources.compactMap(\.idleAfterMilliseconds).max() {
      lines.append("SET 'table.exec.source.idle-timeout' = '\(idle) ms';")
    }
    return lines
  }

  /// The view of a side port that something reads.
  private func portView(_ port: SidePort, of step: StepPlan, _ missing: inout [String: String]) -> [String] {
    let reference = StreamReference(producer: step.name, port: port)
    guard !plan.readers(of: reference).isEmpty else { return [] }
    if missing[step.name] == nil, let view = FlinkStep(plan: plan, step: step).port(port) { return [view] }
    let reason =
      port == .late
      ? "Flink drops late rows" : "Flink's operators have one output, and this one cannot be computed anew"
    missing[reference.description] = reason
    return [FlinkSQL.comment("port \(reference): not translated: \(reason)")]
  }

  // MARK: - Sinks

  private func sinks(_ missing: [String: String]) -> (tables: [String], inserts: [String]) {
    var tables: [String] = []
    var inserts: [String] = []
    for sink in plan.sinks {
      let read = sink.inputs.filter { missing[$0.description] == nil }
      for absent in sink.inputs where missing[absent.description] != nil {
        tables.append(FlinkSQL.comment("sink \(sink.name): lacks `\(absent)`, which is not translated"))
      }
      guard !read.isEmpty else { continue }
      if let running = read.first(where: isRunning), case .file = sink.connector {
        tables.append(
          FlinkSQL.comment(
            "sink \(sink.name): not translated: `\(running)` updates its rows, and Flink's files take no updates: name an upsert table here"
          ))
        continue
      }
      tables.append(table(sink))
      let names = sink.schema.fields.map { FlinkText.name($0.name) }.joined(separator: ", ")
      let selects = read.map { "SELECT \(names) FROM \(FlinkSQL.view($0))" }
      inserts.append("INSERT INTO \(FlinkSQL.sinkTable(sink))\n\(selects.joined(separator: "\nUNION ALL\n"));")
    }
    return (tables, inserts)
  }

  private func isRunning(_ reference: StreamReference) -> Bool {
    guard let step = plan.steps.first(where: { $0.name == reference.producer }) else { return false }
    switch step.operation {
    case .aggregate(let spec): return spec.window == .none
    case .filter, .project, .deduplicate, .lookup: return step.inputs.contains(where: isRunning)
    case .join, .match, .rate, .invoice: return false
    }
  }

  /// Sinks and steps may have the same names; Flink's tables and views may not.
  private static func sinkTable(_ sink: SinkPlan) -> String { FlinkText.name("sink_\(sink.name)") }

  static func view(_ reference: StreamReference) -> String {
    FlinkText.name(reference.port.map { "\(reference.producer)_\($0.rawValue)" } ?? reference.producer)
  }

  private func table(_ sink: SinkPlan) -> String {
    let columns = sink.schema.fields.map { "  \(FlinkText.name($0.name)) \(FlinkText.type($0.type))" }
    var options: [(String, String)]
    var notes: [String] = []
    switch sink.connector {
    case .file(let path, let format):
      options = [("connector", "filesystem"), ("path", path)] + FlinkSource.options(format, onError: nil)
      if case .csv(let csv) = format, csv.header { notes.append("Flink writes no header line") }
    case .kafka(let spec):
      options = FlinkKafka.options(spec, sink.schema, job: plan.name) + FlinkSource.options(spec.format, onError: nil)
      notes += FlinkKafka.notes(spec.cluster)
    case .console: options = [("connector", "print")]
    case .blackhole: options = [("connector", "blackhole")]
    }
    return FlinkSQL.statement(
      "CREATE TEMPORARY TABLE \(FlinkSQL.sinkTable(sink)) (\n\(columns.joined(separator: ",\n"))\n)", options,
      notes.map { "sink \(sink.name): \($0)" })
  }

  static func statement(_ head: String, _ options: [(String, String)], _ notes: [String]) -> String {
    let lines = options.map { "  \(FlinkText.literal($0.0)) = \(FlinkText.literal($0.1))" }
    return (notes.map(FlinkSQL.comment) + ["\(head) WITH (\n\(lines.joined(separator: ",\n"))\n);"])
      .joined(separator: "\n")
  }
}

/// A source as a Flink table.
struct FlinkSource {
  let source: SourcePlan

  var statement: String {
    var notes: [String] = []
    var columns = source.decodedSchema.fields.map {
      "  \(FlinkText.name($0.name)) \(FlinkText.type($0.type))\($0.nullable ? "" : " NOT NULL")"
    }
    if case .kafka(let spec) = source.connector { columns += FlinkKafka.columns(spec, &notes) }
    let read = Schema(source.decodedSchema.fields + source.metadata)
    for (index, expression) in source.computed.enumerated() {
      let name = source.outputSchema[read.count + index].name
      let translated = FlinkText.scalar(expression.text, schema: read)
      notes += translated.notes
      columns.append("  \(FlinkText.name(name)) AS \(translated.sql)")
    }
    columns += timeColumns
    if !source.epochSecondColumns.isEmpty {
      notes.append("whole numbers in timestamp(epoch_s) columns are seconds here")
    }
    if source.eventTime == nil { notes.append("without an event time there are no windows on it") }
    if source.onError == .deadLetter { notes.append("records that do not decode are skipped there, dead letters here") }
    if let rate = source.rate { notes.append("at most \(PlanText.number(rate)) rows/s here") }
    if case .csv(let csv) = source.format, csv.header {
      notes.append("Flink takes a header line for a record: take it out of the files")
    }
    return FlinkSQL.statement(
      "CREATE TEMPORARY TABLE \(FlinkText.name(source.name)) (\n\(columns.joined(separator: ",\n"))\n)",
      options(&notes), notes.map { "source \(source.name): \($0)" })
  }

  private var timeColumns: [String] {
    guard let index = source.eventTime else { return [] }
    let name = FlinkText.name(FlinkSQL.timeColumn)
    // Weir's watermark is one millisecond behind, as a row at the watermark itself is late.
    let delay = FlinkText.interval(milliseconds: source.watermarkDelayMilliseconds + 1)
    return [
      "  \(name) AS \(FlinkText.name(source.outputSchema[index].name))",
      "  WATERMARK FOR \(name) AS \(name) - \(delay)",
    ]
  }

  private func options(_ notes: inout [String]) -> [(String, String)] {
    let path: String
    switch source.connector {
    case .file(let spec):
      path = spec.path
      if path.hasSuffix(".zst") { notes.append("Flink reads gzip through, and no Zstandard") }
    case .generator:
      path = "/tmp/usage"
      notes.append("Flink has no usage generator: write its records with `weir generate --output /tmp/usage`")
    case .kafka(let spec):
      notes += FlinkKafka.notes(spec.cluster)
      return FlinkKafka.options(spec, source: source.name) + FlinkSource.options(source.format, onError: source.onError)
    }
    return [("connector", "filesystem"), ("path", path)] + FlinkSource.options(source.format, onError: source.onError)
  }

  /// The options of a format; `onError` for one that is read.
  static func options(_ format: Format, onError: ErrorPolicy?) -> [(String, String)] {
    let skips = onError.map { $0 == .fail ? "false" : "true" }
    switch format {
    case .json:
      return [("format", "json"), ("json.timestamp-format.standard", "ISO-8601")]
        + (skips.map { [("json.ignore-parse-errors", $0)] } ?? [("json.encode.decimal-as-plain-number", "true")])
    case .csv(let csv):
      return [
        ("format", "csv"), ("csv.field-delimiter", String(Unicode.Scalar(csv.delimiter))),
        ("csv.quote-character", String(Unicode.Scalar(csv.quote))),
      ] + (skips.map { [("csv.ignore-parse-errors", $0)] } ?? [])
    case .raw: return [("format", "raw")]
    case .avro: return [("format", "avro")]
    case .debeziumJSON: return [("format", "debezium-json")]
    }
  }
}
