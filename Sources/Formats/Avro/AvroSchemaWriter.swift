import StreamModel

/// Columns as an Avro schema: what is written.
package enum AvroSchemaWriter {
  /// The schema's JSON. Every column is named as Avro allows (`AvroNames`); a nullable one is a union with null, its default.
  package static func schema(of columns: Schema, recordName: String) -> JSONNode {
    let parts = recordName.split(separator: ".")
    var members = [
      JSONNode.Member("type", .string("record")), JSONNode.Member("name", .string(String(parts.last ?? ""))),
    ]
    if parts.count > 1 {
      members.append(JSONNode.Member("namespace", .string(parts.dropLast().joined(separator: "."))))
    }
    members.append(JSONNode.Member("fields", .array(columns.fields.map(field))))
    return .object(members)
  }

  private static func field(_ field: Field) -> JSONNode {
    let type = type(field.type)
    var members = [JSONNode.Member("name", .string(field.name))]
    members.append(JSONNode.Member("type", field.nullable ? .array([.string("null"), type]) : type))
    if field.nullable { members.append(JSONNode.Member("default", .null)) }
    return .object(members)
  }

  private static func type(_ type: DataType) -> JSONNode {
    switch type {
    case .boolean: .string("boolean")
    case .int64: .string("long")
    case .double: .string("double")
    case .string: .string("string")
    case .bytes: .string("bytes")
    case .date: logical("int", "date")
    case .timestamp: logical("long", "timestamp-millis")
    case .decimal(let precision, let scale):
      logical(
        "bytes", "decimal", JSONNode.Member("precision", .number("\(precision)")),
        JSONNode.Member("scale", .number("\(scale)")))
    }
  }

  private static func logical(_ type: String, _ name: String, _ more: JSONNode.Member...) -> JSONNode {
    .object([JSONNode.Member("type", .string(type)), JSONNode.Member("logicalType", .string(name))] + more)
  }
}
