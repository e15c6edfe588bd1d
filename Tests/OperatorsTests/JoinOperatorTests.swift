import Operators
import StreamModel
import TestSupport
import Testing

@Suite struct JoinOperatorTests {
  static let left = Schema([Field("key", .string), Field("sub", .int64), Field("l", .int64), Field("flag", .boolean)])
  static let right = Schema([
    Field("sub", .int64), Field("r", .decimal(precision: 30, scale: 2)), Field("key", .string), Field("text", .string),
    Field("real", .double),
  ])
  /// The left's columns and of the right's those that are no key.
  static let output = Schema(left.fields + [right[1], right[3], right[4]])

  static func spec(_ kind: JoinSpec.Kind, _ lower: Int64, _ upper: Int64) -> JoinSpec {
    JoinSpec(
      kind: kind, leftKey: [0, 1], rightKey: [2, 0], lowerMilliseconds: lower, upperMilliseconds: upper,
      rightColumns: [1, 3, 4], outputSchema: output)
  }

  static func harness(_ kind: JoinSpec.Kind, _ lower: Int64, _ upper: Int64) -> OperatorHarness {
    OperatorHarness(keys: [[0, 1], [2, 0]], inputsCommute: true) {
      JoinOperator(spec(kind, lower, upper), dueRows: 2)
    }
  }

  /// The rule for every pair of rows, whatever their order.
  static func model(_ script: OperatorScript, _ kind: JoinSpec.Kind, _ lower: Int64, _ upper: Int64) -> [CapturedRow] {
    var results: [CapturedRow] = []
    func stamp(_ row: TestRow) -> EventTime? { row.isBehind ? row.stamp : nil }
    func isLate(_ row: TestRow) -> Bool { stamp(row).map { $0 - row.eventTime >= upper - lower } ?? false }
    for (row, _) in script.rows where isLate(row) {
      results.append(CapturedRow(port: .late, at: row.eventTime, stamp: row.stamp, row.values))
    }
    let rights = script.rows.filter { $0.input == 1 && !isLate($0.row) }.map(\.row)
    for (row, _) in script.rows.filter({ $0.input == 0 && !isLate($0.row) }) {
      let partners = rights.filter { right in
        row.values[0] != .null && row.values[1] != .null
          && row.values[0] == right.values[2] && row.values[1] == right.values[0]
          && row.eventTime + lower <= right.eventTime && right.eventTime <= row.eventTime + upper
          && (stamp(row) ?? .min) < right.eventTime - lower && (stamp(right) ?? .min) < row.eventTime + upper
      }
      for right in partners {
        let values = row.values + [right.values[1], right.values[3], right.values[4]]
        results.append(CapturedRow(at: max(row.eventTime, right.eventTime), values))
      }
      if partners.isEmpty && kind == .left {
        results.append(CapturedRow(at: row.eventTime, row.values + [.null, .null, .null]))
      }
    }
    return results
  }

  static func values(_ random: inout SeededRandom, _ input: Int, _ keys: Int64) -> [Value] {
    let key: Value = random.chance(0.05) ? nil : "key-\(random.int(1...keys))"
    let sub: Value = random.chance(0.05) ? nil : .int64(random.int(1...2))
    let number = random.int(0...1_000_000)
    guard input == 1 else { return [key, sub, .int64(number), random.chance(0.2) ? nil : .boolean(number % 2 == 0)] }
    return [
      sub, random.chance(0.1) ? nil : .decimal(Int128(number) << 60, scale: 2), key,
      random.chance(0.1) ? nil : "text \(number)", random.chance(0.1) ? nil : .double(Double(number) / 3),
    ]
  }

  @Test(arguments: [JoinSpec.Kind.inner, .left])
  func randomStreams_giveWhatTheRuleSays(_ kind: JoinSpec.Kind) throws {
    try TestSeeds.each(6) { random in
      let lower = random.int(-600...400)
      let upper = lower + (random.chance(0.2) ? 0 : random.int(0...900))
      var stream = PartitionedScript([Self.left, Self.right])
      stream.rows = 150
      stream.partitions = Int(random.int(1...2))
      stream.disorder = random.int(0...1200)
      stream.delay = random.int(0...300)
      stream.start = random.int(-3000...3000)
      stream.step = random.int(1...30)
      let keys = random.int(1...5)
      let script = stream.make(&random) { random, input, _, _ in Self.values(&random, input, keys) }
      let output = try Self.harness(kind, lower, upper).check(script, seed: random.next())
      try RowDifference.check(
        "\(kind) join of \(lower)...\(upper)", expected: Self.model(script, kind, lower, upper), actual: output.rows)
    }
  }

  @Test func bothEndsOfTheIntervalBelongToIt() throws {
    var script = OperatorScript([Self.left, Self.right])
    script.row(at: 1000, ["a", 1, 1, true])
    for time: Int64 in [899, 900, 1200, 1201] { script.row(at: time, input: 1, [1, nil, "a", "\(time)", 1.5]) }
    let output = try Self.harness(.inner, -100, 200).check(script)
    #expect(output.main.map { $0.values[5] } == ["900", "1200"])
    #expect(output.main.map(\.eventTime) == [1000, 1200])
  }

  @Test func aLeftRowGoesOutAlone_asSoonAsNothingCanBeJoinedWithIt() throws {
    let join = JoinOperator(Self.spec(.left, -100, 200))
    let state = TestState()
    try state.attach(join)
    let output = CapturedOutput()
    let rows = TestRows(Self.left).row(at: 1000, ["a", 1, 1, true]).row(at: 1001, ["a", 1, 2, nil])
    try join.process(rows.batch(), input: 0, to: output)
    try join.advance(to: Watermark(1199), output: output)
    #expect(output.main.isEmpty)
    try join.advance(to: Watermark(1200), output: output)
    #expect(output.main == [CapturedRow(at: 1000, ["a", 1, 1, true, nil, nil, nil])])
    try join.advance(to: Watermark(1201), output: output)
    #expect(output.main.count == 2)
    #expect(try state.entries(of: join).isEmpty)
  }

  @Test func lateRowsGoOut_withTheColumnsOfTheirOwnSide() throws {
    var script = OperatorScript([Self.left, Self.right])
    script.watermark(1000)
    script.row(at: 701, stamp: 1000, ["a", 1, 1, true])
    script.row(at: 700, stamp: 1000, ["a", 1, 2, true])
    script.row(at: 700, stamp: 1000, input: 1, [1, nil, "a", "late", nil])
    let output = try Self.harness(.left, -100, 200).check(script)
    #expect(output.rows(on: .late).map(\.values) == [["a", 1, 2, true], [1, nil, "a", "late", nil]])
    #expect(output.main.map(\.eventTime) == [701])
  }

  @Test func theWatermarkIsHeldBackByTheBound() {
    func hold(_ kind: JoinSpec.Kind, _ lower: Int64, _ upper: Int64) -> Int64 {
      10_000 - JoinOperator(Self.spec(kind, lower, upper)).outputWatermark(for: Watermark(10_000)).time
    }
    #expect(hold(.inner, -300, 600) == 600)
    #expect(hold(.inner, -600, 300) == 600)
    #expect(hold(.inner, 100, 300) == 200)
    #expect(hold(.left, 0, 600) == 600)
    #expect(hold(.left, -300, 600) == 900)
    #expect(JoinOperator(Self.spec(.left, 0, 5)).outputWatermark(for: .maximum) == .maximum)
  }

  @Test(arguments: [JoinSpec.Kind.inner, .left])
  func aPairAsFarBehindAsCanBe_isNotBehindTheWatermarkHandedOn(_ kind: JoinSpec.Kind) throws {
    var script = OperatorScript([Self.left, Self.right])
    script.row(at: 1000, ["a", 1, 1, true])
    script.watermark(1599)
    script.row(at: 701, stamp: 1599, input: 1, [1, nil, "a", "joined", nil])
    script.row(at: 1899, input: 1, [1, nil, "b", "kept", nil])
    script.row(at: 1899, stamp: 1899, input: 1, [1, nil, "b", "behind where the left row is done", nil])
    script.watermark(2198)
    script.row(at: 1299, stamp: 2198, ["b", 1, 2, true])
    let output = try Self.harness(kind, -300, 600).check(script)
    let joined = output.main.filter { $0.values[5] != .null }
    #expect(joined.map(\.eventTime) == [1000, 1899])
  }

  @Test func aHotKey_goesOutInBatchesOfBoundedSize() throws {
    let join = JoinOperator(Self.spec(.inner, 0, 1000))
    let output = CapturedOutput()
    let lefts = (0..<100).map { TestRow(at: Int64($0), ["a", 1, .int64(Int64($0)), nil]) }
    let rights = (0..<100).map { TestRow(at: 500 + Int64($0), [1, nil, "a", "\($0)", nil]) }
    try join.process(TestRows(Self.left, lefts).batch(), input: 0, to: output)
    try join.process(TestRows(Self.right, rights).batch(), input: 1, to: output)
    #expect(output.main.count == 10_000)
    #expect(output.batchSizes == [4096, 4096, 1808])
  }

  /// Left rows of as many keys, one a millisecond.
  private static func lefts(_ range: Range<Int>) -> RecordBatch {
    TestRows(left, range.map { TestRow(at: Int64($0), ["key-\($0)", 1, .int64(Int64($0)), nil]) }).batch()
  }

  @Test func whatMemoryHasLetGoOf_isReadBackForTheKeysThatComeAgain() throws {
    let join = JoinOperator(Self.spec(.left, 0, 100_000))
    let state = TestState()
    try state.attach(join)
    let output = CapturedOutput()
    try join.process(Self.lefts(0..<4000), input: 0, to: output)
    #expect(join.stateSizeBytes > 4000 * 50)
    try join.spill()
    #expect(join.stateSizeBytes < 100_000)
    for _ in 0..<2 {
      let rights = [7, 3999, 4000].map { TestRow(at: 50_000, [1, nil, "key-\($0)", "found", nil]) }
      try join.process(TestRows(Self.right, rights).batch(), input: 1, to: output)
    }
    #expect(output.main.map { $0.values[2] }.sorted { "\($0)" < "\($1)" } == [3999, 3999, 7, 7])
    #expect(join.stateSizeBytes < 100_000)
    try join.spill()
    try join.advance(to: Watermark(100_009), output: output)
    #expect(output.main.dropFirst(4).map(\.eventTime) == [0, 1, 2, 3, 4, 5, 6, 8, 9])
    #expect(join.stateSizeBytes < 100_000)
    try join.advance(to: .maximum, output: output)
    #expect(output.main.count == 4 + 3998)
    #expect(Set(output.main.dropFirst(4).map(\.eventTime)).count == 3998)
    #expect(try state.entries(of: join).isEmpty)
  }

  @Test func aSnapshotWritesNothingAgain() throws {
    let backend = MemoryStateBackend()
    let state = TestState(backend)
    let join = JoinOperator(Self.spec(.inner, 0, 100_000))
    try state.attach(join)
    try join.process(Self.lefts(0..<1000), input: 0, to: CapturedOutput())
    try state.snapshot([join])
    #expect(backend.entriesWritten == 1000)
    try join.process(Self.lefts(1000..<1010), input: 0, to: CapturedOutput())
    try state.snapshot([join])
    try state.snapshot([join])
    #expect(backend.entriesWritten == 1010)
  }

  @Test func aRowThatFoundItsPartnerAfterASnapshot_doesNotGoOutAloneAfterTheNext() throws {
    let state = TestState()
    let join = JoinOperator(Self.spec(.left, 0, 1000))
    try state.attach(join)
    try join.process(Self.lefts(0..<3), input: 0, to: CapturedOutput())
    try state.snapshot([join])
    let right = TestRows(Self.right).row(at: 500, [1, nil, "key-1", "found", nil]).batch()
    try join.process(right, input: 1, to: CapturedOutput())
    try state.snapshot([join])
    state.restart()
    let restored = JoinOperator(Self.spec(.left, 0, 1000))
    try state.attach(restored)
    let output = CapturedOutput()
    try restored.advance(to: .maximum, output: output)
    #expect(output.main.map(\.eventTime) == [0, 2])
  }

  /// Subtasks may be at different watermarks, and a job comes back at the least.
  @Test func whatWasGivenBeyondTheWatermarkOfTheJob_isNotGivenAgain() throws {
    let state = TestState()
    let join = JoinOperator(Self.spec(.left, -100, 200))
    try state.attach(join)
    let rows = TestRows(Self.left).row(at: 1000, ["a", 1, 1, nil]).row(at: 1900, ["a", 1, 2, nil])
    try join.process(rows.batch(), input: 0, to: CapturedOutput())
    try state.snapshot([join])
    let output = CapturedOutput()
    try join.advance(to: Watermark(1200), output: output)
    #expect(output.main.map(\.eventTime) == [1000])
    try state.snapshot([join])
    state.restart()
    let restored = JoinOperator(Self.spec(.left, -100, 200))
    try state.attach(restored, watermark: 900)
    try restored.process(TestRows(Self.left).row(at: 990, ["a", 1, 3, nil]).batch(), input: 0, to: output)
    #expect(output.main.map(\.eventTime) == [1000, 990])
    try restored.advance(to: .maximum, output: output)
    #expect(output.main.map(\.eventTime) == [1000, 990, 1900])
    #expect(try state.entries(of: restored).isEmpty)
  }

  @Test func damagedStateIsRefused() throws {
    let join = JoinOperator(Self.spec(.inner, 0, 1000))
    let state = TestState()
    try state.attach(join)
    let batch = TestRows(Self.left).row(at: 1, ["a", 1, 1, nil]).batch()
    try join.process(batch, input: 0, to: CapturedOutput())
    let entry = try #require(try state.entries(of: join).first)
    for damaged in [Array(entry.value.dropLast(3)), Array(entry.value.prefix(5))] {
      #expect(throws: OperatorError.self) {
        try TestState.holding([(entry.key, damaged)]).attach(JoinOperator(Self.spec(.inner, 0, 1000)))
      }
    }
  }
}
