import Operators
import State
import StreamModel
import TestSupport
import Testing

@Suite struct WindowAggregateTests {
  typealias Window = AggregateModel.Window

  /// All windows that `time` lies in, found by trying every one there can be.
  static func windows(_ spec: WindowSpec, _ time: EventTime) -> [Window] {
    var windows: [Window] = []
    switch spec {
    case .tumble(let size, let offset): windows = tried(size, size, offset, time)
    case .hop(let size, let every, let offset): windows = tried(size, every, offset, time)
    case .cumulate(let size, let every, let offset):
      for period in tried(size, size, offset, time) {
        for end in stride(from: period.start + every, through: period.end, by: Int(every)) where end > time {
          windows.append(Window(start: period.start, end: end))
        }
      }
    default: break
    }
    return windows
  }

  private static func tried(_ size: Int64, _ every: Int64, _ offset: Int64, _ time: EventTime) -> [Window] {
    (time / every - 80...time / every + 80).map { offset % every + $0 * every }.filter {
      $0 <= time && time < $0 + size
    }
    .map { Window(start: $0, end: $0 + size) }
  }

  static func randomWindow(_ random: inout SeededRandom) -> WindowSpec {
    let every = random.int(5...60)
    let offset = random.int(-200...200)
    switch random.int(0...3) {
    case 0: return .tumble(size: every, offset: offset)
    case 1: return .hop(size: every * random.int(2...6), every: every, offset: offset)
    case 2: return .hop(size: every + random.int(1...every * 3), every: every, offset: offset)
    default: return .cumulate(size: every * random.int(1...6), every: every, offset: offset)
    }
  }

  static func check(_ test: AggregateTestSpec, _ script: OperatorScript, _ random: inout SeededRandom) throws {
    let output = try test.harness().check(script, seed: random.next())
    let expected = AggregateModel(spec: test).rows(script) { windows(test.window, $0.eventTime) }
    try compare(test, expected: expected, actual: output.rows)
  }

  /// Without panes all rows; with them, what was given when windows closed, the last row of each group, and what is on ports.
  static func compare(_ test: AggregateTestSpec, expected: [CapturedRow], actual: [CapturedRow]) throws {
    guard test.hasPane else {
      return try RowDifference.check("\(test.window)", expected: expected, actual: actual)
    }
    func onTime(_ rows: [CapturedRow]) -> [CapturedRow] { rows.filter { $0.values.last == "on_time" } }
    func onPorts(_ rows: [CapturedRow]) -> [CapturedRow] { rows.filter { $0.port != nil } }
    func final(_ rows: [CapturedRow]) -> [CapturedRow] {
      var last: [[Value]: CapturedRow] = [:]
      for row in rows where row.port == nil { last[test.resultKey.map { row.values[$0] }] = row }
      return Array(last.values)
    }
    try RowDifference.check("on_time of \(test.window)", expected: onTime(expected), actual: onTime(actual))
    try RowDifference.check("ports of \(test.window)", expected: onPorts(expected), actual: onPorts(actual))
    try RowDifference.check("final rows of \(test.window)", expected: final(expected), actual: final(actual))
  }

  @Test func keysSpreadOverPartitions_giveWhatTheRuleSays() throws {
    try TestSeeds.each(6) { random in
      let test = AggregateTestSpec(Self.randomWindow(&random))
      let script = AggregateTestRows.script(&random, partitions: 3, behind: false, start: random.int(-3000...3000))
      try Self.check(test, script, &random)
    }
  }

  @Test func rowsBehindCount_whereTheirOwnStampSaysAWindowIsOpen() throws {
    try TestSeeds.each(6) { random in
      let test = AggregateTestSpec(Self.randomWindow(&random))
      let script = AggregateTestRows.script(&random, partitions: Int(random.int(1...3)), behind: true)
      try Self.check(test, script, &random)
    }
  }

  @Test func withAllowedLateness_closesAreReportedAndThenWhatLateRowsMakeOfThem() throws {
    try TestSeeds.each(6) { random in
      var test = AggregateTestSpec(Self.randomWindow(&random))
      test.lateness = random.int(1...100)
      let script = AggregateTestRows.script(&random, partitions: Int(random.int(1...3)), behind: true)
      try Self.check(test, script, &random)
    }
  }

  @Test func resultsAtTheClose_areTheSameHoweverLateTheWatermarkComes() throws {
    try TestSeeds.each(4) { random in
      var test = AggregateTestSpec(Self.randomWindow(&random))
      test.lateness = random.int(1...100)
      let script = AggregateTestRows.script(&random, partitions: 2, behind: true)
      let expected = AggregateModel(spec: test).rows(script) { Self.windows(test.window, $0.eventTime) }
      for variant in [
        HarnessVariant(.every(4096), .delayed), HarnessVariant(.random, .delayed), HarnessVariant(.every(9), .prompt),
        HarnessVariant(.random, .delayed, .rescale),
      ] {
        let output = try test.harness().run(script, variant, seed: random.next())
        try Self.compare(test, expected: expected, actual: output.rows)
      }
    }
  }

  @Test func earlyResults_leaveFinalOnesAsTheyAre() throws {
    try TestSeeds.each(4) { random in
      var test = AggregateTestSpec(Self.randomWindow(&random))
      test.early = 10
      test.lateness = random.chance(0.5) ? random.int(1...60) : 0
      let plain = AggregateTestRows.script(&random, partitions: 2, behind: true)
      var script = OperatorScript(AggregateTestSpec.schema)
      for (index, element) in plain.elements.enumerated() {
        switch element {
        case .row(let row, _): script.row(at: row.eventTime, stamp: row.stamp, row.values)
        case .watermark(let time): script.watermark(time)
        case .clock: break
        }
        if index % 20 == 19 { script.clock(Int64(index) * 3) }
      }
      let output = try test.harness().check(script, seed: random.next())
      #expect(output.main.contains { $0.values.last == "early" })
      let expected = AggregateModel(spec: test).rows(script) { Self.windows(test.window, $0.eventTime) }
      try Self.compare(test, expected: expected, actual: output.rows)
    }
  }

  @Test func earlyResults_areThoseOfChangedGroupsOfOpenWindows() throws {
    var test = AggregateTestSpec(.tumble(size: 100, offset: 0))
    test.early = 50
    test.values = [("n", "count(*)")]
    var script = OperatorScript(AggregateTestSpec.schema)
    script.row(at: 110, AggregateTestSpec.row(["id": "a"]))
    script.row(at: 120, AggregateTestSpec.row(["id": "b"]))
    script.clock(1000)
    script.clock(1050)
    script.row(at: 130, AggregateTestSpec.row(["id": "b"]))
    script.clock(1060)
    script.clock(1100)
    script.clock(1200)
    let output = try test.harness().run(script, .recordAtATime)
    let shown = output.main.map { [$0.values[0], $0.values[4], $0.values[5]] }
    #expect(
      shown == [
        ["a", 1, "early"], ["b", 1, "early"], ["b", 2, "early"], ["a", 1, "on_time"], ["b", 2, "on_time"],
      ])
  }

  @Test func aWindowClosesOneMillisecondBeforeItsEnd() throws {
    var test = AggregateTestSpec(.tumble(size: 100, offset: 0))
    test.values = [("n", "count(*)")]
    let target = AggregateOperator.make(try test.spec())
    let state = TestState()
    try state.attach(target)
    let output = CapturedOutput()
    let rows = TestRows(AggregateTestSpec.schema).row(at: 50, AggregateTestSpec.row(["id": "a"]))
    try target.process(rows.batch(), input: 0, to: output)
    try target.advance(to: Watermark(98), output: output)
    #expect(output.main.isEmpty)
    try target.advance(to: Watermark(99), output: output)
    #expect(output.main.map(\.values) == [["a", nil, .timestamp(0), .timestamp(100), 1]])
    #expect(output.main.map(\.eventTime) == [99])
    #expect(try state.entries(of: target).isEmpty)
  }

  @Test func windowsCloseInOrderOfEnd_thenKeysInOrderOfFirstRow() throws {
    var test = AggregateTestSpec(.tumble(size: 100, offset: 0))
    test.key = ["id"]
    test.values = [("n", "count(*)")]
    var script = OperatorScript(AggregateTestSpec.schema)
    for (time, id) in [(250, "z"), (50, "m"), (150, "b"), (10, "a"), (20, "m"), (160, "a")] {
      script.row(at: Int64(time), AggregateTestSpec.row(["id": .string(id)]))
    }
    let output = try test.harness().run(script, HarnessVariant(.every(4096), .delayed))
    #expect(output.main.map { $0.values[0] } == ["m", "a", "b", "a", "z"])
  }

  @Test func withoutKeyThereIsOneGroup() throws {
    var test = AggregateTestSpec(.tumble(size: 100, offset: 0))
    test.key = []
    var script = OperatorScript(AggregateTestSpec.schema)
    for time in 0..<40 { script.row(at: Int64(time) * 10, AggregateTestSpec.row(["id": .string("\(time)"), "x": 1])) }
    let output = try test.harness(isKeyed: false).check(script)
    #expect(output.main.map { $0.values[2] } == [10, 10, 10, 10])
  }

  @Test func aResultThatAnExpressionHasNoValueFor_isADeadLetter() throws {
    var test = AggregateTestSpec(.tumble(size: 100, offset: 0))
    test.key = ["id"]
    test.values = [("n", "count(*)"), ("mean", "sum(amount) / count(x)")]
    var script = OperatorScript(AggregateTestSpec.schema)
    script.row(at: 1, AggregateTestSpec.row(["id": "a", "amount": .decimal(3000, scale: 3)]))
    script.row(at: 2, AggregateTestSpec.row(["id": "b", "amount": .decimal(3000, scale: 3), "x": 5]))
    let output = try test.harness().check(script)
    #expect(output.main.map { $0.values[0] } == ["b"])
    #expect(output.failed.map { $0.values[0] } == ["a"])
    #expect(output.failed.map { $0.values[4] } == [.null])
  }

  @Test func aRowWhoseArgumentHasNoValue_countsNowhere() throws {
    var test = AggregateTestSpec(.tumble(size: 100, offset: 0))
    test.key = ["id"]
    test.values = [("n", "count(*)"), ("q", "sum(100 / x)"), ("guarded", "sum(100 / part) filter (where part <> 0)")]
    var script = OperatorScript(AggregateTestSpec.schema)
    for (x, part) in [(5, 1), (0, 1), (4, 0)] {
      script.row(
        at: Int64(x), AggregateTestSpec.row(["id": "a", "x": .int64(Int64(x)), "part": .int64(Int64(part))]))
    }
    let output = try test.harness().check(script)
    #expect(output.main.map { $0.values[3] } == [2])
    #expect(output.failed.map(\.eventTime) == [0])
  }

  @Test func moreGroupsThanABatchHolds_comeInSeveralBatches() throws {
    var test = AggregateTestSpec(.hop(size: 200, every: 100, offset: 0))
    test.values = [("n", "count(*)"), ("distinct", "count(distinct id)")]
    let rows = (0..<10_000).map { TestRow(at: Int64($0 % 200), AggregateTestSpec.row(["id": .string("k\($0)")])) }
    let target = AggregateOperator.make(try test.spec())
    let state = TestState()
    try state.attach(target)
    let output = CapturedOutput()
    try target.process(TestRows(AggregateTestSpec.schema, rows).batch(), input: 0, to: output)
    #expect(target.stateSizeBytes > 10_000 * 16)
    try target.advance(to: .maximum, output: output)
    #expect(output.batchSizes == [4096, 4096, 4096, 4096, 3616])
    #expect(output.main.allSatisfy { $0.values[4] == 1 && $0.values[5] == 1 })
    #expect(try state.entries(of: target).isEmpty)
  }

  @Test func aRowWithoutStampBehindTheWatermark_isLateWhereNothingIsLeftToAddItTo() throws {
    var test = AggregateTestSpec(.tumble(size: 100, offset: 0))
    test.values = [("n", "count(*)")]
    let target = AggregateOperator.make(try test.spec())
    let state = TestState()
    try state.attach(target)
    let output = CapturedOutput()
    try target.advance(to: Watermark(150), output: output)
    let rows = TestRows(AggregateTestSpec.schema).row(at: 99, AggregateTestSpec.row(["id": "a"]))
      .row(at: 120, AggregateTestSpec.row(["id": "a"]))
    try target.process(rows.batch(), input: 0, to: output)
    try target.advance(to: .maximum, output: output)
    #expect(output.rows(on: .late).map(\.eventTime) == [99])
    #expect(output.main.map { $0.values[4] } == [1])
  }

  @Test func damagedStateIsRefused() throws {
    let spec = try AggregateTestSpec(.tumble(size: 100, offset: 0)).spec()
    let target = AggregateOperator.make(spec)
    let state = TestState()
    try state.attach(target)
    let rows = TestRows(AggregateTestSpec.schema).row(at: 50, AggregateTestSpec.row(["id": "a", "x": 4]))
    try target.process(rows.batch(), input: 0, to: CapturedOutput())
    let sound = try state.entries(of: target)
    let group = try #require(sound.first { $0.key[0] == 0 })
    for (key, value) in [
      (Array(group.key.prefix(20)), group.value), (group.key, Array(group.value.dropLast())),
      (group.key, group.value + [0]),
    ] {
      #expect(throws: OperatorError.self) {
        let restored = AggregateOperator.make(spec)
        try TestState.holding([(key, value)]).attach(restored)
        try restored.advance(to: .maximum, output: CapturedOutput())
      }
    }
  }

  @Test(arguments: [
    WindowSpec.tumble(size: 86_400_000, offset: 0), .tumble(size: 86_400_000, offset: 3_600_000),
    .hop(size: 86_400_000, every: 3_600_000, offset: 0), .cumulate(size: 86_400_000, every: 3_600_000, offset: 0),
    .session(gap: 86_400_000), .calendar(.day, timezone: .constant("America/New_York"), cycleDay: .constant(1)),
    .calendar(.week, timezone: .constant("UTC"), cycleDay: .constant(1)),
    .calendar(.month, timezone: .constant("Asia/Kolkata"), cycleDay: .constant(5)),
  ])
  func aRowWhoseWindowNoTimestampCanBound_fails_andOthersAreUnharmed(_ window: WindowSpec) throws {
    var test = AggregateTestSpec(window)
    test.values = [("n", "count(*)")]
    for lateness in [0, 1000] as [Int64] {
      test.lateness = lateness
      var script = OperatorScript(AggregateTestSpec.schema)
      let day: Int64 = 86_400_000
      let times = [
        EventTimes.earliestRecord, EventTimes.earliestRecord + 40 * day, 0, EventTimes.latestRecord - 40 * day,
        EventTimes.latestRecord - day / 2, EventTimes.latestRecord,
      ]
      for time in times { script.row(at: time, AggregateTestSpec.row(["id": "a", "part": 1])) }
      let output = try test.harness().check(script)
      for row in output.main {
        guard case .timestamp(let start) = row.values[2], case .timestamp(let end) = row.values[3] else { continue }
        #expect(start >= EventTimes.earliestRecord && end <= EventTimes.latestRecord)
      }
      let failed = output.failed
      #expect(failed.contains { $0.eventTime == EventTimes.latestRecord })
      #expect(failed.allSatisfy { $0.failure?.contains("which no timestamp can say") == true })
      for time in times[1...3] { #expect(!failed.contains { $0.eventTime == time }) }
    }
  }
}
