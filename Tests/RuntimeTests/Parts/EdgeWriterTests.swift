import Expressions
import Operators
import StreamModel
import TestSupport
import Testing

@testable import Runtime

@Suite struct EdgeWriterTests {
  private static let schema = Schema([Field("key", .string), Field("n", .int64)])

  private func writer(
    _ inboxes: [Inbox], _ distribution: ExecutionGraph.Distribution, columns: Set<Int> = [0, 1],
    isBuffered: Bool = false
  ) -> EdgeWriter {
    EdgeWriter(
      inboxes: inboxes, channel: 0, distribution: distribution, columns: columns, columnCount: 2,
      isBuffered: isBuffered)
  }

  private func inboxes(_ count: Int) -> [Inbox] { (0..<count).map { _ in Inbox(channelCount: 1) } }

  private func rows(_ values: [(key: Value, number: Int64)]) -> RecordBatch {
    TestRows(EdgeWriterTests.schema, values.map { TestRow(at: $0.number, [$0.key, .int64($0.number)]) }).batch()
  }

  /// The batches that wait in an inbox, and what else does.
  private func drain(_ inbox: Inbox) throws -> (batches: [RecordBatch], marks: [StreamElement]) {
    var batches: [RecordBatch] = []
    var marks: [StreamElement] = []
    while let next = try inbox.next(deadline: 0) {
      if case .batch(let batch) = next.element { batches.append(batch) } else { marks.append(next.element) }
    }
    return (batches, marks)
  }

  @Test func combinedRows_goToTheSubtaskOfTheirKeyGroup_andStandForAllRows() throws {
    guard case .valid(let count) = ExpressionChecker.aggregate("count(*)", schema: EdgeWriterTests.schema) else {
      throw HarnessFailure("count(*) is valid")
    }
    let spec = AggregateSpec(
      key: [0], window: .tumble(size: 1000, offset: 0), values: [.init(name: "n", expression: count)],
      allowedLatenessMilliseconds: 0, earlyMilliseconds: nil, everyMilliseconds: 1000,
      outputSchema: Schema([Field("key", .string), Field("n", .int64)]))
    for parallelism in [2, 3, 7] {
      let inboxes = self.inboxes(parallelism)
      let writer = EdgeWriter(
        inboxes: inboxes, channel: 0, distribution: .key([0]), columns: [0], columnCount: 2, isBuffered: false,
        combines: spec)
      try writer.write(rows((0..<90).map { (key: .string("k\($0 % 9)"), number: $0) }))
      var keys: [[UInt8]] = []
      var rowCount = 0
      for (target, inbox) in inboxes.enumerated() {
        for batch in try drain(inbox).batches {
          let encoded = try #require(batch.partials?.keys)
          rowCount += batch.rowCount
          for row in 0..<batch.count {
            let key = UnsafeRawBufferPointer(
              start: encoded.bytes + encoded.offsets[row], count: encoded.offsets[row + 1] - encoded.offsets[row])
            keys.append(Array(key))
            #expect(encoded.hashes[row] == KeyEncoder.hash(key))
            let group = KeyGroup.of(hash: encoded.hashes[row])
            #expect(KeyGroup.subtask(ofGroup: group, parallelism: parallelism) == target)
          }
        }
      }
      #expect(rowCount == 90 && keys.count == 9 && Set(keys) == Set((0..<9).map { [3] + Array("k\($0)".utf8) }))
    }
  }

  @Test func everyRowGoesToTheSubtaskOfItsKeyGroupInOrder() throws {
    try TestSeeds.each(10) { random in
      let inboxes = self.inboxes(Int(random.int(1...7)))
      let writer = self.writer(inboxes, .key([0]))
      var sent: [Value: [Int64]] = [:]
      for batch in 0..<random.int(1...8) {
        let values = (0..<random.int(1...50)).map { index -> (Value, Int64) in
          (random.chance(0.1) ? .null : .string("k\(random.int(0...20))"), batch * 100 + index)
        }
        for (key, number) in values { sent[key, default: []].append(number) }
        try writer.write(rows(values.map { (key: $0.0, number: $0.1) }))
      }
      var found: [Value: [Int64]] = [:]
      var owners: [Value: Set<Int>] = [:]
      for (target, inbox) in inboxes.enumerated() {
        for batch in try drain(inbox).batches {
          for row in 0..<batch.count {
            let values = batch.values(at: row)
            found[values[0], default: []].append(batch.eventTimes.int64s[row])
            owners[values[0], default: []].insert(target)
          }
        }
      }
      guard found == sent else { throw HarnessFailure("\(found) instead of \(sent)") }
      guard owners.values.allSatisfy({ $0.count == 1 }) else { throw HarnessFailure("a key has two owners: \(owners)") }
    }
  }

  @Test func hashesTravelWithTheRowsTheyBelongTo() throws {
    let inboxes = self.inboxes(3)
    let writer = self.writer(inboxes, .key([0]))
    try writer.write(rows((0..<40).map { (key: .string("k\($0 % 11)"), number: Int64($0)) }))
    for (target, inbox) in inboxes.enumerated() {
      for batch in try drain(inbox).batches {
        let encoder = KeyEncoder(keyColumns: [0])
        encoder.encode(batch)
        for row in 0..<batch.count {
          let carried = batch.keyHashes.map { UInt64(bitPattern: $0.hashes.int64s[row]) }
          #expect(carried == encoder.hashes[row])
          let group = KeyGroup.of(hash: encoder.hashes[row])
          #expect(KeyGroup.subtask(ofGroup: group, parallelism: 3) == target)
        }
      }
    }
  }

  @Test func columnsThatNobodyReadsAreLeftOut() throws {
    let inboxes = self.inboxes(1)
    try writer(inboxes, .single, columns: [0]).write(rows([(key: "a", number: 1)]))
    let batch = try #require(try drain(inboxes[0]).batches.first)
    #expect(!batch.columns[0].isAbsent)
    #expect(batch.columns[1].isAbsent)
    #expect(batch.eventTimes.int64s[0] == 1)
  }

  @Test func batchesGoRoundFromTheGivenTurn() throws {
    let inboxes = self.inboxes(3)
    let writer = self.writer(inboxes, .roundRobin)
    writer.setTurn(2)
    for number in 0..<4 as Range<Int64> { try writer.write(rows([(key: "a", number: number)])) }
    let numbers = try inboxes.map { try drain($0).batches.map { $0.eventTimes.int64s[0] } }
    #expect(numbers == [[1], [2], [0, 3]])
  }

  @Test func whatIsHeldBackGoesOutInOrderAtTheFlush() throws {
    let inboxes = self.inboxes(1)
    let writer = self.writer(inboxes, .single, isBuffered: true)
    for number in 0..<3 as Range<Int64> { try writer.write(rows([(key: "a", number: number)])) }
    #expect(try drain(inboxes[0]).batches.isEmpty)
    try writer.flush()
    #expect(try drain(inboxes[0]).batches.map { $0.eventTimes.int64s[0] } == [0, 1, 2])
  }

  @Test func everyReceiverHearsEachRiseOfTheWatermarkOnce() throws {
    let inboxes = self.inboxes(2)
    let writer = self.writer(inboxes, .key([0]))
    for time in [5, 5, 3, 9] as [EventTime] { try writer.advance(to: time) }
    for inbox in inboxes {
      let heard = try drain(inbox).marks.compactMap { mark -> EventTime? in
        if case .watermark(let watermark) = mark { return watermark.time }
        return nil
      }
      #expect(heard == [5, 9])
    }
  }
}
