import EndToEndSupport
import Foundation
import Testing

@Suite struct RunTests {
  static func hourly(_ path: String, parallelism: Int = 2, sink: String = "connector: console") -> String {
    """
    weir: 1
    topology: hourly
    parallelism: \(parallelism)
    checkpoint: {directory: checkpoints}
    sources:
      usage:
        connector: file
        path: \(path)
        format: json
        schema: {account_id: string not null, service: string, quantity: "decimal(18,3)", started_at: timestamp not null}
        event_time: started_at
        watermark: {delay: 10s}
    steps:
      hourly:
        from: usage
        aggregate:
          key: [account_id, service]
          window: {tumble: 1h}
          values: {records: count(*), quantity: sum(quantity)}
    sinks:
      out: {from: hourly, \(sink)}
    """
  }

  static let tenRows = (0..<10).map { index in
    "{\"account_id\":\"a\(index % 2)\",\"service\":\"voice\",\"quantity\":\(index).5,\"started_at\":\"2026-01-01T00:0\(index):00Z\"}\n"
  }.joined()

  @Test func aTenRowFile_givesExactTotalsOnStdout() throws {
    let folder = try TestFolder()
    try folder.write("in.json", RunTests.tenRows)
    let file = try folder.write("t.yaml", RunTests.hourly("in.json"))
    let result = try WeirProcess.run(["run", file])
    #expect(result.status == 0, "\(result.errors)")
    #expect(
      result.lines.sorted() == [
        #"{"account_id":"a0","service":"voice","window_start":"2026-01-01T00:00:00.000Z","window_end":"2026-01-01T01:00:00.000Z","records":5,"quantity":22.500}"#,
        #"{"account_id":"a1","service":"voice","window_start":"2026-01-01T00:00:00.000Z","window_end":"2026-01-01T01:00:00.000Z","records":5,"quantity":27.500}"#,
      ])
    #expect(result.errors.contains("every record is accounted for"))
  }

  @Test func inputThatIsNotThere_isStatusOneAndCreatesNothing() throws {
    let folder = try TestFolder()
    let file = try folder.write(
      "t.yaml", RunTests.hourly("nowhere", sink: "connector: file, path: out, format: json"))
    let result = try WeirProcess.run(["run", file])
    #expect(result.status == 1)
    #expect(result.errors.contains("nowhere"))
    #expect(folder.contents == ["t.yaml"])
  }

  @Test func aFaultyTopology_isStatusTwoWithEveryFaultAndCreatesNothing() throws {
    let folder = try TestFolder()
    let text = RunTests.hourly("in.json").replacingOccurrences(of: "sum(quantity)", with: "sum(quantty)")
      .replacingOccurrences(of: "tumble: 1h", with: "tumble: 0h").replacingOccurrences(
        of: "from: usage", with: "from: usag")
    let file = try folder.write("t.yaml", text)
    let result = try WeirProcess.run(["run", file])
    #expect(result.status == 2)
    #expect(result.errors.contains("usag"))
    #expect(result.errors.contains("steps.hourly.from"))
    #expect(folder.contents == ["t.yaml"])
    #expect(try WeirProcess.run(["validate", file]).status == 2)
  }

  @Test func wrongArguments_areStatusTwo() throws {
    #expect(try WeirProcess.run(["run"]).status == 2)
    #expect(try WeirProcess.run(["run", "--nonsense", "x.yaml"]).status == 2)
    #expect(try WeirProcess.run(["run", "does-not-exist.yaml"]).status == 2)
    #expect(try WeirProcess.run(["--help"]).status == 0)
  }

  @Test(arguments: [1, 2, 5, 16]) func usageAggregation_givesTheSameRowsAtAnyParallelism(parallelism: Int) throws {
    let folder = try TestFolder()
    let expected = try UsageAggregation.run(parallelism: 1, into: folder, "reference")
    let actual = try UsageAggregation.run(parallelism: parallelism, into: folder, "p\(parallelism)")
    for output in UsageAggregation.outputs {
      #expect(!(expected[output] ?? []).isEmpty, "\(output) is empty")
      #expect(expected[output] == actual[output], "\(output) differs")
    }
  }

  /// Whether a late row joins a session depends on the rows before it, and those come from several subtasks.
  @Test func sessionsBehindADeduplication_areTheSameInEveryRun() throws {
    let folder = try TestFolder()
    let expected = try UsageAggregation.run(parallelism: 1, into: folder, "reference")["sessions"]
    for run in 0..<6 {
      let actual = try UsageAggregation.run(parallelism: 16, into: folder, "run\(run)")["sessions"]
      #expect(actual == expected, "run \(run) differs")
    }
  }

  @Test func anInterrupt_stopsCleanlyWithStatus130() throws {
    let folder = try TestFolder()
    let text = """
      weir: 1
      topology: endless
      checkpoint: {directory: checkpoints}
      sources: {usage: {connector: generator, kind: usage, rate: 20000}}
      sinks: {out: {from: usage, connector: console}}
      """
    let running = try WeirProcess.start(["run", try folder.write("t.yaml", text)])
    while running.outputSoFar.isEmpty && running.process.isRunning { sched_yield() }
    kill(running.process.processIdentifier, SIGINT)
    let result = running.wait()
    #expect(result.status == 130, "\(result.errors)")
    #expect(result.errors.contains("every record is accounted for"))
    #expect(result.output.hasSuffix("}\n"))
  }

  @Test func explain_drawsThePlanInThreeFormats() throws {
    let file = UsageAggregation.file
    let text = try WeirProcess.run(["explain", file])
    #expect(text.status == 0 && text.output.contains("hourly"))
    #expect(try WeirProcess.run(["explain", "--format", "mermaid", file]).output.hasPrefix("flowchart"))
    let json = try WeirProcess.run(["explain", "--format", "json", file])
    #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(json.output.utf8)) }
  }
}

/// The built-in topology, on a small generated input.
enum UsageAggregation {
  static let file = WeirProcess.root.appendingPathComponent("topologies/usage-aggregation.yaml").path
  static let outputs = ["hourly", "sessions", "cycles"]

  static func run(parallelism: Int, into folder: TestFolder, _ name: String) throws -> [String: [String]] {
    var arguments = ["run", file, "--set", "parallelism=\(parallelism)", "--set", "sources.usage.rows=30000"]
    for output in outputs { arguments += ["--set", "sinks.\(output).path=\(folder.path)/\(name)/\(output)"] }
    for output in ["rejected", "late"] {
      arguments += ["--set", "sinks.\(output).path=\(folder.path)/\(name)/\(output)"]
    }
    arguments += ["--set", "checkpoint.directory=\(folder.path)/\(name)/checkpoints"]
    arguments += ["--set", "dead_letters.path=\(folder.path)/\(name)/dead-letters"]
    let result = try WeirProcess.run(arguments)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("every record is accounted for"), "\(result.errors)")
    return Dictionary(uniqueKeysWithValues: outputs.map { ($0, folder.rows(in: "\(name)/\($0)")) })
  }
}
