import Operators
import StreamModel
import Topology

/// What an operator's state depends on, aspect by aspect: state fits an operator with the same signature, whatever was
/// changed around it. The names of results are not in it, but those of columns are: another key of the same type is another
/// key.
struct StateSignature: Equatable, Sendable {
  struct Aspect: Equatable, Sendable {
    let name: String
    let value: String
  }
  private(set) var aspects: [Aspect]

  init(_ aspects: [(name: String, value: String)]) {
    self.aspects = aspects.map { Aspect(name: $0.name, value: $0.value) }
  }

  /// One aspect a line: `key: account_id string`.
  var text: String { aspects.map { "\($0.name): \($0.value)" }.joined(separator: "\n") }

  /// Reads `text`.
  init(text: String) {
    aspects = text.split(separator: "\n").map { line in
      guard let colon = line.firstRange(of: ": ") else { return Aspect(name: "operation", value: String(line)) }
      return Aspect(name: String(line[..<colon.lowerBound]), value: String(line[colon.upperBound...]))
    }
  }

  /// Every aspect in which state of `self` does not fit an operator of signature `other`, in words.
  func differences(to other: StateSignature) -> [String] {
    var names = aspects.map(\.name)
    for aspect in other.aspects where !names.contains(aspect.name) { names.append(aspect.name) }
    return names.compactMap { name in
      let (was, now) = (value(name), other.value(name))
      return was == now ? nil : "\(name) was `\(was ?? "none")` and is `\(now ?? "none")`"
    }
  }

  private func value(_ name: String) -> String? { aspects.first { $0.name == name }?.value }
}

extension ExecutionGraph {
  /// By step and role of every operator with state: what that state is of.
  var signatures: [(step: String, role: String, signature: StateSignature)] {
    stages.indices.flatMap { stage in
      stages[stage].nodes.compactMap { node in
        node.stateRole.map { (step: node.name, role: $0, signature: signature(of: node, in: stage)) }
      }
    }
  }

  /// By step and role, as a checkpoint keeps them.
  var stateSignatures: [String: String] {
    Dictionary(
      signatures.map { ("\($0.step) \($0.role)", $0.signature.text) }, uniquingKeysWith: { first, _ in first })
  }

  private func signature(of node: Node, in stage: Int) -> StateSignature {
    switch node.body {
    case .source, .sink, .union: return StateSignature([])
    case .sort(let schema, let key):
      let kept = stages[stage].inputs.reduce(into: Set<Int>()) { $0.formUnion(edges[$1].columns) }.sorted()
      return StateSignature([
        ("operation", "sort"), ("layout", "rows by release"), ("key", schema.names(key)), ("rows", "\(schema)"),
        ("columns kept", schema.names(kept)),
      ])
    case .step(let step): return StateSignature(ExecutionGraph.aspects(of: step))
    }
  }

  private static func aspects(of step: StepPlan) -> [(name: String, value: String)] {
    let input = step.inputSchema
    switch step.operation {
    case .filter, .project, .lookup: return []
    case .deduplicate(let spec):
      return [
        ("operation", "deduplicate"), ("key", input.names(spec.key)), ("within", "\(spec.withinMilliseconds) ms"),
      ]
    case .aggregate(let spec): return aspects(of: spec, input)
    case .join(let spec):
      return [
        ("operation", "\(spec.kind.rawValue) join"), ("layout", "rows by span and key"),
        ("key", "\(input.names(spec.leftKey))"), ("left rows", "\(input)"),
        ("rows out", "\(step.outputSchema)"),
        ("between", "\(spec.lowerMilliseconds) and \(spec.upperMilliseconds) ms"),
      ]
    case .match(let spec):
      let conditions = zip(spec.pattern.variables, spec.conditions).map { "\($0): \($1?.text ?? "any")" }
      return [
        ("operation", "match"), ("layout", "rows by key"), ("key", input.names(spec.key)), ("rows", "\(input)"),
        ("pattern", spec.patternText),
        ("conditions", conditions.joined(separator: ", ")),
        ("within", spec.withinMilliseconds.map { "\($0) ms" } ?? "none"), ("after match", "\(spec.afterMatch)"),
      ]
    // Another catalogue, or another version of it, goes on with what was used under the last: tariffs are not in it.
    case .rate(let spec):
      let cycle = WindowSpec.calendar(spec.period, timezone: spec.timezone, cycleDay: spec.cycleDay)
      return [
        ("operation", "rate"), ("key", input.names(spec.key)), ("quantity", input.names([spec.quantity])),
        ("cycle", cycle.text(input)), ("close_after", "\(spec.closeAfterMilliseconds) ms"),
      ]
    case .invoice(let spec):
      let sums =
        [spec.service, spec.quantity, spec.amount, spec.cycleStart, spec.cycleEnd] + (spec.charge.map { [$0] } ?? [])
      return [
        ("operation", "invoice"), ("key", input.names(spec.key)), ("sums", input.names(sums)),
        ("account", input.names(spec.attributes)), ("close_after", "\(spec.closeAfterMilliseconds) ms"),
      ]
    }
  }

  private static func aspects(of spec: AggregateSpec, _ input: Schema) -> [(name: String, value: String)] {
    let calls = spec.values.flatMap(\.expression.calls)
    let read = Set(calls.flatMap { ($0.argument?.columns ?? []) + ($0.filter?.columns ?? []) }).sorted()
    let addsDoubles = calls.contains { $0.argument?.type == .double && [.sum, .avg, .stddevPop].contains($0.function) }
    return [
      ("operation", "aggregate"), ("key", input.names(spec.key)), ("window", spec.window.text(input)),
      ("values", spec.values.map(\.expression.text).joined(separator: ", ")), ("columns read", input.names(read)),
      ("allowed_lateness", "\(spec.allowedLatenessMilliseconds) ms"),
      ("results", spec.window == .none ? "as they change" : spec.earlyMilliseconds == nil ? "final" : "early"),
    ] + (addsDoubles ? [("layout", "sums of doubles in bins")] : [])
  }
}

extension Schema {
  /// Names and types of columns.
  fileprivate func names(_ columns: [Int]) -> String {
    if columns.isEmpty { return "none" }
    return columns.map { "\(fields[$0].name) \(fields[$0].type)\(fields[$0].nullable ? "" : " not null")" }
      .joined(separator: ", ")
  }
}

extension WindowSpec {
  /// The window as people write it, columns by name.
  fileprivate func text(_ input: Schema) -> String {
    switch self {
    case .tumble(let size, let offset): "tumble \(size) ms, offset \(offset) ms"
    case .hop(let size, let every, let offset): "hop \(size) ms every \(every) ms, offset \(offset) ms"
    case .cumulate(let size, let every, let offset): "cumulate \(size) ms every \(every) ms, offset \(offset) ms"
    case .session(let gap): "session \(gap) ms"
    case .calendar(let unit, let timezone, let cycleDay):
      "tumble \(unit.rawValue), timezone \(timezone.text(input)), cycle_day \(cycleDay.text(input))"
    case .none: "none"
    }
  }
}

extension WindowSpec.Setting {
  fileprivate func text(_ input: Schema) -> String {
    switch self {
    case .constant(let value): "\(value)"
    case .column(let column): "of column \(input.fields[column].name)"
    }
  }
}
