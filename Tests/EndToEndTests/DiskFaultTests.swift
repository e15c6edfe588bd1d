import Foundation
import Testing

/// Disks that fill up, writes that stop half-way, fsyncs that fail: nothing is lost or doubled.
@Suite(.serialized) struct DiskFaultTests {
  static let scenario = KillScenario.windows

  private func run(
    faults: String, rate: Int = 60_000, settings: [String] = []
  ) throws -> (TestFolder, WeirProcess.Result) {
    let folder = try TestFolder()
    let file = try folder.write("t.yaml", DiskFaultTests.scenario.topology(rate: rate))
    let result = try WeirProcess.run(
      ["run", file] + settings.flatMap { ["--set", $0] }, environment: ["WEIR_FAULT": faults])
    return (folder, result)
  }

  @Test(arguments: ["checkpoint-write:ENOSPC:1", "checkpoint-sync:EIO:1", "checkpoint-rename:EIO:1"])
  func aCheckpointThatFails_isCounted_andTheJobGoesOn(_ faults: String) throws {
    let (folder, result) = try run(faults: faults)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("1 failed, the last: "), "\(result.errors)")
    #expect(!result.errors.contains("attempt"), "\(result.errors)")
    let outcome = DiskFaultTests.scenario.outcome(in: folder, errors: result.errors)
    #expect(outcome.differences(from: try DiskFaultTests.scenario.undisturbed()) == [])
  }

  /// Every subtask may meet a fault of its own in one and the same checkpoint: forty faults are four checkpoints at least.
  @Test(arguments: ["checkpoint-write:ENOSPC:1-40", "checkpoint-sync:EIO:1-40"])
  func severalFailedCheckpointsInARow_startTheJobAgain(_ faults: String) throws {
    let (folder, result) = try run(faults: faults, rate: 10_000, settings: ["restart.attempts=40"])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("checkpoints in a row failed"), "\(result.errors)")
    #expect(result.errors.contains("started again"), "\(result.errors)")
    let outcome = DiskFaultTests.scenario.outcome(in: folder, errors: result.errors)
    #expect(outcome.differences(from: try DiskFaultTests.scenario.undisturbed()) == [])
  }

  /// A mount of its own takes rights to make.
  static var mayMount: Bool { geteuid() == 0 && FileManager.default.fileExists(atPath: "/bin/mount") }

  @Test(.enabled(if: mayMount), arguments: ["hourly"])
  func aFullDisk_isWaitedOut(_ onDisk: String) throws {
    let folder = try TestFolder()
    let disk = folder.url.appendingPathComponent(onDisk)
    try FileManager.default.createDirectory(at: disk, withIntermediateDirectories: true)
    let mount = try WeirProcess.runInShell("mount -t tmpfs -o size=64m tmpfs \"$1\"", [disk.path])
    try #require(mount.status == 0, "\(mount.errors)")
    defer { _ = try? WeirProcess.runInShell("umount -l \"$1\"", [disk.path]) }
    let file = try folder.write("t.yaml", DiskFaultTests.scenario.topology(rate: 20_000))
    let running = try WeirProcess.start([
      "run", file, "--set", "restart.initial_backoff=100ms", "--set", "restart.max_backoff=100ms",
      "--set", "restart.attempts=1000",
    ])
    while !folder.contents.contains("checkpoints/killed/control") && running.process.isRunning { sched_yield() }
    let filler = disk.appendingPathComponent("filler")
    _ = try WeirProcess.runInShell("head -c 100m /dev/zero > \"$1\"", [filler.path])
    while !running.errorsSoFar.contains("attempt 1") && running.process.isRunning { sched_yield() }
    #expect(running.errorsSoFar.contains("No space left"), "\(running.errorsSoFar)")
    try FileManager.default.removeItem(at: filler)
    let result = running.wait()
    #expect(result.status == 0, "\(result.errors)")
    let outcome = DiskFaultTests.scenario.outcome(in: folder, errors: result.errors)
    #expect(outcome.differences(from: try DiskFaultTests.scenario.undisturbed()) == [])
  }
}
