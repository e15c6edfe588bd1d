import StreamModel

/// The columns that Avro's types make.
package enum AvroColumns {
  /// The column's type for a field's; nil where no column holds it.
  package static func type(of type: AvroType, in schema: AvroSchema) -> (type: DataType, nullable: Bool)? {
    switch type {
    case .union(let branches):
      let types = branches.filter { $0 != .null }
      guard types.count == 1 else { return nil }
      return self.type(of: types[0], in: schema).map { ($0.type, $0.nullable || types.count < branches.count) }
    case .primitive(let primitive, let logical):
      return self.type(of: primitive, logical).map { ($0, false) }
    case .named(let name):
      switch schema.named(name).kind {
      case .enumeration: return (.string, false)
      case .fixed(_, .decimal(let precision, let scale)) where precision <= DataType.maxDecimalPrecision:
        return (.decimal(precision: precision, scale: scale), false)
      case .fixed: return (.bytes, false)
      case .record: return nil
      }
    case .array, .map: return nil
    }
  }

  private static func type(of primitive: AvroPrimitive, _ logical: AvroLogicalType?) -> DataType? {
    switch (primitive, logical) {
    case (_, .decimal(let precision, let scale)) where precision <= DataType.maxDecimalPrecision:
      .decimal(precision: precision, scale: scale)
    case (_, .date): .date
    case (_, .timestampMillis), (_, .timestampMicros), (_, .timestampNanos): .timestamp
    case (.boolean, _): .boolean
    case (.int, _), (.long, _): .int64
    case (.float, _), (.double, _): .double
    case (.string, _): .string
    case (.bytes, _): .bytes
    case (.null, _): nil
    }
  }
}
