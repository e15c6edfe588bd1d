import CSimdJSON
import StreamModel

/// What a decoder reads and what it keeps: the schema's fields, and which of them become columns in which order.
struct DecodePlan {
  let schema: Schema
  let materialize: [Int]
  let epochSecondColumns: Set<Int>

  /// Calls `body` with the fields as the native decoders take them; they are valid during the call.
  func withFields<Result>(_ body: (UnsafePointer<weir_field>, Int) -> Result) -> Result {
    let names = schema.fields.map { Array($0.name.utf8) }
    let text = names.flatMap { $0 }
    return text.withUnsafeBufferPointer { text in
      var fields: [weir_field] = []
      var start = 0
      for index in 0..<schema.count {
        let name = text.baseAddress.map { $0 + start }
        fields.append(field(index, name: name, nameLength: names[index].count))
        start += names[index].count
      }
      fields.append(weir_field())  // so that there is an address even without fields
      return fields.withUnsafeBufferPointer { body($0.baseAddress.unsafelyUnwrapped, schema.count) }
    }
  }

  private func field(_ index: Int, name: UnsafePointer<UInt8>?, nameLength: Int) -> weir_field {
    let type = schema[index].type
    var field = weir_field()
    field.name = name
    field.name_length = nameLength
    field.kind = UInt8(epochSecondColumns.contains(index) ? WEIR_KIND_TIMESTAMP_SECONDS : type.nativeKind)
    if case .decimal(let precision, let scale) = type {
      field.precision = UInt8(precision)
      field.scale = UInt8(scale)
    }
    field.nullable = schema[index].nullable
    field.column = Int32(materialize.firstIndex(of: index) ?? -1)
    return field
  }
}

extension DataType {
  /// The type's `WEIR_KIND_`.
  var nativeKind: Int {
    switch self {
    case .boolean: Int(WEIR_KIND_BOOLEAN)
    case .int64: Int(WEIR_KIND_INT64)
    case .double: Int(WEIR_KIND_DOUBLE)
    case .decimal: Int(layout == .int64 ? WEIR_KIND_DECIMAL64 : WEIR_KIND_DECIMAL128)
    case .string: Int(WEIR_KIND_STRING)
    case .bytes: Int(WEIR_KIND_BYTES)
    case .date: Int(WEIR_KIND_DATE)
    case .timestamp: Int(WEIR_KIND_TIMESTAMP)
    }
  }
}
