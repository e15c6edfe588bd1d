import Expressions
import Operators
import StreamModel
import TestSupport
import Testing

@Suite struct UnionOperatorTests {
  static let schema = Schema([Field("line", .string), Field("number", .int64)])

  /// A batch of `count` rows of one chunk, as a decoder makes them: text is shared with the chunk.
  static func batch(_ count: Int, partition: String = "a") -> RecordBatch {
    let lines = (0..<count).map { "line \($0 * 7 % 100)\n" }
    let partition = SourcePartition(source: "test", name: partition, index: 0)
    let bytes = Array(lines.joined().utf8)
    let chunk = bytes.withUnsafeBytes { RecordChunk(partition: partition, offset: 1000, copying: $0) }
    var views: [UInt64] = []
    var start = 0
    for line in lines {
      views.append(packView(start: start, length: line.utf8.count - 1))
      start += line.utf8.count
    }
    let memory = Memory(capacityBytes: count * 8)
    memory.base.copyMemory(from: views, byteCount: count * 8)
    let text = Column(
      type: .string, count: count, values: memory, bytes: chunk.bytes.baseAddress, bytesOwner: chunk)
    let ranges = Column(type: .int64, count: count, values: memory)
    let numbers = ColumnBuilder(.int64)
    for row in 0..<count { row % 5 == 0 ? numbers.appendNull() : numbers.append(int64: Int64(row)) }
    let times = ColumnBuilder(.timestamp)
    for row in 0..<count { times.append(int64: Int64(row * 10)) }
    return RecordBatch(
      schema: schema, columns: [text, numbers.finish()], count: count, eventTimes: times.finish(),
      origin: RecordOrigin(chunk: chunk, ranges: ranges))
  }

  static func captured(_ batch: RecordBatch) -> [CapturedRow] {
    let output = CapturedOutput()
    output.emit(batch)
    return output.main
  }

  @Test func branchesOfOneChunk_meetInReadingOrder() throws {
    try TestSeeds.each(20) { random in
      let whole = Self.batch(Int(random.int(1...200)))
      let branches = Int(random.int(2...4))
      let branchOf = (0..<whole.count).map { _ in Int(random.int(0...Int64(branches - 1))) }
      let union = UnionOperator()
      let output = CapturedOutput()
      for branch in 0..<branches {
        let rows = branchOf.indices.filter { branchOf[$0] == branch }.map { Int32($0) }
        let cut = rows.isEmpty ? 0 : Int(random.int(0...Int64(rows.count)))
        for part in [rows[..<cut], rows[cut...]] where !part.isEmpty {
          try union.process(whole.gather(Array(part)), input: 0, to: output)
        }
      }
      try union.endRound(to: output)
      if output.main != Self.captured(whole) { throw HarnessFailure("\(output.main) is not \(Self.captured(whole))") }
      #expect(union.stateSizeBytes == 0)
    }
  }

  @Test func aRowThatComesByTwoBranches_goesOutTwice() throws {
    let whole = Self.batch(3)
    let union = UnionOperator()
    let output = CapturedOutput()
    try union.process(whole, input: 0, to: output)
    try union.process(whole.gather([1]), input: 0, to: output)
    try union.endRound(to: output)
    #expect(output.main.map(\.eventTime) == [0, 10, 10, 20])
  }

  @Test func otherBatches_goOutAsTheyCame() throws {
    let union = UnionOperator()
    let output = CapturedOutput()
    let first = Self.batch(3, partition: "a")
    let second = Self.batch(2, partition: "b")
    let made = TestRows(Self.schema).row(at: 5, ["made", nil]).batch()
    for batch in [made, second, first, made] { try union.process(batch, input: 0, to: output) }
    try union.endRound(to: output)
    #expect(output.batchSizes == [1, 2, 3, 1])
    #expect(output.main.map(\.eventTime) == [5, 0, 10, 0, 10, 20, 5])
    try union.endRound(to: output)
    #expect(output.main.count == 7)
  }

  @Test func mergedRowsKeepTheirStampsAndOrigin() throws {
    let whole = Self.batch(4)
    let stamps = Column.constant(.timestamp(25), .timestamp, count: 4)
    let stamped = RecordBatch(
      schema: whole.schema, columns: whole.columns, count: 4, eventTimes: whole.eventTimes, stamps: stamps,
      origin: whole.origin)
    let union = UnionOperator()
    let output = LastBatch()
    try union.process(stamped.gather([0, 3]), input: 0, to: output)
    try union.process(whole.gather([1, 2]), input: 0, to: output)
    try union.endRound(to: output)
    let merged = try #require(output.batch)
    #expect((0..<4).map { merged.isBehind($0) } == [true, false, false, false])
    for row in 0..<4 {
      #expect(merged.origin?.position(at: row) == whole.origin?.position(at: row))
      #expect(merged.columns[0].value(at: row) == whole.columns[0].value(at: row))
    }
    #expect(merged.columns[0].bytes == whole.columns[0].bytes, "text of one chunk is shared, not copied")
  }

  @Test func whatNothingReadsInOneBranch_isAbsent() throws {
    let whole = Self.batch(2)
    let union = UnionOperator()
    let output = LastBatch()
    let pruned = whole.with(schema: whole.schema, columns: [whole.columns[0], .absent(.int64, count: 2)])
    try union.process(whole, input: 0, to: output)
    try union.process(pruned, input: 0, to: output)
    try union.endRound(to: output)
    let merged = try #require(output.batch)
    #expect(merged.columns[1].isAbsent && merged.count == 4)
  }
}

/// Keeps the last batch.
final class LastBatch: OperatorOutput {
  private(set) var batch: RecordBatch?
  func emit(_ batch: RecordBatch) { self.batch = batch }
  func emit(_ batch: RecordBatch, on port: SidePort) {}
  func isRead(_ port: SidePort) -> Bool { false }
  func count(_ rows: Int, on port: SidePort) {}
  func fail(_ batch: RecordBatch, _ failures: [RowFailure]) {}
}
