import StreamModel
import Testing

@Suite struct KeyEncoderTests {
  private static func batch(_ columns: [Column]) -> RecordBatch {
    let schema = Schema(columns.enumerated().map { Field("c\($0)", $1.type) })
    let count = columns[0].count
    return RecordBatch(
      schema: schema, columns: columns, count: count,
      eventTimes: Column.constant(.timestamp(0), .timestamp, count: count))
  }

  private static func keys(_ encoder: KeyEncoder) -> [[UInt8]] { (0..<encoder.count).map { Array(encoder.key($0)) } }

  @Test func aKey_isDecodedToTheValuesItWasMadeOf() {
    var random = SeededGenerator()
    for _ in 0..<60 {
      let types = (0..<Int.random(in: 1...4, using: &random)).map { _ in
        RandomColumn.types.randomElement(using: &random) ?? .int64
      }
      let rows = Int.random(in: 1...80, using: &random)
      let values = types.map { RandomColumn.values($0, count: rows, nulls: 2, &random) }
      let encoder = KeyEncoder(keyColumns: Array(types.indices))
      encoder.encode(KeyEncoderTests.batch(zip(values, types).map { RandomColumn.column($0, $1) }))
      let builders = types.map { ColumnBuilder($0) }
      for row in 0..<rows { KeyEncoder.decode(encoder.key(row), into: builders) }
      for (builder, expected) in zip(builders, values) {
        #expect(RandomColumn.values(of: builder.finish()) == expected, "\(types), seed \(random.seed)")
      }
    }
  }

  @Test func keys_areEqualExactlyWhenTheirValuesAre() {
    let left = RandomColumn.column([.string("a"), .string("ab"), .null, .string(""), .string("a")], .string)
    let right = RandomColumn.column([.string("bc"), .string("c"), .string("x"), .string("x"), .string("bc")], .string)
    let encoder = KeyEncoder(keyColumns: [0, 1])
    encoder.encode(KeyEncoderTests.batch([left, right]))
    let keys = KeyEncoderTests.keys(encoder)
    #expect(Set(keys).count == 4)
    #expect(keys[0] == keys[4] && encoder.hashes[0] == encoder.hashes[4])
  }

  @Test func zeroesAndNumbersThatAreNone_areEachOneKey() {
    let column = RandomColumn.column([.double(0), .double(-0.0), .double(.nan), .double(-.nan), .double(1)], .double)
    let encoder = KeyEncoder(keyColumns: [0])
    encoder.encode(KeyEncoderTests.batch([column]))
    let keys = KeyEncoderTests.keys(encoder)
    #expect(keys[0] == keys[1] && keys[2] == keys[3] && Set(keys).count == 3)
  }

  @Test func theHashOfAKey_dependsOnItsBytesAlone() {
    var random = SeededGenerator()
    let texts =
      (0..<200).map { length in Value.string(String(repeating: "k", count: length)) }
      + RandomColumn.values(.string, count: 800, nulls: 0, &random)
    let column = RandomColumn.column(texts, .string)
    let encoder = KeyEncoder(keyColumns: [0])
    encoder.encode(KeyEncoderTests.batch([column]))
    for row in 0..<texts.count {
      let copy = Array(encoder.key(row))
      #expect(copy.withUnsafeBytes { KeyEncoder.hash($0) } == encoder.hashes[row])
    }
    #expect(Set((0..<200).map { encoder.hashes[$0] }).count == 200)
    var groups = [Int](repeating: 0, count: KeyGroup.count)
    for number in 0..<12_800 {
      withUnsafeBytes(of: UInt64(number)) { groups[KeyGroup.of(hash: KeyEncoder.hash($0))] += 1 }
    }
    #expect(groups.allSatisfy { $0 > 40 && $0 < 180 }, "keys spread over the key groups: \(groups)")
  }

  @Test func hashesThatABatchCarries_areTakenOverForTheSameColumnsOnly() {
    let column = RandomColumn.column([.int64(1), .int64(2)], .int64)
    let carried = RandomColumn.column([.int64(77), .int64(78)], .int64)
    let plain = KeyEncoderTests.batch([column, column])
    let batch = RecordBatch(
      schema: plain.schema, columns: plain.columns, count: 2, eventTimes: plain.eventTimes,
      keyHashes: KeyHashes(columns: [0], hashes: carried))
    let (first, second) = (KeyEncoder(keyColumns: [0]), KeyEncoder(keyColumns: [1]))
    first.encode(batch)
    second.encode(batch)
    #expect(first.hashes[0] == 77 && first.hashes[1] == 78)
    #expect(second.hashes[0] != 77)
  }

  @Test(arguments: [1, 2, 3, 7, 128]) func everyKeyGroup_hasOneSubtaskAndLiesInItsRange(parallelism: Int) {
    for group in 0..<KeyGroup.count {
      let owner = KeyGroup.subtask(ofGroup: group, parallelism: parallelism)
      #expect(
        (0..<parallelism).filter { KeyGroup.range(ofSubtask: $0, parallelism: parallelism).contains(group) } == [owner])
    }
  }

  @Test func aNullsKey_differsFromEveryValues() {
    for type in RandomColumn.types {
      var random = SeededGenerator()
      let encoder = KeyEncoder(keyColumns: [0])
      encoder.encode(KeyEncoderTests.batch([RandomColumn.column([.null, RandomColumn.value(type, &random)], type)]))
      #expect(Array(encoder.key(0)) == [0])
      #expect(Array(encoder.key(1)) != [0])
    }
  }

  @Test func anAbsentKeyColumn_isANullKey() {
    let encoder = KeyEncoder(keyColumns: [0])
    encoder.encode(KeyEncoderTests.batch([Column.absent(.string, count: 3)]))
    #expect(KeyEncoderTests.keys(encoder) == [[0], [0], [0]])
  }
}
