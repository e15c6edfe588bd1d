import Operators
import Runtime
import StreamModel

/// What a run did, for people: one line a source, step and sink, and whether every record is accounted for.
enum SummaryTable {
  static func render(_ summary: JobSummary, topology: String) -> String {
    let read = summary.recordsRead
    let seconds = Double(summary.durationNanoseconds) / 1e9
    var text = "\(topology): \(summary.isComplete ? "done" : "interrupted") in "
    text += "\(Numbers.seconds(nanoseconds: summary.durationNanoseconds)), \(Numbers.grouped(read)) records"
    if seconds > 0 { text += ", \(Numbers.grouped(Int(Double(read) / seconds))) records/s" }
    text += "\n"
    if summary.restartCount > 0 { text += "started again \(Numbers.grouped(summary.restartCount)) times\n" }
    for state in summary.droppedState {
      text += "state dropped: \(state.step), about \(Numbers.grouped(state.entryCount)) entries, "
      text += "\(Numbers.size(state.sizeBytes)) of checkpoint \(state.checkpoint)\n"
    }
    if summary.checkpoints.failedCount > 0 {
      text += "checkpoints: \(summary.checkpoints.committedCount) committed, \(summary.checkpoints.failedCount) failed"
      text += ", the last: \(summary.checkpoints.lastFailure ?? "")\n"
    }
    if summary.restoredFrom != nil {
      text += "counted since \(CivilTime.formatTimestamp(summary.countedSince)), over all runs:\n"
    }
    text += table(summary.nodes)
    for (step, counters) in summary.lookups where counters.requests.value + counters.refusals.value > 0 {
      text += "  lookup \(step): \(line(counters))\n"
    }
    if summary.deadLetters > 0 { text += "dead letters: \(Numbers.grouped(summary.deadLetters))\n" }
    for lag in summary.lag where lag.records > 0 {
      text += "source \(lag.source): \(lag.partition) is \(Numbers.grouped(Int(lag.records))) records behind\n"
    }
    let wrong = summary.nodes.filter { !$0.reconciles }.map(\.name)
    text +=
      wrong.isEmpty
      ? "every record is accounted for\n"
      : "counters do not reconcile at: \(wrong.joined(separator: ", ")) — please report this\n"
    return text
  }

  private static func table(_ nodes: [NodeCounts]) -> String {
    var rows = [["", "in", "out", "aside"]]
    for node in nodes {
      rows.append([
        "\(node.kind.rawValue) \(node.name)", Numbers.grouped(node.rowsIn),
        node.kind == .sink || node.kind == .view ? "" : Numbers.grouped(node.rowsOut), aside(node),
      ])
    }
    let widths = (0..<3).map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      var line = "  " + row[0].padded(widths[0])
      for column in 1...2 {
        line += "  " + String(repeating: " ", count: widths[column] - row[column].count) + row[column]
      }
      return (row[3].isEmpty ? line : line + "  " + row[3]) + "\n"
    }.joined()
  }

  /// What a table did that was asked for rows.
  private static func line(_ counters: LookupCounters) -> String {
    let requests = counters.requests.value
    let mean = requests == 0 ? 0 : Int64(counters.latencyNanoseconds.value / requests)
    var parts = ["\(Numbers.grouped(counters.hits.value)) rows from memory"]
    if counters.stale.value > 0 { parts.append("\(Numbers.grouped(counters.stale.value)) with what had expired") }
    parts.append("\(Numbers.grouped(counters.misses.value)) had to wait")
    parts.append("\(Numbers.grouped(requests)) requests of \(Numbers.seconds(nanoseconds: mean)) on average")
    if counters.failures.value > 0 { parts.append("\(Numbers.grouped(counters.failures.value)) failed") }
    if counters.refusals.value > 0 { parts.append("\(Numbers.grouped(counters.refusals.value)) not sent") }
    return parts.joined(separator: ", ")
  }

  private static func aside(_ node: NodeCounts) -> String {
    var terms = node.ports.map { "\($0.port.rawValue) \(Numbers.grouped($0.rows))" }
    if node.failed > 0 {
      terms.append("\(node.kind == .source ? "undecodable" : "failed") \(Numbers.grouped(node.failed))")
    }
    if node.failedResults > 0 { terms.append("results failed \(Numbers.grouped(node.failedResults))") }
    return terms.joined(separator: ", ")
  }
}

extension String {
  fileprivate func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
