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

  @Test func aLateBarrierOfACancelledCheckpoint_holdsNothing() {
    var machine = BarrierAlignmentStateMachine(channelCount: 2)
    _ = machine.receiveBarrier(1, channel: 0)
    _ = machine.cancel(1)
    #expect(machine.receiveBarrier(1, channel: 1) == .none)
    #expect(machine.receiveBarrier(2, channel: 1) == .hold(channel: 1))
    #expect(machine.receiveBarrier(2, channel: 0) == .snapshot(id: 2, release: [1]))
  }

  @Test func aCheckpointCancelledBeforeItsFirstBarrier_neverBegins() {
    var machine = BarrierAlignmentStateMachine(channelCount: 2)
    #expect(machine.cancel(1) == .none)
    #expect(machine.receiveBarrier(1, channel: 0) == .none)
    #expect(machine.receiveBarrier(1, channel: 1) == .none)
    #expect(machine.receiveBarrier(2, channel: 1) == .hold(channel: 1))
  }

  @Test func aCheckpointCancelledAfterItsSnapshot_changesNothing() {
    var machine = BarrierAlignmentStateMachine(channelCount: 1)
    #expect(machine.receiveBarrier(1, channel: 0) == .snapshot(id: 1, release: []))
    #expect(machine.cancel(1) == .none)
    #expect(machine.receiveBarrier(2, channel: 0) == .snapshot(id: 2, release: []))
  }

  @Test func cancellingAnEarlierCheckpoint_leavesTheAlignmentUnderWay() {
    var machine = BarrierAlignmentStateMachine(channelCount: 2)
    _ = machine.receiveBarrier(4, channel: 0)
    #expect(machine.cancel(3) == .none)
    #expect(machine.receiveBarrier(4, channel: 1) == .snapshot(id: 4, release: [0]))
  }

  @Test func whenEveryChannelEndsInTheMiddle_theSnapshotIsTakenOnce() {
    var machine = BarrierAlignmentStateMachine(channelCount: 3)
    _ = machine.receiveBarrier(1, channel: 0)
    #expect(machine.endChannel(1) == .none)
    #expect(machine.endChannel(2) == .snapshot(id: 1, release: [0]))
    #expect(machine.endChannel(0) == .none)
  }

  @Test func inputsThatEndWithoutABarrier_takeNoSnapshot() {
    var machine = BarrierAlignmentStateMachine(channelCount: 2)
    #expect(machine.endChannel(0) == .none)
    #expect(machine.endChannel(1) == .none)
  }

  @Test func aBarrierOnAnEndedChannel_isAFault() {
    var machine = BarrierAlignmentStateMachine(channelCount: 2)
    _ = machine.endChannel(0)
    #expect(machine.receiveBarrier(1, channel: 0) == .fault("barrier 1 on channel 0, which has ended"))
  }

  @Test func aBarrierTwiceOnAChannel_isAFault() {
    var machine = BarrierAlignmentStateMachine(channelCount: 2)
    _ = machine.receiveBarrier(1, channel: 0)
    #expect(machine.receiveBarrier(1, channel: 0) == .fault("barrier 1 twice on channel 0"))
  }

  /// Any interleaving of barriers, ends and cancellations: every channel is free again at the end, and a checkpoint that was
  /// not cancelled has one snapshot, taken when its barrier had come on every channel that was still open.
  @Test(arguments: 0..<200) func whateverTheOrder_nothingStaysHeld(seed: Int) {
    var random = Random(UInt64(seed))
    let channels = 1 + random.below(5)
    var machine = BarrierAlignmentStateMachine(channelCount: channels)
    var open = Set(0..<channels)
    var held: Set<Int> = []
    var snapshots: [Int64] = []
    for id in 1...12 as ClosedRange<Int64> {
      let isCancelled = random.below(4) == 0
      var steps = Array(open).map { (channel: $0, ends: random.below(8) == 0) }
      steps.shuffle(using: &random)
      let cancelAt = isCancelled ? random.below(steps.count + 1) : -1
      for (position, step) in steps.enumerated() {
        if position == cancelAt { Self.apply(machine.cancel(id), &held, &snapshots) }
        let action: BarrierAlignmentStateMachine.Action
        if step.ends {
          open.remove(step.channel)
          action = machine.endChannel(step.channel)
        } else {
          action = machine.receiveBarrier(id, channel: step.channel)
        }
        Self.apply(action, &held, &snapshots)
      }
      if cancelAt == steps.count { Self.apply(machine.cancel(id), &held, &snapshots) }
      #expect(held.isDisjoint(with: open), "checkpoint \(id): \(held) of \(open) are held")
      let isEveryBarrierSeen = steps.contains { !$0.ends }
      if !isCancelled && isEveryBarrierSeen { #expect(snapshots.last == id) }
    }
    #expect(snapshots == snapshots.sorted() && Set(snapshots).count == snapshots.count)
  }

  private static func apply(
    _ action: BarrierAlignmentStateMachine.Action, _ held: inout Set<Int>, _ snapshots: inout [Int64]
  ) {
    switch action {
    case .none: break
    case .hold(let channel): held.insert(channel)
    case .release(let channels): held.subtract(channels)
    case .snapshot(let id, let channels):
      held.subtract(channels)
      snapshots.append(id)
    case .fault(let reason): Issue.record("\(reason)")
    }
  }

  private struct Random: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
      mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
      return mixed ^ (mixed >> 31)
    }
    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
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
