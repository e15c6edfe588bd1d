import StreamModel
import Testing
import Topology

@testable import Runtime

@Suite struct ColumnLivenessTests {
  private static let names = ["account", "kind", "n", "zone", "cycle", "at"]

  /// The columns of the source that are needed for these steps and sinks.
  private func needed(_ steps: String, sinks: String = "  out: {from: last, connector: blackhole}") throws -> Set<
    String
  > {
    let plan = try GraphOf.plan(steps, sinks: sinks)
    return Set((ColumnLiveness(plan).outputs["usage"] ?? []).map { ColumnLivenessTests.names[$0] })
  }

  @Test func aSinkReadsEveryColumn() throws {
    #expect(try needed("", sinks: "  out: {from: usage, connector: blackhole}") == Set(ColumnLivenessTests.names))
  }

  @Test func aSelectNeedsWhatItsExpressionsRead() throws {
    #expect(try needed("  last: {from: usage, select: {m: n + cycle, kind: kind}}") == ["n", "cycle", "kind"])
  }

  @Test func aColumnThatIsPassedOnIsNeededOnlyWhereItIsRead() throws {
    let steps = "  a: {from: usage, select: {x: kind, y: zone}}\n  last: {from: a, select: {x: x}}"
    #expect(try needed(steps) == ["kind"])
  }

  @Test func anExpressionThatNobodyReadsIsEvaluatedAllTheSame() throws {
    let steps = "  a: {from: usage, select: {x: kind, y: 100 / n}}\n  last: {from: a, select: {x: x}}"
    #expect(try needed(steps) == ["kind", "n"])
  }

  @Test func aFilterNeedsItsConditionBesideWhatFollows() throws {
    #expect(try needed("  a: {from: usage, filter: n > 1}\n  last: {from: a, select: {kind: kind}}") == ["n", "kind"])
  }

  @Test func anAggregateNeedsKeyArgumentsFiltersAndTheCalendarsColumns() throws {
    let steps = """
        last:
          from: usage
          aggregate: {key: [account], window: {tumble: month, timezone: zone, cycle_day: cycle}, values: {v: "sum(n) filter (where kind = 'x')"}}
      """
    #expect(try needed(steps) == ["account", "n", "kind", "zone", "cycle"])
  }

  @Test func aPortKeepsWhatItsReadersNeed() throws {
    let steps = """
        a: {from: usage, aggregate: {key: [account], window: {tumble: 1h}, values: {c: count(*)}}}
        last: {from: a.late, select: {zone: zone}}
      """
    #expect(try needed(steps) == ["account", "zone"])
  }

  @Test func aJoinNeedsBothSidesWhole() throws {
    let steps = """
        b: {from: other, select: {account: account, m: n}}
        last: {from: usage, join: {with: b, on: [account], between: [0s, 1m]}}
      """
    #expect(try needed(steps) == Set(ColumnLivenessTests.names))
  }
}
