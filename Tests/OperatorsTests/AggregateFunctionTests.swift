import Operators
import State
import StreamModel
import TestSupport
import Testing

@Suite struct AggregateFunctionTests {
  static let calls = [
    "count(*)", "count(x)", "count(distinct x)", "count(distinct s)", "count(distinct d)", "sum(x)", "sum(amount)",
    "sum(wide)", "sum(d)", "min(x)", "max(x)", "min(amount)", "max(wide)", "min(d)", "max(d)", "min(s)", "max(s)",
    "min(flag)", "max(flag)", "avg(x)", "avg(amount)", "avg(wide)", "avg(d)", "first(x)", "last(x)", "first(s)",
    "last(s)", "first(wide)", "last(d)", "last(flag)", "stddev_pop(x)", "stddev_pop(amount)", "stddev_pop(d)",
  ]

  static func everything(_ window: WindowSpec) -> AggregateTestSpec {
    var test = AggregateTestSpec(window)
    test.values = calls.enumerated().map { ("v\($0)", $1) }
    test.values += calls.enumerated().map { ("f\($0)", "\($1) filter (where flag)") }
    return test
  }

  /// Doubles to nine digits: the model adds them up in another way.
  static func rounded(_ rows: [CapturedRow]) -> [CapturedRow] {
    rows.map { row in
      let values = row.values.map { value in
        if case .double(let double) = value { Value.double((double * 1e9).rounded() / 1e9 + 0) } else { value }
      }
      return CapturedRow(port: row.port, at: row.eventTime, stamp: row.stamp, values, failure: row.failure)
    }
  }

  static func check(_ test: AggregateTestSpec, _ script: OperatorScript, _ random: inout SeededRandom) throws {
    let output = try test.harness().check(script, seed: random.next())
    let model = AggregateModel(spec: test)
    let expected: [CapturedRow]
    if case .session(let gap) = test.window {
      expected = model.sessionRows(script, gap: gap)
    } else {
      expected = model.rows(script) { WindowAggregateTests.windows(test.window, $0.eventTime) }
    }
    try WindowAggregateTests.compare(test, expected: rounded(expected), actual: rounded(output.rows))
  }

  @Test func allAggregates_giveWhatAllRowsTogetherSay() throws {
    try TestSeeds.each(1) { random in
      let windows: [WindowSpec] = [
        .tumble(size: 90, offset: 0), .hop(size: 90, every: 30, offset: 0), .cumulate(size: 120, every: 40, offset: 5),
        .session(gap: 25),
      ]
      for window in windows {
        var test = Self.everything(window)
        test.lateness = random.chance(0.5) ? random.int(1...60) : 0
        let script = AggregateTestRows.script(&random, partitions: 1, rows: 100, keys: 2, behind: true)
        try Self.check(test, script, &random)
      }
    }
  }

  @Test func firstAndLast_goByTimeThenPartitionThenPosition() throws {
    var test = AggregateTestSpec(.tumble(size: 100, offset: 0))
    test.values = [("first", "first(x)"), ("last", "last(x)")]
    let partitions = [0, 1].map { SourcePartition(source: "usage", name: "p\($0)", index: $0) }
    func batch(_ partition: SourcePartition, _ rows: [(x: Int64, position: Int64)]) -> RecordBatch {
      let plain = TestRows(
        AggregateTestSpec.schema, rows.map { TestRow(at: 50, AggregateTestSpec.row(["x": .int64($0.x)])) }
      ).batch()
      let views = ColumnBuilder(.int64)
      for row in rows { views.append(int64: Int64(bitPattern: packView(start: Int(row.position), length: 1))) }
      let chunk = [UInt8](repeating: 32, count: 100).withUnsafeBytes {
        RecordChunk(partition: partition, offset: 0, copying: $0)
      }
      return RecordBatch(
        schema: plain.schema, columns: plain.columns, count: plain.count, eventTimes: plain.eventTimes,
        origin: RecordOrigin(chunk: chunk, ranges: views.finish()))
    }
    let batches = [
      batch(partitions[1], [(30, 2)]), batch(partitions[0], [(10, 3), (11, 9)]), batch(partitions[1], [(31, 5)]),
    ]
    for order in [[0, 1, 2], [1, 0, 2], [0, 2, 1]] {
      let target = AggregateOperator.make(try test.spec())
      let output = CapturedOutput()
      for index in order { try target.process(batches[index], input: 0, to: output) }
      try target.advance(to: .maximum, output: output)
      #expect(output.main.map { [$0.values[4], $0.values[5]] } == [[10, 31]])
    }
  }

  @Test func averagesAreRoundedAwayFromZeroAtATie() throws {
    var test = AggregateTestSpec(.tumble(size: 100, offset: 0))
    test.values = [("mean", "avg(wide)"), ("of_ints", "avg(x)")]
    for (sign, expected) in [(Int128(1), Int128(5_000_000)), (-1, -5_000_000)] {
      let rows = [sign * 999, 0].map {
        TestRow(at: 1, AggregateTestSpec.row(["wide": .decimal($0 + sign, scale: 2), "x": .int64(Int64(sign))]))
      }
      let target = AggregateOperator.make(try test.spec())
      let output = CapturedOutput()
      try target.process(TestRows(AggregateTestSpec.schema, rows).batch(), input: 0, to: output)
      try target.advance(to: .maximum, output: output)
      #expect(output.main.map { $0.values[4] } == [.decimal(expected + sign * 5000, scale: 6)])
      #expect(output.main.map { $0.values[5] } == [.decimal(sign * 1_000_000, scale: 6)])
    }
    let thirds = [1, 1, 0].map { TestRow(at: 1, AggregateTestSpec.row(["x": .int64($0)])) }
    let target = AggregateOperator.make(try test.spec())
    let output = CapturedOutput()
    try target.process(TestRows(AggregateTestSpec.schema, thirds).batch(), input: 0, to: output)
    try target.advance(to: .maximum, output: output)
    #expect(output.main.map { $0.values[5] } == [.decimal(666_667, scale: 6)])
  }

  @Test func sumsOfDoubles_keepWhatRoundingWouldLose() throws {
    var test = AggregateTestSpec(.tumble(size: 100, offset: 0))
    test.values = [("total", "sum(d)")]
    let rows = [1e16, 1, 1, 1, -1e16].map { TestRow(at: 1, AggregateTestSpec.row(["d": .double($0)])) }
    let target = AggregateOperator.make(try test.spec())
    let output = CapturedOutput()
    try target.process(TestRows(AggregateTestSpec.schema, rows).batch(), input: 0, to: output)
    try target.advance(to: .maximum, output: output)
    #expect(output.main.map { $0.values[4] } == [3.0])
  }
  @Test func deviationsKeepWhatCancels() throws {
    var test = AggregateTestSpec(.tumble(size: 100, offset: 0))
    test.values = [("deviation", "stddev_pop(d)")]
    let cases: [(values: [Double], deviation: Double)] = [
      ([1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16], 22.5.squareRoot()),
      ([1e15 + 1, 1e15 - 1], 1), ([1e200, 1e200], 0), ([1e200, -1e200], 1e200), ([1e-200, -1e-200], 1e-200),
      ([0.1, 0.1, 0.1], 0),
      ([7], 0),
    ]
    for (values, deviation) in cases {
      let target = AggregateOperator.make(try test.spec())
      let output = CapturedOutput()
      let rows = values.map { TestRow(at: 1, AggregateTestSpec.row(["d": .double($0)])) }
      try target.process(TestRows(AggregateTestSpec.schema, rows).batch(), input: 0, to: output)
      try target.advance(to: .maximum, output: output)
      #expect(output.main.map { $0.values[4] } == [.double(deviation)], "\(values)")
    }
  }
}
