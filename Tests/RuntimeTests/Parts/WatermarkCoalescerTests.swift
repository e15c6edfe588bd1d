import StreamModel
import TestSupport
import Testing

@testable import Runtime

@Suite struct WatermarkCoalescerTests {
  @Test func watermarkIsTheLeastOfAllInputs() {
    var coalescer = WatermarkCoalescer(inputCount: 2)
    #expect(coalescer.update(0, to: 10) == nil)
    #expect(coalescer.update(1, to: 7) == Watermark(7))
    #expect(coalescer.update(1, to: 12) == Watermark(10))
    #expect(coalescer.current == 10)
  }

  @Test func watermarkNeverGoesBack() {
    var coalescer = WatermarkCoalescer(inputCount: 1)
    #expect(coalescer.update(0, to: 10) == Watermark(10))
    #expect(coalescer.update(0, to: 5) == nil)
    #expect(coalescer.current == 10)
  }

  @Test func whenOneInputIsIdle_watermarkFollowsTheOther() {
    var coalescer = WatermarkCoalescer(inputCount: 2)
    #expect(coalescer.update(0, to: 10) == nil)
    #expect(coalescer.markIdle(1) == Watermark(10))
    #expect(coalescer.update(0, to: 20) == Watermark(20))
  }

  @Test func whenAnIdleInputComesBackBehind_watermarkStaysWhereItIs() {
    var coalescer = WatermarkCoalescer(inputCount: 2)
    _ = coalescer.update(0, to: 10)
    _ = coalescer.markIdle(1)
    coalescer.markActive(1)
    #expect(coalescer.update(0, to: 30) == nil)
    #expect(coalescer.update(1, to: 4) == nil)
    #expect(coalescer.current == 10)
    #expect(coalescer.update(1, to: 25) == Watermark(25))
  }

  @Test func whenAllInputsAreIdle_watermarkStaysWhereItIs() {
    var coalescer = WatermarkCoalescer(inputCount: 2)
    _ = coalescer.update(0, to: 10)
    _ = coalescer.update(1, to: 8)
    #expect(coalescer.markIdle(1) == Watermark(10))
    #expect(coalescer.markIdle(0) == nil)
    #expect(coalescer.areAllIdle)
    #expect(coalescer.current == 10)
  }

  @Test func anEndedInputHoldsNothingBack() {
    var coalescer = WatermarkCoalescer(inputCount: 2)
    _ = coalescer.update(0, to: 10)
    #expect(coalescer.markEnded(1) == Watermark(10))
    #expect(coalescer.markEnded(0) == Watermark.maximum)
  }

  @Test func watermarkIsTheHighestThatTheLeastActiveInputEverReached() throws {
    try TestSeeds.each(20) { random in
      let count = Int(random.int(1...4))
      var coalescer = WatermarkCoalescer(inputCount: count)
      var heights = [EventTime](repeating: EventTimes.minimum, count: count)
      var idle: Set<Int> = []
      var expected = EventTimes.minimum
      for _ in 0..<200 {
        let input = Int(random.int(0...Int64(count - 1)))
        if random.chance(0.2) {
          idle.insert(input)
          _ = coalescer.markIdle(input)
        } else {
          let time = random.int(0...1000)
          heights[input] = max(heights[input], time)
          idle.remove(input)
          _ = coalescer.update(input, to: time)
        }
        let active = (0..<count).filter { !idle.contains($0) }.map { heights[$0] }
        if let least = active.min() { expected = max(expected, least) }
        guard coalescer.current == expected else {
          throw HarnessFailure("\(coalescer.current) instead of \(expected)")
        }
      }
    }
  }
}
