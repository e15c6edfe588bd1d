import Foundation
import StreamModel
import Topology

/// Compares what a run gave with what the reference model works out; gives differences in words.
struct Comparison {
  private let topology: TestTopology
  private let model: ReferenceModel
  private let outcome: JobOutcome
  private var differences: [String] = []

  static func differences(_ topology: TestTopology, _ model: ReferenceModel, _ outcome: JobOutcome) -> [String] {
    var comparison = Comparison(topology: topology, model: model, outcome: outcome)
    for sink in topology.sinks { comparison.compare(sink) }
    comparison.compareDeadLetters()
    comparison.compareCounts()
    return comparison.differences
  }

  private init(topology: TestTopology, model: ReferenceModel, outcome: JobOutcome) {
    self.topology = topology
    self.model = model
    self.outcome = outcome
  }

  /// What stands in `expected` and not in `found`, and the other way round.
  private mutating func compare(_ what: String, expected: [String], found: [String]) {
    var counts: [String: Int] = [:]
    for row in expected { counts[row, default: 0] += 1 }
    for row in found { counts[row, default: 0] -= 1 }
    for (row, count) in counts.sorted(by: { $0.key < $1.key }) where count != 0 {
      differences.append("\(what): \(count > 0 ? "missing" : "too many") (\(abs(count))): \(row)")
    }
  }

  // MARK: Sinks

  private mutating func compare(_ sink: TestSink) {
    let expected = model.rows(of: sink.inputs).map { row in
      zip(row.values, sink.fields).map { CanonicalText.of($0, isApproximate: Comparison.isApproximate($1)) }
    }
    let found = (outcome.sinks[sink.name] ?? []).map { row in
      zip(row, sink.fields).map { text, field in
        guard Comparison.isApproximate(field), let value = Double(text) else { return text }
        return CanonicalText.double(value, isApproximate: true)
      }
    }
    switch sink.promise {
    case .exact: compare(sink.name, expected: expected.map(Comparison.shown), found: found.map(Comparison.shown))
    case .latest(let key): compareLast(sink.name, expected, found, key: key, but: nil, isSession: false)
    case .final(let key, let pane, let isSession):
      compareLast(sink.name, expected, found, key: key, but: pane, isSession: isSession)
    }
  }

  /// Standard deviations have no single right answer in binary.
  private static func isApproximate(_ field: Field) -> Bool { field.name.hasPrefix("deviation") }

  private static func shown(_ row: [String]) -> String { row.joined(separator: " | ") }

  /// The last row of each key; `but` is a column that may be anything.
  private mutating func compareLast(
    _ name: String, _ expected: [[String]], _ found: [[String]], key: [Int], but: Int?, isSession: Bool
  ) {
    var last: [[String]: [String]] = [:]
    for row in found { last[key.map { row[$0] }] = row }
    if isSession {
      last = last.filter { key, _ in
        expected.contains { row in key == row.prefix(key.count).map { $0 } } || !isSuperseded(key, by: expected)
      }
    }
    func stripped(_ row: [String]) -> String { Comparison.shown(row.indices.filter { $0 != but }.map { row[$0] }) }
    compare("\(name), last rows", expected: expected.map(stripped), found: last.values.map(stripped))
  }

  /// Whether a session lies in one that it grew into. A key ends with the session's start and end.
  private func isSuperseded(_ key: [String], by expected: [[String]]) -> Bool {
    let own = key.count - 2
    return expected.contains { row in
      row.prefix(own).elementsEqual(key.prefix(own)) && row[own] <= key[own] && key[own + 1] <= row[own + 1]
    }
  }

  // MARK: Dead letters

  private mutating func compareDeadLetters() {
    let columns = DeadLetters.schema.fields.map(\.name).filter { $0 != "failed_at" }
    let found = outcome.deadLetters.map { row in
      let byName = Dictionary(uniqueKeysWithValues: zip(columns, row))
      // Of a row that a step made there are no original bytes: what stands for them is not compared.
      let isMade = byName["source"] == "null"
      return ["step", "port", "source", "partition", "offset", "event_time", "record"].map { name in
        name == "record" && isMade ? "null" : byName[name] ?? "null"
      }
    }
    let expected = model.deadLetters.map { letter in
      [
        .string(letter.step), .string(letter.port), letter.source.map { .string($0) } ?? .null,
        letter.partition.map { .string($0) } ?? .null, letter.offset.map { .int64($0) } ?? .null,
        letter.time.map { .timestamp($0) } ?? .null,
        letter.record.map { .string(Data($0).base64EncodedString()) } ?? .null,
      ].map { (value: Value) in CanonicalText.of(value) }
    }
    compare("dead letters", expected: expected.map(Comparison.shown), found: found.map(Comparison.shown))
    if outcome.summary.deadLetters != outcome.deadLetters.count {
      differences.append("\(outcome.summary.deadLetters) dead letters counted, \(outcome.deadLetters.count) written")
    }
  }

  // MARK: Counters

  private mutating func compareCounts() {
    if !outcome.summary.reconciles {
      differences.append("counters do not reconcile: \(outcome.summary.nodes.filter { !$0.reconciles })")
    }
    for node in outcome.summary.nodes where node.kind != .sink {
      guard let expected = model.counts[node.name] else {
        differences.append("counters of \(node.name), which the model lacks")
        continue
      }
      let ports = Dictionary(uniqueKeysWithValues: node.ports.map { ($0.port, $0.rows) })
      let found = ReferenceCounts(
        rowsIn: expected.variesIn ? expected.rowsIn : node.rowsIn,
        rowsOut: expected.variesOut || expected.variesIn ? expected.rowsOut : node.rowsOut, failed: node.failed,
        failedResults: node.failedResults,
        ports: expected.variesIn ? expected.ports : ports, variesIn: expected.variesIn, variesOut: expected.variesOut)
      if found != expected { differences.append("counters of \(node.name): \(found) instead of \(expected)") }
    }
  }
}
