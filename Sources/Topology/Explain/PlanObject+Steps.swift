import Connectors
import Operators
import StreamModel

/// Steps with what is peculiar to each operation.
extension PlanObject {
  func step(_ step: StepPlan) -> JSONText {
    let ports = step.portsInOrder.map { port, schema in
      JSONText.object([
        ("name", .string(port.rawValue)), ("to", destination(plan.destination(of: port, of: step))),
        ("columns", columns(schema)),
      ])
    }
    return .object([
      ("name", .string(step.name)),
      ("operation", .string(step.operationName)),
      ("from", references(step.inputs)),
      ("exchange", exchange(step.leftExchange)),
      ("with", references(step.rightInputs)),
      ("with_exchange", exchange(plan.rightExchange(of: step))),
      ("settings", .object(settings(step))),
      ("columns", columns(step.outputSchema)),
      ("ports", .array(ports)),
      ("on_error", .string(step.onError.rawValue)),
    ])
  }

  private func destination(_ destination: PortDestination) -> JSONText {
    switch destination {
    case .readers(let names): .array(names.map(JSONText.string))
    case .deadLetters: .array([.string("dead_letters")])
    case .counted: .array([])
    }
  }

  private func exchange(_ exchange: Exchange) -> JSONText {
    switch exchange {
    case .none: .null
    case .byKey(let columns): .object([("key", .array(columns.map(JSONText.string)))])
    case .toOne: .object([("key", .array([]))])
    }
  }

  private func settings(_ step: StepPlan) -> [(String, JSONText)] {
    switch step.operation {
    case .filter(let condition): return [("condition", .string(condition.text))]
    case .project(let spec): return [("columns", .object(projections(spec, step.inputSchema)))]
    case .deduplicate(let spec):
      return [("key", names(spec.key, step.inputSchema)), ("within_ms", .integer(spec.withinMilliseconds))]
    case .aggregate(let spec): return aggregate(spec, step.inputSchema)
    case .join(let spec):
      return [
        ("type", .string(spec.kind.rawValue)),
        ("left_key", names(spec.leftKey, step.inputSchema)),
        ("right_key", names(spec.rightKey, step.rightInputs.first.flatMap(plan.schema))),
        ("lower_ms", .integer(spec.lowerMilliseconds)),
        ("upper_ms", .integer(spec.upperMilliseconds)),
      ]
    case .match(let spec): return match(spec, step.inputSchema)
    case .lookup(let spec, let table): return lookup(spec, table, step.inputSchema)
    case .rate(let spec): return rate(spec)
    case .invoice(let spec): return invoice(spec)
    }
  }

  private func invoice(_ spec: InvoiceSpec) -> [(String, JSONText)] {
    let rules = spec.catalog.invoices
    return [
      ("key", names(spec.key, spec.inputSchema)),
      ("catalog", .string(spec.catalogPath)),
      ("catalog_name", .string(spec.catalog.name)),
      ("columns", .object(spec.mapping.map { ($0.setting, .string($0.value)) })),
      ("close_after_ms", .integer(spec.closeAfterMilliseconds)),
      ("discounts_at_most", .string(Numbers.percent(rules.capTenThousandths))),
      ("discounts", .object(rules.discounts.map { ($0.name, .string($0.phrase)) })),
      (
        "vat",
        .array(
          rules.vat.map { rate in
            .object([
              ("country", rate.country.map { .string($0) } ?? .null),
              ("percent", .string(Numbers.percent(rate.percent))),
            ])
          })
      ),
      ("fees", .object(rules.fees.map { ($0.name, .string($0.phrase)) })),
    ]
  }

  private func rate(_ spec: RateSpec) -> [(String, JSONText)] {
    let window = WindowSpec.calendar(spec.period, timezone: spec.timezone, cycleDay: spec.cycleDay)
    return [
      ("key", names(spec.key, spec.inputSchema)),
      ("catalog", .string(spec.catalogPath)),
      ("catalog_name", .string(spec.catalog.name)),
      ("currency", .string(spec.catalog.currency)),
      ("columns", .object(spec.mapping.map { ($0.setting, .string($0.value)) })),
      ("cycle", self.window(window, spec.inputSchema)),
      ("close_after_ms", .integer(spec.closeAfterMilliseconds)),
      (
        "tariffs",
        .array(
          spec.catalog.tariffs.map { tariff in
            .object([
              ("plan", .string(tariff.plan)), ("service", .string(tariff.service)),
              ("version", .string(tariff.version)), ("terms", .string(tariff.phrase)),
            ])
          })
      ),
      ("modifiers", .array(spec.catalog.modifiers.map { .string($0.label) })),
    ]
  }

  private func match(_ spec: MatchSpec, _ schema: Schema) -> [(String, JSONText)] {
    [
      ("key", names(spec.key, schema)),
      ("pattern", .string(spec.patternText)),
      ("define", .object(spec.definitions.map { ($0.name, .string($0.condition)) })),
      ("measures", .object(spec.measures.map { ($0.name, .string($0.expression.text)) })),
      ("within_ms", optional(spec.withinMilliseconds)),
      ("after_match", .string(spec.afterMatchText)),
    ]
  }

  private func lookup(_ spec: LookupSpec, _ table: TableConnector, _ schema: Schema) -> [(String, JSONText)] {
    let layout = spec.layout
    return [
      ("table", self.table(table)),
      ("key", names(spec.key, schema)),
      ("table_key", names(layout.key, layout.schema)),
      ("as_of", spec.asOf.map { .string(schema[$0.column].name) } ?? .null),
      ("max_age_ms", optional(spec.asOf?.maxAgeMilliseconds)),
      ("valid_from", layout.validity.map { .string(layout.schema[$0.from].name) } ?? .null),
      ("valid_to", layout.validity.map { .string(layout.schema[$0.to].name) } ?? .null),
      ("take", names(layout.taken, layout.schema)),
      ("check", layout.check.map { .string($0.text) } ?? .null),
      ("cache", table.isInMemory ? .null : cache(spec.cache)),
      ("capacity", table.isInMemory ? .null : .integer(Int64(spec.capacity))),
      ("missing", .string(spec.missing.rawValue)),
    ]
  }

  private func cache(_ cache: CachePolicy) -> JSONText {
    .object([
      ("max_rows", .integer(Int64(cache.maxRows))),
      ("expire_after_write_ms", optional(cache.expireAfterWriteMilliseconds)),
      ("expire_after_access_ms", optional(cache.expireAfterAccessMilliseconds)),
      ("serve_stale_ms", optional(cache.serveStaleMilliseconds)), ("cache_missing", .flag(cache.cachesMissing)),
    ])
  }

  private func table(_ table: TableConnector) -> JSONText {
    switch table {
    case .file(let spec):
      .object([("connector", .string("file")), ("path", .string(spec.path)), ("format", format(spec.format))])
    case .kafka(let spec):
      .object([
        ("connector", .string("kafka")), ("bootstrap", .string(spec.cluster.bootstrap)),
        ("properties", .array(spec.cluster.properties.keys.sorted().map { .string($0) })),
        ("topic", .string(spec.topic)), ("format", format(spec.format)),
      ])
    case .postgres(let spec):
      .object([
        ("connector", .string("postgres")), ("source", .string(spec.source.phrase)),
        ("timeout_ms", .integer(spec.timeoutMilliseconds)), ("attempts", .integer(Int64(spec.retry.attempts))),
        ("backoff_ms", .integer(spec.retry.backoffMilliseconds)),
        ("breaker_failures", .integer(Int64(spec.breaker.failures))),
        ("breaker_pause_ms", .integer(spec.breaker.pauseMilliseconds)),
      ])
    case .http(let spec):
      .object([
        ("connector", .string("http")), ("url", .string(spec.url.text)),
        ("headers", .array(spec.headers.map { .string($0.name) })), ("timeout_ms", .integer(spec.timeoutMilliseconds)),
        ("attempts", .integer(Int64(spec.retry.attempts))), ("backoff_ms", .integer(spec.retry.backoffMilliseconds)),
        ("breaker_failures", .integer(Int64(spec.breaker.failures))),
        ("breaker_pause_ms", .integer(spec.breaker.pauseMilliseconds)),
      ])
    }
  }

  private func projections(_ spec: ProjectSpec, _ schema: Schema) -> [(String, JSONText)] {
    zip(spec.items, spec.outputSchema.fields).map { item, field in
      switch item {
      case .column(let index): (field.name, .string(schema[index].name))
      case .expression(let expression): (field.name, .string(expression.text))
      }
    }
  }

  private func aggregate(_ spec: AggregateSpec, _ schema: Schema) -> [(String, JSONText)] {
    [
      ("key", names(spec.key, schema)),
      ("window", window(spec.window, schema)),
      ("values", .object(spec.values.map { ($0.name, .string($0.expression.text)) })),
      ("allowed_lateness_ms", .integer(spec.allowedLatenessMilliseconds)),
      ("emit_early_ms", optional(spec.earlyMilliseconds)),
      ("emit_every_ms", spec.window == .none ? .integer(spec.everyMilliseconds) : .null),
    ]
  }

  private func window(_ window: WindowSpec, _ schema: Schema) -> JSONText {
    func stepped(_ kind: String, _ size: Int64, _ every: Int64, _ offset: Int64) -> JSONText {
      .object([
        ("kind", .string(kind)), ("size_ms", .integer(size)), ("every_ms", .integer(every)),
        ("offset_ms", .integer(offset)),
      ])
    }
    switch window {
    case .tumble(let size, let offset):
      return .object([("kind", .string("tumble")), ("size_ms", .integer(size)), ("offset_ms", .integer(offset))])
    case .hop(let size, let every, let offset): return stepped("hop", size, every, offset)
    case .cumulate(let size, let every, let offset): return stepped("cumulate", size, every, offset)
    case .session(let gap): return .object([("kind", .string("session")), ("gap_ms", .integer(gap))])
    case .calendar(let unit, let timezone, let cycleDay):
      return .object([
        ("kind", .string("calendar")), ("unit", .string(unit.rawValue)),
        ("timezone", setting(timezone, schema) { .string($0) }),
        ("cycle_day", setting(cycleDay, schema) { .integer(Int64($0)) }),
      ])
    case .none: return .null
    }
  }

  private func setting<Value>(
    _ setting: WindowSpec.Setting<Value>, _ schema: Schema, _ constant: (Value) -> JSONText
  ) -> JSONText {
    switch setting {
    case .constant(let value): constant(value)
    case .column(let index): .object([("column", .string(schema[index].name))])
    }
  }
}
