/// A schema registry that speaks Confluent's REST protocol.
///
/// Schemas never change under their number, so both ways are kept for good.
package final class HTTPSchemaRegistry: SchemaRegistry {
  private let exchange: RegistryExchange
  private var schemas: [Int32: AvroSchema] = [:]
  private var numbers: [Registration: Int32] = [:]

  private struct Registration: Hashable {
    let subject: String
    let schema: String
  }

  /// How deep schemas may refer to one another.
  private static let maxReferenceDepth = 16

  package convenience init(_ options: RegistryOptions) { self.init(options, attempts: 4) }

  /// - Parameter attempts: How often a registry that does not answer is asked in all.
  package init(_ options: RegistryOptions, attempts: Int) {
    exchange = RegistryExchange(options, attempts: attempts)
  }

  package func schema(number: Int32) throws(SchemaRegistryError) -> AvroSchema {
    if let known = schemas[number] { return known }
    let what = "schema \(number)"
    let answer = try exchange.get("schemas/ids/\(number)", what)
    let schema = try parse(answer, what)
    schemas[number] = schema
    return schema
  }

  private func parse(_ answer: JSONNode, _ what: String) throws(SchemaRegistryError) -> AvroSchema {
    if let type = answer["schemaType"]?.text, type != "AVRO" {
      throw SchemaRegistryError(.refused, "\(what) is \(type), not Avro — read it with another format")
    }
    let texts = try texts(answer, what, depth: 0)
    do {
      return try AvroSchema.parse(texts)
    } catch {
      throw SchemaRegistryError(.refused, "\(what) in the registry: \(error)")
    }
  }

  /// The texts of the schemas that an answer refers to, then its own.
  private func texts(_ answer: JSONNode, _ what: String, depth: Int) throws(SchemaRegistryError) -> [String] {
    guard let text = answer["schema"]?.text, depth < HTTPSchemaRegistry.maxReferenceDepth else {
      throw SchemaRegistryError(.refused, "\(what): the registry's answer holds no schema — check its address")
    }
    var texts: [String] = []
    for reference in answer["references"]?.elements ?? [] {
      guard let subject = reference["subject"]?.text, let version = reference["version"]?.integer else { continue }
      let name = "version \(version) of \(subject)"
      let path = "subjects/\(RegistryExchange.escaped(subject))/versions/\(version)"
      let referred = try self.texts(try exchange.get(path, name), name, depth: depth + 1)
      texts += referred.filter { !texts.contains($0) }
    }
    return texts + [text]
  }

  package func register(_ schema: String, subject: String) throws(SchemaRegistryError) -> Int32 {
    let registration = Registration(subject: subject, schema: schema)
    if let known = numbers[registration] { return known }
    let what = "the schema of subject \(subject)"
    let path = "subjects/\(RegistryExchange.escaped(subject))"
    do throws(SchemaRegistryError) {
      let number = try number(try exchange.post("\(path)/versions", HTTPSchemaRegistry.body(schema), what), what)
      numbers[registration] = number
      return number
    } catch {
      guard error.kind == .incompatible else { throw error }
      throw SchemaRegistryError(.incompatible, error.description + incompatibilities(schema, subject))
    }
  }

  package func number(of schema: String, subject: String) throws(SchemaRegistryError) -> Int32 {
    let registration = Registration(subject: subject, schema: schema)
    if let known = numbers[registration] { return known }
    let what = "the schema of subject \(subject)"
    let path = "subjects/\(RegistryExchange.escaped(subject))"
    let number = try number(try exchange.post(path, HTTPSchemaRegistry.body(schema), what), what)
    numbers[registration] = number
    return number
  }

  private func number(_ answer: JSONNode, _ what: String) throws(SchemaRegistryError) -> Int32 {
    guard let number = answer["id"]?.integer.flatMap({ Int32(exactly: $0) }) else {
      throw SchemaRegistryError(.refused, "\(what): the registry's answer holds no number — check its address")
    }
    return number
  }

  private static func body(_ schema: String) -> JSONNode { .object([JSONNode.Member("schema", .string(schema))]) }

  /// What exactly does not fit, as the registry tells when asked; empty where it does not.
  private func incompatibilities(_ schema: String, _ subject: String) -> String {
    let path = "compatibility/subjects/\(RegistryExchange.escaped(subject))/versions/latest?verbose=true"
    guard let answer = try? exchange.post(path, HTTPSchemaRegistry.body(schema), "compatibility") else { return "" }
    let messages = (answer["messages"]?.elements ?? []).compactMap(\.text)
    return messages.isEmpty ? "" : ": " + messages.joined(separator: "; ")
  }
}
