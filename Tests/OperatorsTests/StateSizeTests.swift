import Expressions
import Operators
import StreamModel
import TestSupport
import Testing

/// What operators hold says when state is written out: it must follow from the rows that they keep, however many operators a job has.
struct StateSizeTests {
  struct Subject: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Makes an operator, and rows of the keys in a range.
    let make: @Sendable () throws -> any StreamOperator
    let rows: @Sendable (Range<Int>) -> RecordBatch
  }

  private static func aggregated(_ name: String, _ window: WindowSpec) -> Subject {
    Subject(testDescription: name) {
      AggregateOperator.make(try AggregateTestSpec(window).spec())
    } rows: { keys in
      let rows = keys.map { key in
        TestRow(at: 1000, AggregateTestSpec.row(["id": .string("key-\(key)"), "part": 1, "x": 5]))
      }
      return TestRows(AggregateTestSpec.schema, rows).batch()
    }
  }

  static let subjects = [
    Subject(testDescription: "deduplicate") {
      DeduplicateOperator(DeduplicateSpec(key: [0], withinMilliseconds: 10_000))
    } rows: { keys in
      TestRows(DeduplicateOperatorTests.schema, keys.map { TestRow(at: 1000, [.string("key-\($0)"), 1, 1]) }).batch()
    },
    aggregated("windows", .tumble(size: 60_000, offset: 0)),
    aggregated("sessions", .session(gap: 60_000)),
    aggregated("running aggregate", .none),
    Subject(testDescription: "join") {
      JoinOperator(JoinOperatorTests.spec(.left, 0, 100_000))
    } rows: { keys in
      let rows = keys.map { TestRow(at: 1000, [.string("key-\($0)"), 1, 1, nil]) }
      return TestRows(JoinOperatorTests.left, rows).batch()
    },
    Subject(testDescription: "sort") {
      EventTimeSortOperator(schema: EventTimeSortOperatorTests.schema, key: [0])
    } rows: { keys in
      let rows = keys.map { TestRow(at: 1000, [.string("key-\($0)"), 1, nil]) }
      return TestRows(EventTimeSortOperatorTests.schema, rows).batch()
    },
    Subject(testDescription: "rate") {
      var spec = RateTestSpec()
      spec.tariffs = [RateOperatorTests.tariff(free: 100)]
      return RateOperator(spec.spec)
    } rows: { keys in
      let rows = keys.map {
        TestRow(at: RateOperatorTests.january, RateTestSpec.row("key-\($0)", "standard", "voice", 1000))
      }
      return TestRows(RateTestSpec.schema, rows).batch()
    },
  ]

  private static let little = 4 << 10

  @Test(arguments: subjects) func oneRow_takesLittleMemory_andSoDoesWhatASpillLeavesBehind(_ subject: Subject) throws {
    let target = try subject.make()
    let state = TestState()
    try state.attach(target)
    #expect(target.stateSizeBytes <= Self.little)
    let output = CapturedOutput()
    try target.process(subject.rows(0..<1), input: 0, to: output)
    #expect(target.stateSizeBytes > 0 && target.stateSizeBytes <= Self.little)
    try target.process(subject.rows(1..<10_000), input: 0, to: output)
    #expect(target.stateSizeBytes > 10_000 * 24)
    // A running aggregate keeps what it has yet to give.
    if let due = target.nextTimer { try target.onTimer(due, output: output) }
    if let due = target.nextTimer { try target.onTimer(due + 10_000, output: output) }
    try target.spill()
    #expect(target.stateSizeBytes <= Self.little)
    try target.process(subject.rows(10_000..<10_001), input: 0, to: output)
    #expect(target.stateSizeBytes <= Self.little)
  }

  // MARK: Rows that many subtasks were sent from one chunk

  private static let schema = Schema([Field("key", .string), Field("value", .int64)])
  private static let subtasks = 128
  private static let rowCount = 4096

  /// Rows of one chunk of a megabyte, all at one time. The first two are one and the same record.
  private static func chunkOfRows() -> RecordBatch {
    let record = 256
    let text = [UInt8](repeating: 0x61, count: rowCount * record)
    let partition = SourcePartition(source: "test", name: "in.json", index: 0)
    let chunk = text.withUnsafeBytes { RecordChunk(partition: partition, offset: 1_000_000, copying: $0) }
    let ranges = ColumnBuilder(.int64, capacity: rowCount)
    for row in 0..<rowCount {
      ranges.append(int64: Int64(bitPattern: packView(start: max(1, row) * record, length: record - 1)))
    }
    let rows = (0..<rowCount).map { TestRow(at: 1000, [.string("key-\($0 % subtasks)"), .int64(Int64(-$0))]) }
    let batch = TestRows(schema, rows).batch()
    return RecordBatch(
      schema: schema, columns: batch.columns, count: batch.count, eventTimes: batch.eventTimes,
      origin: RecordOrigin(chunk: chunk, ranges: ranges.finish()))
  }

  @Test func rowsThatWait_takeTheirOwnBytes_howeverManySubtasksShareTheirChunk() throws {
    var sorts: [EventTimeSortOperator] = []
    weak var chunk: RecordChunk?
    let chunkBytes: Int
    do {
      let whole = Self.chunkOfRows()
      chunk = whole.origin?.chunk
      chunkBytes = try #require(whole.origin?.chunk.count)
      for subtask in 0..<Self.subtasks {
        let sort = EventTimeSortOperator(schema: Self.schema, key: [0])
        try TestState().attach(sort)
        let rows = (0..<Self.rowCount).filter { $0 % Self.subtasks == subtask }.map { Int32($0) }
        try sort.process(whole.gather(rows), input: 0, to: CapturedOutput())
        sorts.append(sort)
      }
    }
    #expect(sorts.reduce(0) { $0 + $1.stateSizeBytes } < 2 * chunkBytes)
    #expect(chunk == nil, "nobody keeps what was read")
    for (subtask, sort) in sorts.enumerated() {
      let output = CapturedOutput()
      try sort.advance(to: .maximum, output: output)
      let expected = stride(from: subtask, to: Self.rowCount, by: Self.subtasks).map { Value.int64(Int64(-$0)) }
      #expect(output.main.map { $0.values[1] } == expected)
    }
  }

  /// A batch that is most of its chunk stays as it is: copying it would give nothing back.
  @Test func rowsThatAreMostOfTheirChunk_areNotCopied() throws {
    weak var chunk: RecordChunk?
    let sort = EventTimeSortOperator(schema: Self.schema, key: [0])
    try TestState().attach(sort)
    do {
      let whole = Self.chunkOfRows()
      chunk = whole.origin?.chunk
      try sort.process(whole.gather((0..<Int32(Self.rowCount / 2)).map { $0 }), input: 0, to: CapturedOutput())
    }
    #expect(chunk != nil)
  }

  /// Where rows lay in what was read decides between rows of one time, whichever of their batches were copied and in whatever
  /// order their rows came; one record that comes twice is told apart by its values.
  @Test(arguments: [[[7, 1, 0, 50], [99, 3], [2, 98]], [[7, 1, 50], [99, 3, 0], [2, 98]]])
  func copiedRows_goOutInTheOrderInWhichTheyWereRead(_ first: [[Int32]]) throws {
    let whole = Self.chunkOfRows()
    let sort = EventTimeSortOperator(schema: Self.schema, key: [0])
    try TestState().attach(sort)
    let others: [Range<Int32>] = [4..<7, 8..<50, 51..<98, 100..<Int32(Self.rowCount)]
    for rows in first + others.map(Array.init) { try sort.process(whole.gather(rows), input: 0, to: CapturedOutput()) }
    let output = LastOrigin()
    try sort.advance(to: .maximum, output: output)
    #expect(output.values == (0..<Self.rowCount).map { .int64(Int64(-$0)) })
    #expect(output.positions == (0..<Self.rowCount).map { 1_000_000 + 256 * Int64(max(1, $0)) })
    #expect(output.lengths == (0..<Self.rowCount).map { _ in 255 })
  }

  /// Takes down where rows came from.
  private final class LastOrigin: OperatorOutput {
    var values: [Value] = []
    var positions: [Int64] = []
    var lengths: [Int] = []

    func emit(_ batch: RecordBatch) {
      for row in 0..<batch.count {
        values.append(batch.values(at: row)[1])
        positions.append(batch.origin?.position(at: row) ?? -1)
        lengths.append(batch.origin?.bytes(at: row).count ?? -1)
      }
    }
    func emit(_ batch: RecordBatch, on port: SidePort) {}
    func isRead(_ port: SidePort) -> Bool { false }
    func count(_ rows: Int, on port: SidePort) {}
    func fail(_ batch: RecordBatch, _ failures: [RowFailure]) {}
  }
}
