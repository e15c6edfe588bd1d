import EndToEndSupport
import Foundation
import Testing

/// The scripts that people run, at smoke size.
@Suite(.serialized) struct ScriptTests {
  static func run(_ script: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = WeirProcess.root.appendingPathComponent(script)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, output)
  }

  /// Also compares every total with DuckDB's.
  @Test func theBenchmarkRuns_andItsTotalsAreDuckDBs() throws {
    let (status, output) = try ScriptTests.run("scripts/bench", ["--smoke"])
    #expect(status == 0, "\(output)")
    #expect(output.contains("same totals from Weir and DuckDB"), "\(output)")
    #expect(output.contains("hourly windows / DuckDB"), "\(output)")
  }

  @Test func theStateBenchmarkRuns_andRestores() throws {
    let (status, output) = try ScriptTests.run("scripts/bench", ["--state", "--smoke"])
    #expect(status == 0, "\(output)")
    #expect(output.contains("state.memory 256MB"), "\(output)")
    #expect(output.contains("keys at parallelism 5 (taken at 2)"), "\(output)")
  }

  @Test func theRatingBenchmarkRuns() throws {
    let (status, output) = try ScriptTests.run("scripts/bench", ["--rate", "--smoke"])
    #expect(status == 0, "\(output)")
    #expect(output.contains("rating                           / hourly windows"), "\(output)")
  }

  @Test func theViewsBenchmarkRuns_andNoReadFailsNorFollowerIsLetGo() throws {
    let (status, output) = try ScriptTests.run("scripts/bench", ["--views", "--smoke"])
    #expect(status == 0, "\(output)")
    #expect(output.contains("arrival to live view") && output.contains("100 idle followers"), "\(output)")
  }

  /// Beside topologies that crash in a loop.
  @Test func theIsolationBenchmarkRuns_andTheOthersResultsAreTheSame() throws {
    let (status, output) = try ScriptTests.run("scripts/bench", ["--isolation", "--smoke"])
    #expect(status == 0, "\(output)")
    #expect(output.contains("beside one that fails later"), "\(output)")
    #expect(output.contains("the same results in all of them"), "\(output)")
  }

  @Test func theLargeBenchmarkRuns_andCountsEveryRecord() throws {
    let (status, output) = try ScriptTests.run("scripts/bench", ["--large", "--smoke"])
    #expect(status == 0, "\(output)")
    #expect(output.contains("30,000 CSV records in 30 files"), "\(output)")
  }

  /// In headless Chromium, at phone and at desktop width, by keyboard; the pictures are in `out/pages`.
  @Test func thePagesShowWhatTheyAreFor_andToCustomersTheirOwnRowsOnly() throws {
    let (status, output) = try ScriptTests.run(
      ".venv/bin/python", [WeirProcess.root.path + "/scripts/check-pages", "--weir", WeirProcess.binary.path])
    #expect(status == 0, "\(output)")
    #expect(output.contains("7 pages at 2 widths are as they should be"), "\(output)")
  }

  @Test func schemathesisFindsNoAnswerThatIsA5xxOrNotInTheDocument() throws {
    let (status, output) = try ScriptTests.run("scripts/fuzz-api", ["--examples", "10"])
    #expect(status == 0, "\(output.suffix(4000))")
    #expect(output.matches(of: /Tested: +[0-9]+/).count == 2, "\(output.suffix(4000))")
  }
}
