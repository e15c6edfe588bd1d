import Foundation
import Runtime
import StreamModel
import Topology

/// How one run of a topology is cut up. None of it may show in its results.
struct JobVariant: CustomStringConvertible {
  let parallelism: Int
  let batchRows: Int
  let chunkBytes: Int

  var description: String { "parallelism \(parallelism), \(batchRows) rows a batch, \(chunkBytes) bytes a chunk" }

  static let all: [JobVariant] = [1, 2, 5].flatMap { parallelism in
    [1, 7, 4096].map { rows in
      JobVariant(parallelism: parallelism, batchRows: rows, chunkBytes: rows == 4096 ? 1 << 20 : rows == 7 ? 1024 : 256)
    }
  }
}

/// What one run gave.
struct JobOutcome {
  /// By sink: the rows of each file, in the file's order, as canonical texts.
  var sinks: [String: [[String]]] = [:]
  /// Dead letters by their columns, without `failed_at`.
  var deadLetters: [[String]] = []
  var summary: JobSummary
}

/// A topology on disk, ready to be run any number of times; its directory goes with it.
final class TestJob {
  let topology: TestTopology
  let directory: String
  private var runs = 0

  init(_ topology: TestTopology) throws {
    self.topology = topology
    // In memory where that is possible: making files durable is not what is tested.
    let base = FileManager.default.isWritableFile(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()
    directory = "\(base)/weir-\(UUID().uuidString)"
    try write()
  }

  deinit { try? FileManager.default.removeItem(atPath: directory) }

  func path(_ source: TestSource, _ file: InputFile) -> String { "\(directory)/in/\(source.name)/\(file.name)" }

  private func write() throws {
    for source in topology.sources {
      try FileManager.default.createDirectory(
        atPath: "\(directory)/in/\(source.name)", withIntermediateDirectories: true)
      for file in source.files { try Data(file.bytes).write(to: URL(fileURLWithPath: path(source, file))) }
    }
    try topology.yaml.write(toFile: "\(directory)/topology.yaml", atomically: false, encoding: .utf8)
  }

  /// Loads the topology, runs it in this process and reads what it wrote.
  func run(_ variant: JobVariant) async throws -> JobOutcome {
    runs += 1
    let output = "\(directory)/out-\(runs)"
    var plan = try TopologyLoader.load(
      file: "\(directory)/topology.yaml", overrides: [], environment: ["OUT": output])
    plan.parallelism = variant.parallelism
    var options = JobOptions()
    options.batchRows = variant.batchRows
    options.chunkBytes = variant.chunkBytes
    let summary = try await Job(plan, options: options).run()
    var outcome = JobOutcome(summary: summary)
    for sink in topology.sinks {
      outcome.sinks[sink.name] = try OutputReader(fields: sink.fields, format: sink.format).rows(
        "\(output)/\(sink.name)")
    }
    outcome.deadLetters = try OutputReader(fields: TestJob.deadLetterFields, format: .json)
      .rows("\(output)/dead-letters").map { row in
        row.indices.filter { $0 != TestJob.failedAt }.map { row[$0] }
      }
    return outcome
  }

  private static let deadLetterFields = DeadLetters.schema.fields
  private static let failedAt = DeadLetters.schema.index(of: "failed_at") ?? 0
}
