import Operators
import StreamModel
import TestSupport
import Testing

@Suite struct SessionAggregateTests {
  static func check(_ test: AggregateTestSpec, _ script: OperatorScript, _ random: inout SeededRandom) throws {
    guard case .session(let gap) = test.window else { return }
    let expected = AggregateModel(spec: test).sessionRows(script, gap: gap)
    let output = try test.harness().check(script, seed: random.next())
    try WindowAggregateTests.compare(test, expected: expected, actual: output.rows)
    for variant in [HarnessVariant(.every(4096), .delayed), HarnessVariant(.random, .delayed, .rescale)] {
      let output = try test.harness().run(script, variant, seed: random.next())
      try WindowAggregateTests.compare(test, expected: expected, actual: output.rows)
    }
  }

  @Test func keysSpreadOverPartitions_giveWhatTheRuleSays() throws {
    try TestSeeds.each(5) { random in
      let test = AggregateTestSpec(.session(gap: random.int(1...120)))
      let script = AggregateTestRows.script(&random, partitions: 3, behind: false, start: random.int(-3000...3000))
      try Self.check(test, script, &random)
    }
  }

  @Test func rowsBehind_neverJoinWhatTheirOwnStampHasClosed() throws {
    try TestSeeds.each(8) { random in
      let test = AggregateTestSpec(.session(gap: random.int(1...120)))
      let script = AggregateTestRows.script(
        &random, partitions: Int(random.int(1...3)), keys: random.int(1...12), behind: true)
      try Self.check(test, script, &random)
    }
  }

  @Test func withAllowedLateness_closesAreReportedAndThenWhatLateRowsMakeOfThem() throws {
    try TestSeeds.each(8) { random in
      var test = AggregateTestSpec(.session(gap: random.int(1...120)))
      test.lateness = random.int(1...150)
      let script = AggregateTestRows.script(
        &random, partitions: Int(random.int(1...3)), keys: random.int(1...12), behind: true)
      try Self.check(test, script, &random)
    }
  }

  @Test func aRowAtExactlyTheEndMerges() throws {
    var test = AggregateTestSpec(.session(gap: 100))
    test.values = [("n", "count(*)")]
    var script = OperatorScript(AggregateTestSpec.schema)
    script.row(at: 0, AggregateTestSpec.row(["id": "a"]))
    script.watermark(99)
    script.row(at: 100, AggregateTestSpec.row(["id": "a"]))
    script.watermark(200)
    script.row(at: 201, AggregateTestSpec.row(["id": "a"]))
    let output = try test.harness().check(script)
    #expect(
      output.main.map(\.values) == [
        ["a", nil, .timestamp(0), .timestamp(200), 2], ["a", nil, .timestamp(201), .timestamp(301), 1],
      ])
  }

  @Test func aRowBetweenTwoSessionsMakesThemOne() throws {
    var test = AggregateTestSpec(.session(gap: 100))
    test.values = [("n", "count(*)"), ("first", "first(s)"), ("distinct", "count(distinct x)"), ("least", "min(s)")]
    var script = OperatorScript(AggregateTestSpec.schema)
    for (time, name, x) in [(300, "late", 1), (100, "early", 1), (200, "middle", 2)] {
      script.row(
        at: Int64(time), AggregateTestSpec.row(["id": "a", "s": .string(name), "x": .int64(Int64(x))]))
    }
    let output = try test.harness().check(script)
    #expect(output.main.map(\.values) == [["a", nil, .timestamp(100), .timestamp(400), 3, "early", 2, "early"]])
  }

  @Test func aBehindRowBesideASealedSession_makesItsOwn() throws {
    var test = AggregateTestSpec(.session(gap: 10))
    test.values = [("n", "count(*)")]
    var script = OperatorScript(AggregateTestSpec.schema)
    script.row(at: 0, AggregateTestSpec.row(["id": "a"]))
    script.row(at: 8, stamp: 12, AggregateTestSpec.row(["id": "a"]))
    script.row(at: -5, stamp: 12, AggregateTestSpec.row(["id": "a"]))
    let output = try test.harness().check(script)
    #expect(
      output.main.map(\.values) == [
        ["a", nil, .timestamp(0), .timestamp(10), 1], ["a", nil, .timestamp(8), .timestamp(18), 1],
      ])
    #expect(output.rows(on: .late).map(\.eventTime) == [-5])
  }

  @Test func aReportedSessionThatGrowsIntoAnOpenOne_isReportedAgainOnTime() throws {
    var test = AggregateTestSpec(.session(gap: 10))
    test.values = [("n", "count(*)")]
    test.lateness = 20
    var script = OperatorScript(AggregateTestSpec.schema)
    script.row(at: 0, AggregateTestSpec.row(["id": "a"]))
    script.watermark(12)
    script.row(at: 5, stamp: 16, AggregateTestSpec.row(["id": "a"]))
    script.row(at: 14, stamp: 16, AggregateTestSpec.row(["id": "a"]))
    let output = try test.harness().check(script)
    let shown = output.main.map { [$0.values[2], $0.values[3], $0.values[4], $0.values[5]] }
    #expect(
      shown == [
        [.timestamp(0), .timestamp(10), 1, "on_time"], [.timestamp(0), .timestamp(15), 2, "late"],
        [.timestamp(0), .timestamp(24), 3, "on_time"],
      ])
  }

  @Test func theWatermarkIsHeldBackByAMillisecond() throws {
    let target = AggregateOperator.make(try AggregateTestSpec(.session(gap: 10)).spec())
    #expect(target.outputWatermark(for: Watermark(100)) == Watermark(99))
    #expect(target.outputWatermark(for: .maximum) == .maximum)
    #expect(target.outputWatermark(for: .minimum) == .minimum)
  }

  @Test func earlyResults_areThoseOfChangedOpenSessions() throws {
    var test = AggregateTestSpec(.session(gap: 100))
    test.early = 50
    test.values = [("n", "count(*)")]
    var script = OperatorScript(AggregateTestSpec.schema)
    script.row(at: 10, AggregateTestSpec.row(["id": "a"]))
    script.row(at: 20, AggregateTestSpec.row(["id": "b"]))
    script.clock(1000)
    script.clock(1050)
    script.row(at: 30, AggregateTestSpec.row(["id": "b"]))
    script.clock(1100)
    let output = try test.harness().run(script, .recordAtATime)
    let shown = output.main.map { [$0.values[0], $0.values[3], $0.values[4], $0.values[5]] }
    #expect(
      shown == [
        ["a", .timestamp(110), 1, "early"], ["b", .timestamp(120), 1, "early"], ["b", .timestamp(130), 2, "early"],
        ["a", .timestamp(110), 1, "on_time"], ["b", .timestamp(130), 2, "on_time"],
      ])
  }

  @Test func manyShortSessions_leaveNoKeysBehind() throws {
    var test = AggregateTestSpec(.session(gap: 10))
    test.values = [("n", "count(*)"), ("names", "count(distinct s)"), ("last", "last(s)")]
    let target = AggregateOperator.make(try test.spec())
    let state = TestState()
    try state.attach(target)
    let output = CapturedOutput()
    for round in 0..<40 {
      let rows = (0..<1000).map { index in
        TestRow(
          at: Int64(round * 100 + index % 50), AggregateTestSpec.row(["id": .string("r\(round)-\(index)"), "s": "x"]))
      }
      try target.process(TestRows(AggregateTestSpec.schema, rows).batch(), input: 0, to: output)
      try target.advance(to: Watermark(Int64(round * 100 + 60)), output: output)
      #expect(try state.entries(of: target).isEmpty)
    }
    #expect(output.main.count == 40_000)
    #expect(target.stateSizeBytes < 2_000_000)
  }
}
