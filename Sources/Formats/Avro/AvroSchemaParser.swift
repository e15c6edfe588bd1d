extension AvroSchema {
  /// Parses a schema's JSON. Throws, naming the place, where it is no schema.
  package static func parse(_ text: String) throws(FormatError) -> AvroSchema {
    let node: JSONNode
    do {
      node = try JSONNode.parse(text)
    } catch {
      // A bare name such as `string` is often stored without its quotes.
      guard AvroPrimitive(rawValue: text) != nil else { throw FormatError("the Avro schema is \(error)") }
      node = .string(text)
    }
    return try parse(node)
  }

  package static func parse(_ node: JSONNode) throws(FormatError) -> AvroSchema { try parse(nodes: [node]) }

  /// Parses schemas of which later ones may use the types of earlier ones; the last is the one meant.
  package static func parse(_ texts: [String]) throws(FormatError) -> AvroSchema {
    if texts.count == 1 { return try parse(texts[0]) }
    var nodes: [JSONNode] = []
    for text in texts { nodes.append(try JSONNode.parse(text)) }
    return try parse(nodes: nodes)
  }

  private static func parse(nodes: [JSONNode]) throws(FormatError) -> AvroSchema {
    var parser = AvroSchemaParser()
    var root = AvroType.null
    for node in nodes { root = try parser.type(node, namespace: "", path: "") }
    return AvroSchema(root: root, named: parser.named)
  }
}

/// Reads types, gathering the named ones. Names resolve to what was defined before them, as the specification has it.
private struct AvroSchemaParser {
  private(set) var named: [String: AvroNamedType] = [:]
  /// Named types whose definition is being read.
  private var open: Set<String> = []
  private var depth = 0

  private static let maxDepth = 64

  private func error(_ path: String, _ problem: String) -> FormatError {
    FormatError("the Avro schema is faulty\(path.isEmpty ? "" : " at \(path)"): \(problem)")
  }

  mutating func type(_ node: JSONNode, namespace: String, path: String) throws(FormatError) -> AvroType {
    depth += 1
    defer { depth -= 1 }
    if depth > AvroSchemaParser.maxDepth {
      throw error(path, "it is nested more than \(AvroSchemaParser.maxDepth) deep")
    }
    switch node {
    case .string(let name): return try reference(name, namespace, path)
    case .array(let branches): return try union(branches, namespace, path)
    case .object: return try complex(node, namespace, path)
    default: throw error(path, "\(node) is no type")
    }
  }

  private func reference(_ name: String, _ namespace: String, _ path: String) throws(FormatError) -> AvroType {
    if let primitive = AvroPrimitive(rawValue: name) { return .primitive(primitive, nil) }
    let full = AvroSchemaParser.fullName(name, namespace)
    // A name without its namespace may also be one of the null namespace.
    for candidate in [full, name] where named[candidate] != nil || open.contains(candidate) { return .named(candidate) }
    throw error(path, "there is no type \(name)")
  }

  private static func fullName(_ name: String, _ namespace: String) -> String {
    name.contains(".") || namespace.isEmpty ? name : "\(namespace).\(name)"
  }

  private mutating func union(
    _ branches: [JSONNode], _ namespace: String, _ path: String
  ) throws(FormatError) -> AvroType {
    var types: [AvroType] = []
    for branch in branches {
      let type = try type(branch, namespace: namespace, path: path)
      if case .union = type { throw error(path, "a union holds a union") }
      types.append(type)
    }
    return .union(types)
  }

  private mutating func complex(_ node: JSONNode, _ namespace: String, _ path: String) throws(FormatError) -> AvroType {
    guard let kind = node["type"] else { throw error(path, "a type lacks `type`") }
    guard case .string(let name) = kind else { return try type(kind, namespace: namespace, path: path) }
    switch name {
    case "array":
      guard let items = node["items"] else { throw error(path, "an array lacks `items`") }
      return .array(try type(items, namespace: namespace, path: path))
    case "map":
      guard let values = node["values"] else { throw error(path, "a map lacks `values`") }
      return .map(try type(values, namespace: namespace, path: path))
    case "record", "error", "enum", "fixed": return try define(name, node, namespace, path)
    default:
      guard let primitive = AvroPrimitive(rawValue: name) else { return try reference(name, namespace, path) }
      return .primitive(primitive, logicalType(node, primitive))
    }
  }

  // MARK: Named types

  private mutating func define(
    _ kind: String, _ node: JSONNode, _ outer: String, _ path: String
  ) throws(FormatError) -> AvroType {
    guard let written = node["name"]?.text, AvroNames.isFullName(written) else {
      throw error(path, "a \(kind) has no name of letters, digits and _")
    }
    let name = AvroSchemaParser.fullName(written, node["namespace"]?.text ?? outer)
    let namespace = name.split(separator: ".").dropLast().joined(separator: ".")
    guard named[name] == nil, !open.contains(name) else { throw error(path, "\(name) is defined twice") }
    let aliases = (node["aliases"]?.elements ?? []).compactMap(\.text).map {
      AvroSchemaParser.fullName($0, namespace)
    }
    open.insert(name)
    defer { open.remove(name) }
    let meaning = try self.kind(kind, node, namespace, path.isEmpty ? name : path)
    named[name] = AvroNamedType(name: name, aliases: aliases, kind: meaning)
    return .named(name)
  }

  private mutating func kind(
    _ kind: String, _ node: JSONNode, _ namespace: String, _ path: String
  ) throws(FormatError) -> AvroNamedType.Kind {
    switch kind {
    case "enum":
      let symbols = (node["symbols"]?.elements ?? []).compactMap(\.text)
      guard !symbols.isEmpty, Set(symbols).count == symbols.count else {
        throw error(path, "an enum needs symbols, each once")
      }
      return .enumeration(symbols: symbols, defaultSymbol: node["default"]?.text)
    case "fixed":
      guard let size = node["size"]?.integer, size >= 0, size <= 1 << 20 else {
        throw error(path, "a fixed has no size")
      }
      return .fixed(sizeBytes: size, decimal(node))
    default: return .record(try fields(node, namespace, path))
    }
  }

  private mutating func fields(
    _ node: JSONNode, _ namespace: String, _ path: String
  ) throws(FormatError) -> [AvroField] {
    guard let nodes = node["fields"]?.elements else { throw error(path, "a record lacks `fields`") }
    var fields: [AvroField] = []
    for node in nodes {
      guard let name = node["name"]?.text, AvroNames.isName(name) else {
        throw error(path, "a field has no name of letters, digits and _")
      }
      guard let type = node["type"] else { throw error("\(path).\(name)", "the field lacks `type`") }
      if fields.contains(where: { $0.name == name }) { throw error(path, "the field \(name) is there twice") }
      fields.append(
        AvroField(
          name: name, aliases: (node["aliases"]?.elements ?? []).compactMap(\.text),
          type: try self.type(type, namespace: namespace, path: "\(path).\(name)"), defaultValue: node["default"]))
    }
    return fields
  }

  // MARK: Logical types

  private func logicalType(_ node: JSONNode, _ primitive: AvroPrimitive) -> AvroLogicalType? {
    switch (node["logicalType"]?.text, primitive) {
    case ("decimal", .bytes): decimal(node)
    case ("date", .int): .date
    case ("timestamp-millis", .long): .timestampMillis
    case ("timestamp-micros", .long): .timestampMicros
    case ("timestamp-nanos", .long): .timestampNanos
    case ("local-timestamp-millis", .long), ("local-timestamp-micros", .long), ("local-timestamp-nanos", .long):
      .localTimestamp
    default: nil
    }
  }

  /// Nil for an unsound one, which is read as the type beneath.
  private func decimal(_ node: JSONNode) -> AvroLogicalType? {
    guard node["logicalType"]?.text == "decimal", let precision = node["precision"]?.integer, precision > 0 else {
      return nil
    }
    let scale = node["scale"]?.integer ?? 0
    return scale >= 0 && scale <= precision ? .decimal(precision: precision, scale: scale) : nil
  }
}

/// What Avro lets things be called.
package enum AvroNames {
  package static func isName(_ text: some StringProtocol) -> Bool {
    guard let first = text.utf8.first, first &- 48 > 9 else { return false }
    return text.utf8.allSatisfy { byte in
      byte &- 48 <= 9 || byte == UInt8(ascii: "_")
        || byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")
    }
  }

  /// A name with or without a namespace.
  package static func isFullName(_ text: String) -> Bool {
    text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy(isName)
  }
}
