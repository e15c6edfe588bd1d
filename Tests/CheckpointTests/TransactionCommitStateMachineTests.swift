import Testing

@testable import Checkpoint

/// The order of a checkpoint whose commit point is a transaction.
struct TransactionCommitStateMachineTests {
  static func machine() -> TransactionCommitStateMachine { TransactionCommitStateMachine(last: 3, identity: 7) }

  static func isRestart(_ action: TransactionCommitStateMachine.Action) -> Bool {
    if case .restart = action { true } else { false }
  }

  static func isStop(_ action: TransactionCommitStateMachine.Action) -> Bool {
    if case .stop = action { true } else { false }
  }

  @Test func theManifestComesFirst_thenTheCommit_thenTheOwner_thenTheFiles() {
    var machine = TransactionCommitStateMachineTests.machine()
    #expect(machine.flushed(4) == .writeManifest(4))
    #expect(machine.manifestIsDurable() == .commit(4))
    #expect(machine.commitIsSent() == .wait)
    #expect(machine.commitEnded(.committed) == .checkOwnership(4))
    #expect(machine.found(.init(number: 4, identity: 7)) == .publish(4))
    #expect(machine.published() == .wait)
    #expect(machine.lastComplete == 4)
    #expect(machine.flushed(5) == .writeManifest(5))
  }

  @Test func aNumberIsNeverUsedTwice() {
    var machine = TransactionCommitStateMachineTests.machine()
    #expect(TransactionCommitStateMachineTests.isRestart(machine.flushed(3)))
  }

  @Test func theNextCheckpointWaitsForTheOutcomeOfThisOne() {
    var machine = TransactionCommitStateMachineTests.machine()
    _ = machine.flushed(4)
    #expect(TransactionCommitStateMachineTests.isRestart(machine.flushed(5)))
  }

  @Test func aCommitIsSentOnce() {
    var machine = TransactionCommitStateMachineTests.machine()
    _ = machine.flushed(4)
    _ = machine.manifestIsDurable()
    _ = machine.commitIsSent()
    #expect(TransactionCommitStateMachineTests.isRestart(machine.commitIsSent()))
  }

  @Test func nothingIsCommittedBeforeItsManifestIsDurable() {
    var machine = TransactionCommitStateMachineTests.machine()
    _ = machine.flushed(4)
    #expect(TransactionCommitStateMachineTests.isRestart(machine.commitIsSent()))
  }

  @Test(arguments: [
    TransactionCommitStateMachine.Outcome.refused("the broker said no"), .unknown("no answer came"),
  ])
  func afterAnythingButACommit_onlyANewStartFindsOut(_ outcome: TransactionCommitStateMachine.Outcome) {
    var machine = TransactionCommitStateMachineTests.machine()
    _ = machine.flushed(4)
    _ = machine.manifestIsDurable()
    _ = machine.commitIsSent()
    #expect(TransactionCommitStateMachineTests.isRestart(machine.commitEnded(outcome)))
    #expect(TransactionCommitStateMachineTests.isRestart(machine.published()), "nothing is renamed")
    #expect(TransactionCommitStateMachineTests.isRestart(machine.flushed(5)), "nothing is committed")
    #expect(machine.lastComplete == nil)
  }

  @Test(arguments: [nil, TransactionStart.Marker(number: 4, identity: 8), .init(number: 5, identity: 7)])
  func whenAnotherOwnsTheJob_noFileIsRenamed(_ found: TransactionStart.Marker?) {
    var machine = TransactionCommitStateMachineTests.machine()
    _ = machine.flushed(4)
    _ = machine.manifestIsDurable()
    _ = machine.commitIsSent()
    _ = machine.commitEnded(.committed)
    #expect(TransactionCommitStateMachineTests.isStop(machine.found(found)))
    #expect(TransactionCommitStateMachineTests.isRestart(machine.published()))
  }

  @Test func aMarkerThatIsStillBehind_isNoOtherOwners() {
    var machine = TransactionCommitStateMachineTests.machine()
    _ = machine.flushed(4)
    _ = machine.manifestIsDurable()
    _ = machine.commitIsSent()
    _ = machine.commitEnded(.committed)
    #expect(machine.found(.init(number: 3, identity: 7)) == .publish(4))
  }

  @Test func untilABarrierHasPassedASink_aFailedCheckpointCostsNothing() {
    var machine = TransactionCommitStateMachineTests.machine()
    #expect(machine.failed("too slow", hasPassedSink: false) == .wait)
    #expect(machine.flushed(5) == .writeManifest(5))
    var passed = TransactionCommitStateMachineTests.machine()
    #expect(TransactionCommitStateMachineTests.isRestart(passed.failed("too slow", hasPassedSink: true)))
  }

  @Test func theFirstReasonIsKept() {
    var machine = TransactionCommitStateMachineTests.machine()
    _ = machine.failed("the disk is full", hasPassedSink: true)
    #expect(machine.flushed(5) == .restart("the disk is full"))
  }
}
