import Formats
import StreamModel

/// Reads the options of `format: avro`. Files carry their schema, those of messages are in a registry.
struct AvroChecker {
  let section: Section
  let base: String
  let isMessages: Bool

  /// The format; nil, with faults, where an option is faulty. `format` is where `format:` stands.
  func check(_ format: Item) -> Format? {
    var options = AvroOptions()
    var isFaulty = false
    func read<Value>(_ key: String, _ target: WritableKeyPath<AvroOptions, Value>, _ value: (Item) -> Value?) {
      guard let item = section[key] else { return }
      if let value = value(item) { options[keyPath: target] = value } else { isFaulty = true }
    }
    read("reader_schema", \.readerSchema) { readerSchema($0).map(Optional.some) }
    read("codec", \.codec) { $0.choice(AvroCodec.allCases.map(\.rawValue)).flatMap(AvroCodec.init(rawValue:)) }
    read("schema_name", \.recordName, schemaName)
    read("registry", \.registry) { registry($0).map(Optional.some) }
    read("subject", \.subject) { $0.scalar("a subject such as usage-value").map(\.text) }
    read("register", \.registers) { $0.flag() }
    isFaulty = !checkRegistry(format) || isFaulty
    return isFaulty ? nil : .avro(options)
  }

  /// Whether the registry's options are there for messages, and only for them.
  private func checkRegistry(_ format: Item) -> Bool {
    if isMessages {
      if section["registry"] != nil { return true }
      format.fault(
        "Avro messages need a schema registry", "name it: registry: http://localhost:8081")
      return false
    }
    let keys = ["registry", "registry_credentials", "subject", "register"].compactMap { section[$0] }
    for item in keys { item.keyFault("belongs to messages; an Avro file carries its schema", "remove it") }
    return keys.isEmpty
  }

  private func registry(_ item: Item) -> RegistryOptions? {
    guard let scalar = item.scalar("the registry's address, such as http://localhost:8081") else { return nil }
    let parts = scalar.text.split(separator: "://", maxSplits: 1)
    guard parts.count == 2, ["http", "https"].contains(parts[0]), let host = parts[1].split(separator: "/").first
    else {
      item.fault("`\(scalar.shown)` is no address of a registry", "write one such as http://localhost:8081")
      return nil
    }
    if host.contains("@") {
      item.fault(
        "holds a user or password",
        "remove them here and set \(RegistryOptions.defaultCredentialsName)_USER and \(RegistryOptions.defaultCredentialsName)_PASSWORD in the environment"
      )
      return nil
    }
    var options = RegistryOptions(url: scalar.text)
    if let item = section["registry_credentials"] {
      let expected = "the beginning of two variables' names: MY_REGISTRY for MY_REGISTRY_USER and MY_REGISTRY_PASSWORD"
      guard let name = item.scalar(expected) else { return nil }
      guard AvroNames.isName(name.text) else {
        item.fault("`\(name.shown)` is no name of a variable", "write \(expected)")
        return nil
      }
      options.credentialsName = name.text
    }
    return options
  }

  private func schemaName(_ item: Item) -> String? {
    guard let scalar = item.scalar("a record's name such as com.example.Usage") else { return nil }
    if AvroNames.isFullName(scalar.text) { return scalar.text }
    item.fault("`\(scalar.shown)` is no Avro name", "use letters, digits and _, with dots between: com.example.Usage")
    return nil
  }

  private func readerSchema(_ item: Item) -> AvroSchema? {
    guard let path = PathText.read(item, relativeTo: base) else { return nil }
    switch TopologyFile.read(path) {
    case .unreadable(let message, let mend, _):
      item.fault("\(path) \(message)", mend)
      return nil
    case .text(let text):
      do throws(FormatError) {
        let schema = try AvroSchema.parse(text)
        if schema.rootRecord != nil { return schema }
        item.fault("\(path) is no schema of a record", "name a file that holds one: {\"type\": \"record\", …}")
      } catch {
        item.fault("\(path): \(error)", "correct the schema")
      }
      return nil
    }
  }
}

extension ReadSchema {
  /// The columns that a reader's schema gives: each field whose type a column can have.
  static func avro(_ schema: AvroSchema) -> ReadSchema {
    var columns = ReadSchema()
    for field in schema.rootRecord?.fields ?? [] {
      guard let type = AvroColumns.type(of: field.type, in: schema) else { continue }
      columns.fields.append(Field(field.name, type.type, nullable: type.nullable))
    }
    return columns
  }
}
