import Operators
import StreamModel
import TestSupport
import Testing

@Suite struct DeduplicateOperatorTests {
  static let schema = Schema([Field("id", .string), Field("part", .int64), Field("value", .int64)])

  static func harness(_ within: Int64, key: [Int] = [0]) -> OperatorHarness {
    OperatorHarness(keys: [key], comparison: .rowsInOrder(ofKey: key)) {
      DeduplicateOperator(DeduplicateSpec(key: key, withinMilliseconds: within))
    }
  }

  /// The rule, one row at a time, forgetting nothing.
  static func model(_ script: OperatorScript, within: Int64, key: [Int]) -> [CapturedRow] {
    var kept: [[Value]: [EventTime]] = [:]
    return script.rows.map { row, _ in
      let stamp = row.isBehind ? row.stamp : nil
      let name = key.map { row.values[$0] }
      if let stamp, stamp - row.eventTime > within {
        return CapturedRow(port: .late, at: row.eventTime, stamp: stamp, row.values)
      }
      if kept[name, default: []].contains(where: { abs($0 - row.eventTime) < within }) {
        return CapturedRow(port: .duplicates, at: row.eventTime, stamp: stamp, row.values)
      }
      kept[name, default: []].append(row.eventTime)
      return CapturedRow(at: row.eventTime, stamp: stamp, row.values)
    }
  }

  @Test func randomStreams_giveWhatTheRuleSays() throws {
    try TestSeeds.each(10) { random in
      let within = random.int(1...400)
      let key = random.chance(0.5) ? [0] : [0, 1]
      var stream = PartitionedScript([Self.schema])
      stream.rows = 200
      stream.partitions = Int(random.int(1...3))
      stream.disorder = random.int(0...900)
      stream.delay = random.int(0...200)
      stream.start = random.int(-2000...2000)
      let keys = random.int(2...12)
      let script = stream.make(&random) { random, _, _, _ in
        let id = random.int(0...keys)
        return [id == 0 ? nil : "id-\(id)", id % 2 == 0 ? nil : 7, .int64(random.int(0...1_000_000))]
      }
      let output = try Self.harness(within, key: key).check(script, seed: random.next())
      try RowDifference.check(
        "the rule", expected: Self.model(script, within: within, key: key), actual: output.rows)
    }
  }

  @Test func theFirstToArriveIsKept_evenIfItIsTheLaterOne() throws {
    var script = OperatorScript(Self.schema)
    script.row(at: 1000, ["a", 1, 1])
    script.row(at: 950, ["a", 1, 2])
    script.row(at: 900, ["a", 1, 3])
    script.row(at: 1099, ["a", 1, 4])
    script.row(at: 1100, ["a", 1, 5])
    let output = try Self.harness(100).check(script)
    #expect(output.main.map { $0.values[2] } == [1, 3, 5])
    #expect(output.rows(on: .duplicates).map { $0.values[2] } == [2, 4])
  }

  @Test func aRowBehindByWithinIsJudged_byMoreIsLate() throws {
    var script = OperatorScript(Self.schema)
    script.row(at: 1000, ["a", 1, 1])
    script.watermark(1100)
    script.row(at: 1000, stamp: 1100, ["a", 1, 2])
    script.row(at: 999, stamp: 1100, ["b", 1, 3])
    let output = try Self.harness(100).check(script)
    #expect(output.rows(on: .duplicates).map { $0.values[2] } == [2])
    #expect(output.rows(on: .late).map { $0.values[2] } == [3])
  }

  @Test func nullEqualsNull() throws {
    var script = OperatorScript(Self.schema)
    script.row(at: 1000, [nil, 1, 1])
    script.row(at: 1001, [nil, 1, 2])
    let output = try Self.harness(100).check(script)
    #expect(output.main.count == 1 && output.rows(on: .duplicates).count == 1)
  }

  @Test func portsThatNothingReadsAreCounted() throws {
    var harness = Self.harness(100)
    harness.readPorts = []
    var script = OperatorScript(Self.schema)
    script.row(at: 1000, ["a", 1, 1])
    script.row(at: 1001, ["a", 1, 2])
    script.watermark(2000)
    script.row(at: 1002, stamp: 2000, ["a", 1, 3])
    let output = try harness.check(script)
    #expect(output.counts == [.duplicates: 1, .late: 1])
  }

  @Test func manyKeys_surviveGrowthOfTheTable() throws {
    let target = DeduplicateOperator(DeduplicateSpec(key: [0], withinMilliseconds: 1_000_000))
    let state = TestState()
    try state.attach(target)
    let output = CapturedOutput(reading: [])
    for round in 0..<2 {
      let rows = (0..<50_000).map { TestRow(at: Int64($0), ["record-\($0)", 1, .int64(Int64(round))]) }
      try target.process(TestRows(Self.schema, rows).batch(), input: 0, to: output)
    }
    #expect(output.main.count == 50_000)
    #expect(output.counts[.duplicates] == 50_000)
    #expect(target.stateSizeBytes > 50_000 * 8)
    try target.advance(to: Watermark(3_000_000), output: output)
    #expect(try state.entries(of: target).isEmpty)
  }

  @Test func aStateOfAnotherWithinIsRefused() throws {
    var script = OperatorScript(Self.schema)
    script.row(at: 10, ["a", 1, 1])
    script.row(at: 20, ["a", 1, 1])
    let narrow = DeduplicateOperator(DeduplicateSpec(key: [0], withinMilliseconds: 5))
    let state = TestState()
    try state.attach(narrow)
    try narrow.process(
      TestRows(Self.schema, script.rows.map(\.row)).batch(), input: 0, to: CapturedOutput(reading: []))
    let wide = DeduplicateOperator(DeduplicateSpec(key: [0], withinMilliseconds: 100))
    try state.snapshot([narrow])
    state.restart()
    #expect(throws: OperatorError.self) { try state.attach(wide) }
  }
}
