import Checkpoint
import Testing

struct BarrierAlignmentTests {
  @Test func withOneChannel_everyBarrierIsASnapshot() {
    var machine = BarrierAlignmentStateMachine(channelCount: 1)
    #expect(machine.receiveBarrier(1, channel: 0) == .snapshot(id: 1, release: []))
    #expect(machine.receiveBarrier(2, channel: 0) == .snapshot(id: 2, release: []))
  }

  @Test func theSnapshotWaitsForTheLastChannel() {
    var machine = BarrierAlignmentStateMachine(channelCount: 3)
    #expect(machine.receiveBarrier(1, channel: 1) == .hold(channel: 1))
    #expect(machine.receiveBarrier(1, channel: 0) == .hold(channel: 0))
    #expect(machine.receiveBarrier(1, channel: 2) == .snapshot(id: 1, release: [0, 1]))
  }

  @Test func aChannelThatEnds_isNotWaitedFor() {
    var machine = BarrierAlignmentStateMachine(channelCount: 2)
    #expect(machine.receiveBarrier(1, channel: 0) == .hold(channel: 0))
    #expect(machine.endChannel(1) == .snapshot(id: 1, release: [0]))
    #expect(machine.receiveBarrier(2, channel: 0) == .snapshot(id: 2, release: []))
  }

  @Test func aCancelledCheckpoint_releasesWhatItHeld() {
    var machine = BarrierAlignmentStateMachine(channelCount: 2)
    _ = machine.receiveBarrier(1, channel: 0)
    #expect(machine.cancel(1) == .release([0]))
    #expect(machine.receiveBarrier(2, channel: 1) == .hold(channel: 1))
    #expect(machine.cancel(1) == .none)
    #expect(machine.receiveBarrier(2, channel: 0) == .snapshot(id: 2, release: [1]))
  }

  @Test(arguments: [0, 1, 3] as [Int64]) func aBarrierOutOfTurn_isAFault(id: Int64) {
    var machine = BarrierAlignmentStateMachine(channelCount: 2, lastID: 1)
    _ = machine.receiveBarrier(2, channel: 0)
    guard case .fault = machine.receiveBarrier(id, channel: 1) else {
      Issue.record("barrier \(id) was taken")
      return
    }
  }
}
