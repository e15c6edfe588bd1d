import Checkpoint
import Testing

struct CheckpointStateMachineTests {
  static let settings = CheckpointStateMachine.Settings(
    intervalMilliseconds: 1000, timeoutMilliseconds: 5000, minPauseMilliseconds: 200)

  static func machine(_ participants: Int = 2, lastID: Int64 = 0) -> CheckpointStateMachine {
    CheckpointStateMachine(settings: settings, participantCount: participants, lastID: lastID, now: 0)
  }

  @Test func aCheckpointBeginsWhenTheIntervalIsOver_andCommitsWithTheLastAcknowledgement() {
    var machine = Self.machine()
    #expect(machine.tick(now: 999) == .none)
    #expect(machine.tick(now: 1000) == .inject(id: 1))
    #expect(machine.acknowledge(1, by: 0, now: 1010) == .none)
    #expect(machine.acknowledge(1, by: 1, now: 1020) == .commit(id: 1))
    machine.committed(1, now: 1100)
    #expect(machine.committedCount == 1)
    #expect(machine.tick(now: 1999) == .none)
    #expect(machine.tick(now: 2000) == .inject(id: 2))
  }

  @Test func noBarrierIsInjected_whileACheckpointIsUnderWay() {
    var machine = Self.machine()
    _ = machine.tick(now: 1000)
    #expect(machine.tick(now: 2500) == .none)
    #expect(machine.request(now: 2600) == .none)
    _ = machine.acknowledge(1, by: 0, now: 2600)
    _ = machine.acknowledge(1, by: 1, now: 2600)
    #expect(machine.tick(now: 9000) == .none, "the outcome of the commit is not known yet")
    machine.committed(1, now: 9000)
    #expect(machine.nextDeadline == 9200, "the pause comes after a slow one")
  }

  @Test func aNumberIsNeverUsedTwice() {
    var machine = Self.machine(lastID: 41)
    #expect(machine.tick(now: 1000) == .inject(id: 42))
    #expect(machine.tick(now: 6000) == .cancel(id: 42, reason: "2 participants did not answer within 5000 ms"))
    #expect(machine.tick(now: 7000) == .inject(id: 43))
    #expect(machine.acknowledge(42, by: 0, now: 7001) == .none)
    #expect(machine.acknowledge(43, by: 0, now: 7001) == .none)
    #expect(machine.acknowledge(43, by: 1, now: 7002) == .commit(id: 43))
  }

  @Test func anEndedParticipant_isNotWaitedFor() {
    var machine = Self.machine(3)
    #expect(machine.end(2, now: 10) == .none)
    _ = machine.tick(now: 1000)
    #expect(machine.acknowledge(1, by: 0, now: 1001) == .none)
    #expect(machine.end(1, now: 1002) == .commit(id: 1))
    machine.committed(1, now: 1003)
    #expect(machine.end(0, now: 1004) == .none)
    #expect(machine.nextDeadline == nil)
    #expect(machine.tick(now: 99_000) == .none)
  }

  @Test func anAcknowledgementThatComesAfterTheTimeout_isNoneOfTheNext() {
    var machine = Self.machine()
    _ = machine.tick(now: 1000)
    #expect(machine.isCollecting(1))
    _ = machine.tick(now: 6000)
    #expect(!machine.isCollecting(1))
    _ = machine.tick(now: 7000)
    #expect(machine.acknowledge(1, by: 0, now: 7001) == .none)
    #expect(machine.acknowledge(2, by: 0, now: 7001) == .none)
    #expect(machine.acknowledge(2, by: 0, now: 7002) == .none, "one participant counts once")
    #expect(machine.acknowledge(2, by: 1, now: 7003) == .commit(id: 2))
  }

  @Test func declinesAndCommitsThatComeTooLate_changeNothing() {
    var machine = Self.machine()
    _ = machine.tick(now: 1000)
    #expect(machine.decline(7, by: 0, reason: "other", now: 1001) == .none)
    _ = machine.tick(now: 6000)
    let before = machine
    #expect(machine.decline(1, by: 0, reason: "late", now: 6001) == .none)
    machine.committed(1, now: 6002)
    #expect(machine.commitFailed(1, reason: "late", now: 6003) == .none)
    #expect(machine == before)
  }

  @Test func participantsThatEndDuringTheCommit_endTheCheckpoints() {
    var machine = Self.machine()
    _ = machine.tick(now: 1000)
    _ = machine.acknowledge(1, by: 0, now: 1001)
    #expect(machine.acknowledge(1, by: 1, now: 1001) == .commit(id: 1))
    #expect(machine.end(0, now: 1002) == .none)
    #expect(machine.end(1, now: 1002) == .none)
    #expect(machine.commitFailed(1, reason: "no space", now: 1003) == .cancel(id: 1, reason: "no space"))
    #expect(machine.nextDeadline == nil, "nobody is left to be asked")
  }

  @Test func afterACancellation_theNextCheckpointWaitsForThePause() {
    var settings = Self.settings
    settings.minPauseMilliseconds = 3000
    var machine = CheckpointStateMachine(settings: settings, participantCount: 1, lastID: 0, now: 0)
    _ = machine.tick(now: 1000)
    _ = machine.decline(1, by: 0, reason: "disk full", now: 1500)
    #expect(machine.nextDeadline == 4500)
    #expect(machine.request(now: 1600) == .inject(id: 2), "whoever asks does not wait")
  }

  @Test func severalFailuresInARow_restartTheJob_butASuccessForgivesThem() {
    var machine = Self.machine(1)
    for id in 1...3 as ClosedRange<Int64> {
      let now = id * 2000
      #expect(machine.tick(now: now) == .inject(id: id))
      #expect(machine.decline(id, by: 0, reason: "disk full", now: now) == .cancel(id: id, reason: "disk full"))
    }
    _ = machine.tick(now: 9000)
    _ = machine.acknowledge(4, by: 0, now: 9000)
    machine.committed(4, now: 9000)
    for id in 5...8 as ClosedRange<Int64> {
      let now = id * 3000
      #expect(machine.tick(now: now) == .inject(id: id))
      let action = machine.decline(id, by: 0, reason: "disk full", now: now)
      if id < 8 {
        #expect(action == .cancel(id: id, reason: "disk full"))
      } else {
        #expect(action == .restart(reason: "4 checkpoints in a row failed, the last: disk full"))
      }
    }
    #expect(machine.failedCount == 7)
  }

  @Test func aCommitThatFails_isAFailedCheckpoint() {
    var machine = Self.machine(1)
    _ = machine.tick(now: 1000)
    _ = machine.acknowledge(1, by: 0, now: 1001)
    #expect(machine.commitFailed(1, reason: "no space", now: 1002) == .cancel(id: 1, reason: "no space"))
  }
}
