import Operators
import StreamModel
import TestSupport
import Testing

@Suite struct AggregateOverflowTests {
  static let most = Decimal.powersOfTen[37] * 9

  static func spec(_ window: WindowSpec, _ values: [String]) -> AggregateTestSpec {
    var test = AggregateTestSpec(window)
    test.key = ["id"]
    test.values = values.enumerated().map { ("v\($0)", $1) }
    return test
  }

  @Test func aRowThatWouldOverflowASum_isADeadLetterAndChangesNothing() throws {
    let windows: [WindowSpec] = [
      .tumble(size: 100, offset: 0), .hop(size: 100, every: 50, offset: 0), .session(gap: 100), .none,
    ]
    for window in windows {
      let test = Self.spec(window, ["count(*)", "sum(wide)", "max(x)"])
      var script = OperatorScript(AggregateTestSpec.schema)
      for (index, amount) in [Self.most, Self.most / 2, -Self.most, 7].enumerated() {
        script.row(
          at: 60, AggregateTestSpec.row(["id": "a", "wide": .decimal(amount, scale: 2), "x": .int64(Int64(index))]))
      }
      let output = try test.harness().check(script)
      #expect(output.failed.map { $0.values[2] } == [1])
      let shown = Set(output.main.map { Array($0.values.suffix(3)) })
      #expect(shown.contains([3, .decimal(7, scale: 2), 3]))
      if window != .none { #expect(shown.count == 1) }
    }
  }

  @Test func anInt64SumOverflowsAtItsOwnLimit() throws {
    let test = Self.spec(.tumble(size: 100, offset: 0), ["sum(x)", "count(*)", "avg(x)"])
    var script = OperatorScript(AggregateTestSpec.schema)
    for x in [Int64.max, 1, -1, 1, 1, .min, .min, 5] {
      script.row(at: 1, AggregateTestSpec.row(["id": "a", "x": .int64(x)]))
    }
    let output = try test.harness().check(script)
    #expect(output.failed.map { $0.values[2] } == [1, 1, .int64(.min)])
    #expect(output.main.map { $0.values[3] } == [4])
  }

  @Test func sumsOfDoublesOverflowAloud() throws {
    let test = Self.spec(.tumble(size: 100, offset: 0), ["sum(d)"])
    var script = OperatorScript(AggregateTestSpec.schema)
    for d in [1.5e308, 1.5e308, -1.5e308] { script.row(at: 1, AggregateTestSpec.row(["id": "a", "d": .double(d)])) }
    let output = try test.harness().check(script)
    #expect(output.failed.count == 1)
    #expect(output.main.map { $0.values[3] } == [0.0])
  }

  @Test func panesThatOverflowTogether_countAsOneSum() throws {
    let test = Self.spec(.hop(size: 100, every: 50, offset: 0), ["sum(wide)", "count(*)"])
    var script = OperatorScript(AggregateTestSpec.schema)
    for time in [10, 60, 110] as [Int64] {
      script.row(at: time, AggregateTestSpec.row(["id": "a", "wide": .decimal(Self.most, scale: 2)]))
    }
    let output = try test.harness().check(script)
    #expect(output.failed.map(\.eventTime) == [60])
    #expect(output.main.map { $0.values[1] } == [.timestamp(-50), .timestamp(0), .timestamp(50), .timestamp(100)])
  }

  @Test func sessionsThatWouldOverflowWhenMerged_stayApart() throws {
    let test = Self.spec(.session(gap: 100), ["sum(wide)", "count(*)"])
    var script = OperatorScript(AggregateTestSpec.schema)
    for (time, amount) in [(0, Self.most), (200, Self.most), (100, 0)] as [(Int64, Int128)] {
      script.row(at: time, AggregateTestSpec.row(["id": "a", "wide": .decimal(amount, scale: 2)]))
    }
    let output = try test.harness().check(script)
    #expect(output.failed.map(\.eventTime) == [100])
    #expect(output.main.map { $0.values[2] } == [.timestamp(100), .timestamp(300)])
  }

  @Test func manyLargeSumsOfDifferentKeys_areNotTakenForOne() throws {
    let test = Self.spec(.tumble(size: 1000, offset: 0), ["sum(wide)"])
    var script = OperatorScript(AggregateTestSpec.schema)
    for index in 0..<60 {
      script.row(
        at: Int64(index),
        AggregateTestSpec.row(["id": .string("k\(index % 30)"), "wide": .decimal(Self.most / 3, scale: 2)]))
    }
    let output = try test.harness().check(script)
    #expect(output.failed.isEmpty && output.main.count == 30)
    #expect(output.main.allSatisfy { $0.values[3] == .decimal(Self.most / 3 * 2, scale: 2) })
  }

  @Test func anAverageWithMoreDigitsThanThereAre_isADeadLetter() throws {
    let test = Self.spec(.tumble(size: 1000, offset: 0), ["avg(wide)"])
    var script = OperatorScript(AggregateTestSpec.schema)
    script.row(at: 1, AggregateTestSpec.row(["id": "a", "wide": .decimal(Self.most, scale: 2)]))
    script.row(at: 1, AggregateTestSpec.row(["id": "b", "wide": .decimal(300, scale: 2)]))
    let output = try test.harness().check(script)
    #expect(output.failed.map { $0.values[0] } == ["a"])
    #expect(output.main.map { $0.values[3] } == [.decimal(3_000_000, scale: 6)])
  }

  /// Parts of a sum that leave memory one by one: two of them together are more than 128 bits hold, all of them are not.
  @Test func partsThatAreTooLargeTogether_areJudgedByTheirSum() throws {
    let spec = try Self.spec(.tumble(size: 1000, offset: 0), ["sum(wide)"]).spec()
    let target = AggregateOperator.make(spec)
    let state = TestState()
    try state.attach(target)
    let output = CapturedOutput()
    func add(_ amounts: [Int128]) throws {
      let rows = amounts.map { TestRow(at: 1, AggregateTestSpec.row(["id": "a", "wide": .decimal($0, scale: 2)])) }
      try target.process(TestRows(AggregateTestSpec.schema, rows).batch(), input: 0, to: output)
    }
    let limit = Decimal.powersOfTen[37] * 10 - 1
    // From one end to the other: a part of twice the limit, which wraps around, and then one back again.
    try add([-limit])
    try target.spill()
    try add([limit, limit])
    try target.spill()
    try add([-limit, -limit])
    try target.spill()
    try add([limit, 7, -8])
    #expect(output.failed.isEmpty)
    try target.spill()
    try add([-limit + 1, -1, 5])
    #expect(output.failed.map { $0.values[4] } == [.decimal(-1, scale: 2)])
    try target.advance(to: .maximum, output: output)
    #expect(output.main.map { $0.values[3] } == [.decimal(-limit + 5, scale: 2)])
  }

  @Test func whichRowsOverflow_dependsOnTheirOrderAlone() throws {
    try TestSeeds.each(3) { random in
      let windows: [WindowSpec] = [
        .tumble(size: 120, offset: 0), .hop(size: 120, every: 40, offset: 0),
        .cumulate(size: 200, every: 50, offset: 0),
        .session(gap: 40),
      ]
      for window in windows {
        var test = Self.spec(window, ["sum(wide)", "count(*)"])
        test.key = ["id", "part"]
        test.lateness = random.chance(0.5) ? 50 : 0
        let plain = AggregateTestRows.script(&random, partitions: 2, rows: 120, keys: 2, behind: true)
        var script = OperatorScript(AggregateTestSpec.schema)
        for element in plain.elements {
          switch element {
          case .row(let row, _):
            var values = row.values
            values[4] = .decimal(Self.most / 8 * Int128(random.int(-4...7)), scale: 2)
            script.row(at: row.eventTime, stamp: row.stamp, values)
          case .watermark(let time): script.watermark(time)
          case .clock: break
          }
        }
        let output = try test.harness().check(script, seed: random.next())
        #expect(!output.failed.isEmpty && !output.main.isEmpty)
      }
    }
  }
}
