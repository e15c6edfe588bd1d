import Operators
import StreamModel
import Topology
import Views

/// Lays a logical plan out as stages and edges.
struct ExecutionGraphBuilder {
  private typealias Output = ExecutionGraph.Output
  private typealias Distribution = ExecutionGraph.Distribution

  private let plan: LogicalPlan
  private let liveness: ColumnLiveness
  private var graph = ExecutionGraph()
  /// The outputs that together are a source's or step's main stream; a stateless step behind several stages runs in each.
  private var producers: [String: [(stage: Int, node: Int)]] = [:]
  private var unordered: Set<String> = []

  static func build(_ plan: LogicalPlan) -> ExecutionGraph {
    var builder = ExecutionGraphBuilder(plan: plan, liveness: ColumnLiveness(plan))
    return builder.build()
  }

  private init(plan: LogicalPlan, liveness: ColumnLiveness) {
    self.plan = plan
    self.liveness = liveness
  }

  private mutating func build() -> ExecutionGraph {
    for source in plan.sources { addSource(source) }
    for step in plan.steps { add(step) }
    for sink in plan.sinks { add(sink) }
    for view in plan.views { add(view) }
    addDeadLetters()
    return graph
  }

  private mutating func addSource(_ source: SourcePlan) {
    let node = ExecutionGraph.Node(name: source.name, body: .source(source))
    graph.stages.append(.init(name: source.name, parallelism: plan.parallelism, nodes: [node]))
    producers[source.name] = [(graph.stages.count - 1, 0)]
  }

  private mutating func add(_ step: StepPlan) {
    switch step.operation {
    case .filter, .project, .lookup: addChained(step)
    case .deduplicate(let spec): addKeyed(step, key: spec.key, isOrderSensitive: true)
    case .aggregate(let spec):
      addKeyed(step, key: spec.key, isOrderSensitive: spec.isOrderSensitive)
    case .join(let spec): addJoin(step, spec)
    case .match(let spec): addKeyed(step, key: spec.key, isOrderSensitive: true, alwaysSorts: true)
    case .rate(let spec): addKeyed(step, key: spec.key, isOrderSensitive: true)
    case .invoice(let spec): addKeyed(step, key: spec.key, isOrderSensitive: false)
    }
  }

  private func outputs(of streams: [StreamReference]) -> [Output] {
    streams.flatMap { stream in
      (producers[stream.producer] ?? []).map { Output(stage: $0.stage, node: $0.node, port: stream.port) }
    }
  }

  /// A step without state runs in every stage that gives it rows.
  private mutating func addChained(_ step: StepPlan) {
    let all = outputs(of: step.inputs)
    let stages = Set(all.map(\.stage)).sorted()
    var placed: [(stage: Int, node: Int)] = []
    for stage in stages {
      let node = ExecutionGraph.Node(name: step.name, body: .step(step))
      placed.append(
        (stage, placeBehindUnion(node, of: all.filter { $0.stage == stage }, in: stage, schema: step.inputSchema)))
    }
    producers[step.name] = placed
    if isUnordered(step.inputs) { unordered.insert(step.name) }
  }

  private mutating func append(_ node: ExecutionGraph.Node, to stage: Int) -> Int {
    graph.stages[stage].nodes.append(node)
    return graph.stages[stage].nodes.count - 1
  }

  /// Adds a node that reads `sources`, outputs of the same stage, and returns its position.
  private mutating func place(_ node: ExecutionGraph.Node, behind sources: [Output], in stage: Int) -> Int {
    let position = append(node, to: stage)
    for source in sources { connect(source, .local(node: position, input: 0)) }
    return position
  }

  /// Like `place`; several ways inside a stage meet in a union that restores the rows' order.
  private mutating func placeBehindUnion(
    _ reader: ExecutionGraph.Node, of sources: [Output], in stage: Int, schema: Schema
  ) -> Int {
    guard sources.count > 1 else { return place(reader, behind: sources, in: stage) }
    let union = place(.init(name: reader.name, body: .union(schema)), behind: sources, in: stage)
    return place(reader, behind: [Output(stage: stage, node: union, port: nil)], in: stage)
  }

  private mutating func connect(_ output: Output, _ destination: ExecutionGraph.Destination) {
    graph.stages[output.stage].nodes[output.node].destinations[output.port, default: []].append(destination)
  }

  /// Whether rows of the union of `streams` can meet in an order that depends on timing.
  private func isUnordered(_ streams: [StreamReference]) -> Bool {
    let all = outputs(of: streams)
    return Set(all.map(\.stage)).count > 1 || streams.contains { unordered.contains($0.producer) }
  }

  private mutating func addKeyed(_ step: StepPlan, key: [Int], isOrderSensitive: Bool, alwaysSorts: Bool = false) {
    let stage = addStage(step.name, isKeyed: !key.isEmpty)
    let needsSort = alwaysSorts || isOrderSensitive && isUnordered(step.inputs)
    if needsSort { _ = append(.init(name: step.name, body: .sort(step.inputSchema, key: key)), to: stage) }
    let node = append(.init(name: step.name, body: .step(step)), to: stage)
    if needsSort { graph.stages[stage].nodes[0].destinations[nil] = [.local(node: node, input: 0)] }
    for output in arrivals(of: step) {
      addEdge(output, stage, 0, 0, key.isEmpty ? .single : .key(key), liveness.input(of: step))
    }
    finish(step, stage, node)
  }

  /// What a keyed step reads. Ways that part behind a source meet in a union there: once they are on edges of their own,
  /// which of them brings a row first depends on how the source is cut into chunks.
  private mutating func arrivals(of step: StepPlan) -> [Output] {
    let all = outputs(of: step.inputs)
    var arrivals: [Output] = []
    for stage in Set(all.map(\.stage)).sorted() {
      let here = all.filter { $0.stage == stage }
      if here.count > 1, graph.stages[stage].source != nil {
        let union = place(.init(name: step.name, body: .union(step.inputSchema)), behind: here, in: stage)
        arrivals.append(Output(stage: stage, node: union, port: nil))
      } else {
        arrivals += here
      }
    }
    return arrivals
  }

  private mutating func addJoin(_ step: StepPlan, _ spec: JoinSpec) {
    let stage = addStage(step.name, isKeyed: true)
    let node = append(.init(name: step.name, body: .step(step)), to: stage)
    for output in outputs(of: step.inputs) {
      addEdge(output, stage, node, 0, .key(spec.leftKey), liveness.input(of: step))
    }
    for output in outputs(of: step.rightInputs) {
      addEdge(output, stage, node, 1, .key(spec.rightKey), liveness.rightInput(of: step))
    }
    finish(step, stage, node)
  }

  private mutating func finish(_ step: StepPlan, _ stage: Int, _ node: Int) {
    producers[step.name] = [(stage, node)]
    unordered.insert(step.name)
  }

  private mutating func addStage(_ name: String, isKeyed: Bool) -> Int {
    graph.stages.append(.init(name: name, parallelism: isKeyed ? plan.parallelism : 1, nodes: []))
    return graph.stages.count - 1
  }

  private mutating func addEdge(
    _ from: Output, _ stage: Int, _ node: Int, _ input: Int, _ distribution: Distribution, _ columns: Set<Int>
  ) {
    graph.edges.append(
      .init(
        from: from, toStage: stage, toNode: node, toInput: input, distribution: distribution, columns: columns))
    let edge = graph.edges.count - 1
    graph.stages[stage].inputs.append(edge)
    connect(from, .edge(edge))
  }

  /// A sink writes in the subtasks of the keyed stages that feed it; what comes straight from a source goes to a stage of
  /// its own, since a source's workers only take turns; a console has one writer.
  private mutating func add(_ sink: SinkPlan) {
    let all = outputs(of: sink.inputs)
    var separate: [Output] = []
    for stage in Set(all.map(\.stage)).sorted() {
      let here = all.filter { $0.stage == stage }
      if isSingleWriter(sink) || graph.stages[stage].source != nil {
        separate += here
      } else {
        _ = placeBehindUnion(.init(name: sink.name, body: .sink(sink)), of: here, in: stage, schema: sink.schema)
      }
    }
    guard !separate.isEmpty else { return }
    let isSingle = isSingleWriter(sink)
    let stage = addStage(sink.name, isKeyed: !isSingle)
    let node = append(.init(name: sink.name, body: .sink(sink)), to: stage)
    for output in separate {
      addEdge(output, stage, node, 0, distribution(to: sink), Set(0..<sink.schema.count))
    }
  }

  /// A view is written where its rows are made, if they are shared out by columns of its key, as an aggregate's are. Else they are
  /// by its whole key, and put into one order where that would depend on timing.
  private mutating func add(_ view: ViewPlan) {
    let name = ViewDefinition.stateName(view.name)
    if let key = ownKey(of: view), let producer = producers[view.input.producer]?.first {
      let output = Output(stage: producer.stage, node: producer.node, port: nil)
      _ = place(.init(name: name, body: .view(view, partitionKey: key)), behind: [output], in: producer.stage)
      return
    }
    let stage = addStage(name, isKeyed: true)
    let needsSort = isUnordered([view.input])
    if needsSort { _ = append(.init(name: name, body: .sort(view.schema, key: view.key)), to: stage) }
    let node = append(.init(name: name, body: .view(view, partitionKey: view.key)), to: stage)
    if needsSort { graph.stages[stage].nodes[0].destinations[nil] = [.local(node: node, input: 0)] }
    for output in outputs(of: [view.input]) {
      addEdge(output, stage, 0, 0, .key(view.key), Set(0..<view.schema.count))
    }
  }

  /// The columns by which the rows of a view are shared out already where it has all of them in its key: its step's own.
  private func ownKey(of view: ViewPlan) -> [Int]? {
    guard view.input.port == nil, let step = plan.steps.first(where: { $0.name == view.input.producer }) else {
      return nil
    }
    let count: Int
    switch step.operation {
    case .aggregate(let spec): count = spec.key.count
    case .match(let spec): count = spec.key.count
    case .filter, .project, .deduplicate, .join, .lookup, .rate, .invoice: return nil
    }
    // An aggregate's and a match's columns begin with their key.
    return count > 0 && Set(0..<count).isSubset(of: view.key) ? Array(0..<count) : nil
  }

  /// Records of a key go through one writer, so that their order is kept.
  private func distribution(to sink: SinkPlan) -> Distribution {
    if isSingleWriter(sink) { return .single }
    if case .kafka(let spec) = sink.connector, !spec.key.isEmpty { return .key(spec.key) }
    return .roundRobin
  }

  private func isSingleWriter(_ sink: SinkPlan) -> Bool {
    if case .console = sink.connector { return true }
    return false
  }

  private mutating func addDeadLetters() {
    graph.stages.append(
      .init(name: "dead_letters", parallelism: 1, nodes: [.init(name: "dead_letters", body: .sink(plan.deadLetters))]))
    graph.deadLetterStage = graph.stages.count - 1
  }
}

extension AggregateSpec {
  /// Whether results depend on the order of rows. Sessions do: whether a row that is behind still finds a session to join
  /// depends on which rows came before it.
  fileprivate var isOrderSensitive: Bool {
    if case .session = window { return true }
    return values.contains { $0.expression.isOrderSensitive }
  }
}
