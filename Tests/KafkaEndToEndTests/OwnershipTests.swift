import EndToEndSupport
import Foundation
import KafkaClient
import Testing

/// Two processes of one job, and checkpoint directories that do not fit their broker.
@Suite(.serialized) struct OwnershipTests {
  /// A run that has committed a checkpoint and goes on slowly.
  struct Slow {
    let usage: UsageTopic
    let output: UsageTopic.Output
    let folder: TestFolder
    let file: String
    let running: WeirProcess.Running

    init(job: String, settings: [String] = []) throws {
      let broker = try Broker.get()
      usage = try ExactlyOnceTests.undisturbed.get().usage
      output = try UsageTopic.Output(broker, job: job)
      folder = try TestFolder()
      file = try folder.write("t.yaml", usage.topology(output, rate: 4000))
      running = try WeirProcess.start(["run", "--quiet", file] + settings)
      let directory = folder.url.appendingPathComponent("checkpoints/\(output.job)").path
      while running.process.isRunning {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        if names.contains(where: { $0.hasPrefix("checkpoint-") && $0 != "checkpoint-1" }) { break }
        sched_yield()
      }
      try #require(running.process.isRunning, "\(running.errorsSoFar)")
    }

    var directory: String { folder.url.appendingPathComponent("checkpoints").path }

    /// Runs the job to its end, fast, as a user would: from `directory`, or from another.
    func finish(_ more: [String] = [], in directory: String? = nil) throws -> WeirProcess.Result {
      let place = directory.map { ["--set", "checkpoint.directory=\($0)"] } ?? []
      return try WeirProcess.run(["run", file, "--set", "sources.usage.rate=10000000"] + place + more)
    }

    func expectExactlyOnce(_ comment: Comment) throws {
      let rows = try output.rows(try Broker.get())
      #expect(rows == (try ExactlyOnceTests.undisturbed.get().rows), comment)
    }
  }

  @Test func aZombieIsFenced_saysSo_andAddsNothing() throws {
    let slow = try Slow(job: "zombie")
    slow.running.send(SIGSTOP)
    let copy = slow.folder.url.appendingPathComponent("copy-of-checkpoints").path
    try TestFolder.copy(slow.directory, to: copy)
    let second = try slow.finish(in: copy)
    #expect(second.status == 0, "\(second.errors)")
    try slow.expectExactlyOnce("the second process finished the job")
    slow.running.send(SIGCONT)
    let first = slow.running.wait()
    #expect(first.status == 1, "\(first.errors)")
    #expect(first.errors.contains("fenced") || first.errors.contains("another process"), "\(first.errors)")
    try slow.expectExactlyOnce("the zombie added nothing")
  }

  @Test func stoppedBeyondTheTransactionTimeout_nothingIsLostOrDoubled() throws {
    let settings = [
      "--set", "checkpoint.timeout=500ms", "--set", "sinks.hourly.transaction_timeout=2s",
    ]
    let slow = try Slow(job: "stopped", settings: settings)
    slow.running.send(SIGSTOP)
    let deadline = ContinuousClock.now + .seconds(4)
    while ContinuousClock.now < deadline { sched_yield() }
    slow.running.send(SIGCONT)
    // Whether the broker gave the transaction up, or let it go on, is the broker's business; the result is not.
    let first = slow.running.wait()
    #expect([0, 1].contains(first.status), "\(first.errors)")
    if first.status == 1 {
      let second = try slow.finish()
      #expect(second.status == 0, "\(second.errors)")
    }
    try slow.expectExactlyOnce("after SIGSTOP and SIGCONT")
  }

  /// A shell command that kills the broker of `WEIR_TEST_KAFKA` and starts it again on the data it had.
  static let restartCommand = ProcessInfo.processInfo.environment["WEIR_TEST_KAFKA_RESTART"]

  @Test(
    .enabled(if: restartCommand != nil, "WEIR_TEST_KAFKA_RESTART names no command that restarts a broker with its data")
  )
  func theBrokerKilledAndStartedAgain_nothingIsLostOrDoubled() throws {
    let command = try #require(OwnershipTests.restartCommand)
    let slow = try Slow(job: "broker")
    let restart = Process()
    restart.executableURL = URL(fileURLWithPath: "/bin/bash")
    restart.arguments = ["-c", command]
    try restart.run()
    restart.waitUntilExit()
    #expect(restart.terminationStatus == 0)
    let first = slow.running.wait()
    #expect([0, 1].contains(first.status), "\(first.errors)")
    if first.status == 1 {
      let second = try slow.finish()
      #expect(second.status == 0, "\(second.errors)")
    }
    try slow.expectExactlyOnce("after the broker came back")
  }

  @Test func aSecondRunnerOfTheName_isRefused_andTheFirstGoesOn() throws {
    let slow = try Slow(job: "second")
    let elsewhere = slow.folder.url.appendingPathComponent("elsewhere").path
    let second = try slow.finish(in: elsewhere)
    #expect(second.status == 1, "\(second.errors)")
    #expect(second.errors.contains("another job has this name"), "\(second.errors)")
    #expect(slow.running.process.isRunning, "the first was not disturbed: \(slow.running.errorsSoFar)")
    slow.running.send(SIGTERM)
    #expect(slow.running.wait().status == 130)
    let rest = try slow.finish()
    #expect(rest.status == 0, "\(rest.errors)")
    try slow.expectExactlyOnce("the first one's work, finished later")
  }

  @Test func aLostCheckpointDirectory_isRefused_untilLossOrDuplicatesAreAccepted() throws {
    let slow = try Slow(job: "lost")
    slow.running.send(SIGKILL)
    _ = slow.running.wait()
    let before = try slow.output.rows(try Broker.get())
    try FileManager.default.removeItem(atPath: slow.directory)
    let refused = try slow.finish()
    #expect(refused.status == 1 && refused.errors.contains("--accept-loss-or-duplicates"), "\(refused.errors)")
    #expect(try slow.output.rows(try Broker.get()) == before, "a refused start changes nothing")
    try? FileManager.default.removeItem(atPath: slow.folder.url.appendingPathComponent("copy").path)
    let accepted = try slow.finish(["--from", "none", "--accept-loss-or-duplicates"])
    #expect(accepted.status == 0, "\(accepted.errors)")
    let rows = try slow.output.rows(try Broker.get())
    let expected = try ExactlyOnceTests.undisturbed.get().rows["hourly"] ?? []
    #expect(Set(rows["hourly"] ?? []) == Set(expected), "the whole output, some of it twice")
    #expect(try slow.finish().status == 0, "the new identity holds")
  }

  @Test func anotherClustersMarker_isMissed_andTheStartRefused() throws {
    let slow = try Slow(job: "moved")
    slow.running.send(SIGTERM)
    #expect(slow.running.wait().status == 130)
    let renamed = try slow.finish(["--set", "topology=\(slow.output.job)-x"])
    #expect(renamed.status == 0, "another name is another job: \(renamed.errors)")
    // The directory of the first under the name of a job that the broker does not know.
    let stranger = "\(slow.output.job)-y"
    try TestFolder.copy("\(slow.directory)/\(slow.output.job)", to: "\(slow.directory)/\(stranger)")
    let result = try slow.finish(["--set", "topology=\(stranger)"])
    #expect(result.status == 1 && result.errors.contains("no marker"), "\(result.errors)")
  }
}
