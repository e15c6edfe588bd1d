/// A schema of Avro (1.12): a type, and the named types it refers to by full name.
package struct AvroSchema: Hashable, Sendable {
  package let root: AvroType
  package let named: [String: AvroNamedType]

  /// The named type behind a reference.
  func named(_ name: String) -> AvroNamedType {
    guard let type = named[name] else { preconditionFailure("a parsed schema defines every name it uses") }
    return type
  }

  /// The fields of the root, if that is a record.
  package var rootRecord: (name: String, fields: [AvroField])? {
    guard case .named(let name) = root, case .record(let fields) = named(name).kind else { return nil }
    return (name, fields)
  }
}

package indirect enum AvroType: Hashable, Sendable {
  case primitive(AvroPrimitive, AvroLogicalType?)
  case array(AvroType)
  case map(AvroType)
  case union([AvroType])
  /// By full name.
  case named(String)

  static let null = AvroType.primitive(.null, nil)
}

package enum AvroPrimitive: String, Hashable, Sendable, CaseIterable {
  case null, boolean, int, long, float, double, bytes, string
}

/// The logical types that mean something here; others are read as the type beneath, as the specification asks.
package enum AvroLogicalType: Hashable, Sendable {
  case decimal(precision: Int, scale: Int)
  case date
  case timestampMillis
  case timestampMicros
  case timestampNanos
  /// A wall clock's time, of no zone.
  case localTimestamp
}

package struct AvroField: Hashable, Sendable {
  package let name: String
  package let aliases: [String]
  package let type: AvroType
  package let defaultValue: JSONNode?
}

package struct AvroNamedType: Hashable, Sendable {
  package let name: String
  /// Full names.
  package let aliases: [String]
  package let kind: Kind

  package enum Kind: Hashable, Sendable {
    case record([AvroField])
    case enumeration(symbols: [String], defaultSymbol: String?)
    case fixed(sizeBytes: Int, AvroLogicalType?)
  }

  /// The name without its namespace, by which types are matched.
  var simpleName: Substring { AvroNamedType.simple(name) }

  static func simple(_ name: String) -> Substring { name.split(separator: ".").last ?? name[...] }
}

extension AvroSchema {
  /// A type as messages name it.
  func describe(_ type: AvroType) -> String {
    switch type {
    case .primitive(let primitive, let logical): logical.map { "\(primitive.rawValue) (\($0))" } ?? primitive.rawValue
    case .array: "array"
    case .map: "map"
    case .union(let branches): "union of " + branches.map(describe).joined(separator: ", ")
    case .named(let name):
      switch named(name).kind {
      case .record: "record \(name)"
      case .enumeration: "enum \(name)"
      case .fixed(let size, let logical): "fixed(\(size))\(logical.map { " (\($0))" } ?? "") \(name)"
      }
    }
  }
}

extension AvroLogicalType: CustomStringConvertible {
  package var description: String {
    switch self {
    case .decimal(let precision, let scale): "decimal(\(precision),\(scale))"
    case .date: "date"
    case .timestampMillis: "timestamp-millis"
    case .timestampMicros: "timestamp-micros"
    case .timestampNanos: "timestamp-nanos"
    case .localTimestamp: "local-timestamp"
    }
  }
}
