import Connectors
import Formats
import StreamModel

/// A plan as JSON. Durations are in milliseconds, sizes in bytes, rates in rows a second.
struct PlanObject {
  let plan: LogicalPlan

  var value: JSONText {
    .object([
      ("weir", .integer(1)),
      ("topology", .string(plan.name)),
      ("description", .string(plan.description)),
      ("file", .string(plan.file)),
      ("parallelism", .integer(Int64(plan.parallelism))),
      ("checkpoint", checkpoint),
      ("state", .object([("memory_bytes", .integer(Int64(plan.stateMemoryBytes)))])),
      ("restart", restart),
      ("sources", .array(plan.sources.map(source))),
      ("steps", .array(plan.steps.map(step))),
      ("sinks", .array(plan.sinks.map(sink))),
      ("dead_letters", sink(plan.deadLetters)),
      ("views", .array(plan.views.map(view))),
      ("notes", .array(plan.notes.map(JSONText.string))),
    ])
  }

  private var checkpoint: JSONText {
    .object([
      ("interval_ms", .integer(plan.checkpoint.intervalMilliseconds)),
      ("directory", .string(plan.checkpoint.directory)),
      ("retain", .integer(Int64(plan.checkpoint.retain))),
      ("timeout_ms", .integer(plan.checkpoint.timeoutMilliseconds)),
      ("min_pause_ms", .integer(plan.checkpoint.minPauseMilliseconds)),
    ])
  }

  private var restart: JSONText {
    .object([
      ("attempts", .integer(Int64(plan.restart.attempts))),
      ("initial_backoff_ms", .integer(plan.restart.initialBackoffMilliseconds)),
      ("max_backoff_ms", .integer(plan.restart.maxBackoffMilliseconds)),
    ])
  }

  func columns(_ schema: Schema) -> JSONText {
    .array(
      schema.fields.map { field in
        .object([
          ("name", .string(field.name)), ("type", .string(field.type.description)), ("nullable", .flag(field.nullable)),
        ])
      })
  }

  func names(_ columns: [Int], _ schema: Schema?) -> JSONText {
    .array(columns.map { .string(schema?[$0].name ?? "") })
  }

  func optional(_ milliseconds: Int64?) -> JSONText { milliseconds.map(JSONText.integer) ?? .null }

  // MARK: Sources and sinks

  private func source(_ source: SourcePlan) -> JSONText {
    let computed = source.computed.enumerated().map { index, expression in
      (
        source.outputSchema[source.decodedSchema.count + source.metadata.count + index].name,
        JSONText.string(expression.text)
      )
    }
    return .object([
      ("name", .string(source.name)),
      ("connector", .string(source.connector.name)),
      ("settings", settings(source.connector)),
      ("format", format(source.format)),
      ("columns", columns(source.outputSchema)),
      ("computed", .object(computed)),
      ("event_time", source.eventTime.map { .string(source.outputSchema[$0].name) } ?? .null),
      ("watermark_delay_ms", .integer(source.watermarkDelayMilliseconds)),
      ("idle_after_ms", optional(source.idleAfterMilliseconds)),
      ("on_error", .string(source.onError.rawValue)),
      ("rate", source.rate.map(JSONText.number) ?? .null),
    ])
  }

  private func settings(_ connector: SourceConnector) -> JSONText {
    switch connector {
    case .file(let spec): .object([("path", .string(spec.path)), ("one_partition", .flag(spec.isOnePartition))])
    case .generator(let spec):
      .object([
        ("rows", optional(spec.rows)),
        ("seed", .integer(Int64(truncatingIfNeeded: spec.seed))),
        ("accounts", .integer(Int64(spec.accounts))),
        ("start", .string(CivilTime.formatTimestamp(spec.start))),
        ("records_per_event_second", .number(spec.recordsPerEventSecond)),
        (
          "anomalies",
          .object([
            ("duplicates", .number(spec.duplicates)), ("missing", .number(spec.missing)),
            ("corrupt", .number(spec.corrupt)),
            ("late", .number(spec.late)), ("spikes", .number(spec.spikes)),
          ])
        ),
        ("frauds_per_day", .integer(Int64(spec.fraudCasesPerDay))),
        ("truth", spec.truthPath.map(JSONText.string) ?? .null),
      ])
    case .kafka(let spec): kafka(spec)
    }
  }

  /// Without the properties' values, one of which may be secret.
  private func kafka(_ spec: KafkaSourceSpec) -> JSONText {
    .object([
      ("topics", .string(spec.topics.phrase)), ("bootstrap", .string(spec.cluster.bootstrap)),
      ("group", .string(spec.group ?? plan.name)), ("start", .string(spec.start.phrase)),
      ("bounded", .flag(spec.isBounded)), ("discover_ms", .integer(spec.discoveryMilliseconds)),
      ("properties", .array(spec.cluster.properties.keys.sorted().map(JSONText.string))),
    ])
  }

  private func kafka(_ spec: KafkaSinkSpec, _ schema: Schema) -> [(String, JSONText)] {
    [
      ("topic", .string(spec.topic)), ("bootstrap", .string(spec.cluster.bootstrap)), ("format", format(spec.format)),
      ("key", names(spec.key, schema)),
      ("properties", .array(spec.cluster.properties.keys.sorted().map(JSONText.string))),
    ]
  }

  func format(_ format: Format) -> JSONText {
    .object([("name", .string(format.name))] + options(format))
  }

  private func options(_ format: Format) -> [(String, JSONText)] {
    switch format {
    case .json, .raw: []
    case .csv(let options):
      [
        ("header", .flag(options.header)), ("delimiter", .string(String(Unicode.Scalar(options.delimiter)))),
        ("quote", .string(String(Unicode.Scalar(options.quote)))),
      ]
    case .avro(let options):
      [
        ("codec", .string(options.codec.rawValue)), ("schema_name", .string(options.recordName)),
        ("reader_schema", options.readerSchema?.rootRecord.map { .string($0.name) } ?? .null),
        ("registry", options.registry.map { .string($0.url) } ?? .null),
        ("subject", options.subject.map(JSONText.string) ?? .null), ("register", .flag(options.registers)),
      ]
    case .debeziumJSON(let options): [("metadata", .array(options.metadata.map { .string($0.column) }))]
    }
  }

  private func sink(_ sink: SinkPlan) -> JSONText {
    var settings: [(String, JSONText)] = []
    if case .file(let path, let fileFormat) = sink.connector {
      settings = [("path", .string(path)), ("format", format(fileFormat))]
    } else if case .kafka(let spec) = sink.connector {
      settings = kafka(spec, sink.schema)
    }
    return .object([
      ("name", .string(sink.name)),
      ("from", references(sink.inputs)),
      ("connector", .string(sink.connector.name)),
      ("settings", .object(settings)),
      ("delivery", isDelivered(sink) ? .string(sink.delivery.rawValue) : .null),
      ("columns", columns(sink.schema)),
    ])
  }

  private func isDelivered(_ sink: SinkPlan) -> Bool { if case .blackhole = sink.connector { false } else { true } }

  private func view(_ view: ViewPlan) -> JSONText {
    .object([
      ("name", .string(view.name)), ("from", .string(view.input.description)),
      ("key", names(view.key, view.schema)), ("retain_ms", optional(view.retainMilliseconds)),
      ("account", view.account.map { .string(view.schema[$0].name) } ?? .null),
      ("mask", names(view.masked, view.schema)),
      ("columns", columns(view.schema)),
    ])
  }

  func references(_ references: [StreamReference]) -> JSONText {
    .array(references.map { .string($0.description) })
  }
}
