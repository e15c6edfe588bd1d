import StreamModel
import TestSupport
import Testing

@testable import Operators

@Suite struct ReproducibleSumTests {
  /// Sums in memory of their own, one a slot.
  final class Sums {
    let sum = ReproducibleSum(offset: 8)
    let memory: UnsafeMutableRawPointer
    let area: RecordArea

    init(count: Int) {
      let stride = 8 + ReproducibleSum.words * 8
      memory = .allocate(byteCount: count * stride, alignment: 8)
      memory.initializeMemory(as: UInt8.self, repeating: 0, count: count * stride)
      area = RecordArea(base: memory, stride: stride)
    }

    deinit { memory.deallocate() }

    func load(_ slot: Int32 = 0) -> Double { sum.load(area, slot) }
  }

  static func sum(_ values: [Double]) -> Double {
    let sums = Sums(count: 1)
    for value in values { sums.sum.add(value, sums.area, 0) }
    return sums.load()
  }

  /// Values spread over partial sums at random, those merged in a random order.
  static func sumInPieces(_ values: [Double], _ random: inout SeededRandom) -> Double {
    let count = Int(random.int(1...5))
    let sums = Sums(count: count)
    for value in values { sums.sum.add(value, sums.area, Int32(Int(random.int(0...Int64(count - 1))))) }
    var left = Array(0..<Int32(count))
    while left.count > 1 {
      let source = left.remove(at: Int(random.int(0...Int64(left.count - 1))))
      sums.sum.merge(sums.area, left[Int(random.int(0...Int64(left.count - 1)))], from: sums.area, source)
    }
    return sums.load(left[0])
  }

  static func value(_ random: inout SeededRandom, exponents: ClosedRange<Int>) -> Double {
    let significand = 1 + Double(random.next() >> 12) * 0x1p-52
    let value = Double(
      sign: .plus, exponent: Int(random.int(Int64(exponents.lowerBound)...Int64(exponents.upperBound))),
      significand: significand)
    return random.chance(0.5) ? -value : value
  }

  @Test(arguments: [-1074...1020, -40...40, -1074...(-1000), 0...0, -200...200])
  func noOrderAndNoCutChangesABit(_ exponents: ClosedRange<Int>) throws {
    try TestSeeds.each(40) { random in
      var values = (0..<random.int(1...60)).map { _ in Self.value(&random, exponents: exponents) }
      let whole = Self.sum(values)
      for _ in 0..<5 {
        for index in values.indices { values.swapAt(index, Int(random.int(0...Int64(values.count - 1)))) }
        #expect(Self.sumInPieces(values, &random).bitPattern == whole.bitPattern)
      }
    }
  }

  @Test func theResultIsTheExactSumRoundedOnce() throws {
    try TestSeeds.each(200) { random in
      // Multiples of 2⁻⁶⁰ below 2⁴⁰: their sum is an exact integer of 128 bits.
      let values = (0..<random.int(1...50)).map { _ in Self.value(&random, exponents: -8...39) }
      let exact = values.reduce(Int128(0)) { $0 + Int128($1 * 0x1p60) }
      #expect(Self.sum(values) == Double(exact) * 0x1p-60)
    }
  }

  @Test func whatCancelsLeavesTheRest() {
    #expect(Self.sum([1e16, 1, 1, 1, -1e16]) == 3)
    #expect(Self.sum([1e300, 1e-5, -1e300]) == 0)
    #expect(Self.sum([0x1p100, 0x1p-20, -0x1p100]) == 0x1p-20)
    let least = Double.leastNonzeroMagnitude
    #expect(Self.sum([least, least]) == 2 * least)
    #expect(Self.sum([]) == 0)
    #expect(Self.sum([-2.5]) == -2.5)
  }

  @Test func halfAUnitInTheLastPlace_goesToEven_andAnythingMoreUp() {
    #expect(Self.sum([0x1p53, 1]) == 0x1p53)
    #expect(Self.sum([0x1p53, 1, 0x1p-60]) == 0x1p53 + 2)
    #expect(Self.sum([-0x1p53, -1, -0x1p-60]) == -0x1p53 - 2)
    #expect(Self.sum([0x1p53, 3]) == 0x1p53 + 4)
  }

  @Test func whatIsNotFinite_staysSo() {
    #expect(Self.sum([1, .infinity, 2]) == .infinity)
    #expect(Self.sum([-.infinity, 2]) == -.infinity)
    #expect(Self.sum([.infinity, -.infinity]).isNaN)
    #expect(Self.sum([.nan, 1]).isNaN)
    #expect(Self.sum([.greatestFiniteMagnitude, .greatestFiniteMagnitude]) == .infinity)
    #expect(Self.sum([.greatestFiniteMagnitude, .greatestFiniteMagnitude, -.greatestFiniteMagnitude]).isFinite)
  }
}
