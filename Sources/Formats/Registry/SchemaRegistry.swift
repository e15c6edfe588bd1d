/// Numbers Avro schemas and hands them out: what stands behind the first five bytes of a message.
///
/// Calls block; what is known is kept. One owner.
package protocol SchemaRegistry: AnyObject {
  /// The schema of a number.
  func schema(number: Int32) throws(SchemaRegistryError) -> AvroSchema
  /// The number of `schema` under `subject`, where it is registered if it was not.
  func register(_ schema: String, subject: String) throws(SchemaRegistryError) -> Int32
  /// The number of `schema`, which is registered under `subject`.
  func number(of schema: String, subject: String) throws(SchemaRegistryError) -> Int32
}

/// What a registry did not give.
package struct SchemaRegistryError: Error, Equatable, Sendable, CustomStringConvertible {
  package enum Kind: Hashable, Sendable {
    /// It does not answer, or not now. Trying again may help.
    case unavailable
    /// It does not know what it was asked for.
    case absent
    /// Its compatibility rules refuse the schema.
    case incompatible
    /// It refuses, or answers what makes no sense.
    case refused
  }

  package let kind: Kind
  /// What is wrong, and how to mend it; no secret.
  package let description: String

  package init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }
}
