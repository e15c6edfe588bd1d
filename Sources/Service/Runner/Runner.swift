import Checkpoint
import Logging
import Runtime
import ServiceLifecycle
import StreamModel
import Synchronization
import Topology
import Views

/// Runs many topologies in one process, each isolated from the others' failures, and remembers them.
///
/// What it runs is in its directory before it is started, so that after a crash all of it runs again from its checkpoints. `run` is
/// over when the service is to shut down and every job has taken its last checkpoint.
package final class Runner: Service {
  private struct Shared {
    var topologies: [String: RunnerTopology] = [:]
    /// Those whose record cannot be used, and why.
    var broken: [String: String] = [:]
    var isRunning = false
    var isStopping = false
  }

  let directory: RunnerDirectory
  package let logger: Logger
  private let environment: [String: String]
  private let shared = Mutex(Shared())
  private let starts: AsyncStream<RunnerTopology>
  private let startsEnd: AsyncStream<RunnerTopology>.Continuation
  package let startedAt = Clock.wallMilliseconds()

  /// Takes hold of `directory` and reads what it holds. `environment`: for `${NAME}` in topologies.
  package init(directory path: String, environment: [String: String], logger: Logger) throws {
    directory = try RunnerDirectory(path)
    self.logger = logger
    self.environment = environment
    (starts, startsEnd) = AsyncStream.makeStream()
    for name in directory.names { load(name) }
  }

  private func load(_ name: String) {
    do {
      guard let (text, record) = try directory.load(name) else { return }
      let plan = try TopologyLoader.load(
        text: text, file: record.file, overrides: record.overrides, environment: environment)
      let topology = RunnerTopology(
        name: name, directory: directory, plan: plan, text: text, record: record, logger: logger)
      shared.withLock { $0.topologies[name] = topology }
      if topology.isToRun { startsEnd.yield(topology) }
    } catch {
      logger.error(
        "cannot be run again", metadata: ["topology": .string(name), "reason": .string("\(error)")])
      shared.withLock { $0.broken[name] = "\(error)" }
    }
  }

  // MARK: Running

  package func run() async throws {
    shared.withLock { $0.isRunning = true }
    await withGracefulShutdownHandler {
      await withDiscardingTaskGroup { group in
        for await topology in starts { group.addTask { await topology.runOnce() } }
      }
    } onGracefulShutdown: {
      self.stopAll()
    }
  }

  /// Asks every job to end with a last checkpoint; nothing is started any more.
  private func stopAll() {
    let topologies = shared.withLock { shared in
      shared.isStopping = true
      return Array(shared.topologies.values)
    }
    logger.info("stopping", metadata: ["topologies": .stringConvertible(topologies.count)])
    for topology in topologies { topology.requestStop() }
    startsEnd.finish()
  }

  private func start(_ topology: RunnerTopology) throws(Problem) {
    guard !shared.withLock({ $0.isStopping }) else { throw Problem(.unavailable, "the runner is being stopped") }
    topology.prepareStart()
    startsEnd.yield(topology)
    // Whoever stops all meanwhile may have asked it to before it was prepared.
    if shared.withLock({ $0.isStopping }) { topology.requestStop() }
  }

  // MARK: What there is

  /// In the order of their names.
  package var topologies: [RunnerTopology] {
    shared.withLock { $0.topologies.values.sorted { $0.name < $1.name } }
  }

  package var broken: [(name: String, reason: String)] {
    shared.withLock { $0.broken.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }
  }

  package func topology(_ name: String) throws(Problem) -> RunnerTopology {
    guard let topology = shared.withLock({ $0.topologies[name] }) else {
      throw Problem(.notFound, "there is no topology `\(name.prefix(100))`")
    }
    return topology
  }

  /// Why the runner cannot be relied on now; nil where it can. How its topologies are is no part of it: one that cannot reach its broker
  /// says so itself, and the others are asked and run as ever.
  package var unreadiness: String? {
    let (isStopping, isRunning) = shared.withLock { ($0.isStopping, $0.isRunning) }
    if isStopping { return "the runner is being stopped" }
    if !isRunning { return "the runner has not begun to start its topologies" }
    if let reason = directory.unusability { return reason }
    return nil
  }

  // MARK: Operations

  /// A topology as somebody hands it in.
  package struct Submission: Sendable {
    package let text: String
    /// The folder that relative paths go from, absolute; nil for one in the runner's directory.
    package let base: String?
    /// What its faults are reported of.
    package let fileName: String?
    package let overrides: [String]

    package init(text: String, base: String? = nil, fileName: String? = nil, overrides: [String] = []) {
      self.text = text
      self.base = base
      self.fileName = fileName
      self.overrides = overrides
    }
  }

  /// Checks a topology: every fault of it is in the problem.
  package func check(_ submission: Submission) throws(Problem) -> (plan: LogicalPlan, file: String) {
    if let base = submission.base, !base.hasPrefix("/") {
      throw Problem(.badRequest, "base: `\(base.prefix(200))` is no absolute path")
    }
    do {
      let fileName = submission.fileName ?? "topology.yaml"
      if let base = submission.base {
        let file = "\(base)/\(fileName)"
        return (try load(submission, file), file)
      }
      // The name decides the place, and the place what relative paths mean.
      let name = try load(submission, "\(directory.path)/topologies/\(fileName)").name
      let file = directory.standInFile(name)
      return (try load(submission, file), file)
    } catch {
      throw Problem(error)
    }
  }

  private func load(_ submission: Submission, _ file: String) throws(TopologyError) -> LogicalPlan {
    do {
      return try TopologyLoader.load(
        text: submission.text, file: file, overrides: submission.overrides, environment: environment)
    } catch {
      // Whoever sent the text knows it by the name they gave it.
      throw TopologyError(
        faults: error.faults.map { fault in
          Fault(
            file: fault.line > 0 ? submission.fileName ?? "topology.yaml" : fault.file, line: fault.line,
            column: fault.column, path: fault.path, message: fault.message, mend: fault.mend)
        })
    }
  }

  /// Takes a topology on and starts it. `from`: `latest`, `none` or the path of a checkpoint.
  package func submit(_ submission: Submission, from: String) throws -> RunnerTopology {
    let (plan, file) = try check(submission)
    let record = TopologyRecord(
      file: file, overrides: submission.overrides, submittedAt: Clock.wallMilliseconds(), from: from)
    let topology = RunnerTopology(
      name: plan.name, directory: directory, plan: plan, text: submission.text, record: record, logger: logger)
    // Nobody else works on it before it is there.
    try topology.begin()
    defer { topology.end() }
    let isNew = shared.withLock { shared in
      guard shared.topologies[plan.name] == nil else { return false }
      shared.topologies[plan.name] = topology
      shared.broken[plan.name] = nil
      return true
    }
    guard isNew else {
      throw Problem(.conflict, "there is a topology `\(plan.name)` already — upgrade it, or cancel it first")
    }
    do {
      try directory.save(plan.name, text: submission.text, record)
      try start(topology)
    } catch {
      shared.withLock { $0.topologies[plan.name] = nil }
      directory.remove(plan.name)
      throw error
    }
    return topology
  }

  package func pause(_ name: String) throws {
    try operate(name) { topology in
      topology.setWanted(false)
      topology.stop()
    }
  }

  package func resume(_ name: String) throws {
    try operate(name) { topology in
      switch topology.status.phase {
      case .paused, .failed, .quarantined, .done: try start(topology)
      case .starting, .running, .restarting: break
      case .stopping: throw Problem(.conflict, "\(name): it is just being stopped — try again")
      }
    }
  }

  /// Where a savepoint goes.
  package enum SavepointPlace: Sendable {
    /// A place of its own in the runner's directory.
    case own
    /// An absolute path.
    case path(String)
  }

  /// Ends a topology with a last checkpoint and forgets it; its checkpoints stay. `savepoint`: where a copy of the last goes; where that
  /// cannot be made the topology is kept, paused.
  package func cancel(_ name: String, savepoint: SavepointPlace?) throws -> (path: String, checkpoint: Int64)? {
    try operate(name) { topology in
      topology.setWanted(false)
      topology.stop()
      let kept = try savepoint.map { try copy(topology, to: $0) }
      directory.remove(name)
      shared.withLock { $0.topologies[name] = nil }
      topology.views.end()
      return kept
    }
  }

  /// A savepoint; of a topology that does not run a copy of its newest checkpoint.
  package func savepoint(_ name: String, to place: SavepointPlace) throws -> (path: String, checkpoint: Int64) {
    try operate(name) { try copy($0, to: place) }
  }

  private func copy(_ topology: RunnerTopology, to place: SavepointPlace) throws -> (path: String, checkpoint: Int64) {
    let path =
      switch place {
      case .own: try directory.savepointPath(topology.name)
      case .path(let path): path
      }
    do {
      return (path, try topology.savepoint(to: path))
    } catch let problem as Problem {
      throw problem
    } catch {
      throw Problem(.conflict, "\(topology.name): no savepoint: \(error)")
    }
  }

  /// Whether the state of a topology fits another version of it; nil where it has no checkpoint, which every version fits.
  /// `drop`: whose state would be left behind; a name that need not be dropped is a problem.
  package func fit(
    _ name: String, _ plan: LogicalPlan, dropping drop: [String] = []
  ) throws(Problem) -> StateFit? {
    guard plan.name == name else {
      throw Problem(
        .conflict, "the new version calls itself `\(plan.name)` and not `\(name)` — submit it as a topology of its own")
    }
    let newest = (try? CheckpointStorage.list(plan.checkpointDirectory))?.last
    guard newest != nil else {
      if drop.isEmpty { return nil }
      throw Problem(.conflict, "drop_state: \(name) has no checkpoint, and so no state, yet")
    }
    let fit: StateFit
    do {
      fit = try StateFit.check(plan, from: nil, dropping: StateDrop(drop)).fit
    } catch {
      throw Problem(.conflict, "\(name): \(error)")
    }
    guard fit.dropFaults.isEmpty else {
      throw Problem(.conflict, "drop_state: " + fit.dropFaults.joined(separator: "; "))
    }
    return fit
  }

  /// Puts another version of a topology in its place: ends the old one with a last checkpoint, keeps a savepoint of it, and starts the
  /// new one from there, without the state of what `drop` names. Where other state does not fit, the old one goes on, and the problem
  /// has the report.
  package func upgrade(
    _ name: String, _ submission: Submission, dropping drop: [String] = []
  ) throws -> (StateFit?, savepoint: String?) {
    let (plan, file) = try check(submission)
    return try operate(name) { topology in
      try refuse(fit(name, plan, dropping: drop), of: name)
      let wasRunning = topology.isToRun
      topology.stop()
      do {
        let fit = try fit(name, plan, dropping: drop)
        try refuse(fit, of: name)
        let savepoint = try fit.map { _ in try copy(topology, to: .own).path }
        try topology.replace(
          plan, text: submission.text, file: file, overrides: submission.overrides,
          upgrade: RunnerTopology.Upgrade(dropState: drop))
        if wasRunning { try start(topology) }
        return (fit, savepoint)
      } catch {
        if wasRunning { try start(topology) }
        throw error
      }
    }
  }

  private func refuse(_ fit: StateFit?, of name: String) throws(Problem) {
    guard let fit, !fit.isCompatible else { return }
    var problem = Problem(
      .incompatible,
      "\(name): " + fit.faults.joined(separator: "; ")
        + " — undo the change, give the new part a new name, or leave the state behind with drop_state")
    problem.report = fit.json
    throw problem
  }

  /// Runs a topology at another parallelism from now on.
  package func rescale(_ name: String, to parallelism: Int) throws {
    try operate(name) { topology in
      let overrides = topology.overrides.filter { !$0.hasPrefix("parallelism=") } + ["parallelism=\(parallelism)"]
      let submission = Submission(text: topology.source, overrides: overrides)
      let plan: LogicalPlan
      do throws(TopologyError) { plan = try load(submission, topology.file) } catch { throw Problem(error) }
      let wasRunning = topology.isToRun
      topology.stop()
      try topology.replace(
        plan, text: topology.source, file: topology.file, overrides: overrides, upgrade: nil)
      if wasRunning { try start(topology) }
    }
  }

  private func operate<Result>(_ name: String, _ body: (RunnerTopology) throws -> Result) throws -> Result {
    let topology = try topology(name)
    try topology.begin()
    defer { topology.end() }
    return try body(topology)
  }
}
