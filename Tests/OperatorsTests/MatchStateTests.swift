import Expressions
import Operators
import StreamModel
import TestSupport
import Testing

/// What `match` keeps beyond memory.
struct MatchStateTests {
  /// A one and then a two, or any number of ones before it, of which the last is taken.
  private static func spec(within: Int64?) throws -> MatchSpec {
    try MatchTestSpec(
      pattern: "A+ B", define: ["A": "x = 1", "B": "x = 2"], measures: [("rows", "count(*)")], within: within
    ).make()
  }

  private static func rows(_ keys: Range<Int>, x: Int64, at time: EventTime) -> RecordBatch {
    let rows = keys.map { TestRow(at: time, [.string("k\($0)"), .int64(x), .timestamp(time)]) }
    return TestRows(MatchTestSpec.input, rows).batch()
  }

  @Test func whatMemoryHasLetGoOf_isReadBackForTheKeysThatComeAgain() throws {
    let match = MatchOperator(try Self.spec(within: 10_000))
    let state = TestState()
    try state.attach(match)
    let output = CapturedOutput()
    try match.process(Self.rows(0..<2000, x: 1, at: 1000), input: 0, to: output)
    try match.process(Self.rows(0..<2000, x: 1, at: 2000), input: 0, to: output)
    #expect(match.stateSizeBytes > 4000 * 50)
    try match.spill()
    #expect(match.stateSizeBytes < 20_000)
    try match.process(Self.rows(1990..<2010, x: 2, at: 3000), input: 0, to: output)
    #expect(output.main.map(\.values[1]) == Array(repeating: 3, count: 10))
    #expect(match.stateSizeBytes < 20_000)
    try match.advance(to: .maximum, output: output)
    // Each of the two rows of a key that is left began a match.
    #expect(output.rows(on: .timedOut).count == 2 * 1990)
    #expect(try state.entries(of: match).isEmpty)
  }

  @Test func anUndecidedMatchBeyondMemory_holdsTheWatermarkBack() throws {
    let match = MatchOperator(try Self.spec(within: nil))
    let state = TestState()
    try state.attach(match)
    let output = CapturedOutput()
    try match.process(Self.rows(0..<1, x: 1, at: 1000), input: 0, to: output)
    try match.process(Self.rows(1..<2, x: 1, at: 2000), input: 0, to: output)
    try match.spill()
    try match.advance(to: Watermark(5000), output: output)
    #expect(match.outputWatermark(for: Watermark(5000)) == Watermark(999))
    try match.process(Self.rows(0..<1, x: 2, at: 5001), input: 0, to: output)
    try match.advance(to: Watermark(6000), output: output)
    #expect(match.outputWatermark(for: Watermark(6000)) == Watermark(1999))
    try state.snapshot([match])
    state.restart()
    let restored = MatchOperator(try Self.spec(within: nil))
    try state.attach(restored, watermark: 6000)
    #expect(restored.outputWatermark(for: Watermark(6000)) == Watermark(1999))
    try restored.process(Self.rows(1..<2, x: 2, at: 6001), input: 0, to: output)
    try restored.advance(to: Watermark(7000), output: output)
    #expect(restored.outputWatermark(for: Watermark(7000)) == Watermark(7000))
    #expect(output.main.count == 2)
    #expect(try state.entries(of: restored).isEmpty)
  }

  @Test func aSnapshotWritesARowOnce() throws {
    let backend = MemoryStateBackend()
    let state = TestState(backend)
    let match = MatchOperator(try Self.spec(within: nil))
    try state.attach(match)
    for time: Int64 in 0..<100 { try match.process(Self.rows(0..<1, x: 1, at: time), input: 0, to: CapturedOutput()) }
    try state.snapshot([match])
    // The rows, the key's own entry, and its undecided match.
    #expect(backend.entriesWritten == 102)
    try match.process(Self.rows(0..<1, x: 1, at: 100), input: 0, to: CapturedOutput())
    try state.snapshot([match])
    try state.snapshot([match])
    #expect(backend.entriesWritten == 104)
    #expect(try state.entries().count == 103)
  }

  @Test func damagedStateIsRefused() throws {
    let state = TestState()
    let match = MatchOperator(try Self.spec(within: nil))
    try state.attach(match)
    try match.process(Self.rows(0..<1, x: 1, at: 1), input: 0, to: CapturedOutput())
    let entries = try state.entries(of: match)
    for index in entries.indices where !entries[index].value.isEmpty {
      var damaged = entries
      damaged[index].value.removeLast(2)
      #expect(throws: OperatorError.self) {
        let restored = MatchOperator(try Self.spec(within: nil))
        try TestState.holding(damaged).attach(restored)
        try restored.process(Self.rows(0..<1, x: 1, at: 2), input: 0, to: CapturedOutput())
      }
    }
  }
}
