import StreamModel
import Testing

/// Random columns of every type.
enum RandomColumn {
  static let types: [DataType] = [
    .boolean, .int64, .double, .decimal(precision: 18, scale: 3), .decimal(precision: 38, scale: 10), .string, .bytes,
    .date, .timestamp,
  ]

  static func values(_ type: DataType, count: Int, nulls: Int, _ random: inout SeededGenerator) -> [Value] {
    (0..<count).map { _ in Int.random(in: 0..<10, using: &random) < nulls ? .null : value(type, &random) }
  }

  static func value(_ type: DataType, _ random: inout SeededGenerator) -> Value {
    switch type {
    case .boolean: .boolean(.random(using: &random))
    case .int64: .int64(.random(in: .min ... .max, using: &random))
    case .double: .double(.random(in: -1e9...1e9, using: &random))
    case .decimal(let precision, let scale):
      .decimal(
        .random(in: -Decimal.powersOfTen[precision] + 1...Decimal.powersOfTen[precision] - 1, using: &random),
        scale: scale)
    case .string:
      .string(
        String(
          (0..<Int.random(in: 0...200, using: &random)).map { _ in
            ["a", "ü", "✓", " "].randomElement(using: &random) ?? "b"
          }))
    case .bytes: .bytes((0..<Int.random(in: 0...300, using: &random)).map { _ in .random(in: 0...255, using: &random) })
    case .date: .date(.random(in: -700_000...2_000_000, using: &random))
    case .timestamp: .timestamp(.random(in: EventTimes.earliestRecord...EventTimes.latestRecord, using: &random))
    }
  }

  static func column(_ values: [Value], _ type: DataType, capacity: Int = 8) -> Column {
    let builder = ColumnBuilder(type, capacity: capacity)
    for value in values { builder.append(value) }
    return builder.finish()
  }

  static func values(of column: Column) -> [Value] { (0..<column.count).map { column.value(at: $0) } }
}

@Suite struct ColumnTests {
  @Test(arguments: RandomColumn.types, [0, 3, 10]) func whatIsAppended_isInTheColumn(type: DataType, nulls: Int) {
    var random = SeededGenerator()
    for count in [0, 1, 7, 8, 9, 64, 1000] {
      let values = RandomColumn.values(type, count: count, nulls: nulls, &random)
      let column = RandomColumn.column(values, type)
      #expect(RandomColumn.values(of: column) == values, "seed \(random.seed)")
      #expect(column.count == count && column.type == type)
      #expect(column.nullCount == values.count { $0 == .null })
      #expect(column.hasNulls == values.contains(.null))
      if nulls == 0 { #expect(column.validity == nil) }
    }
  }

  @Test func theFirstNullAfterManyRows_leavesThemValid() {
    for count in 0..<40 {
      let builder = ColumnBuilder(.int64, capacity: 8)
      for row in 0..<count { builder.append(int64: Int64(row)) }
      builder.appendNull()
      builder.append(int64: 7)
      let column = builder.finish()
      #expect((0..<count).allSatisfy { column.value(at: $0) == .int64(Int64($0)) })
      #expect(column.value(at: count) == .null && column.int64s[count] == 0)
      #expect(column.value(at: count + 1) == .int64(7))
    }
  }

  @Test func aFinishedBuilder_beginsAnew() {
    let builder = ColumnBuilder(.string)
    builder.append(string: "first")
    builder.appendNull()
    let first = builder.finish()
    builder.append(string: "second")
    let second = builder.finish()
    #expect(RandomColumn.values(of: first) == [.string("first"), .null])
    #expect(RandomColumn.values(of: second) == [.string("second")])
    #expect(second.validity == nil)
  }

  @Test(arguments: RandomColumn.types, [true, false]) func gathering_takesTheRowsInTheGivenOrder(
    type: DataType, compact: Bool
  ) {
    var random = SeededGenerator()
    let values = RandomColumn.values(type, count: 100, nulls: 2, &random)
    let column = RandomColumn.column(values, type)
    let indices = (0..<150).map { _ in Int32.random(in: 0..<100, using: &random) }
    let gathered = indices.withUnsafeBufferPointer { column.gather($0, compact: compact) }
    #expect(RandomColumn.values(of: gathered) == indices.map { values[Int($0)] }, "seed \(random.seed)")
    if type.layout == .view { #expect((gathered.bytes == column.bytes) == !compact) }
  }

  @Test func gatheringNothing_isEmpty() {
    let column = RandomColumn.column([.string("a"), .null], .string)
    let none: [Int32] = []
    #expect(none.withUnsafeBufferPointer { column.gather($0, compact: true) }.count == 0)
  }

  @Test(arguments: RandomColumn.types) func concatenation_keepsEveryRow(type: DataType) {
    var random = SeededGenerator()
    let parts = [3, 0, 17].map { RandomColumn.values(type, count: $0, nulls: 3, &random) }
    let joined = Column.concatenated(parts.map { RandomColumn.column($0, type) })
    #expect(RandomColumn.values(of: joined) == parts.flatMap { $0 }, "seed \(random.seed)")
  }

  @Test(arguments: RandomColumn.types) func aConstantColumn_holdsItsValueInEveryRow(type: DataType) {
    var random = SeededGenerator()
    for value in [RandomColumn.value(type, &random), .null] {
      for count in [0, 1, 20] {
        #expect(
          RandomColumn.values(of: Column.constant(value, type, count: count)) == [Value](repeating: value, count: count)
        )
      }
    }
  }

  @Test(arguments: RandomColumn.types) func anAbsentColumn_isNullInEveryRow(type: DataType) {
    let absent = Column.absent(type, count: 70_000)
    #expect(absent.isAbsent && absent.count == 70_000)
    #expect(absent.value(at: 0) == .null && absent.value(at: 69_999) == .null)
    let indices: [Int32] = [5, 6]
    #expect(indices.withUnsafeBufferPointer { absent.gather($0) }.value(at: 1) == .null)
  }

  @Test func aColumnUnderAnotherTypeOfItsLayout_sharesItsValues() {
    let column = RandomColumn.column([.int64(5), .null], .int64)
    let times = Column(column, as: .timestamp)
    #expect(RandomColumn.values(of: times) == [.timestamp(5), .null])
    #expect(times.values == column.values)
  }
}
