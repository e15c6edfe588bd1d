import Checkpoint
import Connectors
import State
import StreamModel

/// Takes a job's checkpoints: lets barriers into the sources, gathers what the participants report, makes it durable, and
/// commits it.
///
/// The order at a commit: everything the sinks have is durable under hidden names; the checkpoint is written, fsynced and
/// renamed — that rename is the commit —; the parts get their final names; older checkpoints are removed. After a crash at
/// any point the next start finds either the old checkpoint, and leftovers that nobody sees, or the new one, whose parts it
/// gives their final names again.
///
/// Participants report from their own threads; `run` works in one of its own.
/// Invariant for `Sendable`: everything mutable is touched only under `monitor`, `storage` only by `run` and before it.
final class CheckpointDriver: @unchecked Sendable {
  private let settings: Settings
  private let storage: CheckpointStorage
  /// Nil where no operator has state.
  private let store: StateStore?
  private var stateFiles: StateFiles
  private let monitor = Monitor()
  private var machine: CheckpointStateMachine
  private var sources: [SourceCoordinator] = []
  private var inboxes: [Inbox] = []
  private var openSources: Int
  /// Reports of the checkpoint under way, of participants that have ended, and parts that no checkpoint has committed yet.
  private var reports: [Int: SubtaskReport] = [:]
  private var endReports: [Int: SubtaskReport] = [:]
  private var uncommitted: [PendingOutput] = []
  private var commitDue: Commit?
  private var nextID: Int64
  private var barrierAt: Int64 = 0
  private var participantsLeft: Int
  private var isComplete = true
  private var isAborted = false
  /// No checkpoint follows: output that is still handed in belongs to none.
  private var isGivenUp = false
  private var failure: String?
  private var lastFailure: String?
  private var last: CommittedCheckpoint?
  /// The last checkpoint committed and the last given up by this run, and those that a savepoint is copied from.
  private var lastCommitted: Int64?
  private var lastCancelled: Int64?
  private var kept: Set<Int64> = []
  private var isDone = false

  /// `lastID`: the highest number used so far. `restoredFiles`: those the state began with.
  init(
    _ settings: Settings, storage: CheckpointStorage, store: StateStore?, lastID: Int64,
    restoredFiles: [CheckpointManifest.File]
  ) {
    self.store = store
    stateFiles = StateFiles(restored: restoredFiles)
    self.settings = settings
    self.storage = storage
    nextID = lastID + 1
    openSources = settings.sourceCount
    participantsLeft = settings.participantCount
    machine = CheckpointStateMachine(
      settings: settings.timing, participantCount: settings.participantCount, lastID: lastID,
      now: CheckpointDriver.now())
  }

  /// The sources to let barriers into, and the inboxes of all subtasks that align them; before `run`.
  func attach(_ sources: [SourceCoordinator], _ inboxes: [Inbox]) {
    self.sources = sources
    self.inboxes = inboxes
  }

  /// Ms of a clock that nobody sets.
  private static func now() -> Int64 { Clock.monotonicNanoseconds() / 1_000_000 }

  /// Checkpoints of this run so far.
  var outcomes: CheckpointOutcomes {
    monitor.locked {
      CheckpointOutcomes(
        committedCount: machine.committedCount, failedCount: machine.failedCount, lastFailure: lastFailure,
        last: last)
    }
  }

  // MARK: Reports

  /// `participant` has done its part of checkpoint `id`.
  func acknowledge(_ id: Int64, by participant: Int, _ report: SubtaskReport) {
    monitor.locked {
      // One that was given up is no report of the next, but its output is there and waits for that.
      if machine.isCollecting(id) { reports[participant] = report }
      keepForCommit(PendingOutput(participant: participant, isLast: false, parts: report.parts))
      handle(machine.acknowledge(id, by: participant, now: CheckpointDriver.now()))
    }
  }

  /// `participant` has ended with `report`. `isComplete`: because its input had.
  func end(_ participant: Int, _ report: SubtaskReport, isComplete: Bool) {
    monitor.locked {
      endReports[participant] = report
      keepForCommit(PendingOutput(participant: participant, isLast: true, parts: report.parts))
      participantsLeft -= 1
      if report.source != nil { openSources -= 1 }
      self.isComplete = self.isComplete && isComplete
      handle(machine.end(participant, now: CheckpointDriver.now()))
      monitor.signalAll()
    }
  }

  private func keepForCommit(_ output: PendingOutput) {
    uncommitted.append(output)
    if isGivenUp { discardUncommitted() }
  }

  func abort() {
    monitor.locked {
      isAborted = true
      monitor.signalAll()
    }
  }

  private func handle(_ action: CheckpointStateMachine.Action) {
    switch action {
    case .none: break
    case .inject(let id):
      nextID = id + 1
      reports = [:]
      barrierAt = CheckpointDriver.now()
      for source in sources { source.requestBarrier(id) }
      CrashPoint.reached("barrier-injected")
    case .commit(let id): commitDue = commit(id, isComplete: false, isNumbered: true)
    case .cancel(let id, let reason):
      lastFailure = reason
      lastCancelled = id
      for source in sources { source.withdrawBarrier(id) }
      // Before the next barrier is let in: whoever holds channels back for this one lets them go.
      for inbox in inboxes { inbox.cancelCheckpoint(id) }
      store?.giveUp(id)
      do { try settings.kafka?.withdraw(id, reason: reason) } catch { failure = "\(error)" }
    case .restart(let reason): failure = reason
    }
    monitor.signalAll()
  }

  // MARK: Savepoints

  /// Has a checkpoint taken that begins after this call, waits until it is committed, and keeps it until `letGo`.
  func commitForSavepoint() throws(JobError) -> Int64 {
    try monitor.locked { () throws(JobError) -> Int64 in
      var wanted: Int64?
      while true {
        if isDone, let lastCommitted { return lastCommitted }
        if isAborted || failure != nil {
          throw .operation(step: "savepoint", reason: "the job failed before it was there")
        }
        if let wanted {
          if lastCommitted == wanted { return wanted }
          if lastCancelled == wanted {
            kept.remove(wanted)
            throw .operation(step: "savepoint", reason: "its checkpoint failed: \(lastFailure ?? "")")
          }
        } else if openSources > 0, case .inject(let id) = requestNow() {
          wanted = id
          kept.insert(id)
        }
        monitor.wait()
      }
    }
  }

  private func requestNow() -> CheckpointStateMachine.Action {
    let action = machine.request(now: CheckpointDriver.now())
    handle(action)
    return action
  }

  /// Checkpoint `id` may go when it is old.
  func letGo(_ id: Int64) { monitor.locked { _ = kept.remove(id) } }

  func path(of id: Int64) -> String { storage.path(of: id) }

  // MARK: The loop

  /// Takes checkpoints until every participant has ended and the last one is committed, or the job is aborted.
  func run() throws {
    while let commit = try nextCommit() {
      do {
        try write(commit)
      } catch let error as CheckpointError {
        guard commit.isNumbered, !error.isOutcomeUnknown, settings.kafka == nil else {
          throw JobError.checkpoint(error)
        }
        monitor.locked {
          handle(machine.commitFailed(commit.id, reason: error.description, now: CheckpointDriver.now()))
        }
        continue
      }
      monitor.locked {
        uncommitted = commit.kept + uncommitted.dropFirst(commit.seen)
        machine.committed(commit.id, now: CheckpointDriver.now())
        lastCommitted = commit.id
        isDone = !commit.isNumbered
        monitor.signalAll()
      }
      if !commit.isNumbered { return }
    }
  }

  private func write(_ commit: Commit) throws {
    CrashPoint.reached("before-state")
    let manifest: CheckpointManifest
    do {
      let files = try takeState(commit.id)
      manifest = self.manifest(commit, files)
      CrashPoint.reached("before-manifest")
      try settings.kafka?.prepare(commit.id)
      try storage.commit(manifest)
    } catch let error as JobError {
      throw error
    } catch {
      let error = error as? CheckpointError ?? CheckpointError("checkpoint \(commit.id): \(error)")
      if !error.isOutcomeUnknown { storage.discard(commit.id) }
      throw error
    }
    CrashPoint.reached("manifest-durable")
    try settings.kafka?.commit(manifest)
    do {
      try settings.commit(manifest.parts)
    } catch {
      throw JobError.connector(error)
    }
    CrashPoint.reached("files-renamed")
    try settings.kafka?.complete(manifest.id)
    settings.committed(commit.id)
    monitor.locked { last = CommittedCheckpoint(manifest) }
    if settings.kafka == nil { announce(manifest) }
    tidy(commit)
    CrashPoint.reached("old-checkpoints-removed")
  }

  /// Tells sources whose system keeps positions too how far they are committed.
  private func announce(_ manifest: CheckpointManifest) {
    for (name, source) in zip(settings.sourceNames, sources) {
      guard let known = manifest.sources.first(where: { $0.name == name }) else { continue }
      source.noteCommitted(
        known.positions.map { PartitionPosition(partition: $0.partition, offset: $0.offset, isAtEnd: $0.isAtEnd) })
    }
  }

  /// What follows a commit and may fail: the next one makes up for it.
  private func tidy(_ commit: Commit) {
    do {
      if !commit.parts.isEmpty { try storage.notePublished(commit.id) }
      CrashPoint.reached("output-noted")
      try storage.retain(settings.retain, keeping: monitor.locked { kept })
    } catch {
      monitor.locked { lastFailure = error.description }
    }
  }

  /// Makes the state durable where checkpoint `id` is put together, and lists its files.
  private func takeState(_ id: Int64) throws -> [CheckpointManifest.File] {
    let directory = try storage.prepare(id)
    guard let store else { return [] }
    do {
      try store.take(id, in: directory)
    } catch {
      throw CheckpointError("checkpoint \(id): \(error)", isRetriable: true)
    }
    CrashPoint.reached("state-durable")
    return try stateFiles.list(directory)
  }

  private func manifest(_ commit: Commit, _ files: [CheckpointManifest.File]) -> CheckpointManifest {
    let operators = commit.states.map { state in
      let family = CheckpointManifest.family(step: state.step, role: state.role)
      let size = store?.backend.size(family: family) ?? (bytes: 0, entries: 0)
      return CheckpointManifest.Operator(
        step: state.step, role: state.role, signature: settings.signatures[family] ?? "", watermark: state.watermark,
        sizeBytes: size.bytes, entryCount: size.entries)
    }
    var manifest = CheckpointManifest(
      id: commit.id, topology: settings.topology, createdAt: Clock.wallMilliseconds(), isComplete: commit.isComplete,
      sources: commit.sources, operators: operators, parts: commit.parts, files: files,
      counters: commit.counters)
    manifest.durationMilliseconds = CheckpointDriver.now() - commit.began
    manifest.newBytes = stateFiles.newBytes
    manifest.droppedStates = settings.droppedStates
    manifest.identity = settings.kafka?.identity ?? 0
    return manifest
  }

  private func nextCommit() throws -> Commit? {
    try monitor.locked {
      while true {
        if isAborted || failure != nil {
          isGivenUp = true
          discardUncommitted()
          guard let failure else { throw Interruption.cancelled }
          throw JobError.operation(step: "checkpoint", reason: failure)
        }
        if let commit = commitDue {
          commitDue = nil
          return commit
        }
        if participantsLeft == 0 {
          reports = [:]
          return commit(nextID, isComplete: isComplete, isNumbered: false)
        }
        waitOrTick()
      }
    }
  }

  /// Removes output that no checkpoint names. Only between commits: during one, nobody knows that yet.
  private func discardUncommitted() {
    for part in uncommitted.flatMap(\.parts) {
      PendingPart(pendingPath: part.pendingPath, finalPath: part.finalPath, rows: part.rows).discard()
    }
    uncommitted = []
  }

  private func waitOrTick() {
    // Once every source has ended no barrier can be let in: what is left ends by itself.
    guard openSources > 0, let deadline = machine.nextDeadline else { return monitor.wait() }
    let now = CheckpointDriver.now()
    if deadline <= now { handle(machine.tick(now: now)) } else { monitor.wait(milliseconds: deadline - now) }
  }

  /// Puts together checkpoint `id` as it is at this moment. A participant that has done its part of `id` and ended since
  /// counts as it was at the barrier: what it did at its end belongs to the next checkpoint.
  private func commit(_ id: Int64, isComplete: Bool, isNumbered: Bool) -> Commit {
    let current = endReports.merging(reports) { _, atBarrier in atBarrier }.sorted { $0.key < $1.key }.map(\.value)
    let kept = uncommitted.filter { $0.isLast && reports[$0.participant] != nil }
    let parts = uncommitted.filter { !($0.isLast && reports[$0.participant] != nil) }.flatMap(\.parts)
    return Commit(
      id: id, began: isNumbered ? barrierAt : CheckpointDriver.now(), isComplete: isComplete,
      sources: current.compactMap(\.source), states: current.joinedStates,
      parts: parts,
      counters: counters(current), kept: kept, seen: uncommitted.count, isNumbered: isNumbered)
  }

  /// What the job has counted over its whole life, as of the reports.
  private func counters(_ reports: [SubtaskReport]) -> CheckpointManifest.Counters {
    CheckpointManifest.Counters(
      since: settings.counted.since, nodes: (settings.counted.nodes + reports.flatMap(\.counts)).summedByNode)
  }
}
