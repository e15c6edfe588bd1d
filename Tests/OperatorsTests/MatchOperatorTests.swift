import Expressions
import Operators
import StreamModel
import TestSupport
import Testing

/// The published examples with their published answers, and the fine print.
struct MatchOperatorTests {
  private func seconds(_ value: Value) -> Int64? {
    if case .timestamp(let time) = value { time / 1000 } else { nil }
  }

  // MARK: Published examples

  /// ISO/IEC TR 19075-5, as Oracle's documentation tells it too: V-shapes of a share's price, one row a day.
  @Test func vShapes_areThoseOfTheStandardsReport() throws {
    let prices: [Int64?] = [12, 17, 19, 21, 25, 12, 15, 20, 24, 25, 19, 15, 25, 25, 14, 12, 14, 24, 23, 22]
    let spec = MatchTestSpec(
      pattern: "STRT DOWN+ UP+", define: ["DOWN": "DOWN.x < prev(DOWN.x)", "UP": "UP.x > prev(UP.x)"],
      measures: [("start_at", "STRT.at"), ("bottom_at", "last(DOWN.at)"), ("end_at", "last(UP.at)")],
      afterMatch: "skip_to_last UP")
    let output = try spec.run(MatchTestSpec.script(prices, from: 1000))
    #expect(
      output.main.map { $0.values[1...3].map(seconds) } == [[5, 6, 10], [10, 12, 13], [14, 16, 18]])
  }

  /// Flink's documentation, "Introduction and Examples".
  @Test func aPriceThatFallsAndRises_isFlinksExample() throws {
    let prices: [Int64?] = [12, 17, 19, 21, 25, 18, 15, 14, 24, 25, 19]
    let spec = MatchTestSpec(
      pattern: "START_ROW PRICE_DOWN+ PRICE_UP",
      define: [
        "PRICE_DOWN":
          "(last(PRICE_DOWN.x, 1) is null and PRICE_DOWN.x < START_ROW.x) or PRICE_DOWN.x < last(PRICE_DOWN.x, 1)",
        "PRICE_UP": "PRICE_UP.x > last(PRICE_DOWN.x, 0)",
      ],
      measures: [("start", "START_ROW.at"), ("bottom", "last(PRICE_DOWN.at)"), ("end", "last(PRICE_UP.at)")],
      afterMatch: "skip_to_last PRICE_UP")
    let output = try spec.run(MatchTestSpec.script(prices))
    #expect(output.main.map { $0.values[1...3].map(seconds) } == [[4, 7, 8]])
  }

  /// Flink's documentation, "Aggregations".
  @Test func periodsOfALowAverage_areFlinksExample() throws {
    let prices: [Int64?] = [12, 17, 13, 16, 25, 2, 4, 10, 15, 25, 25, 30]
    let spec = MatchTestSpec(
      pattern: "A+ B", define: ["A": "avg(A.x) < 15"],
      measures: [("start", "first(A.at)"), ("end", "last(A.at)"), ("price", "avg(A.x)")])
    let output = try spec.run(MatchTestSpec.script(prices))
    #expect(
      output.main.map { Array($0.values[1...3]) } == [
        [.timestamp(0), .timestamp(3000), .decimal(14_500_000, scale: 6)],
        [.timestamp(5000), .timestamp(10_000), .decimal(13_500_000, scale: 6)],
      ])
  }

  /// Flink's documentation, "Greedy & Reluctant Quantifiers".
  @Test func greedyAndReluctantQuantifiers_areFlinksExample() throws {
    let prices: [Int64?] = [10, 11, 12, 13, 14, 16]
    for (pattern, expected) in [("A B* C", [16]), ("A B*? C", [13, 16])] as [(String, [Int64])] {
      let spec = MatchTestSpec(
        pattern: pattern, define: ["A": "A.x > 10", "B": "B.x < 15", "C": "C.x > 12"],
        measures: [("last_price", "C.x")])
      let output = try spec.run(MatchTestSpec.script(prices))
      #expect(output.main.map { $0.values[1] } == expected.map(Value.int64))
    }
  }

  /// Flink's documentation, "After Match Strategy"; its streams do not end, and what only their end decides comes last here.
  @Test func afterMatchStrategies_areFlinksExamples() throws {
    let prices: [Int64?] = [7, 9, 10, 5, 10, 7, 14]
    let published: [(String, [[Int64]], atTheEnd: [[Int64]])] = [
      ("skip_past_last_row", [[26, 1, 4], [17, 5, 7]], []),
      ("skip_to_next_row", [[26, 1, 4], [24, 2, 5], [25, 3, 6], [22, 4, 7], [17, 5, 7]], [[7, 6, 7]]),
      ("skip_to_last A", [[26, 1, 4], [25, 3, 6], [17, 5, 7]], [[7, 6, 7]]),
    ]
    for (mode, expected, atTheEnd) in published {
      let spec = MatchTestSpec(
        pattern: "A+ C", define: ["A": "sum(A.x) < 30"],
        measures: [("total", "sum(A.x)"), ("start", "first(at)"), ("end", "last(at)")], afterMatch: mode)
      let output = try spec.run(MatchTestSpec.script(prices, from: 1000))
      let rows = output.main.map { row -> [Int64] in
        guard case .int64(let total) = row.values[1] else { return [] }
        return [total] + row.values[2...3].compactMap(seconds)
      }
      #expect(rows == expected + atTheEnd, "\(mode)")
    }
  }

  // MARK: The fine print

  @Test func calmThenASpike_isFound() throws {
    let spec = MatchTestSpec(
      pattern: "CALM{3,} SPIKE+", define: ["CALM": "x <= 10", "SPIKE": "x > 5 * avg(CALM.x)"],
      measures: [("started", "first(SPIKE.at)"), ("usual", "avg(CALM.x)"), ("peak", "max(SPIKE.x)")], within: 3_600_000)
    let output = try spec.run(MatchTestSpec.script([8, 2, 4, 3, 60, 90, 1, 2]))
    #expect(
      output.main.map { Array($0.values[1...3]) } == [
        [.timestamp(4000), .decimal(4_250_000, scale: 6), .int64(90)]
      ])
  }

  @Test func aSpanOfExactlyWithin_isNoMatch() throws {
    for (within, count) in [(2000, 0), (2001, 1)] as [(Int64, Int)] {
      let spec = MatchTestSpec(pattern: "A B C", measures: [("n", "count(*)")], within: within)
      let output = try spec.run(MatchTestSpec.script([1, 2, 3]))
      #expect(output.main.count == count, "\(within)")
    }
  }

  @Test func whatIsOpenAtTheEnd_timesOutOnlyWithWithin() throws {
    for (within, count) in [(nil, 0), (60_000, 2)] as [(Int64?, Int)] {
      let spec = MatchTestSpec(
        pattern: "A A A", measures: [("n", "count(*)"), ("first", "first(A.x)")], within: within)
      let output = try spec.run(MatchTestSpec.script([1, 2]))
      #expect(output.main.isEmpty)
      #expect(output.rows.count { $0.port == .timedOut } == count)
    }
  }

  @Test func lateRows_areNoneOfTheSequence() throws {
    var script = OperatorScript(MatchTestSpec.input)
    script.row(at: 1000, ["k", 1, .timestamp(1000)])
    script.watermark(5000)
    script.row(at: 4000, stamp: 5000, ["k", 2, .timestamp(4000)])
    script.row(at: 6000, ["k", 3, .timestamp(6000)])
    let output = try MatchTestSpec(pattern: "A B", measures: [("b", "B.x")]).run(script)
    #expect(output.main.map { $0.values[1] } == [.int64(3)])
    #expect(output.rows.filter { $0.port == .late }.map { $0.values[1] } == [.int64(2)])
  }

  @Test func moreRowsThanTheCap_areDeadLetters() throws {
    let spec = MatchTestSpec(pattern: "A+ B", define: ["B": "x > 100"], measures: [("n", "count(*)")], maxRows: 8)
    let output = try spec.run(MatchTestSpec.script(Array(repeating: 1, count: 20) + [200]))
    let letters = output.rows.filter { $0.failure != nil }
    #expect(letters.count == 14)
    #expect(
      letters.allSatisfy {
        $0.failure == "no match is looked for from this row: more than 8 rows of an undecided match"
      })
    #expect(output.main.map { $0.values[1] } == [.int64(7)])
  }

  @Test func moreWaysThanTheCap_areADeadLetter() throws {
    // How the rows are shared out between A and B decides what C may be, so that no way is like another.
    let spec = MatchTestSpec(
      pattern: "(A | B)+ C", define: ["C": "sum(A.x) = 3 * sum(B.x)"], measures: [("n", "count(*)")],
      maxPartialMatches: 16)
    let output = try spec.run(MatchTestSpec.script([1, 2, 4, 8, 16, 32, 64]))
    let letters = output.rows.filter { $0.failure != nil }
    #expect(!letters.isEmpty)
    #expect(
      letters.allSatisfy { $0.failure == "no match is looked for from this row: more than 16 partial matches" })
  }

  @Test func rowsThatCannotBeEvaluated_areDeadLettersOnce() throws {
    let spec = MatchTestSpec(
      pattern: "A B", define: ["A": "10 / x > 1", "B": "x > A.x"], measures: [("a", "A.x"), ("b", "B.x")],
      afterMatch: "skip_to_next_row")
    let output = try spec.run(MatchTestSpec.script([2, 0, 3, 4]))
    #expect(output.rows.count { $0.failure != nil } == 1)
    #expect(output.main.map { Array($0.values[1...2]) } == [[2, 3], [3, 4]])
  }

  @Test func aLongCalm_holdsOneThread() throws {
    let count = 20_000
    let spec = try MatchTestSpec(
      pattern: "CALM{3,} SPIKE", define: ["CALM": "x <= 10", "SPIKE": "x > 5 * avg(CALM.x)"],
      measures: [("calm", "count(CALM.x)")]
    ).make()
    let match = MatchOperator(spec)
    let output = CapturedOutput(reading: [])
    let script = MatchTestSpec.script(Array(repeating: 5, count: count) + [500])
    for start in stride(from: 0, to: script.rows.count, by: 1000) {
      let rows = script.rows[start..<min(start + 1000, script.rows.count)].map(\.row)
      try match.process(TestRows(MatchTestSpec.input, rows).batch(), input: 0, to: output)
    }
    #expect(output.main.map { $0.values[1] } == [.int64(Int64(count))])
  }
}
