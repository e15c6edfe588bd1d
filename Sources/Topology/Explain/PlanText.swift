import Connectors
import Operators
import StreamModel

/// A plan as lines of text.
struct PlanText {
  let plan: LogicalPlan

  var text: String {
    let blocks =
      [job] + plan.sources.map(source) + plan.steps.map(step) + plan.sinks.map(sink) + [deadLetters]
      + plan.views.map(view) + (plan.notes.isEmpty ? [] : [notes])
    return blocks.map { $0.joined(separator: "\n") }.joined(separator: "\n\n") + "\n"
  }

  private func line(_ label: String, _ value: String) -> String {
    "  " + label + String(repeating: " ", count: max(1, 12 - label.count)) + value
  }

  private func columns(_ schema: Schema) -> String { line("columns", schema.description) }

  private var job: [String] {
    let checkpoint = plan.checkpoint
    let restart = plan.restart
    var lines = ["topology \(plan.name)"]
    if !plan.description.isEmpty { lines.append(line("about", Shown.text(plan.description, longest: 4000))) }
    return lines + [
      line("file", plan.file),
      line("parallelism", "\(plan.parallelism)"),
      line(
        "checkpoints",
        "every \(Durations.format(checkpoint.intervalMilliseconds)) to \(checkpoint.directory), \(checkpoint.retain) kept"
      ),
      line("state", "at most \(Sizes.format(plan.stateMemoryBytes)) of memory"),
      line(
        "restarts",
        "\(restart.attempts), after \(Durations.format(restart.initialBackoffMilliseconds)) to \(Durations.format(restart.maxBackoffMilliseconds))"
      ),
    ]
  }

  private func source(_ source: SourcePlan) -> [String] {
    var lines = [
      "source \(source.name)", line("reads", "\(source.connector.phrase), \(source.format.name)"),
      columns(source.outputSchema),
    ]
    for (index, expression) in source.computed.enumerated() {
      let name = source.outputSchema[source.decodedSchema.count + index].name
      lines.append(line("computes", "\(name) = \(Shown.text(expression.text, longest: 4000))"))
    }
    lines.append(line("event time", eventTime(source)))
    if let rate = source.rate { lines.append(line("rate", "at most \(PlanText.number(rate)) rows/s")) }
    lines.append(line("on error", source.onError.rawValue))
    return lines
  }

  private func eventTime(_ source: SourcePlan) -> String {
    guard let column = source.eventTime else { return "none" }
    let idle = source.idleAfterMilliseconds.map { ", idle after \(Durations.format($0))" } ?? ""
    return
      "\(source.outputSchema[column].name), watermark \(Durations.format(source.watermarkDelayMilliseconds)) behind\(idle)"
  }

  private func step(_ step: StepPlan) -> [String] {
    var lines = ["step \(step.name)"]
    lines.append(line("from", inputs(step.inputs, step.leftExchange)))
    if !step.rightInputs.isEmpty { lines.append(line("with", inputs(step.rightInputs, plan.rightExchange(of: step)))) }
    lines += operation(step)
    lines.append(columns(step.outputSchema))
    for (port, _) in step.portsInOrder {
      lines.append(line("port \(port.rawValue)", "→ \(plan.destination(of: port, of: step).text)"))
    }
    if step.onError == .fail { lines.append(line("on error", step.onError.rawValue)) }
    return lines
  }

  private func inputs(_ references: [StreamReference], _ exchange: Exchange) -> String {
    let names = references.map(\.description).joined(separator: ", ")
    switch exchange {
    case .none: return names
    case .byKey(let columns): return "\(names), exchanged by key (\(columns.joined(separator: ", ")))"
    case .toOne: return "\(names), exchanged to one subtask"
    }
  }

  private func operation(_ step: StepPlan) -> [String] {
    let name = step.operationName
    switch step.operation {
    case .filter(let condition): return [line(name, Shown.text(condition.text, longest: 4000))]
    case .project(let spec): return projections(name, spec)
    case .deduplicate(let spec):
      let key = spec.key.map { step.inputSchema[$0].name }.joined(separator: ", ")
      return [line(name, "first of (\(key)) within \(Durations.format(spec.withinMilliseconds))")]
    case .aggregate(let spec): return aggregate(name, spec, step.inputSchema)
    case .join(let spec):
      return [
        line(
          name,
          "\(spec.kind.rawValue), between \(Durations.format(spec.lowerMilliseconds)) and \(Durations.format(spec.upperMilliseconds))"
        )
      ]
    case .match(let spec): return match(name, spec, step.inputSchema)
    case .lookup(let spec, let table): return lookup(name, spec, table, step.inputSchema)
    case .rate(let spec): return rate(name, spec)
    case .invoice(let spec): return invoice(name, spec)
    }
  }

  private func invoice(_ name: String, _ spec: InvoiceSpec) -> [String] {
    let rules = spec.catalog.invoices
    var lines = [
      line(name, "by (\(spec.key.map { spec.inputSchema[$0].name }.joined(separator: ", "))), when a cycle has closed"),
      line("catalog", "\(spec.catalog.name), \(spec.catalogPath)"),
    ]
    if spec.closeAfterMilliseconds > 0 {
      lines.append(line("closes", "\(Durations.format(spec.closeAfterMilliseconds)) after its end"))
    }
    lines += spec.mapping.map { line("takes", "\($0.setting) = \($0.value)") }
    if !rules.discounts.isEmpty {
      lines.append(line("discounts", "together at most \(Numbers.percent(rules.capTenThousandths))"))
    }
    lines += rules.discounts.map { line("discount", "\($0.name): \($0.phrase)") }
    lines += rules.vat.map { line("vat", "\($0.country ?? "others") \(Numbers.percent($0.percent))") }
    lines += rules.fees.map { line("fee", "\($0.name): \($0.phrase)") }
    return lines
  }

  private func rate(_ name: String, _ spec: RateSpec) -> [String] {
    let catalog = spec.catalog
    var lines = [
      line(
        name,
        "by (\(spec.key.map { spec.inputSchema[$0].name }.joined(separator: ", "))), tariffs in \(catalog.currency)"),
      line("catalog", "\(catalog.name), \(spec.catalogPath)"),
      line("cycle", spec.cyclePhrase),
    ]
    if spec.closeAfterMilliseconds > 0 {
      lines.append(line("closes", "\(Durations.format(spec.closeAfterMilliseconds)) after its end"))
    }
    lines += spec.mapping.map { line("takes", "\($0.setting) = \($0.value)") }
    lines += catalog.tariffs.map { line("tariff", "\($0.plan)/\($0.service) from \($0.version): \($0.phrase)") }
    lines += catalog.modifiers.map { line("modifier", $0.label) }
    return lines
  }

  private func match(_ name: String, _ spec: MatchSpec, _ schema: Schema) -> [String] {
    let key = spec.key.map { schema[$0].name }.joined(separator: ", ")
    var lines = [
      line(name, spec.key.isEmpty ? "all rows as one sequence" : "by (\(key))"),
      line("pattern", Shown.text(spec.patternText, longest: 4000)),
    ]
    lines += spec.definitions.map { line("define", "\($0.name) as \(Shown.text($0.condition, longest: 4000))") }
    lines += spec.measures.map { line("measure", "\($0.name) = \(Shown.text($0.expression.text, longest: 4000))") }
    if let within = spec.withinMilliseconds { lines.append(line("within", Durations.format(within))) }
    lines.append(line("after match", spec.afterMatchText))
    return lines
  }

  private func lookup(_ name: String, _ spec: LookupSpec, _ table: TableConnector, _ schema: Schema) -> [String] {
    var lines = [line(name, "in \(table.phrase)"), line("on", spec.keyPairs(schema).joined(separator: ", "))]
    if let versions = spec.versionsPhrase(schema) { lines.append(line("as of", versions)) }
    lines.append(line("take", spec.layout.taken.map { "\(spec.layout.schema[$0].name)" }.joined(separator: ", ")))
    if let check = spec.layout.check { lines.append(line("check", Shown.text(check.text, longest: 4000))) }
    if let cache = table.cachePhrase(spec) { lines.append(line("cache", cache)) }
    lines.append(line("missing", spec.missing.rawValue))
    return lines
  }

  private func projections(_ name: String, _ spec: ProjectSpec) -> [String] {
    zip(spec.items, spec.outputSchema.fields).compactMap { item, field in
      guard case .expression(let expression) = item else { return nil }
      return line(name, "\(field.name) = \(Shown.text(expression.text, longest: 4000))")
    }
  }

  private func aggregate(_ name: String, _ spec: AggregateSpec, _ schema: Schema) -> [String] {
    let key = spec.key.map { schema[$0].name }.joined(separator: ", ")
    var lines = [
      line(name, spec.key.isEmpty ? "all rows as one group" : "by (\(key))"),
      line("window", spec.window.phrase(schema)),
    ]
    lines += spec.values.map { line("value", "\($0.name) = \(Shown.text($0.expression.text, longest: 4000))") }
    if spec.allowedLatenessMilliseconds > 0 {
      lines.append(line("lateness", Durations.format(spec.allowedLatenessMilliseconds)))
    }
    if let early = spec.earlyMilliseconds { lines.append(line("emits", "early, every \(Durations.format(early))")) }
    if spec.window == .none { lines.append(line("emits", "every \(Durations.format(spec.everyMilliseconds))")) }
    return lines
  }

  private func sink(_ sink: SinkPlan) -> [String] {
    [
      "sink \(sink.name)", line("from", inputs(sink.inputs, .none)), line("writes", sink.connector.phrase),
      line("delivery", delivery(sink)), columns(sink.schema),
    ]
  }

  private func delivery(_ sink: SinkPlan) -> String {
    switch sink.connector {
    case .file, .kafka: sink.delivery.rawValue
    case .console: "\(sink.delivery.rawValue), what came after the last checkpoint once more after a crash"
    case .blackhole: "none, rows are counted"
    }
  }

  private var deadLetters: [String] {
    ["dead letters", line("writes", plan.deadLetters.connector.phrase), columns(plan.deadLetters.schema)]
  }

  private func view(_ view: ViewPlan) -> [String] {
    let schema = plan.schema(of: view.input)
    let key = view.key.map { schema?[$0].name ?? "" }.joined(separator: ", ")
    return [
      "view \(view.name)", line("from", view.input.description), line("key", key),
      line("retains", view.retainMilliseconds.map(Durations.format) ?? "everything"),
    ] + (view.account.map { [line("account", view.schema[$0].name)] } ?? [])
      + (view.masked.isEmpty ? [] : [line("masks", view.masked.map { view.schema[$0].name }.joined(separator: ", "))])
  }

  private var notes: [String] { ["notes"] + plan.notes.map { "  " + $0 } }

  /// Without a fraction where there is none.
  static func number(_ value: Double) -> String {
    if let whole = Int64(exactly: value) { return "\(whole)" }
    return "\(value)"
  }
}
