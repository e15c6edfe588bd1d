import Runtime
import StreamModel
import Topology

/// A topology in a runner, as JSON.
enum TopologyObject {
  /// A line of a list.
  static func summary(_ topology: RunnerTopology, now: Int64 = Clock.wallMilliseconds()) -> JSONText {
    .object(summaryFields(topology.name, topology.status, now))
  }

  private static func summaryFields(
    _ name: String, _ status: RunnerTopology.Status, _ now: Int64
  ) -> [(String, JSONText)] {
    let progress = status.progress
    return [
      ("name", .string(name)), ("state", .string(status.phase.rawValue)),
      ("description", .string(status.plan.description)), ("revision", .integer(Int64(status.revision))),
      ("parallelism", .integer(Int64(status.plan.parallelism))), ("submitted_at", time(status.submittedAt)),
      ("started_at", status.startedAt.map(time) ?? .null),
      ("records_in", .integer(Int64(progress?.recordsRead ?? 0))),
      ("rows_out", .integer(Int64(progress?.rowsWritten ?? 0))),
      ("dead_letters", .integer(Int64(progress?.deadLetterCount ?? 0))),
      ("watermark", progress?.watermark.map(time) ?? .null),
      ("watermark_lag_ms", progress?.watermark.map { .integer(max(0, now - $0)) } ?? .null),
      ("restarts", .integer(Int64(status.restartCount))), ("restart_at", status.restartAt.map(time) ?? .null),
      ("repeats_slowly", .flag(status.phase == .running && progress?.repeatsSlowly == true)),
      (
        "last_failure",
        status.failure.map { .object([("at", time($0.at)), ("reason", .string($0.reason))]) } ?? .null
      ),
      ("checkpoint", checkpoint(status.checkpoints, now)),
    ]
  }

  /// Everything there is to say.
  static func description(_ topology: RunnerTopology, now: Int64 = Clock.wallMilliseconds()) -> JSONText {
    let status = topology.status
    return .object(
      summaryFields(topology.name, status, now) + [
        ("notices", .array(status.notices.map { .string($0) })),
        ("overrides", .array(status.overrides.map { .string($0) })),
        ("nodes", .array((status.progress?.counts() ?? []).map(node))),
        ("stages", .array((status.progress?.stages ?? []).map(stage))),
        ("views", .array(topology.views.stores.map { .string($0.view.name) })),
        ("plan", PlanExplainer.object(status.plan)),
      ])
  }

  static func time(_ milliseconds: Int64) -> JSONText { .string(CivilTime.formatTimestamp(milliseconds)) }

  private static func checkpoint(_ outcomes: CheckpointOutcomes, _ now: Int64) -> JSONText {
    .object([
      ("committed", .integer(Int64(outcomes.committedCount))), ("failed", .integer(Int64(outcomes.failedCount))),
      ("last_failure", outcomes.lastFailure.map { .string($0) } ?? .null),
      ("last", outcomes.last.map { last($0, now) } ?? .null),
    ])
  }

  private static func last(_ checkpoint: CommittedCheckpoint, _ now: Int64) -> JSONText {
    .object([
      ("id", .integer(checkpoint.id)), ("created_at", time(checkpoint.createdAt)),
      ("age_ms", .integer(max(0, now - checkpoint.createdAt))),
      ("duration_ms", .integer(checkpoint.durationMilliseconds)),
      ("state_bytes", .integer(Int64(checkpoint.stateBytes))), ("new_bytes", .integer(Int64(checkpoint.newBytes))),
      (
        "state_bytes_by_step",
        .object(checkpoint.stateBytesByStep.sorted { $0.key < $1.key }.map { ($0.key, .integer(Int64($0.value))) })
      ),
    ])
  }

  private static func node(_ node: NodeCounts) -> JSONText {
    .object([
      ("kind", .string(node.kind.rawValue)), ("name", .string(node.name)), ("in", .integer(Int64(node.rowsIn))),
      ("out", .integer(Int64(node.rowsOut))), ("failed", .integer(Int64(node.failed))),
      ("bytes", .integer(Int64(node.bytes))), ("reconciles", .flag(node.reconciles)),
      ("ports", .object(node.ports.map { ($0.port.rawValue, .integer(Int64($0.rows))) })),
    ])
  }

  private static func stage(_ stage: StageProgress) -> JSONText {
    let watermark = stage.currentWatermark
    let isKnown = watermark != EventTimes.minimum && watermark != EventTimes.maximum
    return .object([
      ("name", .string(stage.name)), ("parallelism", .integer(Int64(stage.parallelism))),
      ("watermark", isKnown ? time(watermark) : .null),
      ("waited_ms", .integer(stage.waitedNanoseconds / 1_000_000)),
      ("blocked_others_ms", .integer(stage.blockedOthersNanoseconds / 1_000_000)),
    ])
  }
}
