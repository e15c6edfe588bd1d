import StreamModel

extension TestTopology {
  /// The topology as a file; outputs go below `${OUT}`.
  var yaml: String {
    let lines =
      ["weir: 1", "topology: \(name)", "parallelism: 1", "checkpoint: {directory: '${OUT}/checkpoints'}"]
      + ["dead_letters: {connector: file, path: '${OUT}/dead-letters', format: json}", "sources:"]
      + sources.flatMap(\.yaml) + (steps.isEmpty ? [] : ["steps:"]) + steps.flatMap(\.yaml) + ["sinks:"]
      + sinks.map(\.yaml)
    return lines.joined(separator: "\n") + "\n"
  }

  /// A text as YAML, whatever it holds.
  static func quoted(_ text: String) -> String { "'\(text.replacing("'", with: "''"))'" }

  static func list(_ names: [String]) -> String { "[\(names.joined(separator: ", "))]" }

  static func inputs(_ streams: [StreamName]) -> String {
    streams.count == 1 ? streams[0].text : list(streams.map(\.text))
  }
}

extension TestSource {
  fileprivate var yaml: [String] {
    [
      "  \(name):", "    connector: file", "    path: in/\(name)",
      "    format: \(format == .json ? "json" : "csv")",
      "    schema: {\(fields.map { "\($0.name): \(TestTopology.quoted("\($0.type)\($0.nullable ? "" : " not null")"))" }.joined(separator: ", "))}",
      "    event_time: \(fields[eventTime].name)",
      "    watermark: {delay: \(TestTimes.duration(delay))}",
    ] + (isOnePartition ? ["    order: name"] : []) + (reportsErrors ? [] : ["    on_error: skip"])
  }
}

extension TestSink {
  fileprivate var yaml: String {
    let format = format == .json ? "json" : "csv"
    return
      "  \(name): {from: \(TestTopology.inputs(inputs)), connector: file, path: '${OUT}/\(name)', format: \(format)}"
  }
}

extension TestStep {
  fileprivate var yaml: [String] {
    ["  \(name):", "    from: \(TestTopology.inputs(inputs))"] + operationYAML.map { "    " + $0 }
  }

  private func names(_ columns: [Int], of fields: [Field]) -> String {
    TestTopology.list(columns.map { fields[$0].name })
  }

  private var operationYAML: [String] {
    switch operation {
    case .filter(let condition): return ["filter: \(TestTopology.quoted(condition.sql))"]
    case .project(let columns, let keepsColumns):
      return ["\(keepsColumns ? "extend" : "select"):"]
        + columns.map { "  \($0.name): \(TestTopology.quoted($0.expression.sql))" }
    case .deduplicate(let key, let within, _):
      return ["deduplicate: {key: \(names(key, of: inputFields)), within: \(TestTimes.duration(within))}"]
    case .aggregate(let step): return ["aggregate:"] + aggregateYAML(step).map { "  " + $0 }
    case .join(let join):
      let pairs = zip(join.leftKey, join.rightKey).map { (inputFields[$0].name, join.rightFields[$1].name) }
      let on =
        pairs.allSatisfy { $0 == $1 }
        ? TestTopology.list(pairs.map(\.0)) : "{\(pairs.map { "\($0): \($1)" }.joined(separator: ", "))}"
      let bounds = [join.lower, join.upper].map { "\($0 < 0 ? "-" : "")\(TestTimes.duration(abs($0)))" }
      return [
        "join: {with: \(TestTopology.inputs(rightInputs)), on: \(on), between: \(TestTopology.list(bounds)), type: \(join.isLeft ? "left" : "inner")}"
      ]
    }
  }

  private func aggregateYAML(_ step: TestAggregateStep) -> [String] {
    var lines = ["key: \(names(step.key, of: inputFields))"]
    if let window = step.window { lines.append("window: \(window.yaml)") }
    lines += ["values:"] + step.values.map { "  \($0.name): \(TestTopology.quoted($0.sql))" }
    if step.lateness > 0 { lines.append("allowed_lateness: \(TestTimes.duration(step.lateness))") }
    if let every = step.emitEvery { lines.append("emit: {\(step.window == nil ? "every" : "early"): \(every)ms}") }
    return lines
  }
}
