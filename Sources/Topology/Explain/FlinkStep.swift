import Expressions
import Operators
import StreamModel

/// A step as a Flink view.
struct FlinkStep {
  let plan: LogicalPlan
  let step: StepPlan

  struct Translation {
    let statement: String
    /// Whether there is a view of the step's name.
    var isComplete = true
  }

  private static let time = FlinkText.name(FlinkSQL.timeColumn)

  func translate() -> Translation {
    switch step.operation {
    case .filter(let condition):
      let translated = FlinkText.scalar(condition.text, schema: step.inputSchema)
      return view("SELECT *\nFROM \(input)\nWHERE \(translated.sql)", translated.notes)
    case .project(let spec): return project(spec)
    case .deduplicate(let spec): return deduplicate(spec)
    case .aggregate(let spec): return aggregate(spec)
    case .join(let spec): return join(spec)
    case .lookup(let spec, let table):
      return FlinkLookup(step: step, spec: spec, table: table, input: input, hasTime: hasTime).translate()
    case .rate:
      return untranslated(
        "rating counts free units and tiers row by row, for which Flink SQL has no operation: keep it in Weir, or write a process function"
      )
    case .invoice:
      return untranslated(
        "Flink's windows follow no account's billing cycle, and its invoices would have to be written out as SQL: keep it in Weir"
      )
    case .match(let spec):
      return untranslated(
        "Flink's MATCH_RECOGNIZE has neither prev nor all of the after-match modes: write it by hand for the pattern (\(spec.patternText))"
      )
    }
  }

  /// The view of a side port; nil where it cannot be computed.
  func port(_ port: SidePort) -> String? {
    let name = FlinkSQL.view(StreamReference(producer: step.name, port: port))
    switch (step.operation, port) {
    case (.filter(let condition), .rejected):
      let translated = FlinkText.scalar(condition.text, schema: step.inputSchema)
      return "CREATE TEMPORARY VIEW \(name) AS\nSELECT *\nFROM \(input)\nWHERE \(translated.sql) IS NOT TRUE;"
    case (.deduplicate(let spec), .duplicates):
      return "CREATE TEMPORARY VIEW \(name) AS\n\(ranked(spec))\nWHERE weir_rank > 1;"
    default: return nil
    }
  }

  // MARK: - Pieces

  /// What the step reads: a view, or a union of views.
  private var input: String { FlinkStep.union(step.inputs) }

  private static func union(_ inputs: [StreamReference]) -> String {
    let views = inputs.map(FlinkSQL.view)
    if views.count == 1 { return views[0] }
    return "(" + views.map { "SELECT * FROM \($0)" }.joined(separator: " UNION ALL ") + ")"
  }

  private func view(_ query: String, _ notes: [String]) -> Translation {
    let comments = notes.map { FlinkSQL.comment("step \(step.name): \($0)") }
    let statement = "CREATE TEMPORARY VIEW \(FlinkText.name(step.name)) AS\n\(query);"
    return Translation(statement: (comments + [statement]).joined(separator: "\n"))
  }

  private func untranslated(_ reason: String) -> Translation {
    Translation(statement: FlinkSQL.comment("step \(step.name): not translated: \(reason)"), isComplete: false)
  }

  private func names(_ columns: [Int], _ schema: Schema, of alias: String = "") -> [String] {
    columns.map { alias + FlinkText.name(schema[$0].name) }
  }

  /// Whether the input has event times.
  private var hasTime: Bool { FlinkStep.hasTime(step.inputs, plan) }

  private static func hasTime(_ inputs: [StreamReference], _ plan: LogicalPlan) -> Bool {
    inputs.allSatisfy { input in
      if let source = plan.sources.first(where: { $0.name == input.producer }) { return source.eventTime != nil }
      guard let step = plan.steps.first(where: { $0.name == input.producer }) else { return false }
      if case .aggregate(let spec) = step.operation { return spec.window != .none }
      if case .match = step.operation { return true }
      if case .invoice = step.operation { return true }
      return hasTime(step.inputs, plan)
    }
  }

  // MARK: - Rows

  private func project(_ spec: ProjectSpec) -> Translation {
    var notes: [String] = []
    var items: [String] = []
    for (item, field) in zip(spec.items, spec.outputSchema.fields) {
      switch item {
      case .column(let index):
        let name = FlinkText.name(step.inputSchema[index].name)
        items.append(name == FlinkText.name(field.name) ? name : "\(name) AS \(FlinkText.name(field.name))")
      case .expression(let expression):
        let translated = FlinkText.scalar(expression.text, schema: step.inputSchema)
        notes += translated.notes
        // So that literals and Flink's own rules give no other type than the plan's.
        items.append("CAST(\(translated.sql) AS \(FlinkText.type(expression.type))) AS \(FlinkText.name(field.name))")
      }
    }
    if hasTime { items.append(FlinkStep.time) }
    return view("SELECT \(items.joined(separator: ",\n  "))\nFROM \(input)", notes)
  }

  private func deduplicate(_ spec: DeduplicateSpec) -> Translation {
    let columns = names(Array(0..<step.inputSchema.count), step.inputSchema) + (hasTime ? [FlinkStep.time] : [])
    let within = Durations.format(spec.withinMilliseconds)
    return view(
      "SELECT \(columns.joined(separator: ", "))\nFROM (\n\(ranked(spec))\n)\nWHERE weir_rank = 1",
      [
        "the first by event time stays in Flink, the first to arrive here; Flink keeps keys for ever unless 'table.exec.state.ttl' is set, not \(within) of event time"
      ])
  }

  private func ranked(_ spec: DeduplicateSpec) -> String {
    let key = names(spec.key, step.inputSchema).joined(separator: ", ")
    return
      "  SELECT *, ROW_NUMBER() OVER (PARTITION BY \(key) ORDER BY \(FlinkStep.time) ASC) AS weir_rank\n  FROM \(input)"
  }

  private func join(_ spec: JoinSpec) -> Translation {
    guard let first = step.rightInputs.first, let right = plan.schema(of: first) else {
      return untranslated("its right side is unknown")
    }
    let left = step.inputSchema
    var items = names(Array(0..<left.count), left, of: "l.")
    let added = spec.outputSchema.fields.suffix(spec.rightColumns.count)
    for (column, field) in zip(spec.rightColumns, added) {
      items.append("r.\(FlinkText.name(right[column].name)) AS \(FlinkText.name(field.name))")
    }
    items.append("l.\(FlinkStep.time)")
    let keys = zip(names(spec.leftKey, left, of: "l."), names(spec.rightKey, right, of: "r.")).map { "\($0) = \($1)" }
    let lower = FlinkText.interval(milliseconds: spec.lowerMilliseconds)
    let upper = FlinkText.interval(milliseconds: spec.upperMilliseconds)
    let bounds = "r.\(FlinkStep.time) BETWEEN l.\(FlinkStep.time) + \(lower) AND l.\(FlinkStep.time) + \(upper)"
    return view(
      "SELECT \(items.joined(separator: ", "))\nFROM \(input) l\n\(spec.kind == .left ? "LEFT " : "")JOIN \(FlinkStep.union(step.rightInputs)) r\nON \((keys + [bounds]).joined(separator: " AND "))",
      ["a pair's event time is the later of its two here; the view carries the left one's"])
  }

  // MARK: - Aggregates

  private func aggregate(_ spec: AggregateSpec) -> Translation {
    var notes: [String] = []
    let key = names(spec.key, step.inputSchema)
    let values = spec.values.map { value in
      let translated = FlinkText.aggregate(value.expression.text, schema: step.inputSchema)
      notes += translated.notes
      return "CAST(\(translated.sql) AS \(FlinkText.type(value.expression.type))) AS \(FlinkText.name(value.name))"
    }
    guard spec.window != .none else {
      let grouping = key.isEmpty ? "" : "\nGROUP BY \(key.joined(separator: ", "))"
      return view(
        "SELECT \((key + values).joined(separator: ", "))\nFROM \(input)\(grouping)",
        notes + ["gives every change of a value, not one every \(Durations.format(spec.everyMilliseconds))"])
    }
    switch FlinkStep.function(spec.window, table: table, key: key) {
    case .failure(let reason): return untranslated(reason.text)
    case .success(let function):
      if spec.hasPane { notes.append("Flink gives each window once: no early results, and no late ones") }
      let bounds = ["window_start", "window_end"].map { "CAST(\($0) AS TIMESTAMP_LTZ(3)) AS \(FlinkText.name($0))" }
      let pane = spec.hasPane ? ["'on_time' AS `pane`"] : []
      let items = key + bounds + values + pane + ["window_time AS \(FlinkStep.time)"]
      let grouping = (key + ["window_start", "window_end", "window_time"]).joined(separator: ", ")
      return view("SELECT \(items.joined(separator: ",\n  "))\nFROM TABLE(\(function))\nGROUP BY \(grouping)", notes)
    }
  }

  private var table: String {
    step.inputs.count == 1 ? "TABLE \(FlinkSQL.view(step.inputs[0]))" : input
  }

  private struct Reason: Error { let text: String }

  /// The window as a table function.
  private static func function(_ window: WindowSpec, table: String, key: [String]) -> Result<String, Reason> {
    func call(_ name: String, _ sizes: [Int64], offset: Int64 = 0) -> Result<String, Reason> {
      let lengths = (sizes + (offset == 0 ? [] : [offset])).map { FlinkText.interval(milliseconds: $0) }
      return .success("\(name)(\(table), DESCRIPTOR(\(time)), \(lengths.joined(separator: ", ")))")
    }
    switch window {
    case .tumble(let size, let offset): return call("TUMBLE", [size], offset: offset)
    case .hop(let size, let every, let offset):
      return size % every == 0
        ? call("HOP", [every, size], offset: offset)
        : .failure(Reason(text: "Flink's hopping windows are a multiple of their step"))
    case .cumulate(let size, let every, let offset): return call("CUMULATE", [every, size], offset: offset)
    case .session(let gap):
      let partition = key.isEmpty ? "" : " PARTITION BY \(key.joined(separator: ", "))"
      return .success(
        "SESSION(\(table)\(partition), DESCRIPTOR(\(time)), \(FlinkText.interval(milliseconds: gap)))")
    case .calendar(.day, .constant("UTC"), _): return call("TUMBLE", [86_400_000])
    // The epoch was a Thursday.
    case .calendar(.week, .constant("UTC"), _): return call("TUMBLE", [604_800_000], offset: 345_600_000)
    case .calendar:
      return .failure(
        Reason(text: "Flink's windows have a fixed length: none follows a calendar, a time zone or a cycle day"))
    case .none: return .failure(Reason(text: "it has no window"))
    }
  }
}
