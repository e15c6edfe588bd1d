import Testing

@testable import Topology

/// Where faults inside expressions are reported: at the character of the file, however the text is quoted.
@Suite struct ExpressionPlaceTests {
  /// `line:column: path` of every fault.
  private func places(steps: String, environment: [String: String] = [:]) -> [String] {
    faults(topology(steps: steps), environment: environment).map { fault in
      let parts = fault.split(separator: ":", maxSplits: 3)
      return parts.prefix(3).joined(separator: ":")
    }
  }

  @Test func inPlainText_theCharacterItself() {
    #expect(places(steps: "a:\n  from: usage\n  filter: quantty > 0") == ["11:13: steps.a.filter"])
    #expect(places(steps: "a:\n  from: usage\n  filter: day > 0 and quantty > 0") == ["11:25: steps.a.filter"])
  }

  @Test func inTextOverSeveralLines_itsLine() {
    let steps = "a:\n  from: usage\n  filter: day > 0\n    and\n    quantty > 0"
    #expect(places(steps: steps) == ["13:7: steps.a.filter"])
  }

  @Test func inQuotes_escapesCountAsTheyAreWritten() {
    #expect(
      places(steps: "a:\n  from: usage\n  filter: 'service = ''x'' and quantty > 0'") == ["11:34: steps.a.filter"])
    #expect(
      places(steps: "a:\n  from: usage\n  filter: \"service = '\\u00e9\\t' and quantty > 0\"") == [
        "11:39: steps.a.filter"
      ])
    #expect(
      places(steps: "a:\n  from: usage\n  filter: \"service = 'x' and \\\n    quantty > 0\"") == [
        "12:7: steps.a.filter"
      ])
  }

  @Test func inABlock_itsLineAndColumn() {
    for indicator in [">-", "|", ">", "|-"] {
      let steps = "a:\n  from: usage\n  filter: \(indicator)\n    service = 'x'\n    and quantty > 0"
      #expect(places(steps: steps) == ["13:11: steps.a.filter"], "\(indicator)")
    }
  }

  @Test func afterCharactersBeyondASCII_columnsCountCharacters() {
    #expect(places(steps: "a: {from: usage, filter: \"service = 'né😀' and quantty > 0\"}") == ["9:49: steps.a.filter"])
  }

  @Test func inAMap_theValueOfItsKey() {
    let steps = "a:\n  from: usage\n  extend:\n    x: day\n    y: dya + 1"
    #expect(places(steps: steps) == ["13:10: steps.a.extend.y"])
    let aggregate = "a:\n  from: usage\n  aggregate: {window: {tumble: 1h}, values: {n: count(*), m: sum(quantit)}}"
    #expect(places(steps: aggregate) == ["11:68: steps.a.aggregate.values.m"])
  }

  @Test func behindAVariable_theVariableCountsAsItIsWritten() {
    let steps = "a:\n  from: usage\n  filter: day > ${LEAST} and quantty > 0"
    #expect(places(steps: steps, environment: ["LEAST": "1000000"]) == ["11:32: steps.a.filter"])
  }

  @Test func aCallCutByCommasInAFlowMapping_isOneText() throws {
    let steps = "a: {from: usage, select: {x: coalesce(service, account_id), y: day}}"
    let plan = try load(topology(steps: steps, sinks: ["a"]))
    #expect(plan.steps[0].outputSchema.fields.map(\.name) == ["x", "y"])
    #expect(
      places(steps: "a: {from: usage, select: {x: coalesce(service, acount_id), y: day}}")
        == ["9:50: steps.a.select.x"])
  }

  @Test func whatIsMadeOfAFaultyColumn_isNotBlamed() {
    let steps = """
      a: {from: usage, select: {x: nope, y: day, account_id: account_id}}
      b: {from: a, filter: x > y and z > 0}
      c: {from: b, aggregate: {key: [x, account_id], values: {n: sum(x), m: max(y), o: max(w)}}}
      """
    #expect(
      places(steps: steps) == ["9:32: steps.a.select.x", "10:34: steps.b.filter", "11:88: steps.c.aggregate.values.o"])
  }
}
