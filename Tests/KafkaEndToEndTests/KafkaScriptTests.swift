import EndToEndSupport
import Foundation
import Testing

/// The Kafka halves of the scripts that people run, at smoke size, on the tests' broker.
@Suite(.serialized) struct KafkaScriptTests {
  static func run(_ script: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = WeirProcess.root.appendingPathComponent(script)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging([
      "WEIR_TEST_KAFKA": try Broker.get().bootstrap, "WEIR_BINARY": WeirProcess.binary.path,
    ]) { _, new in new }
    let pipe = Pipe()
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, output)
  }

  /// It fails by itself when a record is missing or counted twice.
  @Test func theBenchmarkRuns_andCountsEveryRecordOnce() throws {
    let (status, output) = try KafkaScriptTests.run("scripts/bench", ["--kafka", "--smoke"])
    #expect(status == 0, "\(output)")
    #expect(output.contains("topic to topic / bare consumer"), "\(output)")
  }
}
