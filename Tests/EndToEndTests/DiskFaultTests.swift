import EndToEndSupport
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

  /// State is written and read by subtasks, which fail with it, and made durable by whoever takes the checkpoint, which then fails
  /// alone.
  @Test(arguments: [
    "state-write:ENOSPC:2", "state-sync:EIO:3", "state-ingest:ENOSPC:2", "state-checkpoint:EIO:1",
    "state-write:EIO:2,state-sync:ENOSPC:9,state-ingest:EIO:8,state-checkpoint:ENOSPC:4",
  ]) func aFaultOfTheState_isSaidWithItsPlace_andCostsNoRow(_ faults: String) throws {
    let (folder, result) = try run(faults: faults)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("No space left") || result.errors.contains("Input/output"), "\(result.errors)")
    #expect(result.errors.contains("checkpoints/killed/"), "\(result.errors)")
    let outcome = DiskFaultTests.scenario.outcome(in: folder, errors: result.errors)
    #expect(outcome.differences(from: try DiskFaultTests.scenario.undisturbed()) == [])
  }

  /// RocksDB gives up a run that overlaps with what it has just flushed, when it has yet to notice.
  @Test func aRunThatRocksDBWantsAgain_isGivenAgain_andNothingStartsAgain() throws {
    let (folder, result) = try run(faults: "state-ingest:EAGAIN:2-6")
    #expect(result.status == 0, "\(result.errors)")
    #expect(!result.errors.contains("attempt") && !result.errors.contains("failed, the last"), "\(result.errors)")
    let outcome = DiskFaultTests.scenario.outcome(in: folder, errors: result.errors)
    #expect(outcome.differences(from: try DiskFaultTests.scenario.undisturbed()) == [])
  }

  @Test func aRunThatRocksDBWantsAgainForEver_isAFaultOfTheState_andCostsNoRow() throws {
    let (folder, result) = try run(faults: "state-ingest:EAGAIN:2-60")
    #expect(result.status == 0, "\(result.errors)")
    let message = "not taken over at the 10th attempt: Operation failed. Try again."
    #expect(result.errors.contains(message), "\(result.errors)")
    let outcome = DiskFaultTests.scenario.outcome(in: folder, errors: result.errors)
    #expect(outcome.differences(from: try DiskFaultTests.scenario.undisturbed()) == [])
  }

  /// A mount of its own takes rights to make.
  static var mayMount: Bool { geteuid() == 0 && FileManager.default.fileExists(atPath: "/bin/mount") }

  /// Which folders of a run lie on small disks of their own, and which of those disks fills up.
  struct FullDisk: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let onDisks: [String]
    let full: Int
    /// Where the system's message comes from.
    let place: String
  }

  static let fullDisks = [
    FullDisk(testDescription: "under a sink", onDisks: ["hourly"], full: 0, place: "/hourly/"),
    FullDisk(testDescription: "under checkpoints and state", onDisks: ["checkpoints"], full: 0, place: "/checkpoints/"),
    FullDisk(
      testDescription: "under the state", onDisks: ["checkpoints/killed/live"], full: 0,
      place: "/checkpoints/killed/live/"),
    FullDisk(
      testDescription: "under the checkpoints", onDisks: ["checkpoints", "checkpoints/killed/live"], full: 0,
      place: "/checkpoints/killed/.checkpoint-"),
  ]

  /// Mounts a small disk for `target`, and returns a folder on that disk that the run does not know of.
  private func mountDisk(_ number: Int, at target: String, in folder: TestFolder) throws -> URL {
    let disk = folder.url.appendingPathComponent("disk-\(number)")
    let mounted = try WeirProcess.runInShell(
      """
      mkdir -p "$1" "$2" && mount -t tmpfs -o size=64m tmpfs "$1" && mkdir "$1/data" && mount --bind "$1/data" "$2"
      """, [disk.path, folder.url.appendingPathComponent(target).path])
    try #require(mounted.status == 0, "\(mounted.errors)")
    return disk
  }

  @Test(.enabled(if: mayMount), arguments: fullDisks) func aFullDisk_isWaitedOut(_ full: FullDisk) throws {
    let folder = try TestFolder()
    defer {
      for (number, target) in full.onDisks.enumerated().reversed() {
        let places = [target, "disk-\(number)"].map { folder.url.appendingPathComponent($0).path }
        _ = try? WeirProcess.runInShell("umount -l \"$1\" \"$2\"", places)
      }
    }
    var disks: [URL] = []
    for (number, target) in full.onDisks.enumerated() { disks.append(try mountDisk(number, at: target, in: folder)) }
    let file = try folder.write("t.yaml", DiskFaultTests.scenario.topology(rate: 10_000))
    let running = try WeirProcess.start([
      "run", file, "--set", "restart.initial_backoff=100ms", "--set", "restart.max_backoff=100ms",
      "--set", "restart.attempts=1000",
    ])
    let control = folder.path + "/checkpoints/killed/control"
    while !FileManager.default.fileExists(atPath: control) && running.process.isRunning { sched_yield() }
    let filler = disks[full.full].appendingPathComponent("filler")
    // What the job itself gives back, by removing an old checkpoint, is taken too: nothing can be committed, so it cannot end.
    while !running.errorsSoFar.contains("attempt 3") && running.process.isRunning {
      _ = try WeirProcess.runInShell("head -c 100m /dev/zero >> \"$1\"", [filler.path])
    }
    let complaints = running.errorsSoFar.split(separator: "\n").filter { $0.contains("No space left") }
    #expect(complaints.contains { $0.contains(full.place) }, "\(running.errorsSoFar)")
    try FileManager.default.removeItem(at: filler)
    let result = running.wait()
    #expect(result.status == 0, "\(result.errors)")
    if full.onDisks.count > 1 { #expect(result.errors.contains(" failed, the last: "), "\(result.errors)") }
    let outcome = DiskFaultTests.scenario.outcome(in: folder, errors: result.errors)
    #expect(outcome.differences(from: try DiskFaultTests.scenario.undisturbed()) == [])
  }
}
