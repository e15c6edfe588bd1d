import StreamModel
import TestSupport
import Testing

@testable import Runtime

@Suite struct SourceWatermarksTests {
  /// The stamps of rows of one partition; nil where none is behind.
  private func observe(
    _ watermarks: inout SourceWatermarks, _ times: [EventTime], partition: Int, now: Int64 = 0
  ) -> [EventTime]? {
    times.withUnsafeBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return nil }
      return watermarks.observe(start, count: times.count, partition: partition, now: now)
        .map { column in times.indices.map { column.int64s[$0] } }
    }
  }

  @Test func theWatermarkIsTheHighestTimeLessTheDelayLessOne() {
    var watermarks = SourceWatermarks(delayMilliseconds: 10, idleAfterMilliseconds: nil)
    watermarks.know(1, now: 0)
    #expect(watermarks.current == EventTimes.minimum)
    #expect(observe(&watermarks, [100, 90], partition: 0) == nil)
    #expect(watermarks.current == 89)
  }

  @Test func aRowBehindItsOwnPartitionIsStampedWithThatPartitionsWatermark() {
    var watermarks = SourceWatermarks(delayMilliseconds: 10, idleAfterMilliseconds: nil)
    watermarks.know(2, now: 0)
    #expect(observe(&watermarks, [100, 90, 89], partition: 0)?[2] == 89)
    #expect(observe(&watermarks, [20, 15], partition: 1) == nil)
    #expect(watermarks.current == 9)
    #expect(observe(&watermarks, [9], partition: 1)?[0] == 9)
    #expect(observe(&watermarks, [88], partition: 0)?[0] == 89)
  }

  @Test func stampsOfRowsThatAreNotBehindDecideNothing() {
    var watermarks = SourceWatermarks(delayMilliseconds: 0, idleAfterMilliseconds: nil)
    watermarks.know(1, now: 0)
    let stamps = observe(&watermarks, [10, 20, 5, 30], partition: 0)
    #expect(stamps == [EventTimes.minimum, EventTimes.minimum, 19, EventTimes.minimum])
  }

  @Test func aPartitionNotBegunYetHoldsTheStreamBack() {
    var watermarks = SourceWatermarks(delayMilliseconds: 0, idleAfterMilliseconds: nil)
    watermarks.know(2, now: 0)
    _ = observe(&watermarks, [100], partition: 0)
    #expect(watermarks.current == EventTimes.minimum)
    _ = observe(&watermarks, [50], partition: 1)
    #expect(watermarks.current == 49)
  }

  @Test func aPartitionThatEndedHoldsNothingBack() {
    var watermarks = SourceWatermarks(delayMilliseconds: 0, idleAfterMilliseconds: nil)
    watermarks.know(2, now: 0)
    _ = observe(&watermarks, [50], partition: 0)
    _ = observe(&watermarks, [100], partition: 1)
    #expect(watermarks.current == 49)
    watermarks.end(partition: 0, now: 0)
    #expect(watermarks.current == 99)
  }

  @Test func whenAPartitionIsSilentForLong_theStreamGoesOnWithoutIt() {
    var watermarks = SourceWatermarks(delayMilliseconds: 0, idleAfterMilliseconds: 1000)
    watermarks.know(2, now: 0)
    _ = observe(&watermarks, [50], partition: 0, now: 0)
    _ = observe(&watermarks, [100], partition: 1, now: 900)
    let silences = [999, 1000, 1900].map { now in (watermarks.noteSilence(now: now), watermarks.current) }
    #expect(silences.map(\.0) == [false, false, true])
    #expect(silences.map(\.1) == [49, 99, 99])
  }

  @Test func aPartitionThatStillHasRowsToGive_isNotSilent() {
    var watermarks = SourceWatermarks(delayMilliseconds: 0, idleAfterMilliseconds: 1000)
    watermarks.know(2, now: 0)
    _ = observe(&watermarks, [50], partition: 0, now: 0)
    _ = observe(&watermarks, [100], partition: 1, now: 4500)
    #expect(!watermarks.noteSilence(now: 5000, atEnd: [false, true]) && watermarks.current == 49)
    // Its silence is counted from when it had nothing more.
    #expect(!watermarks.noteSilence(now: 5499, atEnd: [true, false]) && watermarks.current == 49)
    #expect(!watermarks.noteSilence(now: 6000, atEnd: [true, false]) && watermarks.current == 99)
  }

  @Test func anIdlePartitionsOwnWatermarkRisesWithTheStreams() {
    var watermarks = SourceWatermarks(delayMilliseconds: 0, idleAfterMilliseconds: 1000)
    watermarks.know(2, now: 0)
    _ = observe(&watermarks, [50], partition: 0, now: 0)
    _ = observe(&watermarks, [100], partition: 1, now: 900)
    _ = watermarks.noteSilence(now: 1000)
    // Not behind what it gave itself, but behind the stream that went on without it.
    #expect(observe(&watermarks, [60], partition: 0, now: 1001)?[0] == 99)
    #expect(watermarks.current == 99)
  }

  @Test func aNewPartitionStartsAtTheStreamsWatermark() {
    var watermarks = SourceWatermarks(delayMilliseconds: 0, idleAfterMilliseconds: nil)
    watermarks.know(1, now: 0)
    _ = observe(&watermarks, [100], partition: 0)
    #expect(observe(&watermarks, [99, 100], partition: 1) == [99, EventTimes.minimum])
  }

  /// Stamps and watermark of random rows, cut at random, are those of the same rows one by one.
  @Test func howRowsAreCutDoesNotShow() throws {
    try TestSeeds.each(30) { random in
      var whole = SourceWatermarks(delayMilliseconds: 5, idleAfterMilliseconds: nil)
      var single = whole
      whole.know(3, now: 0)
      single.know(3, now: 0)
      for _ in 0..<20 {
        let partition = Int(random.int(0...2))
        let times = (0..<random.int(1...9)).map { _ in random.int(0...40) }
        let together = observe(&whole, times, partition: partition)
        let apart = times.map { observe(&single, [$0], partition: partition)?[0] ?? EventTimes.minimum }
        guard together ?? times.map({ _ in EventTimes.minimum }) == apart, whole.current == single.current else {
          throw HarnessFailure("\(times): \(together ?? []) together, \(apart) one by one")
        }
      }
    }
  }
}
