/// One column of a schema.
package struct Field: Hashable, Sendable {
  package let name: String
  package let type: DataType
  package let nullable: Bool

  package init(_ name: String, _ type: DataType, nullable: Bool = true) {
    self.name = name
    self.type = type
    self.nullable = nullable
  }
}

/// The names, types and order of a stream's columns. Names are unique.
package final class Schema: Sendable {
  package let fields: [Field]
  private let positions: [String: Int]

  package init(_ fields: [Field]) {
    self.fields = fields
    positions = Dictionary(fields.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  package var count: Int { fields.count }

  /// The position of the column called `name`, or nil.
  package func index(of name: String) -> Int? { positions[name] }

  package subscript(_ index: Int) -> Field { fields[index] }
}

extension Schema: Hashable {
  package static func == (left: Schema, right: Schema) -> Bool { left === right || left.fields == right.fields }
  package func hash(into hasher: inout Hasher) { hasher.combine(fields) }
}

extension Schema: CustomStringConvertible {
  package var description: String {
    fields.map { "\($0.name) \($0.type)\($0.nullable ? "" : " not null")" }.joined(separator: ", ")
  }
}
