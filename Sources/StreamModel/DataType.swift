/// The type of a column: what the topology language calls a type.
///
/// Each type has one physical `Layout`; decimals choose theirs by precision.
package enum DataType: Hashable, Sendable {
  case boolean
  case int64
  case double
  /// An exact number of at most `precision` digits, `scale` of them after the point. `1 ≤ precision ≤ 38`, `0 ≤ scale ≤ precision`.
  case decimal(precision: Int, scale: Int)
  /// UTF-8 text.
  case string
  case bytes
  /// Days since 1970-01-01.
  case date
  /// Milliseconds since 1970-01-01T00:00:00Z.
  case timestamp

  /// How values of a type lie in memory.
  package enum Layout: Hashable, Sendable {
    /// One byte a row, 0 or 1.
    case bool8
    /// Eight bytes a row: int64, timestamp (ms), date (days), decimals of at most 18 digits (scaled).
    case int64
    /// An IEEE 754 double a row.
    case float64
    /// Sixteen bytes a row: decimals of 19 to 38 digits (scaled).
    case int128
    /// Eight bytes a row that point into a byte area: string, bytes.
    case view

    /// Bytes of fixed-width storage per row.
    package var strideBytes: Int {
      switch self {
      case .bool8: 1
      case .int64, .float64, .view: 8
      case .int128: 16
      }
    }
  }

  /// The most digits a decimal can have, and the most that fit eight bytes.
  package static let maxDecimalPrecision = 38
  package static let maxInt64DecimalPrecision = 18

  package var layout: Layout {
    switch self {
    case .boolean: .bool8
    case .int64, .date, .timestamp: .int64
    case .double: .float64
    case .decimal(let precision, _): precision <= DataType.maxInt64DecimalPrecision ? .int64 : .int128
    case .string, .bytes: .view
    }
  }

  package var isNumeric: Bool {
    switch self {
    case .int64, .double, .decimal: true
    default: false
    }
  }
}

extension DataType: CustomStringConvertible {
  /// The type as the topology language writes it.
  package var description: String {
    switch self {
    case .boolean: "boolean"
    case .int64: "int64"
    case .double: "double"
    case .decimal(let precision, let scale): "decimal(\(precision),\(scale))"
    case .string: "string"
    case .bytes: "bytes"
    case .date: "date"
    case .timestamp: "timestamp"
    }
  }
}
