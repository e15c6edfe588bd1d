import State
import StreamModel
import TestSupport
import Testing

@testable import Operators

/// Groups that leave memory together lie together in the state, and come to what they would have come to in memory.
@Suite struct GroupPackTests {
  private static let keys = 6_000

  private static func spec() throws -> AggregateSpec {
    var test = AggregateTestSpec(.tumble(size: 100, offset: 0))
    test.key = ["id"]
    test.values = [("n", "count(*)"), ("total", "sum(amount)"), ("first", "first(x)"), ("last", "last(x)")]
    return try test.spec()
  }

  /// A row of every key of the key groups that `part` does not divide: so every group has parts in other runs.
  private static func rows(_ part: Int, in keyGroups: Range<Int> = 0..<KeyGroup.count) -> RecordBatch {
    let rows = (0..<keys).filter { part == 1 || $0 % part != 0 }.map { number in
      TestRow(
        at: 50,
        AggregateTestSpec.row([
          "id": .string("k\(number)"), "x": .int64(Int64(part)), "amount": .decimal(Int128(number * part), scale: 3),
        ]))
    }
    let batch = TestRows(AggregateTestSpec.schema, rows).batch()
    let encoder = KeyEncoder(keyColumns: [0])
    encoder.encode(batch)
    let own = (0..<batch.count).filter { keyGroups.contains(KeyGroup.of(hash: encoder.hashes[$0])) }
    return batch.gather(own.map { Int32($0) })
  }

  private static func results(_ target: any StreamOperator) throws -> Set<[Value]> {
    let output = CapturedOutput()
    try target.advance(to: .maximum, output: output)
    return Set(output.main.map(\.values))
  }

  private static func process(_ parts: [Int], _ target: any StreamOperator) throws {
    for part in parts { try target.process(rows(part), input: 0, to: CapturedOutput()) }
  }

  private static func inMemory() throws -> Set<[Value]> {
    let target = AggregateOperator.make(try spec())
    try TestState().attach(target)
    try process([1, 2, 3, 4, 5, 7], target)
    return try results(target)
  }

  @Test func packsBeforeAndAfterSingleGroups_areCombinedInTheOrderOfTheRuns_atAnyParallelism() throws {
    let expected = try Self.inMemory()
    #expect(expected.count == Self.keys)
    for parts in [1, 2, 3] {
      let target = AggregateOperator.make(try Self.spec())
      let state = TestState()
      try state.attach(target)
      try Self.process([1], target)
      try target.spill()
      // A snapshot in between: what leaves memory then is not written once only, and has entries of its own.
      try Self.process([2], target)
      try state.snapshot([target])
      try Self.process([3], target)
      try target.spill()
      try Self.process([4], target)
      try target.spill()
      try Self.process([5], target)
      let watermark = try state.snapshot([target])
      let entries = try state.entries()
      let packs = entries.filter { $0.value.first == GroupPack.marker }
      #expect(packs.count > 1000 && packs.count <= 2 * 4096)
      #expect(entries.count - packs.count > Self.keys)

      state.restart()
      var actual: Set<[Value]> = []
      var subtasks: [any StreamOperator] = []
      for part in 0..<parts {
        let restored = AggregateOperator.make(try Self.spec())
        let range = KeyGroup.range(ofSubtask: part, parallelism: parts)
        try state.attach(restored, keyGroups: range, watermark: watermark)
        try restored.process(Self.rows(7, in: range), input: 0, to: CapturedOutput())
        actual.formUnion(try Self.results(restored))
        subtasks.append(restored)
      }
      #expect(actual == expected, "\(parts) subtasks")
      try state.snapshot(subtasks)
      #expect(try state.entries().allSatisfy { $0.key[0] != 0 }, "nothing of the window is left")
    }
  }

  @Test func aDamagedPack_isRefused() throws {
    let target = AggregateOperator.make(try Self.spec())
    let state = TestState()
    try state.attach(target)
    try Self.process([1], target)
    try target.spill()
    let pack = try #require(try state.entries(of: target).first { $0.value.first == GroupPack.marker })
    for value in [Array(pack.value.dropLast()), pack.value + [1], pack.value + [0x80], [GroupPack.marker, 0xFF, 0xFF]] {
      #expect(throws: OperatorError.self) {
        let restored = AggregateOperator.make(try Self.spec())
        try TestState.holding([(pack.key, value)]).attach(restored)
        try restored.advance(to: .maximum, output: CapturedOutput())
      }
    }
  }
}
