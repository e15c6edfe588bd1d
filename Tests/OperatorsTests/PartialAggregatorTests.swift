import Operators
import State
import StreamModel
import TestSupport
import Testing

/// An aggregate behind the combiner that stands before an exchange.
private final class CombinedAggregate: StreamOperator {
  private let combiner: PartialAggregator
  private let keys: KeyEncoder
  private let aggregate: any StreamOperator
  private let log: CombinerLog

  init(_ spec: AggregateSpec, _ combiner: PartialAggregator, _ log: CombinerLog) {
    self.combiner = combiner
    self.log = log
    keys = KeyEncoder(keyColumns: spec.key)
    aggregate = AggregateOperator.make(spec)
  }

  func process(_ batch: RecordBatch, input: Int, to output: any OperatorOutput) throws(OperatorError) {
    keys.encode(batch)
    guard let groups = combiner.combine(batch, keys) else {
      log.rowsLetThrough += batch.count
      return try aggregate.process(batch, input: input, to: output)
    }
    let positions = [Int32](0..<Int32(groups.count))
    let combined = positions.withUnsafeBufferPointer {
      combiner.batch(of: $0, groups, from: batch, keys)
    }
    #expect(combined.rowCount == batch.count)
    log.rowsCombined += batch.count
    log.groups += groups.count
    try aggregate.process(combined, input: input, to: output)
  }

  func advance(to watermark: Watermark, output: any OperatorOutput) throws(OperatorError) {
    try aggregate.advance(to: watermark, output: output)
  }
  func outputWatermark(for input: Watermark) -> Watermark { aggregate.outputWatermark(for: input) }
  var nextTimer: Int64? { aggregate.nextTimer }
  func onTimer(_ now: Int64, output: any OperatorOutput) throws(OperatorError) {
    try aggregate.onTimer(now, output: output)
  }
  func finish(output: any OperatorOutput) throws(OperatorError) { try aggregate.finish(output: output) }
  func attach(_ state: OperatorState, watermark: EventTime) throws(OperatorError) {
    try aggregate.attach(state, watermark: watermark)
  }
  func snapshot() throws(OperatorError) -> EventTime { try aggregate.snapshot() }
  func spill() throws(OperatorError) { try aggregate.spill() }
  var stateSizeBytes: Int { aggregate.stateSizeBytes }
}

/// What combiners did.
private final class CombinerLog {
  var rowsCombined = 0
  var rowsLetThrough = 0
  var groups = 0
}

@Suite struct PartialAggregatorTests {
  private static let values = [
    ("n", "count(*)"), ("total", "sum(amount)"), ("mean", "avg(amount)"), ("low", "min(x)"), ("high", "max(amount)"),
    ("present", "count(x)"), ("flagged", "sum(amount) filter (where flag)"),
  ]

  private static func spec(_ window: WindowSpec, _ values: [(name: String, text: String)] = values) throws
    -> AggregateSpec
  {
    var test = AggregateTestSpec(window)
    test.values = values
    return try test.spec()
  }

  private static func combine(_ spec: AggregateSpec, _ rows: TestRows) throws -> Int? {
    let combiner = try #require(PartialAggregator(spec))
    let keys = KeyEncoder(keyColumns: spec.key)
    let batch = rows.batch()
    keys.encode(batch)
    return combiner.combine(batch, keys)?.count
  }

  private static func row(_ id: String, _ amount: Int128 = 1) -> [Value] {
    AggregateTestSpec.row(["id": .string(id), "amount": .decimal(amount, scale: 3)])
  }

  @Test func combinedRows_giveTheResultsOfSingleOnes() throws {
    let log = CombinerLog()
    try TestSeeds.each(8) { random in
      var test = AggregateTestSpec(WindowAggregateTests.randomWindow(&random))
      test.values = Self.values
      test.lateness = random.chance(0.5) ? random.int(1...60) : 0
      let behind = random.chance(0.5)
      let script = AggregateTestRows.script(&random, partitions: Int(random.int(1...3)), behind: behind)
      let spec = try test.spec()
      let combiner = PartialAggregator(spec) != nil
      #expect(combiner)
      let harness = OperatorHarness(
        keys: [test.keyPositions],
        comparison: test.hasPane ? .finalRows(ofKey: test.resultKey) : .rowsInOrder(ofKey: Array(0..<test.key.count))
      ) {
        guard let combiner = PartialAggregator(spec) else { preconditionFailure("seen above") }
        return CombinedAggregate(spec, combiner, log)
      }
      let output = try harness.check(script, seed: random.next())
      let expected = AggregateModel(spec: test).rows(script) { WindowAggregateTests.windows(test.window, $0.eventTime) }
      try WindowAggregateTests.compare(test, expected: expected, actual: output.rows)
    }
    #expect(log.groups < log.rowsCombined && log.rowsLetThrough > 0)
  }

  @Test func rowsOfOneKeyAndPane_areOne() throws {
    let rows = TestRows(AggregateTestSpec.schema).row(at: 10, Self.row("a")).row(at: 20, Self.row("b"))
      .row(at: 30, Self.row("a")).row(at: 110, Self.row("a")).row(at: 40, Self.row("b"))
    #expect(try Self.combine(Self.spec(.tumble(size: 100, offset: 0)), rows) == 3)
  }

  @Test func aBatchWithARowThatIsBehind_isLetThrough() throws {
    let rows = TestRows(AggregateTestSpec.schema).row(at: 10, Self.row("a")).row(at: 10, stamp: 20, Self.row("a"))
    #expect(try Self.combine(Self.spec(.tumble(size: 100, offset: 0)), rows) == nil)
  }

  @Test func aBatchWithARowThatFails_isLetThrough() throws {
    let spec = try Self.spec(.tumble(size: 100, offset: 0), [("n", "count(1 / x)")])
    let good = AggregateTestSpec.row(["id": "a", "x": 1])
    let bad = AggregateTestSpec.row(["id": "a", "x": 0])
    #expect(try Self.combine(spec, TestRows(AggregateTestSpec.schema).row(at: 1, good).row(at: 2, good)) == 1)
    #expect(try Self.combine(spec, TestRows(AggregateTestSpec.schema).row(at: 1, good).row(at: 2, bad)) == nil)
  }

  @Test func aBatchOverManyPanes_isLetThrough() throws {
    var rows = TestRows(AggregateTestSpec.schema)
    for pane in 0..<9 { rows = rows.row(at: Int64(pane) * 100, Self.row("a")) }
    #expect(try Self.combine(Self.spec(.tumble(size: 100, offset: 0)), rows) == nil)
    #expect(try Self.combine(Self.spec(.tumble(size: 1000, offset: 0)), rows) == 1)
  }

  @Test func whereKeysHardlyRepeat_theNextBatchesAreLetThrough() throws {
    let spec = try Self.spec(.tumble(size: 100, offset: 0))
    let combiner = try #require(PartialAggregator(spec))
    let keys = KeyEncoder(keyColumns: spec.key)
    let rows = (0..<400).map { TestRow(at: 1, Self.row("key \($0)")) }
    let batch = TestRows(AggregateTestSpec.schema, rows).batch()
    keys.encode(batch)
    let combined = (0..<40).map { _ in combiner.combine(batch, keys) != nil }
    #expect(combined[0] && combined.filter { $0 }.count == 2)
  }

  @Test(arguments: [
    "sum(x)", "sum(wide)", "sum(d)", "avg(d)", "first(x)", "last(x)", "count(distinct x)", "stddev_pop(x)", "max(s)",
    "min(d)",
  ]) func whatDoesNotCombineExactlyOrCouldOverflow_isNeverCombined(_ text: String) throws {
    #expect(PartialAggregator(try Self.spec(.tumble(size: 100, offset: 0), [("v", text)])) == nil)
  }

  @Test func windowsThatNeedMoreThanTheEventTime_areNeverCombined() throws {
    for window in [WindowSpec.session(gap: 10), .none] {
      #expect(PartialAggregator(try Self.spec(window, [("n", "count(*)")])) == nil)
    }
  }
}
