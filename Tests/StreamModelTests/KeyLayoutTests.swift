import StreamModel
import Testing

@Suite struct KeyLayoutTests {
  static let fields = [
    Field("text", .string), Field("number", .int64), Field("flag", .boolean), Field("ratio", .double),
    Field("wide", .decimal(precision: 38, scale: 2)), Field("raw", .bytes), Field("day", .date),
  ]

  static let rows: [[Value]] = [
    [.string(""), .int64(.min), .boolean(true), .double(-0.0), .decimal(-1, scale: 2), .bytes([]), .date(-1)],
    [.string("abc"), .int64(1), .boolean(false), .double(.nan), .decimal(1 << 100, scale: 2), .bytes([0]), .date(0)],
    [.null, .null, .null, .null, .null, .null, .null],
    [
      .string(String(repeating: "é", count: 63)), .int64(2), .boolean(true), .double(0), .decimal(0, scale: 2),
      .bytes([UInt8](repeating: 7, count: 127)), .date(9),
    ],
    [
      .string(String(repeating: "x", count: 20_000)), .int64(3), .null, .double(1.5), .decimal(0, scale: 2),
      .bytes([UInt8](repeating: 7, count: 16)), .date(9),
    ],
    [.string("12345678"), .null, .boolean(true), .double(2), .null, .bytes([1, 2, 3, 4, 5]), .null],
  ]

  static func batch(_ rows: [[Value]]) -> RecordBatch {
    let columns = fields.indices.map { index in
      let builder = ColumnBuilder(fields[index].type)
      for row in rows { builder.append(row[index]) }
      return builder.finish()
    }
    return RecordBatch(schema: Schema(fields), columns: columns, count: rows.count, eventTimes: columns[1])
  }

  /// The encoding, a value at a time.
  static func encoded(_ value: Value) -> [UInt8] {
    func fixed<Number>(_ number: Number) -> [UInt8] { [1] + withUnsafeBytes(of: number) { [UInt8]($0) } }
    func text(_ bytes: [UInt8]) -> [UInt8] {
      var prefix: [UInt8] = []
      var rest = bytes.count + 1
      while rest >= 128 {
        prefix.append(UInt8(rest % 128 + 128))
        rest /= 128
      }
      return prefix + [UInt8(rest)] + bytes
    }
    switch value {
    case .null: return [0]
    case .boolean(let value): return [1, value ? 1 : 0]
    case .int64(let value), .date(let value), .timestamp(let value): return fixed(value)
    case .double(let value): return fixed((value == 0 ? 0 : value.isNaN ? Double.nan : value).bitPattern)
    case .decimal(let value, _): return fixed(value)
    case .string(let value): return text(Array(value.utf8))
    case .bytes(let value): return text(value)
    }
  }

  static func shown(_ values: [Value]) -> String { values.map { "\($0)" }.joined(separator: ",") }

  @Test func keysAreTheirColumnsEncodings_endToEnd() {
    let encoder = KeyEncoder(keyColumns: [5, 0, 3, 1, 2, 4, 6])
    for rows in [Self.rows, Self.rows.filter { !$0.contains(.null) }, [Self.rows[2]]] {
      encoder.encode(Self.batch(rows))
      for (index, row) in rows.enumerated() {
        let key = [UInt8](encoder.key(index))
        #expect(key == [5, 0, 3, 1, 2, 4, 6].flatMap { Self.encoded(row[$0]) })
        #expect(encoder.hashes[index] == key.withUnsafeBytes { KeyEncoder.hash($0) })
      }
    }
  }

  @Test func whatIsEncoded_isDecodedRowByRowAndColumnByColumn() {
    let order = [0, 1, 2, 3, 4, 5, 6]
    for rows in [Self.rows, Self.rows.filter { !$0.contains(.null) }] {
      let encoder = KeyEncoder(keyColumns: order)
      encoder.encode(Self.batch(rows))
      let single = Self.fields.map { ColumnBuilder($0.type) }
      for row in rows.indices { KeyEncoder.decode(encoder.key(row), into: single) }
      var cursors = rows.indices.map { encoder.bytes + encoder.offsets[$0] }
      let together = Self.fields.map { ColumnBuilder($0.type, capacity: 1) }
      for builder in together {
        builder.append(rows[0][together.firstIndex { $0 === builder } ?? 0])
        KeyEncoder.decode(&cursors, count: rows.count, into: builder)
      }
      let expected = order.map { column in
        rows.map { row in row[column] == .double(-0.0) ? Value.double(0) : row[column] }
      }
      #expect(single.map { Self.shown(Self.values($0.finish())) } == expected.map(Self.shown))
      #expect(together.map { Self.shown(Array(Self.values($0.finish()).dropFirst())) } == expected.map(Self.shown))
    }
  }

  static func values(_ column: Column) -> [Value] { (0..<column.count).map { column.value(at: $0) } }

  @Test func extendingABuilder_keepsWhatWasThereAndItsNulls() {
    let builder = ColumnBuilder(.int64, capacity: 1)
    builder.append(int64: 5)
    builder.appendNull()
    let target = builder.extend(by: 100).assumingMemoryBound(to: Int64.self)
    for index in 0..<100 { target[index] = Int64(index) }
    builder.appendNull()
    let expected = [.int64(5), .null] + (0..<100).map { Value.int64(Int64($0)) } + [.null]
    #expect(Self.values(builder.finish()) == expected)
  }
}
