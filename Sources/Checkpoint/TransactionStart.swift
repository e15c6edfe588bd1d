/// From where a job whose commit point is a Kafka transaction may go on: what the broker says, held against what lies here.
///
/// The broker's marker is the truth about which checkpoint is committed; the checkpoint directory holds what it takes to go
/// on from there. The two must fit, or output would be lost or doubled. Pure: facts in, decision out.
package struct TransactionStart: Equatable, Sendable {
  /// What the broker keeps for the job's name.
  package struct Marker: Equatable, Sendable {
    package let number: Int64
    package let identity: Int64
    package init(number: Int64, identity: Int64) {
      self.number = number
      self.identity = identity
    }
  }

  /// What the user asks for.
  package enum Request: Equatable, Sendable {
    case latest
    case beginning
    /// A checkpoint by its path: its number, and the identity of the job that committed it with Kafka (0: without).
    case checkpoint(number: Int64, identity: Int64)
  }

  package enum Action: Equatable, Sendable {
    /// The job never started before: make an identity, keep it here, then commit marker 0 with it.
    case first
    /// Go on from the beginning; nothing was committed yet.
    case begin(above: Int64)
    /// Go on from this checkpoint, and remove those above it: they were prepared and never committed.
    case restore(Int64)
    /// Begin from what the request names, as a job with a new identity and numbers above this one: the user accepts loss or
    /// duplicates, or a savepoint begins a job that this cluster does not know.
    case override(above: Int64)
    /// What was found does not fit; why, and the ways out.
    case refuse(String)
  }

  /// The flag that accepts loss or duplicates.
  package static let flag = "--accept-loss-or-duplicates"

  package var job: String
  package var marker: Marker?
  package var local: LocalRecord?
  /// Numbers of the checkpoints that lie here, ascending.
  package var checkpoints: [Int64]
  package var request: Request
  /// Whether the user gave the flag.
  package var acceptsLoss: Bool
  /// Whether the marker may still be behind an acknowledged commit: until the ids are taken, a transaction that a dead process
  /// left open can hold it back.
  package var mayLag = false

  /// - Parameter record: What the checkpoint directory keeps.
  package init(
    job: String, marker: Marker?, record: LocalRecord?, checkpoints: [Int64], request: Request, acceptsLoss: Bool
  ) {
    self.job = job
    self.marker = marker
    self.local = record?.settled(by: marker)
    self.checkpoints = checkpoints
    self.request = request
    self.acceptsLoss = acceptsLoss
    highest = max(marker?.number ?? 0, checkpoints.last ?? 0, record?.completed ?? 0, record?.next?.number ?? 0)
  }

  /// A number that was never used, here or at the broker, is above this one.
  private let highest: Int64

  package func decide() -> Action {
    if let action = decideByRequest() { return action }
    if let conflict { return acceptsLoss ? .override(above: highest) : .refuse(conflict) }
    guard let marker else { return .first }
    if let local, marker.number < local.completed { return .restore(local.completed) }
    return isAtItsBeginning(marker) ? .begin(above: highest) : .restore(marker.number)
  }

  /// Whether nothing has been committed since the job began from nothing.
  private func isAtItsBeginning(_ marker: Marker) -> Bool {
    marker.number == local?.beganAt && marker.identity == local?.identity
  }

  /// Where the user asks for another place than the newest checkpoint.
  private func decideByRequest() -> Action? {
    let asked: String
    switch request {
    case .latest: return nil
    case .beginning: asked = "--from none"
    case .checkpoint(let number, let identity):
      if let marker, marker.number == number, marker.identity == identity, identity == local?.identity { return nil }
      if marker == nil, local == nil { return .override(above: highest) }
      asked = "--from a checkpoint of number \(number)"
    }
    if acceptsLoss { return .override(above: highest) }
    guard let marker else {
      if request == .beginning, checkpoints.isEmpty, local?.completed ?? 0 == 0 { return nil }
      return .refuse(
        "\(asked) would begin job \(job) anew beside what it has left here, and its output may be in the topics already — "
          + "add \(TransactionStart.flag) if that is meant")
    }
    if request == .beginning, isAtItsBeginning(marker) { return nil }
    return .refuse(
      "\(asked): the broker says that checkpoint \(marker.number) of job \(job) is committed, so what came before it is in the "
        + "topics already and would be written twice — go on with --from latest, or add \(TransactionStart.flag)")
  }

  /// Why marker and directory do not belong together; nil where they do.
  private var conflict: String? {
    guard let marker else { return conflictWithoutMarker }
    guard let local else {
      return
        "the broker says that checkpoint \(marker.number) of job \(job) is committed, and there is no checkpoint of it here: "
        + "the directory was lost or is another, or another job has this name — restore the directory (checkpoint.directory), "
        + "or rename this job, or begin anew with --from none \(TransactionStart.flag)"
    }
    if marker.identity != local.identity {
      return
        "the broker's marker of job \(job) belongs to another job of this name (\(hex(marker.identity)), here "
        + "\(hex(local.identity))): somebody started it anew elsewhere — stop that one or rename this job; to take the name "
        + "over: --from none \(TransactionStart.flag)"
    }
    if marker.number < local.completed, mayLag, checkpoints.contains(local.completed) { return nil }
    if marker.number < local.completed {
      return
        "the broker says that checkpoint \(marker.number) of job \(job) is the last committed, and here \(local.completed) is "
        + "known to be: the broker has lost offsets (restored from a backup, or retention) and perhaps output — restore it, or "
        + "accept that with --from PATH or --from none, and \(TransactionStart.flag)"
    }
    if !isAtItsBeginning(marker), !checkpoints.contains(marker.number) {
      let there = checkpoints.isEmpty ? "none" : checkpoints.map { "\($0)" }.joined(separator: ", ")
      return
        "the broker says that checkpoint \(marker.number) of job \(job) is committed, and it is not here (there is: \(there)): "
        + "another process has gone on with the job from a copy of this directory, or this is an older one — stop this one, or "
        + "restore the directory; or accept loss or duplicates with --from PATH or --from none, and \(TransactionStart.flag)"
    }
    return nil
  }

  private var conflictWithoutMarker: String? {
    if let local, local.completed > 0 || !checkpoints.isEmpty {
      return
        "there are checkpoints of job \(job) here (\(local.completed) is committed), and the broker has no marker of it: it is "
        + "another cluster, or the marker expired (offsets.retention.minutes) — correct `bootstrap:`, or accept duplicates with "
        + "--from none \(TransactionStart.flag)"
    }
    if local == nil, !checkpoints.isEmpty {
      return
        "the checkpoints of job \(job) here were committed without Kafka, and now a Kafka sink takes part — go on from a "
        + "savepoint (--from PATH), or give the job another name, or begin anew with --from none \(TransactionStart.flag)"
    }
    return nil
  }

  private func hex(_ identity: Int64) -> String { String(identity, radix: 16) }
}
