import Operators
import StreamModel
import Testing
import Topology

@testable import Runtime

/// Plans and graphs of short topologies.
enum GraphOf {
  static func plan(_ steps: String, sinks: String, parallelism: Int = 3) throws -> LogicalPlan {
    let text = """
      weir: 1
      topology: graph
      parallelism: \(parallelism)
      sources:
        usage:
          connector: file
          path: in/usage
          schema: {account: string not null, kind: string, n: int64, zone: string, cycle: int64, at: timestamp}
          event_time: at
        other: {connector: file, path: in/other, schema: {account: string not null, kind: string, n: int64, zone: string, cycle: int64, at: timestamp}, event_time: at}
      \(steps.isEmpty ? "" : "steps:")
      \(steps)
      sinks:
      \(sinks)
      """
    return try TopologyLoader.load(text: text, file: "/tmp/graph.yaml")
  }

  static func graph(_ steps: String, sinks: String) throws -> ExecutionGraph {
    ExecutionGraphBuilder.build(try plan(steps, sinks: sinks))
  }
}

@Suite struct ExecutionGraphTests {
  private static let out = "  out: {from: last, connector: file, path: out}"

  private func stage(_ name: String, _ graph: ExecutionGraph) throws -> ExecutionGraph.Stage {
    try #require(graph.stages.first { $0.name == name })
  }

  /// A node's kind and name, as in `filter a`.
  private func shown(_ node: ExecutionGraph.Node) -> String {
    switch node.body {
    case .source: "source \(node.name)"
    case .step: "step \(node.name)"
    case .union: "union \(node.name)"
    case .sort: "sort \(node.name)"
    case .sink: "sink \(node.name)"
    case .view: "view \(node.name)"
    }
  }

  private func edges(to stage: String, _ graph: ExecutionGraph) -> [ExecutionGraph.Edge] {
    graph.edges.filter { graph.stages[$0.toStage].name == stage }
  }

  @Test func stepsWithoutStateRunWhereTheirRowsAre() throws {
    let graph = try GraphOf.graph(
      "  a: {from: usage, filter: n > 1}\n  last: {from: a, extend: {m: n + 1}}", sinks: ExecutionGraphTests.out)
    #expect(try stage("usage", graph).nodes.map(shown) == ["source usage", "step a", "step last"])
  }

  @Test func aKeyedStepBeginsAStageByItsKey() throws {
    let graph = try GraphOf.graph(
      "  last: {from: usage, deduplicate: {key: [kind, account], within: 1h}}", sinks: ExecutionGraphTests.out)
    let keyed = try stage("last", graph)
    #expect(keyed.parallelism == 3)
    #expect(keyed.nodes.map(shown) == ["step last", "sink out"])
    guard case .key([1, 0]) = edges(to: "last", graph).first?.distribution else {
      Issue.record("not by the key")
      return
    }
  }

  @Test func anAggregateWithoutKeyHasOneSubtask() throws {
    let graph = try GraphOf.graph(
      "  last: {from: usage, aggregate: {window: {tumble: 1h}, values: {c: count(*)}}}", sinks: ExecutionGraphTests.out)
    #expect(try stage("last", graph).parallelism == 1)
    guard case .single = edges(to: "last", graph).first?.distribution else {
      Issue.record("not to the one subtask")
      return
    }
  }

  @Test func aSinkBehindASourceHasAStageOfItsOwn() throws {
    let graph = try GraphOf.graph("", sinks: "  out: {from: usage, connector: file, path: out}")
    #expect(try stage("out", graph).nodes.map(shown) == ["sink out"])
    #expect(try stage("out", graph).parallelism == 3)
  }

  @Test func aConsoleHasOneWriter() throws {
    let graph = try GraphOf.graph(
      "  last: {from: usage, deduplicate: {key: [account], within: 1h}}",
      sinks: "  out: {from: last, connector: console}")
    #expect(try stage("out", graph).parallelism == 1)
    #expect(try stage("last", graph).nodes.map(shown) == ["step last"])
  }

  @Test func aSinkOfTwoStagesWritesInBoth() throws {
    let steps = """
        a: {from: usage, deduplicate: {key: [account], within: 1h}}
        b: {from: other, deduplicate: {key: [account], within: 1h}}
      """
    let graph = try GraphOf.graph(steps, sinks: "  out: {from: [a, b], connector: file, path: out}")
    #expect(try stage("a", graph).nodes.map(shown) == ["step a", "sink out"])
    #expect(try stage("b", graph).nodes.map(shown) == ["step b", "sink out"])
  }

  // MARK: Ways that part and meet

  private static let diamond = """
      a: {from: usage, filter: n > 1}
      b: {from: usage, extend: {n: n + 1}}
      last: {from: [a, b], filter: n > 2}
    """

  @Test func waysThatMeetInAStageMeetInAUnion() throws {
    let graph = try GraphOf.graph(ExecutionGraphTests.diamond, sinks: ExecutionGraphTests.out)
    let nodes = try stage("usage", graph).nodes
    #expect(nodes.map(shown) == ["source usage", "step a", "step b", "union last", "step last"])
  }

  /// What reads a step behind a union gets the step's rows, not the union's.
  @Test func whatReadsAStepBehindAUnionReadsTheStep() throws {
    let graph = try GraphOf.graph(ExecutionGraphTests.diamond, sinks: ExecutionGraphTests.out)
    let edge = try #require(edges(to: "out", graph).first)
    #expect(shown(graph.stages[edge.from.stage].nodes[edge.from.node]) == "step last")
    let union = try #require(try stage("usage", graph).nodes.first { shown($0) == "union last" })
    #expect(union.destinations.values.joined().count == 1)
  }

  /// On two edges of their own, which of them brings a row first would depend on how the source is cut into chunks.
  @Test func waysThatMeetAtAKeyedStepMeetInAUnionBefore() throws {
    let steps = """
        a: {from: usage, filter: n > 1}
        last: {from: [a, usage], deduplicate: {key: [account], within: 1h}}
      """
    let graph = try GraphOf.graph(steps, sinks: ExecutionGraphTests.out)
    #expect(try stage("usage", graph).nodes.map(shown) == ["source usage", "step a", "union last"])
    #expect(edges(to: "last", graph).count == 1)
    #expect(try stage("last", graph).nodes.map(shown) == ["step last", "sink out"])
  }

  private func sorts(_ aggregate: String, behind inputs: String, window: String = "tumble") throws -> Bool {
    let steps = """
        a: {from: usage, deduplicate: {key: [account], within: 1h}}
        x: {from: usage, extend: {x: cast(n as double)}}
        y: {from: other, extend: {x: cast(n as double)}}
        last: {from: \(inputs), aggregate: {key: [kind], window: {\(window): 1h}, values: {v: \(aggregate)}}}
      """
    let graph = try GraphOf.graph(steps, sinks: ExecutionGraphTests.out)
    return try stage("last", graph).nodes.map(shown).contains("sort last")
  }

  @Test func rowsOfSeveralSubtasksAreSortedWhereTheirOrderMatters() throws {
    #expect(try sorts("last(n)", behind: "a"))
    #expect(try sorts("last(n)", behind: "[usage, other]"))
    #expect(try !sorts("last(n)", behind: "usage"))
    #expect(try sorts("avg(x)", behind: "[x, y]"))
    #expect(try !sorts("avg(x)", behind: "x"))
    #expect(try !sorts("sum(n)", behind: "a"))
    #expect(try sorts("sum(n)", behind: "a", window: "session"))
  }

  @Test func deadLettersHaveOneStageThatIsLast() throws {
    let graph = try GraphOf.graph("", sinks: "  out: {from: usage, connector: blackhole}")
    #expect(graph.deadLetterStage == graph.stages.count - 1)
    #expect(graph.stages[graph.deadLetterStage].parallelism == 1)
  }
}
