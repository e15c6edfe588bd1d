import Expressions
import Operators
import StreamModel
import TestSupport
import Testing

@Suite struct EventTimeSortOperatorTests {
  static let schema = Schema([Field("key", .string), Field("value", .int64), Field("real", .double)])

  static func harness(keyed: Bool) -> OperatorHarness {
    OperatorHarness(
      keys: keyed ? [[0], [0]] : nil, comparison: .rowsInOrder(ofKey: keyed ? [0] : []), inputsCommute: true
    ) { EventTimeSortOperator(schema: schema, key: [0], rowsAhead: 2) }
  }

  static func stream(_ random: inout SeededRandom) -> PartitionedScript {
    var stream = PartitionedScript([schema, schema])
    stream.rows = 150
    stream.step = random.int(0...10)
    stream.disorder = random.int(0...200)
    stream.delay = random.int(0...100)
    stream.hasPlaces = random.chance(0.5)
    return stream
  }

  static func values(_ random: inout SeededRandom) -> [Value] {
    [
      random.chance(0.1) ? nil : "key-\(random.int(1...3))", .int64(random.int(0...3)),
      random.chance(0.3) ? nil : .double(random.chance(0.5) ? -0.0 : 0.0),
    ]
  }

  /// Rows by release, event time and place; rows without a place by their values.
  static func model(_ script: OperatorScript) -> [CapturedRow] {
    script.rows.map(\.row).map { row -> (key: (Int64, Int64, String, Int64), row: CapturedRow) in
      let release = row.isBehind ? row.stamp! + 1 : row.eventTime
      let captured = CapturedRow(at: row.eventTime, stamp: row.isBehind ? row.stamp : nil, row.values)
      return ((release, row.eventTime, row.place?.partition ?? "", row.place?.position ?? 0), captured)
    }.sorted { $0.key < $1.key }.map(\.row)
  }

  @Test func theOrderDependsOnNothingButTheRows() throws {
    try TestSeeds.each(6) { random in
      let script = Self.stream(&random).make(&random) { random, _, _, _ in Self.values(&random) }
      let output = try Self.harness(keyed: false).check(script, seed: random.next())
      try Self.harness(keyed: true).check(script, seed: random.next())
      let expected = Self.model(script)
      try RowDifference.check("all rows", expected: expected, actual: output.main)
      if script.rows[0].row.place != nil, output.main.description != expected.description {
        throw HarnessFailure("\(output.main) is not in the order \(expected)")
      }
    }
  }

  @Test func aRowBehind_goesOutAfterItsStampAndStaysBehind() throws {
    var script = OperatorScript(Self.schema)
    script.row(at: 100, ["a", 1, nil])
    script.watermark(99)
    script.row(at: 50, stamp: 99, ["a", 2, nil])
    script.row(at: 101, ["a", 3, nil])
    let output = try Self.harness(keyed: true).check(script)
    #expect(output.main.map { $0.values[1] } == [2, 1, 3])
    #expect(output.main[0].stamp == 99)
  }

  @Test func originsSurviveSortingAndARestart() throws {
    let sort = EventTimeSortOperator(schema: Self.schema, key: [0])
    let rows = TestRows(Self.schema)
      .row(at: 30, place: .init("b", 7), ["x", 1, nil]).row(at: 20, place: .init("a", 9), ["y", 2, nil])
    let state = TestState()
    try state.attach(sort)
    try sort.process(rows.batch(), input: 0, to: CapturedOutput())
    #expect(sort.stateSizeBytes > 0)
    let restored = EventTimeSortOperator(schema: Self.schema, key: [0])
    try state.snapshot([sort])
    state.restart()
    try state.attach(restored)
    for target in [sort, restored] {
      let output = LastBatch()
      try target.advance(to: Watermark(40), output: output)
      let origin = try #require(output.batch?.origin)
      #expect((0...1).map { origin.chunk(at: $0).partition.name } == ["a", "b"])
      #expect((0...1).map { origin.position(at: $0) } == [9, 7])
      #expect(String(decoding: origin.bytes(at: 0), as: UTF8.self) == rows.rows[1].values.description)
      #expect(target.stateSizeBytes == 0)
    }
  }

  @Test func rowsWithAndWithoutOriginGoOutInBatchesOfTheirOwn() throws {
    let sort = EventTimeSortOperator(schema: Self.schema, key: [0])
    let output = CapturedOutput()
    let made = TestRows(Self.schema).row(at: 10, ["x", 1, nil]).row(at: 30, ["x", 3, nil])
    let read = TestRows(Self.schema).row(at: 20, place: .init("a", 0), ["x", 2, nil])
    try sort.process(made.batch(), input: 0, to: output)
    try sort.process(read.batch(), input: 0, to: output)
    try sort.advance(to: .maximum, output: output)
    #expect(output.main.map(\.eventTime) == [10, 20, 30])
    #expect(output.batchSizes == [1, 1, 1])
  }

  @Test func whatGoesOutAtOnce_goesOutInBatchesOfBoundedSize() throws {
    let sort = EventTimeSortOperator(schema: Self.schema, key: [0])
    let output = CapturedOutput()
    for start in 0..<10 {
      let rows = (0..<1000).map { TestRow(at: Int64(10_000 - $0 * 10 - start), ["x", 1, nil]) }
      try sort.process(TestRows(Self.schema, rows).batch(), input: 0, to: output)
    }
    try sort.advance(to: .maximum, output: output)
    #expect(output.batchSizes == [4096, 4096, 1808])
    #expect(output.main.map(\.eventTime) == (1...10_000).map { Int64($0) })
  }

  @Test func whatMemoryHasLetGoOf_goesOutInOrder_aBoundedNumberAtATime() throws {
    let sort = EventTimeSortOperator(schema: Self.schema, key: [1], rowsAhead: 256)
    let backend = MemoryStateBackend()
    let state = TestState(backend)
    try state.attach(sort)
    let output = CapturedOutput()
    for start in 0..<8 {
      let rows = (0..<500).map { index -> TestRow in
        TestRow(at: Int64(10_000 - index * 20 - start), ["x", .int64(Int64(index % 40)), nil])
      }
      try sort.process(TestRows(Self.schema, rows).batch(), input: 0, to: output)
      if start % 3 == 2 { try sort.spill() }
      #expect(sort.stateSizeBytes < 1500 * 150)
    }
    try sort.advance(to: Watermark(5000), output: output)
    let times: ClosedRange<EventTime> = 13...5000
    let due: [EventTime] = times.filter { time in (10_000 - time) % 20 < 8 }
    #expect(output.main.map(\.eventTime) == due)
    #expect(try state.snapshot([sort]) == 5000)
    let written = backend.entriesWritten
    let neverWritten = due.filter { time in (10_000 - time) % 20 >= 6 }.count
    #expect(written == 4000 - neverWritten)
    try sort.spill()
    #expect(backend.entriesWritten == written)
    try sort.advance(to: .maximum, output: output)
    #expect(output.main.count == 4000)
    let all = output.main.map(\.eventTime)
    #expect(all == all.sorted())
    let largest = output.batchSizes.max() ?? 0
    #expect(largest <= 600)
    #expect(try state.entries(of: sort).isEmpty)
  }

  @Test func damagedStateIsRefused() throws {
    let sort = EventTimeSortOperator(schema: Self.schema, key: [0])
    let batch = TestRows(Self.schema).row(at: 10, ["x", 1, nil]).batch()
    let state = TestState()
    try state.attach(sort)
    try sort.process(batch, input: 0, to: CapturedOutput())
    let entry = try #require(try state.entries(of: sort).first)
    #expect(throws: OperatorError.self) {
      try TestState.holding([(entry.key, Array(entry.value.dropLast(2)))])
        .attach(EventTimeSortOperator(schema: Self.schema, key: [0]))
    }
  }
}
