import Operators
import Runtime
import StreamModel

/// The runner's counters and gauges in Prometheus' text format.
///
/// https://prometheus.io/docs/instrumenting/exposition_formats/
struct MetricsText {
  private enum Kind: String { case counter, gauge, histogram }

  private struct Family {
    let kind: Kind
    let help: String
    var samples: [String] = []
  }

  /// In the order in which they were first met.
  private var names: [String] = []
  private var families: [String: Family] = [:]

  static func render(_ runner: Runner, followers: Int) -> String {
    var text = MetricsText()
    let now = Clock.wallMilliseconds()
    text.add(
      "weir_runner_start_time_seconds", .gauge, "When the runner was started, in seconds since 1970.", [],
      Double(runner.startedAt) / 1000)
    text.add("weir_view_followers", .gauge, "Clients that follow changes of views.", [], Double(followers))
    text.add(
      "weir_topologies_broken", .gauge, "Topologies that cannot be run again because their record is unusable.", [],
      Double(runner.broken.count))
    for topology in runner.topologies { text.add(topology, now) }
    return text.names.map { text.rendered($0) }.joined()
  }

  private func rendered(_ name: String) -> String {
    guard let family = families[name] else { return "" }
    return "# HELP \(name) \(family.help)\n# TYPE \(name) \(family.kind.rawValue)\n"
      + family.samples.map { $0 + "\n" }.joined()
  }

  private mutating func add(
    _ name: String, _ kind: Kind, _ help: String, _ labels: [(String, String)], _ value: Double, suffix: String = ""
  ) {
    if families[name] == nil {
      names.append(name)
      families[name] = Family(kind: kind, help: help)
    }
    let shown = labels.map { "\($0.0)=\"\(MetricsText.escaped($0.1))\"" }.joined(separator: ",")
    let number = value == value.rounded() && value.magnitude < 1e15 ? "\(Int64(value))" : "\(value)"
    families[name]?.samples.append("\(name)\(suffix)\(shown.isEmpty ? "" : "{\(shown)}") \(number)")
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
  }

  private mutating func add(_ topology: RunnerTopology, _ now: Int64) {
    let status = topology.status
    let own = [("topology", topology.name)]
    for phase in RunnerTopology.Phase.allCases {
      add(
        "weir_topology_state", .gauge, "1 for the state that the topology is in.",
        own + [("state", phase.rawValue)], phase == status.phase ? 1 : 0)
    }
    add(
      "weir_restarts_total", .counter, "How often its job has failed and was started again.", own,
      Double(status.restartCount))
    add(status.checkpoints, own, now)
    guard let progress = status.progress else { return }
    for node in progress.counts() { add(node, own) }
    add(
      "weir_dead_letters_total", .counter, "Records and rows that became dead letters.", own,
      Double(progress.deadLetterCount))
    for stage in progress.stages { add(stage, own) }
    for lookup in progress.lookups { add(lookup.counters, own + [("step", lookup.step)]) }
    add(
      "weir_live_latency_seconds",
      "From a record's arrival until live readers of views see what came of it, but for the time it waits in windows.",
      own,
      progress.latency.live.counts)
    add(
      "weir_commit_latency_seconds", "From a record's arrival until the checkpoint with it is committed.", own,
      progress.latency.committed.counts)
    if let watermark = progress.watermark {
      add(
        "weir_watermark_seconds", .gauge, "The event time that all its stages have reached, in seconds since 1970.",
        own, Double(watermark) / 1000)
      add(
        "weir_watermark_lag_seconds", .gauge, "How far that is behind the clock.", own, Double(now - watermark) / 1000)
    }
    for lag in progress.lag() {
      add(
        "weir_source_lag_records", .gauge, "Records of a Kafka partition that wait to be read.",
        own + [("source", lag.source), ("partition", lag.partition)], Double(lag.records))
    }
    for store in topology.views.stores {
      add(
        "weir_view_rows_total", .counter, "Rows written to a view since the runner was started.",
        own + [("view", store.view.name)], Double(store.rowsWritten))
    }
  }

  private mutating func add(
    _ name: String, _ help: String, _ labels: [(String, String)], _ counts: LatencyHistogram.Counts
  ) {
    add(
      name, help, labels, bounds: LatencyHistogram.boundsSeconds, counts.buckets, sum: counts.sumSeconds)
  }

  /// `counts`: by bound, and beyond the last.
  private mutating func add(
    _ name: String, _ help: String, _ labels: [(String, String)], bounds: [Double], _ counts: [Int], sum: Double
  ) {
    var total = 0
    for (place, count) in counts.enumerated() {
      total += count
      let bound = place < bounds.count ? "\(bounds[place])" : "+Inf"
      add(name, .histogram, help, labels + [("le", bound)], Double(total), suffix: "_bucket")
    }
    add(name, .histogram, help, labels, sum, suffix: "_sum")
    add(name, .histogram, help, labels, Double(total), suffix: "_count")
  }

  private mutating func add(_ node: NodeCounts, _ own: [(String, String)]) {
    let labels = own + [("node", node.name), ("kind", node.kind.rawValue)]
    add("weir_rows_in_total", .counter, "Rows (of a source: records) that came in.", labels, Double(node.rowsIn))
    add("weir_rows_out_total", .counter, "Rows that went out.", labels, Double(node.rowsOut))
    add(
      "weir_rows_failed_total", .counter, "Records that did not decode and rows that could not be evaluated.", labels,
      Double(node.failed))
    if node.bytes > 0 { add("weir_bytes_total", .counter, "Bytes of records read.", labels, Double(node.bytes)) }
    for port in node.ports {
      add(
        "weir_rows_aside_total", .counter, "Rows that went to a side port.", labels + [("port", port.port.rawValue)],
        Double(port.rows))
    }
  }

  private mutating func add(_ stage: StageProgress, _ own: [(String, String)]) {
    let labels = own + [("stage", stage.name)]
    add(
      "weir_stage_waited_seconds_total", .counter, "Time that a stage's subtasks have waited for input.", labels,
      Double(stage.waitedNanoseconds) / 1e9)
    add(
      "weir_stage_back_pressure_seconds_total", .counter,
      "Time that others have waited to give a stage rows, because it had enough to do.", labels,
      Double(stage.blockedOthersNanoseconds) / 1e9)
  }

  private mutating func add(_ lookup: LookupCounters, _ labels: [(String, String)]) {
    for (result, rows) in [("hit", lookup.hits), ("miss", lookup.misses), ("stale", lookup.stale)] {
      add(
        "weir_lookup_rows_total", .counter,
        "Rows of a lookup: answered from memory (hit), from memory with what had expired (stale), or not (miss).",
        labels + [("result", result)], Double(rows.value))
    }
    add(
      "weir_lookup_requests_total", .counter, "Requests that a lookup sent to its table, retries included.", labels,
      Double(lookup.requests.value))
    add(
      "weir_lookup_requests_failed_total", .counter, "Requests of a lookup that gave no answer.", labels,
      Double(lookup.failures.value))
    add(
      "weir_lookup_requests_refused_total", .counter,
      "Requests that a lookup did not send because its circuit breaker was open.", labels, Double(lookup.refusals.value)
    )
    add(
      "weir_lookup_evictions_total", .counter, "Entries of a lookup's cache that went because it was full.", labels,
      Double(lookup.evictions.value))
    add(
      "weir_lookup_request_seconds", "How long requests of a lookup took.", labels,
      bounds: LookupCounters.latencyBoundsMilliseconds.map { Double($0) / 1000 }, lookup.latencies.map(\.value),
      sum: Double(lookup.latencyNanoseconds.value) / 1e9)
  }

  private mutating func add(_ outcomes: CheckpointOutcomes, _ own: [(String, String)], _ now: Int64) {
    add(
      "weir_checkpoints_total", .counter, "Checkpoints committed since its job was started.", own,
      Double(outcomes.committedCount))
    add(
      "weir_checkpoints_failed_total", .counter, "Checkpoints given up since its job was started.", own,
      Double(outcomes.failedCount))
    guard let last = outcomes.last else { return }
    add(
      "weir_checkpoint_age_seconds", .gauge, "How long ago the last checkpoint was committed.", own,
      Double(now - last.createdAt) / 1000)
    add(
      "weir_checkpoint_duration_seconds", .gauge, "From the last checkpoint's barrier to its manifest.", own,
      Double(last.durationMilliseconds) / 1000)
    add("weir_checkpoint_new_bytes", .gauge, "Bytes that the last checkpoint added.", own, Double(last.newBytes))
    add("weir_state_bytes", .gauge, "Bytes of keyed state in the last checkpoint.", own, Double(last.stateBytes))
    for (step, bytes) in last.stateBytesByStep.sorted(by: { $0.key < $1.key }) {
      add(
        "weir_step_state_bytes", .gauge, "Bytes of a step's or view's keyed state in the last checkpoint.",
        own + [("step", step)], Double(bytes))
    }
  }
}
