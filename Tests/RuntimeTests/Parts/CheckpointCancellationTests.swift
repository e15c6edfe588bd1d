import Checkpoint
import Foundation
import Operators
import StreamModel
import TestSupport
import Testing
import Topology

@testable import Runtime

/// A checkpoint that is given up lets go of everything that was held back for it.
@Suite struct CheckpointCancellationTests {
  private static let schema = Schema([Field("n", .int64)])

  /// A driver whose only participants answer never, and the inbox and source-side edges of one subtask.
  private final class Bench {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("weir-cancel-\(UUID().uuidString)").path
    let driver: CheckpointDriver
    let inbox = Inbox(channelCount: 2)
    let output = Inbox(channelCount: 1)
    let subtask: Subtask

    init() throws {
      driver = CheckpointDriver(
        CheckpointDriver.Settings(
          topology: "t", retain: 1, sourceCount: 1, participantCount: 2,
          timing: .init(intervalMilliseconds: 1, timeoutMilliseconds: 1, minPauseMilliseconds: 0), signatures: [:],
          counted: .init(since: 0, nodes: []), commit: { _ in }, committed: { _ in }),
        storage: try CheckpointStorage(directory: folder), store: nil, lastID: 0, restoredFiles: [])
      driver.attach([], [inbox])
      let edge = EdgeWriter(
        inboxes: [output], channel: 0, distribution: .single, columns: [0], columnCount: 1, isBuffered: false)
      let node = ChainNode(
        name: "n", role: "", work: .passThrough, counters: NodeCounters(), policy: .deadLetter,
        failure: ChainFailure(), deadLetters: nil)
      node.targets = [nil: [.edge(edge)]]
      subtask = Subtask(
        inbox: inbox, chain: OperatorChain(nodes: [node], failure: ChainFailure()), inputs: [0, 0], edges: [edge],
        progress: StageProgress(), checkpoints: driver, participant: 0, lastCheckpoint: 0)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }
  }

  private static func batch(_ number: Int64) -> StreamElement {
    .batch(TestRows(schema).row(at: number, [.int64(number)]).batch())
  }

  /// The event times of the rows, and the numbers of the barriers, that came out.
  private static func drain(_ inbox: Inbox) throws -> (rows: [Int64], barriers: [Int64]) {
    var rows: [Int64] = []
    var barriers: [Int64] = []
    while let element = try inbox.next(deadline: 0)?.element {
      if case .batch(let batch) = element { rows.append(batch.eventTimes.int64s[0]) }
      if case .barrier(let barrier) = element { barriers.append(barrier.id) }
    }
    return (rows, barriers)
  }

  @Test func aChannelHeldForACancelledCheckpoint_isReadAgain_andItsLateBarrierGoesNoFurther() throws {
    let bench = try Bench()
    try bench.inbox.send(.barrier(CheckpointBarrier(id: 1)), channel: 0)
    try bench.inbox.send(Self.batch(7), channel: 0)
    try bench.inbox.send(Self.batch(8), channel: 1)
    let ended = DispatchSemaphore(value: 0)
    let (inbox, subtask) = (bench.inbox, UncheckedBox(bench.subtask))
    Thread {
      try? subtask.value.run()
      ended.signal()
    }.start()
    // Row 8 came out: the subtask has been in its loop, and channel 0 is held or still to be.
    var first: (channel: Int, element: StreamElement)?
    while first == nil { first = try bench.output.next(deadline: Clock.wallMilliseconds() + 10_000) }
    inbox.cancelCheckpoint(1)
    try inbox.send(.barrier(CheckpointBarrier(id: 1)), channel: 1)
    try inbox.send(Self.batch(9), channel: 1)
    for channel in 0...1 { try inbox.send(.barrier(CheckpointBarrier(id: 2)), channel: channel) }
    for channel in 0...1 { try inbox.send(.endOfInput, channel: channel) }
    ended.wait()
    let (rows, barriers) = try Self.drain(bench.output)
    #expect(rows.sorted() == [7, 9])
    #expect(barriers == [2])
  }

  @Test func theReaderHearsOfACancellation_beforeItGetsAnotherElement() throws {
    let inbox = Inbox(channelCount: 1)
    try inbox.send(.barrier(CheckpointBarrier(id: 3)), channel: 0)
    inbox.cancelCheckpoint(2)
    inbox.cancelCheckpoint(1)
    #expect(try inbox.next(deadline: nil) == nil)
    #expect(inbox.takeCancelledCheckpoint() == 2)
    #expect(inbox.takeCancelledCheckpoint() == nil)
    guard case .barrier(CheckpointBarrier(id: 3)) = try inbox.next(deadline: nil)?.element else {
      Issue.record("the barrier is gone")
      return
    }
  }

  @Test func aTimeout_reachesEveryInbox() throws {
    let bench = try Bench()
    let (driver, ended) = (bench.driver, DispatchSemaphore(value: 0))
    Thread {
      try? driver.run()
      ended.signal()
    }.start()
    // Nobody answers, so the first checkpoint times out.
    while try bench.inbox.next(deadline: Clock.wallMilliseconds() + 10_000) != nil {}
    #expect((bench.inbox.takeCancelledCheckpoint() ?? 0) >= 1)
    driver.abort()
    ended.wait()
    #expect(driver.outcomes.failedCount >= 1 && driver.outcomes.committedCount == 0)
    #expect(driver.outcomes.lastFailure?.contains("did not answer") == true)
  }

  /// The report of a checkpoint that was given up must not stand for the next one's.
  @Test func aReportThatComesTooLate_isNotTakenForTheNextCheckpoint() throws {
    let bench = try Bench()
    let late = SubtaskReport(counts: [.init(name: "late", kind: "sink")])
    bench.driver.acknowledge(1, by: 0, late)
    bench.driver.end(0, SubtaskReport(), isComplete: true)
    bench.driver.end(
      1, SubtaskReport(source: .init(name: "s", positions: [], watermarks: [])), isComplete: true)
    try bench.driver.run()
    let id = try #require(try CheckpointStorage.list(bench.folder).last)
    let manifest = try CheckpointStorage.read("\(bench.folder)/checkpoint-\(id)")
    #expect(manifest.counters.nodes.isEmpty)
  }
}

/// Invariant for `Sendable`: the thread it is handed to is the only one that uses the value.
private struct UncheckedBox<Value>: @unchecked Sendable {
  let value: Value
  init(_ value: Value) { self.value = value }
}
