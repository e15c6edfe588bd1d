import Operators
import StreamModel
import TestSupport
import Testing

@Suite struct RunningAggregateTests {
  static func spec() -> AggregateTestSpec {
    var test = AggregateTestSpec(.none)
    test.values = [("n", "count(*)"), ("total", "sum(amount)"), ("last_x", "last(x)")]
    return test
  }

  @Test func theLastUpsertOfEachKey_isWhatAllItsRowsSay() throws {
    try TestSeeds.each(4) { random in
      let test = Self.spec()
      let plain = AggregateTestRows.script(&random, partitions: 2, behind: true)
      var script = OperatorScript(AggregateTestSpec.schema)
      for (index, (row, _)) in plain.rows.enumerated() {
        script.row(at: row.eventTime, stamp: row.stamp, row.values)
        if index % 30 == 29 { script.clock(Int64(index) * 100) }
      }
      let model = AggregateModel(spec: test)
      var items: [[Value]: [AggregateModel.Item]] = [:]
      for (order, (row, _)) in script.rows.enumerated() {
        items[model.key(row), default: []]
          .append(AggregateModel.Item(values: row.values, time: row.eventTime, order: order))
      }
      let expected = items.map { key, rows in
        CapturedRow(at: rows.map(\.time).max() ?? 0, key + test.values.map { model.value($0.text, rows) })
      }
      for variant in [
        HarnessVariant.recordAtATime, HarnessVariant(.random, .delayed), HarnessVariant(.every(7), .prompt, .restore),
        HarnessVariant(.random, .delayed, .rescale),
      ] {
        let output = try test.harness().run(script, variant, seed: random.next())
        var last: [[Value]: CapturedRow] = [:]
        for row in output.main { last[Array(row.values.prefix(2))] = CapturedRow(at: row.eventTime, row.values) }
        try RowDifference.check("upserts with \(variant)", expected: expected, actual: Array(last.values))
      }
    }
  }

  @Test func upsertsAreThoseOfChangedKeys_onceAPeriod() throws {
    var script = OperatorScript(AggregateTestSpec.schema)
    script.row(at: 5, AggregateTestSpec.row(["id": "a"]))
    script.row(at: 3, AggregateTestSpec.row(["id": "b"]))
    script.clock(10_000)
    script.clock(10_999)
    script.clock(11_000)
    script.row(at: 4, AggregateTestSpec.row(["id": "b"]))
    script.clock(11_500)
    script.clock(12_000)
    script.clock(20_000)
    let output = try Self.spec().harness().run(script, .recordAtATime)
    #expect(output.main.map { [$0.values[0], $0.values[2]] } == [["a", 1], ["b", 1], ["b", 2]])
    #expect(output.main.map(\.eventTime) == [5, 3, 4])
  }
}
