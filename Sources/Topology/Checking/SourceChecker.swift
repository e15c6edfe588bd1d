import Connectors
import Expressions
import Formats
import StreamModel

/// Checks one source.
struct SourceChecker {
  let name: String
  let section: Section
  /// The directory that relative paths are relative to.
  let base: String

  /// What checking gave: the plan where nothing is wrong, the stream as far as it is known.
  struct Outcome {
    var plan: SourcePlan?
    var stream: StreamShape?
  }

  func check(notes: inout [String]) -> Outcome {
    let connector = ConnectorLanguage.read(
      section, among: ConnectorLanguage.sources, common: ConnectorLanguage.sourceKeys, notes: &notes)
    let isGenerator = connector?.name == "generator"
    var format = FormatChecker(section: section, base: base).read(
      allowed: isGenerator ? ["json", "csv"] : ["json", "csv", "avro", "debezium-json", "raw"])
    let settings = connector.flatMap(readConnector)
    let policy = readErrorPolicy()
    let rate = section["rate"].map { $0.number({ $0 > 0 && $0 <= 1e12 }, "a number of rows a second, more than 0") }
    guard let decoded = readSchema(&format, isGenerator: isGenerator) else {
      checkWithoutSchema()
      return Outcome()
    }
    var stream = StreamShape(schema: Schema(decoded.fields), opaque: decoded.opaque, hasEventTime: false)
    let metadata = addMetadata(of: settings, to: &stream)
    let computed = readComputed(over: &stream)
    let time = readEventTime(&stream, isGenerator: isGenerator)
    guard let settings, let format, let policy, let computed, let time, rate != .some(nil) else {
      return Outcome(stream: stream)
    }
    let plan = SourcePlan(
      name: name, connector: settings, format: format, decodedSchema: Schema(decoded.fields),
      epochSecondColumns: decoded.epochSecondColumns, computed: computed, outputSchema: stream.schema,
      eventTime: time.column, watermarkDelayMilliseconds: time.delay, idleAfterMilliseconds: time.idleAfter,
      onError: policy, rate: rate ?? nil, metadata: metadata)
    return Outcome(plan: plan, stream: stream)
  }

  private func readErrorPolicy() -> ErrorPolicy? {
    guard let item = section["on_error"] else { return .deadLetter }
    return item.choice(["dead_letter", "skip", "fail"]).flatMap(ErrorPolicy.init(rawValue:))
  }

  // MARK: Connectors

  private func readConnector(_ connector: ConnectorLanguage) -> SourceConnector? {
    switch connector.name {
    case "file": readFile()
    case "generator": GeneratorChecker(section: section, base: base).check().map(SourceConnector.generator)
    case "kafka": KafkaChecker(section: section, base: base).source()
    default: nil
    }
  }

  private func readFile() -> SourceConnector? {
    let order = section["order"].map { $0.choice(["name"]) }
    guard let item = section.required("path", "a file, a directory or a glob: path: ../data/usage"),
      let path = PathText.read(item, relativeTo: base), order != .some(nil)
    else { return nil }
    return .file(FileSourceSpec(path: path, isOnePartition: order != nil))
  }

  // MARK: Columns

  private func readSchema(_ format: inout Format?, isGenerator: Bool) -> ReadSchema? {
    guard let item = section["schema"] else {
      if format == .raw { return .rawRecord }
      if case .avro(let options) = format, let schema = options.readerSchema { return .avro(schema) }
      if isGenerator { return .usageRecord }
      _ = section.required("schema", "the columns and their types, such as `schema: {record_id: string not null}`")
      return nil
    }
    guard let schema = ReadSchema.read(item) else { return nil }
    if format == .raw, schema.opaque.isEmpty,
      schema.fields.count != 1 || schema.fields[0].name != "value" || schema.fields[0].type.layout != .view
    {
      item.keyFault(
        "format raw gives one column, `value` of type bytes or string",
        "write `schema: {value: bytes not null}`, or leave it out"
      )
    }
    if case .avro(let options) = format, let reader = options.readerSchema { check(schema, reader, item) }
    guard case .debeziumJSON = format else { return schema }
    guard let (columns, options) = DebeziumChecker(section: section, columns: schema).check() else {
      format = nil
      return schema
    }
    format = .debeziumJSON(options)
    return columns
  }

  /// Every column is a field of the reader's schema, of a type that a column can have.
  private func check(_ schema: ReadSchema, _ reader: AvroSchema, _ item: Item) {
    let fields = reader.rootRecord?.fields ?? []
    for column in schema.fields {
      guard let field = fields.first(where: { $0.name == column.name }) else {
        item.peek(column.name)?.keyFault(
          "the reader's schema has no field of this name",
          NearestName.suggestion(for: column.name, among: fields.map(\.name), otherwise: "add it there"))
        continue
      }
      if AvroColumns.type(of: field.type, in: reader) == nil {
        item.peek(column.name)?.keyFault(
          "its type in the reader's schema is none that a column can have", "leave the column out")
      }
    }
  }

  /// Columns of what a record has beside its value, added behind the decoded ones.
  private func addMetadata(of connector: SourceConnector?, to stream: inout StreamShape) -> [Field] {
    guard case .kafka(let spec) = connector, let section = section["message"]?.openSection(expected: "columns") else {
      return []
    }
    for column in spec.metadata where stream.schema.index(of: column.name) != nil {
      section[column.name]?.keyFault(
        "`\(Shown.text(column.name))` is a column of the schema already", "give this one another name")
    }
    let fields = spec.metadata.map(\.field).filter { stream.schema.index(of: $0.name) == nil }
    stream.schema = Schema(stream.schema.fields + fields)
    return fields
  }

  /// Expressions over the decoded columns, added behind them.
  private func readComputed(over stream: inout StreamShape) -> [ScalarExpression]? {
    guard let item = section["computed"] else { return [] }
    guard let computed = item.openSection(expected: "columns and their expressions") else { return nil }
    let decoded = stream
    var fields = stream.schema.fields
    var expressions: [ScalarExpression] = []
    for (name, item) in computed.items where Names.checkColumn(name, item) {
      guard decoded.schema.index(of: name) == nil, !decoded.opaque.contains(name) else {
        item.keyFault(
          "`\(Shown.text(name))` is a column of the schema already", "give the computed column another name")
        continue
      }
      if let expression = ExpressionText.scalar(item, over: decoded) {
        expressions.append(expression)
        fields.append(Field(name, expression.type, nullable: expression.nullable))
      } else {
        stream.opaque.insert(name)
      }
    }
    stream.schema = Schema(fields)
    return expressions.count == computed.entries.count ? expressions : nil
  }

  /// What can be checked of a source whose columns are not known.
  private func checkWithoutSchema() {
    _ = section["event_time"]?.scalar("a timestamp column")
    _ = section["computed"]?.openSection(expected: "columns and their expressions")
    _ = readWatermark()
  }

  // MARK: Time

  private struct TimeSettings {
    var column: Int?
    var delay: Int64 = 0
    var idleAfter: Int64?
  }

  private func readEventTime(_ stream: inout StreamShape, isGenerator: Bool) -> TimeSettings? {
    let watermark = readWatermark()
    guard let item = section["event_time"] else {
      let column = stream.schema.index(of: "started_at")
      if isGenerator, let column, stream.schema[column].type == .timestamp {
        stream.hasEventTime = true
        return watermark.map { TimeSettings(column: column, delay: $0.delay, idleAfter: $0.idleAfter) }
      }
      section["watermark"]?.keyFault(
        "a watermark needs an event time", "name the timestamp column: event_time: started_at")
      return section["watermark"] == nil ? TimeSettings() : nil
    }
    // A faulty event time is one all the same: the steps are not blamed for it.
    stream.hasEventTime = true
    guard let column = stream.column(item) else { return nil }
    let type = stream.schema[column].type
    guard type == .timestamp else {
      item.fault(
        "the column `\(stream.schema[column].name)` is \(type), not a timestamp",
        type == .int64
          ? "declare it as timestamp (milliseconds) or timestamp(epoch_s) in the schema"
          : "declare it as timestamp, or add a timestamp under `computed:` with parse_timestamp")
      return nil
    }
    return watermark.map { TimeSettings(column: column, delay: $0.delay, idleAfter: $0.idleAfter) }
  }

  private func readWatermark() -> TimeSettings? {
    guard let item = section["watermark"] else { return TimeSettings() }
    guard let watermark = item.section(["delay", "idle_after"], expected: "{delay: 10s, idle_after: 30s}") else {
      return nil
    }
    let delay = watermark["delay"].map { $0.duration() }
    let idleAfter = watermark["idle_after"].map { $0.duration(atLeast: 1) }
    guard delay != .some(nil), idleAfter != .some(nil) else { return nil }
    return TimeSettings(column: nil, delay: (delay ?? nil) ?? 0, idleAfter: idleAfter ?? nil)
  }
}

/// Paths as a topology gives them.
enum PathText {
  static func read(_ item: Item, relativeTo base: String) -> String? {
    guard let scalar = item.scalar("a path") else { return nil }
    guard !scalar.text.isEmpty, !scalar.text.utf8.contains(0) else {
      item.fault("`\(scalar.shown)` is no path", "write a path; a relative one is relative to the topology file")
      return nil
    }
    return TopologyFile.absolute(scalar.text, relativeTo: base)
  }
}
