import Foundation
import StreamModel
import TestSupport
import Testing
import Topology

/// Weir's central promise: how a topology is run does not show in what it gives.
@Suite struct TopologyPropertyTests {
  /// Random topologies over random inputs at parallelism 1, 2, 5 and batches of 1, 7, 4096 rows give identical output,
  /// equal to the reference model's. `WEIR_PROPERTY_CASES` sets how many; `WEIR_TEST_SEED` runs the one of that seed.
  @Test func anyTopology_givesTheModelsRowsHoweverItIsCutUp() async throws {
    for seed in PropertyCase.seeds() {
      let topology = TopologyMaker.make(seed: seed)
      guard let failure = await PropertyCase.failure(of: topology) else { continue }
      var shrinking = Shrinking(topology) { await PropertyCase.failure(of: $0) != nil }
      await shrinking.run()
      let smallest = await PropertyCase.failure(of: shrinking.smallest) ?? failure
      Issue.record("WEIR_TEST_SEED=\(seed)\n\(PropertyCase.description(of: shrinking.smallest))\n\(smallest)")
    }
  }
}

/// One topology, run in every way and compared.
enum PropertyCase {
  /// Half of them always the same, half of them new; or the one of `WEIR_TEST_SEED`.
  static func seeds() -> [UInt64] {
    let environment = ProcessInfo.processInfo.environment
    if let seed = environment["WEIR_TEST_SEED"].flatMap({ UInt64($0) }) { return [seed] }
    let count = max(2, environment["WEIR_PROPERTY_CASES"].flatMap { UInt64($0) } ?? 80)
    return (1...count / 2).map { $0 } + (1...count / 2).map { _ in UInt64.random(in: 1_000_000...(.max)) }
  }

  /// What is wrong, or nil.
  static func failure(of topology: TestTopology) async -> String? {
    do {
      let job = try TestJob(topology)
      let model = ReferenceModel(topology, path: job.path)
      var first: JobOutcome?
      for variant in JobVariant.all {
        let outcome = try await job.run(variant)
        let differences = Comparison.differences(topology, model, outcome) + disagreements(topology, first, outcome)
        guard differences.isEmpty else {
          return "With \(variant):\n\(differences.prefix(12).joined(separator: "\n"))"
        }
        first = first ?? outcome
      }
      return nil
    } catch {
      return "\(error)"
    }
  }

  /// What two runs say differently where they must agree to the last byte: exact sinks and dead letters, reasons included.
  private static func disagreements(_ topology: TestTopology, _ first: JobOutcome?, _ other: JobOutcome) -> [String] {
    guard let first else { return [] }
    func sorted(_ rows: [[String]]?) -> [String] { (rows ?? []).map { $0.joined(separator: " | ") }.sorted() }
    var found: [String] = []
    for sink in topology.sinks {
      guard case .exact = sink.promise, sorted(first.sinks[sink.name]) != sorted(other.sinks[sink.name]) else {
        continue
      }
      found.append("\(sink.name) is not what the first run gave")
    }
    for (one, two) in zip(sorted(first.deadLetters), sorted(other.deadLetters)) where one != two {
      found.append("a dead letter differs from the first run's:\n  \(one)\n  \(two)")
    }
    return found
  }

  static func description(of topology: TestTopology) -> String {
    let files = topology.sources.flatMap { source in
      source.files.map { file in "--- in/\(source.name)/\(file.name)\n\(String(decoding: file.bytes, as: UTF8.self))" }
    }
    return "\(topology.yaml)\(files.joined(separator: "\n"))"
  }
}
