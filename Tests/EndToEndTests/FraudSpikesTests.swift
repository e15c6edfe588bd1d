import EndToEndSupport
import Foundation
import Testing

/// `topologies/fraud-spikes.yaml` as a user runs it.
@Suite struct FraudSpikesTests {
  static let topology = WeirProcess.root.appendingPathComponent("topologies/fraud-spikes.yaml").path

  /// The alerts for 70,000 generated records of half a day, with a case of each kind.
  static func alerts(parallelism: Int) throws -> [String] {
    let folder = try TestFolder()
    var arguments = ["run", "--from", "none", topology]
    for setting in [
      "sources.usage.rows=70000", "parallelism=\(parallelism)", "sinks.alerts.path=\(folder.path)/alerts",
      "checkpoint.directory=\(folder.path)/checkpoints", "dead_letters.path=\(folder.path)/dead",
    ] { arguments += ["--set", setting] }
    let result = try WeirProcess.run(arguments)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("every record is accounted for"))
    return folder.rows(in: "alerts")
  }

  @Test(arguments: [1, 4]) func theAlertsAreThoseThatWereAgreed_atAnyParallelism(parallelism: Int) throws {
    let alerts = try Self.alerts(parallelism: parallelism)
    let expected = try ExpectedOutput.rows("fraud-spikes/alerts.json")
    #expect(alerts == expected, "\(ExpectedOutput.difference(expected, alerts))")
    for kind in ["volume_spike", "premium_burst", "international_burst", "impossible_travel", "sim_box"] {
      #expect(alerts.contains { $0.contains("\"kind\":\"\(kind)\"") }, "there is no \(kind)")
    }
  }

  @Test func everyPlantedCaseIsFound_andFewAreAccusedFalsely() throws {
    let script = WeirProcess.root.appendingPathComponent("scripts/fraud-check").path
    let result = try WeirProcess.runInShell(
      "exec \"$1\" --weir \"$WEIR\" --rows 400000 --accounts 4000 --rate 2 --seed 3", [script])
    #expect(result.status == 0, "\(result.output)\(result.errors)")
    #expect(result.lines.first?.contains("cases planted among 4000 accounts") == true, "\(result.output)")
    #expect(result.lines.contains { $0.contains("falsely accused:") })
  }
}
