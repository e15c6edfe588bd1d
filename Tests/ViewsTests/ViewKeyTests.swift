import Formats
import StreamModel
import TestSupport
import Testing

@testable import Views

struct ViewKeyTests {
  static func bytes(_ value: Value, _ type: DataType) -> [UInt8] {
    let builder = ColumnBuilder(type)
    builder.append(value)
    var bytes = ByteBuffer(capacity: 64)
    ViewKey.append(builder.finish(), row: 0, to: &bytes)
    return [UInt8](bytes.bytes)
  }

  static func view(_ type: DataType) -> ViewDefinition {
    ViewDefinition(name: "v", schema: Schema([Field("k", type)]), key: [0], partitionKey: [0])
  }

  private func expectOrder(_ values: [Value], _ type: DataType) {
    let keys = values.map { ViewKeyTests.bytes($0, type) }
    for (left, right) in zip(keys, keys.dropFirst()) {
      #expect(left.lexicographicallyPrecedes(right), "\(type): \(left) before \(right)")
    }
    for (key, value) in zip(keys, values) {
      #expect(key.withUnsafeBytes { ViewKey.values(of: $0, ViewKeyTests.view(type)) } == [value])
    }
  }

  @Test func theOrderOfKeys_isThatOfTheirValues_nullFirst() {
    expectOrder([.null, .boolean(false), .boolean(true)], .boolean)
    expectOrder([.null, .int64(.min), .int64(-1), .int64(0), .int64(255), .int64(256), .int64(.max)], .int64)
    expectOrder([.null, .timestamp(-1000), .timestamp(0), .timestamp(1_767_225_600_000)], .timestamp)
    expectOrder([.null, .date(-1), .date(20_000)], .date)
    expectOrder(
      [.null, .double(-.infinity), .double(-1.5), .double(-1e-300), .double(0), .double(1e-300), .double(2)], .double)
    let small = DataType.decimal(precision: 9, scale: 2)
    expectOrder([.null, .decimal(-5, scale: 2), .decimal(0, scale: 2), .decimal(100, scale: 2)], small)
    let large = DataType.decimal(precision: 38, scale: 3)
    expectOrder(
      [
        .decimal(-Int128(Int64.max) * 1000, scale: 3), .decimal(-1, scale: 3),
        .decimal(Int128(Int64.max) * 7, scale: 3),
      ],
      large)
    expectOrder(
      [.null, .string(""), .string("\0"), .string("\0a"), .string("a"), .string("a\0"), .string("ab"), .string("é")],
      .string)
    expectOrder([.null, .bytes([]), .bytes([0]), .bytes([0, 0xFF]), .bytes([0xFF])], .bytes)
  }

  @Test func keysFromText_areThoseOfTheirValues() throws {
    let cases: [(String, Value, DataType)] = [
      ("true", .boolean(true), .boolean), ("-12", .int64(-12), .int64), ("1.5", .double(1.5), .double),
      ("2.50", .decimal(250, scale: 2), .decimal(precision: 9, scale: 2)), ("acc/1", .string("acc/1"), .string),
      ("", .string(""), .string), ("~null", .null, .string), ("~~null", .string("~null"), .string),
      ("2026-01-01", .date(20_454), .date), ("2026-01-01T00:00:00.000Z", .timestamp(1_767_225_600_000), .timestamp),
      ("1767225600000", .timestamp(1_767_225_600_000), .timestamp), ("AAE=", .bytes([0, 1]), .bytes),
    ]
    for (text, value, type) in cases {
      #expect(try ViewKey.bytes(of: [text], ViewKeyTests.view(type)) == ViewKeyTests.bytes(value, type), "\(text)")
    }
    for (text, type) in [("1.005", DataType.decimal(precision: 9, scale: 2)), ("yes", .boolean), ("1.0", .int64)] {
      #expect(throws: ViewError.self) { try ViewKey.bytes(of: [text], ViewKeyTests.view(type)) }
    }
  }
}
