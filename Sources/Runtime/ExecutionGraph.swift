import Operators
import StreamModel
import Topology

/// What a job runs: stages of subtasks, joined by edges.
///
/// A *stage* is a chain of operators that runs as `parallelism` subtasks, each on its share of the keys. Within a stage rows
/// move by function call; between stages they cross an *edge*, which partitions them. A keyed step begins a stage; what
/// needs no key is chained behind whatever gives it its rows.
struct ExecutionGraph {
  /// A stream inside the graph: one output of one node.
  struct Output: Hashable {
    let stage: Int
    let node: Int
    /// Nil for the main output.
    let port: SidePort?
  }

  enum Destination {
    case local(node: Int, input: Int)
    case edge(Int)
  }

  enum NodeBody {
    /// The source itself: node 0 of a source stage.
    case source(SourcePlan)
    case step(StepPlan)
    /// Restores the order of rows that reach one step on several ways inside a stage.
    case union(Schema)
    /// Gives rows from several subtasks one order; its state is kept by `key`.
    case sort(Schema, key: [Int])
    case sink(SinkPlan)
    /// A view; rows are shared out over subtasks by the hash of these columns.
    case view(ViewPlan, partitionKey: [Int])
  }

  struct Node {
    let name: String
    let body: NodeBody
    /// Where each output goes; a side port that is missing here is read by nothing.
    var destinations: [SidePort?: [Destination]] = [:]
  }

  struct Stage {
    let name: String
    let parallelism: Int
    var nodes: [Node]
    /// Edges that end here, in the order of their channels.
    var inputs: [Int] = []

    var source: SourcePlan? {
      if case .source(let plan) = nodes[0].body { return plan }
      return nil
    }

    var writesViews: Bool { nodes.contains { if case .view = $0.body { true } else { false } } }
  }

  enum Distribution {
    /// By key group of these columns.
    case key([Int])
    /// Batches in turn.
    case roundRobin
    /// All to the one subtask.
    case single
  }

  struct Edge {
    let from: Output
    let toStage: Int
    let toNode: Int
    let toInput: Int
    let distribution: Distribution
    /// Columns that the receiving side reads; the others are left out.
    let columns: Set<Int>
  }

  var stages: [Stage] = []
  var edges: [Edge] = []
  /// The stage that writes dead letters: one subtask, which every other subtask can send to.
  var deadLetterStage = 0

  /// How many channels an edge has: a source's workers take turns on one.
  func channelCount(of edge: Edge) -> Int {
    let stage = stages[edge.from.stage]
    return stage.source == nil ? stage.parallelism : 1
  }

  /// The aggregate whose rows may be combined before they go over `edge`; nil where they are sent one by one. Only rows of a
  /// source say by their stamps that they are not behind.
  func combinedAggregate(of edge: Edge) -> AggregateSpec? {
    guard stages[edge.from.stage].source != nil, case .key = edge.distribution,
      case .step(let step) = stages[edge.toStage].nodes[edge.toNode].body,
      case .aggregate(let spec) = step.operation
    else { return nil }
    return spec
  }
}
