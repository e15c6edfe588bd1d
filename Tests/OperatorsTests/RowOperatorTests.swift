import Expressions
import Operators
import StreamModel
import TestSupport
import Testing

/// Laws of the operators that see one row at a time.
@Suite struct RowOperatorTests {
  static let schema = Schema([Field("name", .string), Field("amount", .int64), Field("divisor", .int64)])

  static func expression(_ text: String) -> ScalarExpression {
    switch ExpressionChecker.scalar(text, schema: schema) {
    case .valid(let expression): return expression
    case .faults(let faults): preconditionFailure("\(text): \(faults)")
    }
  }

  static func script(_ random: inout SeededRandom) -> OperatorScript {
    var stream = PartitionedScript([schema])
    stream.rows = 120
    stream.disorder = 100
    stream.delay = 20
    return stream.make(&random) { random, _, _, _ in
      [
        random.chance(0.2) ? nil : "name \(random.int(0...9))", random.chance(0.2) ? nil : .int64(random.int(-5...5)),
        random.chance(0.2) ? nil : .int64(random.int(0...3)),
      ]
    }
  }

  /// Where a row's amount by its divisor is true, false or null; nil where there is no quotient.
  static func quotientIsPositive(_ row: TestRow) -> Bool?? {
    guard case .int64(let amount) = row.values[1], case .int64(let divisor) = row.values[2] else { return .some(nil) }
    return divisor == 0 ? nil : .some(.some((amount > 0) == (divisor > 0) && amount != 0))
  }

  @Test func aFilterKeepsWhatIsTrue_rejectsFalseAndNull_andFailsTheRest() throws {
    try TestSeeds.each(10) { random in
      let script = Self.script(&random)
      let condition = Self.expression("amount / divisor > 0")
      let output = try OperatorHarness(comparison: .rowsInOrder(ofKey: [])) { FilterOperator(condition) }
        .check(script, seed: random.next())
      let expected = script.rows.map { row, _ -> CapturedRow in
        let stamp = row.isBehind ? row.stamp : nil
        switch Self.quotientIsPositive(row) {
        case nil: return CapturedRow(at: row.eventTime, stamp: stamp, row.values, failure: "")
        case .some(.some(true)): return CapturedRow(at: row.eventTime, stamp: stamp, row.values)
        case .some: return CapturedRow(port: .rejected, at: row.eventTime, stamp: stamp, row.values)
        }
      }
      try RowDifference.check("rows", expected: expected, actual: output.rows.map(Self.withoutReason))
    }
  }

  /// The same row without the words of its failure.
  static func withoutReason(_ row: CapturedRow) -> CapturedRow {
    CapturedRow(port: row.port, at: row.eventTime, stamp: row.stamp, row.values, failure: row.failure.map { _ in "" })
  }

  @Test func aFilterCountsWhatItRejects_whereNothingReadsIt() throws {
    let condition = Self.expression("amount > 0")
    var script = OperatorScript(Self.schema)
    for (time, amount) in [1, -1, 0, 2].enumerated() { script.row(at: Int64(time), ["a", .int64(Int64(amount)), nil]) }
    let output = try OperatorHarness(readPorts: []) { FilterOperator(condition) }.check(script)
    #expect(output.counts == [.rejected: 2])
    #expect(output.main.count == 2)
  }

  @Test func aBatchOfWhichAllRowsPass_isHandedOnUncopied() throws {
    let batch = TestRows(Self.schema).row(at: 1, ["a", 1, 1]).row(at: 2, ["b", 2, 1]).batch()
    let output = LastBatch()
    try FilterOperator(Self.expression("amount > 0")).process(batch, input: 0, to: output)
    #expect(output.batch?.columns[0] === batch.columns[0])
  }

  @Test func aProjectionGivesItsColumns_andFailsARowOnce() throws {
    let spec = ProjectSpec(
      items: [
        .column(2), .expression(Self.expression("amount / divisor")), .expression(Self.expression("amount % divisor")),
      ],
      outputSchema: Schema([
        Field("divisor", .int64), Field("quotient", Self.expression("amount / divisor").type), Field("rest", .int64),
      ]))
    try TestSeeds.each(5) { random in
      let script = Self.script(&random)
      let output = try OperatorHarness(comparison: .rowsInOrder(ofKey: [])) { ProjectOperator(spec) }
        .check(script, seed: random.next())
      let failing = script.rows.map(\.row).filter { Self.quotientIsPositive($0) == nil }
      #expect(!failing.isEmpty)
      try RowDifference.check(
        "failed rows",
        expected: failing.map {
          CapturedRow(at: $0.eventTime, stamp: $0.isBehind ? $0.stamp : nil, $0.values, failure: "")
        }, actual: output.failed.map(Self.withoutReason))
      let passing = script.rows.map(\.row).filter { Self.quotientIsPositive($0) != nil }
      #expect(output.main.map(\.eventTime) == passing.map(\.eventTime))
      #expect(output.main.map(\.stamp) == passing.map { $0.isBehind ? $0.stamp : nil })
      #expect(output.main.map { $0.values[0] } == passing.map { $0.values[2] })
      #expect(output.main.map { $0.values[2] } == passing.map(Self.rest))
    }
  }

  static func rest(_ row: TestRow) -> Value {
    guard case .int64(let amount) = row.values[1], case .int64(let divisor) = row.values[2] else { return .null }
    return .int64(amount % divisor)
  }
}
