import Foundation
import StreamModel
import Testing

@testable import Formats

/// What the fastavro library made of schemas and records, as `Tests/Fixtures/avro/fastavro_cases.py` writes it down.
struct AvroCase {
  let writer: String
  let reader: String
  /// Records with the row that fastavro reads; nil where it cannot, or where a row of ours would lose something.
  let records: [(data: [UInt8], row: [String: JSONNode]?)]

  static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures/avro")

  static func parse(_ text: String) throws -> [AvroCase] {
    try #require(JSONNode.parse(text).elements).map { node in
      let records = try #require(node["records"]?.elements).map { record in
        (data: try bytes(record["data"]), row: row(record["row"]))
      }
      return AvroCase(
        writer: try #require(node["writer"]?.text), reader: try #require(node["reader"]?.text), records: records)
    }
  }

  static func bytes(_ node: JSONNode?) throws -> [UInt8] {
    let text = try #require(node?.text)
    return try #require(Base64.decode(text))
  }

  static func row(_ node: JSONNode?) -> [String: JSONNode]? {
    guard case .object(let members) = node else { return nil }
    return Dictionary(uniqueKeysWithValues: members.map { ($0.name, $0.value) })
  }

  /// Runs the script; nil without a Python that has fastavro.
  static func run(_ arguments: [String]) throws -> String? {
    guard let python = ProcessInfo.processInfo.environment["WEIR_TEST_PYTHON"] else { return nil }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: python)
    process.arguments = [fixtures.appendingPathComponent("fastavro_cases.py").path] + arguments
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "fastavro_cases.py failed")
    return String(decoding: data, as: UTF8.self)
  }

  /// The columns that a reader's schema gives.
  static func columns(_ schema: AvroSchema) throws -> Schema {
    let fields = try #require(schema.rootRecord).fields.compactMap { field in
      AvroColumns.type(of: field.type, in: schema).map { Field(field.name, $0.type, nullable: $0.nullable) }
    }
    return Schema(fields)
  }

  /// A value of ours as the script writes it.
  static func plain(_ value: Value) -> JSONNode {
    func tagged(_ name: String, _ node: JSONNode) -> JSONNode { .object([JSONNode.Member(name, node)]) }
    switch value {
    case .null: return .null
    case .boolean(let flag): return .boolean(flag)
    case .int64(let number): return .number("\(number)")
    case .string(let text): return .string(text)
    case .bytes(let bytes): return tagged("bytes", .string(Base64.encode(bytes)))
    case .date(let day): return tagged("date", .number("\(day)"))
    case .timestamp(let time): return tagged("timestamp", .number("\(time)"))
    case .decimal(let unscaled, let scale): return tagged("decimal", .string(Decimal.format(unscaled, scale: scale)))
    case .double(let number): return tagged("double", .number("\(number.bitPattern)"))
    }
  }

  /// The script's value in the same terms.
  static func normalized(_ node: JSONNode) throws -> JSONNode {
    if let text = node["double"]?.text {
      return .object([JSONNode.Member("double", .number("\(try #require(Double(text)).bitPattern)"))])
    }
    guard let text = node["decimal"]?.text else { return node }
    // A decimal of no digits has its scale all the same.
    return .object([JSONNode.Member("decimal", .string(text == "-0" ? "0" : text))])
  }
}
