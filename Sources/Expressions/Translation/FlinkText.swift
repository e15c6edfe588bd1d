import StreamModel

/// An expression as Flink SQL, and what is not the same there.
package struct FlinkText: Sendable {
  package let sql: String
  /// Reasons, in the order of the expression's parts.
  package let notes: [String]

  /// A checked scalar expression over `schema`.
  package static func scalar(_ text: String, schema: Schema) -> FlinkText { translate(text, schema, .scalar) }

  /// A checked aggregate expression over `schema`.
  package static func aggregate(_ text: String, schema: Schema) -> FlinkText {
    translate(text, schema, .aroundAggregates)
  }

  private static func translate(_ text: String, _ schema: Schema, _ place: Checker.Place) -> FlinkText {
    do {
      let node = try Parser.parse(text)
      var writer = FlinkWriter(text: text, schema: schema, place: place)
      return FlinkText(sql: writer.write(node), notes: writer.notes)
    } catch {
      return FlinkText(sql: text, notes: [error.message])
    }
  }

  /// A name, quoted.
  package static func name(_ name: String) -> String {
    "`" + name.split(separator: "`", omittingEmptySubsequences: false).joined(separator: "``") + "`"
  }

  /// A text literal.
  package static func literal(_ text: String) -> String {
    "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
  }

  /// A column's type.
  package static func type(_ type: DataType) -> String {
    switch type {
    case .boolean: "BOOLEAN"
    case .int64: "BIGINT"
    case .double: "DOUBLE"
    case .decimal(let precision, let scale): "DECIMAL(\(precision), \(scale))"
    case .string: "STRING"
    case .bytes: "BYTES"
    case .date: "DATE"
    case .timestamp: "TIMESTAMP_LTZ(3)"
    }
  }

  /// A length of time of `milliseconds`.
  package static func interval(milliseconds: Int64) -> String {
    let units: [(name: String, length: Int64)] = [
      ("DAY", 86_400_000), ("HOUR", 3_600_000), ("MINUTE", 60_000), ("SECOND", 1000),
    ]
    let sign = milliseconds < 0 ? "-" : ""
    let magnitude = milliseconds.magnitude
    for unit in units where magnitude % UInt64(unit.length) == 0 && (magnitude > 0 || unit.name == "SECOND") {
      let count = String(magnitude / UInt64(unit.length))
      return "INTERVAL '\(sign)\(count)' \(unit.name)" + (count.count > 2 ? "(\(count.count))" : "")
    }
    let (seconds, rest) = magnitude.quotientAndRemainder(dividingBy: 1000)
    let digits = String(1000 + rest).dropFirst()
    return "INTERVAL '\(sign)\(seconds).\(digits)' SECOND(\(max(2, String(seconds).count)), 3)"
  }
}
