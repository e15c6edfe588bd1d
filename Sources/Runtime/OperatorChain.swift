import Checkpoint
import Connectors
import Expressions
import Operators
import State
import StreamModel
import Topology

/// Where rows that nobody can use go: counts them, and sends them to the dead-letter stage.
protocol DeadLetterOutput: AnyObject {
  func report(_ batch: RecordBatch, _ failures: [RowFailure], step: String, port: String) throws(Interruption)
}

/// Why a subtask fails.
package enum JobError: Error, Sendable, CustomStringConvertible {
  /// Something outside: a file, a disk.
  case connector(ConnectorError)
  /// A step with `on_error: fail` met a row it cannot work on.
  case row(step: String, reason: String)
  /// A checkpoint that cannot be used or taken.
  case checkpoint(CheckpointError)
  /// What was asked of the start does not go with what is there.
  case request(String)
  /// State that cannot be read, or another fault of ours.
  case operation(step: String, reason: String)

  /// Whether the job may do better when it starts again from its last checkpoint: not where the cause is the topology's, the
  /// input's or a stored file's, and stays.
  package var isRetriable: Bool {
    switch self {
    case .connector(let error): error.isRetriable
    case .row, .request: false
    case .checkpoint(let error): error.isRetriable
    case .operation: true
    }
  }

  /// The step that it is about, where it says so.
  package var step: String? {
    switch self {
    case .row(let step, _), .operation(let step, _): step
    case .connector, .checkpoint, .request: nil
    }
  }

  package var description: String {
    switch self {
    case .connector(let error): error.description
    case .checkpoint(let error): error.description
    case .request(let reason): reason
    case .row(let step, let reason): "\(step): \(reason) (on_error: fail)"
    case .operation(let step, let reason): "\(step): \(reason)"
    }
  }
}

/// The nodes of a stage in one subtask: rows and watermarks go through them by function call, in the order of the nodes.
///
/// Single-threaded. An operator's `emit` cannot throw, so what goes wrong further down is kept in a `ChainFailure`, after
/// which nothing moves any more, and thrown by the chain's own methods.
final class OperatorChain {
  let nodes: [ChainNode]
  private let failure: ChainFailure
  /// Set where an operator has keyed state.
  var budget: StateBudget?
  /// What the chain has said that it holds.
  private var heldBytes = 0

  init(nodes: [ChainNode], failure: ChainFailure) {
    self.nodes = nodes
    self.failure = failure
  }

  private func check() throws { if let error = failure.error { throw error } }

  /// Rows for input `input` of the first node.
  func process(_ batch: RecordBatch, input: Int) throws {
    nodes[0].receive(batch, input: input)
    for node in nodes { node.endRound() }
    try check()
    try keepBudget()
  }

  /// The watermark of the stage's input has risen.
  func advance(to watermark: Watermark) throws {
    nodes[0].advance(input: 0, to: watermark.time)
    for node in nodes {
      node.endRound()
      node.handOnWatermark()
    }
    try check()
    if let budget { noteHeld(budget) }
  }

  /// All input has ended, and the watermark is at its maximum.
  func finish() throws {
    for node in nodes {
      node.endRound()
      node.finish()
    }
    try check()
    if let budget { noteHeld(budget) }
  }

  /// Wall-clock time is `now`.
  func onTimer(_ now: Int64) throws {
    for node in nodes {
      node.endRound()
      node.onTimer(now)
    }
    try check()
  }

  /// When the next timer of any node is due.
  var nextTimer: Int64? { nodes.compactMap(\.nextTimer).min() }

  var stateSizeBytes: Int { nodes.reduce(0) { $0 + $1.stateSizeBytes } }

  /// Says what the operators hold, and has them write it out where that is too much.
  private func keepBudget() throws {
    guard let budget else { return }
    noteHeld(budget)
    guard budget.mustSpill(holding: heldBytes) else { return }
    let stateful = nodes.filter { $0.keyedState != nil }
    for node in stateful where StateBudget.isWorthwhile(node.stateSizeBytes, of: heldBytes, among: stateful.count) {
      guard case .apply(let worker) = node.work else { continue }
      try node.stateful { () throws(OperatorError) in try worker.spill() }
    }
    noteHeld(budget)
  }

  private func noteHeld(_ budget: StateBudget) {
    let bytes = stateSizeBytes
    budget.add(bytes - heldBytes)
    heldBytes = bytes
  }
}

/// The first thing that went wrong in a chain.
final class ChainFailure {
  private(set) var error: (any Error)?
  func set(_ error: any Error) { if self.error == nil { self.error = error } }
}

/// One node of a chain: an operator, a sink, or the source that heads the chain.
final class ChainNode: OperatorOutput {
  enum Work {
    case passThrough
    case apply(any StreamOperator)
    case write(any SinkWriter)
  }

  enum Target {
    case node(ChainNode, input: Int)
    case edge(EdgeWriter)
  }

  let name: String
  /// Which of its step's operators it is, in checkpoints; empty for one without state.
  let role: String
  let counters: NodeCounters
  let work: Work
  /// The operator's part of the job's state; set once, before the chain is used.
  var keyedState: OperatorState?
  private let policy: ErrorPolicy
  private let deadLetters: (any DeadLetterOutput)?
  /// Whether rows on port `rejected` are dead letters where nothing reads it.
  private let rejectsToDeadLetters: Bool
  /// Set once, when the chain is put together.
  var targets: [SidePort?: [Target]] = [:]
  private let failure: ChainFailure
  /// Watermarks of the nodes that feed this one, and the combination handed to the operator.
  var feeders = 1
  private var coalescer: WatermarkCoalescer?
  private var feederIndex: [ObjectIdentifier: Int] = [:]
  private var inputWatermark = EventTimes.minimum
  private var pendingWatermark = EventTimes.minimum

  init(
    name: String, role: String, work: Work, counters: NodeCounters, policy: ErrorPolicy, failure: ChainFailure,
    deadLetters: (any DeadLetterOutput)?, rejectsToDeadLetters: Bool = false
  ) {
    self.rejectsToDeadLetters = rejectsToDeadLetters
    self.failure = failure
    self.name = name
    self.role = role
    self.work = work
    self.counters = counters
    self.policy = policy
    self.deadLetters = deadLetters
  }

  // MARK: Input

  func receive(_ batch: RecordBatch, input: Int) {
    guard failure.error == nil else { return }
    counters.rowsIn.add(batch.rowCount, ordering: .relaxed)
    switch work {
    case .passThrough: emit(batch)
    case .apply(let worker): attempt { () throws(OperatorError) in try worker.process(batch, input: input, to: self) }
    case .write(let writer):
      do { try writer.write(batch) } catch { failure.set(JobError.connector(error)) }
    }
  }

  func endRound() {
    guard case .apply(let worker) = work else { return }
    attempt { () throws(OperatorError) in try worker.endRound(to: self) }
  }

  /// Feeder `input` has risen to `time`; `handOnWatermark` works on it when the node's turn comes.
  func advance(input: Int, to time: EventTime) {
    if feeders == 1 {
      pendingWatermark = max(pendingWatermark, time)
      return
    }
    var combined = coalescer ?? WatermarkCoalescer(inputCount: feeders)
    if let risen = combined.update(input, to: time) { pendingWatermark = risen.time }
    coalescer = combined
  }

  func handOnWatermark() {
    guard pendingWatermark > inputWatermark else { return }
    inputWatermark = pendingWatermark
    var output = Watermark(inputWatermark)
    if case .apply(let worker) = work {
      attempt { () throws(OperatorError) in try worker.advance(to: Watermark(inputWatermark), output: self) }
      output = worker.outputWatermark(for: output)
    }
    guard failure.error == nil else { return }
    for target in targets.values.joined() {
      switch target {
      case .node(let node, _): node.advance(input: node.index(of: self), to: output.time)
      case .edge(let edge):
        do { try edge.advance(to: output.time) } catch { failure.set(error) }
      }
    }
  }

  private func index(of feeder: ChainNode) -> Int {
    let identity = ObjectIdentifier(feeder)
    if let known = feederIndex[identity] { return known }
    feederIndex[identity] = feederIndex.count
    return feederIndex.count - 1
  }

  func finish() {
    guard case .apply(let worker) = work else { return }
    attempt { () throws(OperatorError) in try worker.finish(output: self) }
  }

  var nextTimer: Int64? {
    if case .apply(let worker) = work { return worker.nextTimer }
    return nil
  }

  var stateSizeBytes: Int {
    if case .apply(let worker) = work { return worker.stateSizeBytes }
    return 0
  }

  func onTimer(_ now: Int64) {
    guard case .apply(let worker) = work, let due = worker.nextTimer, due <= now else { return }
    attempt { () throws(OperatorError) in try worker.onTimer(now, output: self) }
  }

  private func attempt(_ body: () throws(OperatorError) -> Void) {
    guard failure.error == nil else { return }
    do { try stateful(body) } catch { failure.set(error) }
  }

  /// Calls the operator; what goes wrong with its state ends the job.
  func stateful<Result>(_ body: () throws(OperatorError) -> Result) throws -> Result {
    do { return try body() } catch {
      switch error {
      case .state(let reason): throw JobError.operation(step: name, reason: reason)
      case .row(let reason): throw JobError.row(step: name, reason: reason)
      case .unavailable(let reason):
        throw JobError.connector(ConnectorError("steps.\(name): \(reason)", isRetriable: true))
      case .cancelled: throw Interruption.cancelled
      }
    }
  }

  // MARK: OperatorOutput

  func emit(_ batch: RecordBatch) {
    counters.rowsOut.add(batch.count, ordering: .relaxed)
    deliver(batch, targets[nil])
  }

  func emit(_ batch: RecordBatch, on port: SidePort) {
    counters.add(batch.count, to: port)
    if let readers = targets[port] { return deliver(batch, readers) }
    guard isDeadLetters(port) else { return }
    let failures = (0..<batch.count).map { row in
      RowFailure(row: row, reason: "\(port.rawValue): \(ChainNode.reason(port))")
    }
    report(batch, failures, port: port.rawValue)
  }

  func emit(_ batch: RecordBatch, on port: SidePort, reasons: [String]) {
    guard targets[port] == nil, isDeadLetters(port) else { return emit(batch, on: port) }
    counters.add(batch.count, to: port)
    let failures = reasons.enumerated().map { RowFailure(row: $0, reason: "\(port.rawValue): \($1)") }
    report(batch, failures, port: port.rawValue)
  }

  private static func reason(_ port: SidePort) -> String {
    switch port {
    case .late: "every window, cycle or match it could belong to has gone"
    case .missing: "the table has no row for it"
    default: "the step did not take it"
    }
  }

  private func isDeadLetters(_ port: SidePort) -> Bool {
    port == .late || port == .missing || port == .rejected && rejectsToDeadLetters
  }

  /// Ports whose rows are dead letters count as read.
  func isRead(_ port: SidePort) -> Bool { targets[port] != nil || isDeadLetters(port) }

  func count(_ rows: Int, on port: SidePort) { counters.add(rows, to: port) }

  func fail(_ batch: RecordBatch, _ failures: [RowFailure]) {
    counters.failed.add(failures.count, ordering: .relaxed)
    settle(batch, failures)
  }

  func failResults(_ batch: RecordBatch, _ failures: [RowFailure]) {
    counters.failedResults.add(failures.count, ordering: .relaxed)
    settle(batch, failures)
  }

  private func settle(_ batch: RecordBatch, _ failures: [RowFailure]) {
    if policy == .fail, let first = failures.first { failure.set(JobError.row(step: name, reason: first.reason)) }
    if policy == .deadLetter { report(batch, failures, port: "error") }
  }

  private func report(_ batch: RecordBatch, _ failures: [RowFailure], port: String) {
    do { try deadLetters?.report(batch, failures, step: name, port: port) } catch { failure.set(error) }
  }

  private func deliver(_ batch: RecordBatch, _ readers: [Target]?) {
    guard let readers, failure.error == nil else { return }
    for reader in readers {
      switch reader {
      case .node(let node, let input): node.receive(batch, input: input)
      case .edge(let edge):
        do { try edge.write(batch) } catch { failure.set(error) }
      }
    }
  }
}
