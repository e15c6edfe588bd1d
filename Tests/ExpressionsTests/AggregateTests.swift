import Expressions
import StreamModel
import Testing

@Suite struct AggregateTests {
  private func checked(_ text: String) -> AggregateExpression? {
    guard case .valid(let expression) = ExpressionChecker.aggregate(text, schema: Fixture.usage.schema) else {
      return nil
    }
    return expression
  }

  private func faults(_ text: String) -> [String] {
    guard case .faults(let faults) = ExpressionChecker.aggregate(text, schema: Fixture.usage.schema) else { return [] }
    return faults.map { "\($0.offset)+\($0.length): \($0.message)" }
  }

  @Test(arguments: [
    ("count(*)", "int64 not null"), ("count(s)", "int64 not null"), ("count(distinct s)", "int64 not null"),
    ("sum(n)", "int64"), ("sum(d)", "decimal(38,3)"), ("sum(x)", "double"), ("avg(n)", "decimal(38,6)"),
    ("avg(d)", "decimal(38,6)"), ("avg(e)", "decimal(38,10)"), ("avg(x)", "double"),
    ("min(s)", "string"), ("max(at)", "timestamp"), ("first(s)", "string"), ("last(d)", "decimal(18,3)"),
    ("stddev_pop(d)", "double"), ("sum(d) / count(*)", "decimal(38,6)"), ("sum(n) * 2", "int64"),
    ("coalesce(sum(d), 0)", "decimal(38,3) not null"), ("count(*) > 10", "boolean not null"),
    ("SUM(d)", "decimal(38,3)"),
  ]) func anAggregate_hasItsType(text: String, expected: String) throws {
    let expression = try #require(checked(text), "\(faults(text))")
    #expect("\(expression.type)\(expression.nullable ? "" : " not null")" == expected)
  }

  @Test func anExpressionThatIsOneCall_hasNoFurtherResult() throws {
    let expression = try #require(checked("sum(d * 2) filter (where s = 'data')"))
    #expect(expression.result == nil)
    #expect(expression.calls.count == 1)
    #expect(expression.calls[0].function == .sum)
    #expect(expression.calls[0].argument?.text == "d * 2")
    #expect(expression.calls[0].filter?.text == "s = 'data'")
    #expect(!expression.isOrderSensitive)
    #expect(try #require(checked("first(s)")).isOrderSensitive)
  }

  @Test func identicalCalls_areShared() throws {
    let expression = try #require(checked("sum(d)/count(*) + SUM( \"d\" ) - count(*) + sum(n)"))
    #expect(expression.calls.map(\.function) == [.sum, .countAll, .sum])
    #expect(try #require(checked("count(s) + count(distinct s) + count(s) filter (where b)")).calls.count == 3)
  }

  @Test func theResult_isEvaluatedOverTheCalls() throws {
    let expression = try #require(checked("sum(d) / count(*)"))
    let schema = Schema([Field("$0", expression.calls[0].type), Field("$1", expression.calls[1].type, nullable: false)])
    let batch = Fixture.batch(
      schema, [[.decimal(10_000, scale: 3), .int64(4)], [.null, .int64(0)], [.decimal(1, scale: 3), .int64(0)]])
    let evaluation = try #require(expression.result).evaluate(batch)
    #expect((0..<3).map { shown(evaluation.column.value(at: $0)) } == ["2.500000", "null", "null"])
    #expect(evaluation.failures == [RowFailure(row: 2, reason: "division by zero: 0.001 / 0")])
  }

  @Test func theArgumentOfStddev_isADouble() throws {
    #expect(try #require(checked("stddev_pop(d)")).calls[0].argument?.type == .double)
  }

  @Test(arguments: [
    ("d + sum(d)", "0+1: column d stands outside an aggregate"),
    ("sum(avg(d))", "4+6: an aggregate inside an aggregate"), ("sum(s)", "0+6: sum takes numbers, and `s` is string"),
    ("1 + 1", "0+5: there is no aggregate in it"), ("sum()", "0+5: sum takes 1 argument, not 0"),
    ("sum(distinct d)", "0+3: `distinct` is for count only"),
    ("count(*) filter (where n)", "23+1: an aggregate's filter must be boolean, and `n` is int64"),
    ("sum(nope)", "4+4: no column \"nope\""), ("count(distinct)", "0+15: count takes 1 argument, not 0"),
    ("sum(d) filter (where sum(d) > 1)", "21+6: an aggregate inside an aggregate"),
    ("count(interval '1' day)", "6+16: `interval '1' day` is no value by itself"),
  ]) func aMisplacedAggregate_isAFault(text: String, expected: String) { #expect(faults(text) == [expected]) }

  @Test func faultsInsideAndOutside_areReportedTogether() {
    #expect(faults("sum(foo) filter (where bar) + nope(count(baz))").count == 4)
  }
}
