import Foundation
import StreamModel
import TestSupport

/// Reads what file sinks wrote, by rules of its own.
struct OutputReader {
  let fields: [Field]
  let format: TestSource.Format

  /// The rows of all committed files of a directory, file by file; a directory that is not there holds none.
  func rows(_ directory: String) throws -> [[String]] {
    let suffix = format == .json ? ".json" : ".csv"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    if let strange = names.first(where: { !$0.hasSuffix(suffix) }) {
      throw HarnessFailure("\(directory) holds \(strange), which was not committed")
    }
    return try names.sorted { $0.compare($1, options: .numeric) == .orderedAscending }.flatMap { name in
      let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(directory)/\(name)")))
      return format == .json ? try jsonRows(bytes) : try csvRows(bytes)
    }
  }

  private func jsonRows(_ bytes: [UInt8]) throws -> [[String]] {
    try bytes.split(separator: 10).map { line in
      var scanner = JSONLineScanner(Array(line))
      let members = try scanner.members()
      guard members.map(\.name) == fields.map(\.name) else {
        throw HarnessFailure("fields \(members.map(\.name)) instead of \(fields.map(\.name))")
      }
      return zip(members, fields).map { member, field in OutputReader.canonical(member.value, field) }
    }
  }

  /// JSON writes values canonically but for doubles, which can be written in many ways.
  private static func canonical(_ text: String, _ field: Field) -> String {
    guard field.type == .double, let number = Double(text) else { return text }
    return "\(number)"
  }

  // MARK: CSV

  private func csvRows(_ bytes: [UInt8]) throws -> [[String]] {
    let records = OutputReader.csvRecords(bytes)
    guard let header = records.first else { return [] }
    guard header.map(\.text) == fields.map(\.name) else {
      throw HarnessFailure("header \(header.map(\.text)) instead of \(fields.map(\.name))")
    }
    return try records.dropFirst().map { cells in
      guard cells.count == fields.count else { throw HarnessFailure("\(cells.count) cells, not \(fields.count)") }
      return zip(cells, fields).map { cell, field in
        if cell.text.isEmpty && !cell.isQuoted { return "null" }
        let isText = field.type == .string || field.type == .timestamp
        return isText ? "'\(cell.text)'" : OutputReader.canonical(cell.text, field)
      }
    }
  }

  private struct Cell {
    var bytes: [UInt8] = []
    var isQuoted = false
    var text: String { String(decoding: bytes, as: UTF8.self) }
  }

  private static func csvRecords(_ bytes: [UInt8]) -> [[Cell]] {
    var records: [[Cell]] = []
    var record = [Cell()]
    var isInside = false
    for (index, byte) in bytes.enumerated() {
      switch (byte, isInside) {
      case (UInt8(ascii: "\""), false):
        // The second of two quotes inside a cell stands for one.
        if record[record.count - 1].isQuoted, index > 0, bytes[index - 1] == byte {
          record[record.count - 1].bytes.append(byte)
        }
        record[record.count - 1].isQuoted = true
        isInside = true
      case (UInt8(ascii: "\""), true): isInside = false
      case (UInt8(ascii: ","), false): record.append(Cell())
      case (10, false):
        records.append(record)
        record = [Cell()]
      default: record[record.count - 1].bytes.append(byte)
      }
    }
    return records
  }
}

/// Reads one flat JSON object: names, and values as canonical texts.
struct JSONLineScanner {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func members() throws -> [(name: String, value: String)] {
    var members: [(name: String, value: String)] = []
    try expect("{")
    while true {
      let name = try text()
      try expect(":")
      members.append((name, try value()))
      if position < bytes.count, bytes[position] == UInt8(ascii: "}") { break }
      try expect(",")
    }
    guard position == bytes.count - 1 else { throw failure("text follows the object") }
    return members
  }

  private func failure(_ reason: String) -> HarnessFailure {
    HarnessFailure("\(reason) at byte \(position) of \(String(decoding: bytes, as: UTF8.self))")
  }

  private mutating func expect(_ character: Unicode.Scalar) throws {
    guard position < bytes.count, bytes[position] == UInt8(ascii: character) else {
      throw failure("\(character) is missing")
    }
    position += 1
  }

  private mutating func value() throws -> String {
    guard position < bytes.count else { throw failure("a value is missing") }
    if bytes[position] == UInt8(ascii: "\"") { return "'\(try text())'" }
    let start = position
    while position < bytes.count, ![UInt8(ascii: ","), UInt8(ascii: "}")].contains(bytes[position]) { position += 1 }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  /// A text, its escapes resolved by Foundation.
  private mutating func text() throws -> String {
    let start = position
    try expect("\"")
    while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
      position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
    }
    try expect("\"")
    let literal = Data(bytes[start..<position])
    guard let text = try JSONSerialization.jsonObject(with: literal, options: .fragmentsAllowed) as? String else {
      throw failure("a text is missing")
    }
    return text
  }
}
