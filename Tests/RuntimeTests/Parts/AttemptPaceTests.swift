import Connectors
import Formats
import StreamModel
import Testing

@testable import Runtime

@Suite struct AttemptPaceTests {
  private static let hour: Int64 = 3_600_000_000_000

  @Test func asLongAsItRepeatsWhatFailed_aWorkerRestsNineTimesAsLongAsItHasWorked() {
    let pace = AttemptPace(slowNanoseconds: 100)
    #expect(pace.resumption(afterWorkFrom: 1000, to: 1060) == 1060 + 540)
    #expect(pace.resumption(afterWorkFrom: 1600, to: 1640) == 1640 + 360)
  }

  @Test func aRestIsNeverLongerThanASecond() {
    let pace = AttemptPace(slowNanoseconds: .max)
    let second: Int64 = 1_000_000_000
    #expect(pace.resumption(afterWorkFrom: 0, to: second) == 2 * second)
  }

  @Test func pastWhatFailed_nobodyRests() {
    let pace = AttemptPace(slowNanoseconds: 100)
    _ = pace.resumption(afterWorkFrom: 0, to: 100)
    #expect(pace.resumption(afterWorkFrom: 1000, to: 1001) == 1001)
    #expect(AttemptPace(slowNanoseconds: 0).resumption(afterWorkFrom: 1000, to: 1060) == 1060)
  }

  @Test func afterACheckpoint_nobodyRests() {
    let pace = AttemptPace(slowNanoseconds: .max)
    pace.noteProgress()
    #expect(pace.resumption(afterWorkFrom: 1000, to: 1060) == 1060)
  }

  @Test func restsAreNoWork() {
    let pace = AttemptPace(slowNanoseconds: .max)
    let resumption = pace.resumption(afterWorkFrom: 1000, to: 1060)
    _ = pace.resumption(afterWorkFrom: resumption, to: resumption + 40)
    #expect(pace.workedNanoseconds == 100)
  }

  private static func coordinator() throws -> SourceCoordinator {
    let reader = GeneratorSourceReader(GeneratorSpec(), source: "usage", format: .json)
    try reader.open()
    return SourceCoordinator(
      reader: reader, watermarks: SourceWatermarks(delayMilliseconds: 0, idleAfterMilliseconds: nil), rate: nil,
      targetBytes: 1000)
  }

  /// A checkpoint or a stop does not wait until a worker has rested.
  @Test func aWorkerThatRests_takesBarriersAndTheEndAtOnce() throws {
    let coordinator = try AttemptPaceTests.coordinator()
    let resumption = Clock.monotonicNanoseconds() + AttemptPaceTests.hour
    coordinator.requestBarrier(7)
    guard case .barrier(7, _)? = try coordinator.take(resumption: resumption)?.work else {
      Issue.record("no barrier")
      return
    }
    coordinator.stop()
    guard case .end(isComplete: false, _)? = try coordinator.take(resumption: resumption)?.work else {
      Issue.record("no end")
      return
    }
  }

  @Test func aWorkerThatHasRested_readsOn() throws {
    let coordinator = try AttemptPaceTests.coordinator()
    let before = Clock.monotonicNanoseconds()
    let ticket = try #require(try coordinator.take(resumption: before + 2_000_000))
    guard case .chunk = ticket.work else {
      Issue.record("no chunk")
      return
    }
    #expect(ticket.begunAt >= before + 2_000_000)
  }
}
