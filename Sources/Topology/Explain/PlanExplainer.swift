import Connectors
import Formats
import Operators
import StreamModel

/// Draws a plan for people and programs: what runs, on which columns, and where rows change hands. The same plan always
/// gives the same text.
package enum PlanExplainer {
  /// For a terminal.
  package static func text(_ plan: LogicalPlan) -> String { PlanText(plan: plan).text }

  /// A Mermaid flow chart.
  package static func mermaid(_ plan: LogicalPlan) -> String { PlanChart(plan: plan).text }

  /// A Flink SQL script; comments say what is not translatable, and why.
  package static func flinkSQL(_ plan: LogicalPlan) -> String { FlinkSQL(plan: plan).text }

  /// The same as a value.
  package static func object(_ plan: LogicalPlan) -> JSONText { PlanObject(plan: plan).value }

  /// One JSON object, its keys in a fixed order.
  package static func json(_ plan: LogicalPlan) -> String { PlanObject(plan: plan).value.text + "\n" }
}

// MARK: - What all drawings say

/// How rows get from an input to a step.
enum Exchange: Equatable {
  /// They stay where they are.
  case none
  /// Rows with equal values in these columns meet in one subtask.
  case byKey([String])
  /// All rows meet in one subtask.
  case toOne
}

extension StepPlan {
  /// The operation's key in the language.
  var operationName: String {
    switch operation {
    case .filter: "filter"
    case .project(let spec): keepsInput(spec) ? "extend" : "select"
    case .deduplicate: "deduplicate"
    case .aggregate: "aggregate"
    case .join: "join"
    case .match: "match"
    case .lookup: "lookup"
    case .rate: "rate"
    case .invoice: "invoice"
    }
  }

  /// Whether a projection's columns begin with those of its input, as `extend` gives them.
  private func keepsInput(_ spec: ProjectSpec) -> Bool {
    spec.outputSchema.count >= inputSchema.count
      && zip(inputSchema.fields, spec.outputSchema.fields).allSatisfy { $0.name == $1.name }
  }

  var leftExchange: Exchange {
    switch operation {
    case .filter, .project, .lookup: .none
    case .deduplicate(let spec): exchange(spec.key, inputSchema)
    case .aggregate(let spec): exchange(spec.key, inputSchema)
    case .join(let spec): exchange(spec.leftKey, inputSchema)
    case .match(let spec): exchange(spec.key, inputSchema)
    case .rate(let spec): exchange(spec.key, inputSchema)
    case .invoice(let spec): exchange(spec.key, inputSchema)
    }
  }

  /// Of a join's right side, whose columns are `right`.
  func rightExchange(_ right: Schema) -> Exchange {
    guard case .join(let spec) = operation else { return .none }
    return exchange(spec.rightKey, right)
  }

  private func exchange(_ key: [Int], _ schema: Schema) -> Exchange {
    key.isEmpty ? .toOne : .byKey(key.map { schema[$0].name })
  }

  /// Side ports in the order of their names.
  var portsInOrder: [(port: SidePort, schema: Schema)] {
    ports.sorted { $0.key.rawValue < $1.key.rawValue }.map { (port: $0.key, schema: $0.value) }
  }
}

/// Where the rows of a side port go.
enum PortDestination: Equatable {
  case readers([String])
  case deadLetters
  case counted

  var text: String {
    switch self {
    case .readers(let names): names.joined(separator: ", ")
    case .deadLetters: "dead_letters"
    case .counted: "counted only"
    }
  }
}

extension LogicalPlan {
  func destination(of port: SidePort, of step: StepPlan) -> PortDestination {
    let readers = readers(of: StreamReference(producer: step.name, port: port))
    if !readers.isEmpty { return .readers(readers) }
    switch port {
    case .late, .missing: return .deadLetters
    case .rejected: return step.rejectsToDeadLetters ? .deadLetters : .counted
    case .duplicates, .timedOut: return .counted
    }
  }

  /// The columns of a stream.
  func schema(of reference: StreamReference) -> Schema? {
    if let source = sources.first(where: { $0.name == reference.producer }) { return source.outputSchema }
    guard let step = steps.first(where: { $0.name == reference.producer }) else { return nil }
    return reference.port.map { step.ports[$0] } ?? step.outputSchema
  }

  /// The exchange on the way into a join's right side.
  func rightExchange(of step: StepPlan) -> Exchange {
    step.rightInputs.first.flatMap(schema).map(step.rightExchange) ?? .none
  }
}

// MARK: - Descriptions

extension WindowSpec {
  /// The window as a phrase; `schema` names the columns.
  func phrase(_ schema: Schema) -> String {
    switch self {
    case .tumble(let size, let offset): "tumble \(Durations.format(size))\(WindowSpec.phrase(offset: offset))"
    case .hop(let size, let every, let offset):
      "hop \(Durations.format(size)) every \(Durations.format(every))\(WindowSpec.phrase(offset: offset))"
    case .cumulate(let size, let every, let offset):
      "cumulate \(Durations.format(size)) every \(Durations.format(every))\(WindowSpec.phrase(offset: offset))"
    case .session(let gap): "session \(Durations.format(gap))"
    case .calendar(let unit, let timezone, let cycleDay):
      "tumble \(unit.rawValue), timezone \(WindowSpec.phrase(timezone, schema))"
        + (unit == .month ? ", cycle_day \(WindowSpec.phrase(cycleDay, schema))" : "")
    case .none: "none (running)"
    }
  }

  private static func phrase(offset: Int64) -> String { offset == 0 ? "" : ", offset \(Durations.format(offset))" }

  private static func phrase<Value>(_ setting: Setting<Value>, _ schema: Schema) -> String {
    switch setting {
    case .constant(let value): "\(value)"
    case .column(let index): "of column \(schema[index].name)"
    }
  }
}

extension MatchSpec {
  /// Each variable that has one, with its condition.
  var definitions: [(name: String, condition: String)] {
    zip(pattern.variables, conditions).compactMap { name, condition in condition.map { (name, $0.text) } }
  }

  /// Where the search goes on, as the language writes it.
  var afterMatchText: String {
    switch afterMatch {
    case .pastLastRow: "skip_past_last_row"
    case .toNextRow: "skip_to_next_row"
    case .toFirst(let variable): "skip_to_first \(pattern.variables[variable])"
    case .toLast(let variable): "skip_to_last \(pattern.variables[variable])"
    }
  }
}

extension Format {
  var name: String {
    switch self {
    case .json: "json"
    case .csv: "csv"
    case .raw: "raw"
    case .avro: "avro"
    case .debeziumJSON: "debezium-json"
    }
  }
}

extension SourceConnector {
  var name: String {
    switch self {
    case .file: "file"
    case .generator: "generator"
    case .kafka: "kafka"
    }
  }

  var phrase: String {
    switch self {
    case .file(let spec): "file \(spec.path)\(spec.isOnePartition ? ", as one partition in the order of names" : "")"
    case .generator(let spec):
      "generator of usage, \(spec.rows.map { "\($0) records" } ?? "without end"), \(spec.accounts) accounts, seed \(spec.seed)"
    case .kafka(let spec):
      "kafka \(spec.topics.phrase) at \(spec.cluster), from \(spec.start.phrase)\(spec.isBounded ? " to the end there is" : "")"
    }
  }
}

extension SinkConnector {
  var name: String {
    switch self {
    case .file: "file"
    case .kafka: "kafka"
    case .console: "console"
    case .blackhole: "blackhole"
    }
  }

  var phrase: String {
    switch self {
    case .file(let path, let format): "file \(path), \(format.name)"
    case .kafka(let spec):
      "kafka \(spec.topic) at \(spec.cluster), \(spec.format.name)\(spec.isTransactional ? ", in the job's transactions" : "")"
    case .console, .blackhole: name
    }
  }
}

extension KafkaSourceSpec.Topics {
  var phrase: String {
    switch self {
    case .named(let names): names.joined(separator: ", ")
    case .pattern(let pattern): "topics like \(pattern)"
    }
  }
}

extension KafkaSourceSpec.Start {
  var phrase: String {
    switch self {
    case .earliest: "the earliest record"
    case .latest: "the latest record"
    case .committed: "the group's offsets"
    case .timestamp(let time): CivilTime.formatTimestamp(time)
    }
  }
}
