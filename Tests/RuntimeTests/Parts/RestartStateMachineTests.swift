import Runtime
import Testing
import Topology

struct RestartStateMachineTests {
  static func machine(attempts: Int = 3) -> RestartStateMachine {
    var settings = RestartSettings()
    settings.attempts = attempts
    settings.initialBackoffMilliseconds = 1000
    settings.maxBackoffMilliseconds = 5000
    return RestartStateMachine(settings)
  }

  static func failure(_ number: Int) -> JobFailure { JobFailure(at: Int64(number), reason: "disk \(number)") }

  /// The pauses of a job that fails `count` times in a row.
  static func pauses(_ count: Int, jitter: Double, attempts: Int = 100) -> [Int64] {
    var machine = Self.machine(attempts: attempts)
    return (1...count).compactMap { number in
      guard
        case .restart(let pause, number) = machine.failed(failure(number), isRetriable: true, jitter: jitter)
      else { return nil }
      machine.started()
      return pause
    }
  }

  @Test func pausesDouble_upToTheLongest() {
    #expect(Self.pauses(6, jitter: 0) == [1000, 2000, 4000, 5000, 5000, 5000])
  }

  @Test func chanceCutsAPauseByUpToHalf() {
    #expect(Self.pauses(4, jitter: 1) == [500, 1000, 2000, 2500])
    #expect(Self.pauses(1, jitter: 0.5) == [750])
  }

  @Test func manyFailuresDoNotOverflowThePause() {
    #expect(Self.pauses(90, jitter: 0).last == 5000)
  }

  @Test func whenTheAttemptsAreUsedUp_theJobIsQuarantined_withEveryFailure() {
    var machine = Self.machine()
    for number in 1...3 {
      _ = machine.failed(Self.failure(number), isRetriable: true, jitter: 0)
      machine.started()
    }
    #expect(
      machine.failed(Self.failure(4), isRetriable: true, jitter: 0)
        == .quarantine(failureCount: 4, (1...4).map(Self.failure)))
  }

  @Test func aCommittedCheckpointForgivesWhatCameBefore() {
    var machine = Self.machine()
    for number in 1...20 {
      #expect(
        machine.failed(Self.failure(number), isRetriable: true, jitter: 0)
          == .restart(afterMilliseconds: 1000, attempt: 1))
      machine.started()
      machine.committed()
    }
  }

  /// The checkpoint of an attempt that has failed already says nothing about the next.
  @Test func aCheckpointCountsOnlyWhileTheJobRuns() {
    var machine = Self.machine()
    _ = machine.failed(Self.failure(1), isRetriable: true, jitter: 0)
    machine.committed()
    machine.started()
    #expect(
      machine.failed(Self.failure(2), isRetriable: true, jitter: 0) == .restart(afterMilliseconds: 2000, attempt: 2))
  }

  @Test func aFailureThatWouldRepeat_isNotTriedAgain() {
    var machine = Self.machine()
    _ = machine.failed(Self.failure(1), isRetriable: true, jitter: 0)
    machine.started()
    #expect(machine.failed(Self.failure(2), isRetriable: false, jitter: 0) == .fail(Self.failure(2)))
  }

  @Test func aStartThatFailsCountsToo() {
    var machine = Self.machine(attempts: 2)
    _ = machine.failed(Self.failure(1), isRetriable: true, jitter: 0)
    #expect(
      machine.failed(Self.failure(2), isRetriable: true, jitter: 0) == .restart(afterMilliseconds: 2000, attempt: 2))
  }

  @Test func withoutAttempts_theFirstFailureIsTheLast() {
    var machine = Self.machine(attempts: 0)
    #expect(machine.failed(Self.failure(1), isRetriable: true, jitter: 0) == .fail(Self.failure(1)))
  }

  @Test func onlyTheLatestFailuresAreRemembered() {
    var machine = Self.machine(attempts: 50)
    for number in 1...50 {
      _ = machine.failed(Self.failure(number), isRetriable: true, jitter: 0)
      machine.started()
    }
    #expect(
      machine.failed(Self.failure(51), isRetriable: true, jitter: 0)
        == .quarantine(failureCount: 51, (32...51).map(Self.failure)))
  }

  /// Fails each time, having done so much work.
  private static func slowWork(after work: [Int64], _ machine: inout RestartStateMachine) -> [Int64] {
    work.enumerated().map { number, work in
      _ = machine.failed(failure(number), isRetriable: true, jitter: 0, workNanoseconds: work)
      machine.started()
      return machine.slowWorkNanoseconds
    }
  }

  @Test func theAttemptAfterTheFirstFailure_goesAtFullSpeed_thoseAfterItRepeatSlowlyTwiceWhatWasInVain() {
    var machine = Self.machine(attempts: 100)
    #expect(Self.slowWork(after: [900, 70, 80, 10], &machine) == [0, 140, 160, 160])
  }

  @Test func aCommittedCheckpoint_endsTheSlowness() {
    var machine = Self.machine(attempts: 100)
    _ = Self.slowWork(after: [900, 70], &machine)
    machine.committed()
    #expect(machine.slowWorkNanoseconds == 0)
    #expect(Self.slowWork(after: [900, 70], &machine) == [0, 140])
  }

  @Test func startsThatFail_leaveNothingToRepeatSlowly() {
    var machine = Self.machine(attempts: 100)
    #expect(Self.slowWork(after: [0, 0, 0], &machine) == [0, 0, 0])
  }
}
