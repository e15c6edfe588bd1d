import Expressions
import Operators
import StreamModel
import Topology

/// Which columns of each stream are read by anything downstream.
///
/// What nothing reads is checked when it is decoded, but neither stored nor carried along. Streams of rows that a step made
/// keep all their columns, since their rows have no original bytes to be reported by.
struct ColumnLiveness {
  /// By source or step: needed columns of its output.
  private(set) var outputs: [String: Set<Int>] = [:]
  private var schemas: [String: Schema] = [:]
  /// Steps whose output, and steps whose input, are rows that a step made.
  private var derived: Set<String> = []
  private var readsDerived: Set<String> = []
  private var inputs: [String: Set<Int>] = [:]
  private var rightInputs: [String: Set<Int>] = [:]

  init(_ plan: LogicalPlan) {
    for source in plan.sources { schemas[source.name] = source.outputSchema }
    for step in plan.steps {
      schemas[step.name] = step.outputSchema
      if (step.inputs + step.rightInputs).contains(where: isDerived) { readsDerived.insert(step.name) }
      if isDerived(step) { derived.insert(step.name) }
    }
    for sink in plan.sinks { need(sink.inputs, Set(0..<sink.schema.count)) }
    for view in plan.views { need([view.input], Set(0..<view.schema.count)) }
    for step in plan.steps.reversed() {
      let (left, right) = columnsRead(by: step)
      inputs[step.name] = left
      rightInputs[step.name] = right
      need(step.inputs, left)
      need(step.rightInputs, right)
    }
  }

  /// Columns that `step` needs of its (left) input, and of its right one.
  func input(of step: StepPlan) -> Set<Int> { inputs[step.name] ?? [] }
  func rightInput(of step: StepPlan) -> Set<Int> { rightInputs[step.name] ?? [] }

  private func isDerived(_ step: StepPlan) -> Bool {
    switch step.operation {
    case .aggregate, .join, .match, .invoice: true
    case .filter, .project, .deduplicate, .lookup, .rate: readsDerived.contains(step.name)
    }
  }

  /// A side port carries rows of its step's input, but for `timed_out`.
  private func isDerived(_ stream: StreamReference) -> Bool {
    (stream.port == nil || stream.port == .timedOut ? derived : readsDerived).contains(stream.producer)
  }

  /// Side ports carry rows of the step's input: what they need is kept under the port's own name.
  private mutating func need(_ streams: [StreamReference], _ columns: Set<Int>) {
    for stream in streams { outputs[stream.description, default: []].formUnion(columns) }
  }

  private func columnsRead(by step: StepPlan) -> (left: Set<Int>, right: Set<Int>) {
    if step.inputs.contains(where: isDerived) {
      return (Set(0..<step.inputSchema.count), allRight(step))
    }
    var left: Set<Int> = []
    let passedOn = outputs[step.name] ?? []
    switch step.operation {
    case .filter(let condition): left = passedOn.union(condition.columns)
    case .project(let spec): left = columnsRead(by: spec, passedOn)
    case .deduplicate(let spec): left = passedOn.union(spec.key)
    case .aggregate(let spec): left = columnsRead(by: spec)
    case .join: return (Set(0..<step.inputSchema.count), allRight(step))
    case .match(let spec): left = spec.columns
    case .lookup(let spec, _): left = columnsRead(by: spec, passedOn)
    case .rate(let spec): left = passedOn.union(spec.columns)
    case .invoice(let spec): left = spec.columns
    }
    for port in step.ports.keys where port != .timedOut {
      left.formUnion(outputs[StreamReference(producer: step.name, port: port).description] ?? [])
    }
    // Columns that the step adds lie behind those of its input.
    left = left.filter { $0 < step.inputSchema.count }
    return (left, [])
  }

  private func allRight(_ step: StepPlan) -> Set<Int> {
    guard let first = step.rightInputs.first, let schema = schemas[first.producer] else { return [] }
    return Set(0..<schema.count)
  }

  private func columnsRead(by spec: ProjectSpec, _ passedOn: Set<Int>) -> Set<Int> {
    var read: Set<Int> = []
    for (index, item) in spec.items.enumerated() {
      switch item {
      case .column(let column): if passedOn.contains(index) { read.insert(column) }
      case .expression(let expression): read.formUnion(expression.columns)
      }
    }
    return read
  }

  private func columnsRead(by spec: LookupSpec, _ passedOn: Set<Int>) -> Set<Int> {
    var read = Set(spec.key)
    if let asOf = spec.asOf { read.insert(asOf.column) }
    for (index, item) in spec.items.enumerated() where passedOn.contains(index) {
      if case .input(let column) = item { read.insert(column) }
    }
    return read
  }

  private func columnsRead(by spec: AggregateSpec) -> Set<Int> {
    var read = Set(spec.key)
    for value in spec.values {
      for call in value.expression.calls {
        read.formUnion(call.argument?.columns ?? [])
        read.formUnion(call.filter?.columns ?? [])
      }
    }
    if case .calendar(_, let timezone, let cycleDay) = spec.window {
      if case .column(let column) = timezone { read.insert(column) }
      if case .column(let column) = cycleDay { read.insert(column) }
    }
    return read
  }
}
