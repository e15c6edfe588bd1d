import Formats
import StreamModel

/// Reads `format:` and the options of each.
struct FormatChecker {
  let section: Section
  /// The directory that relative paths are relative to.
  let base: String
  /// What the connector calls itself.
  let connector: String

  /// Options of formats, and whose they are.
  private static let owners: [(key: String, format: String)] = [
    ("header", "csv"), ("delimiter", "csv"), ("quote", "csv"), ("reader_schema", "avro"), ("codec", "avro"),
    ("schema_name", "avro"), ("registry", "avro"), ("registry_credentials", "avro"), ("subject", "avro"),
    ("register", "avro"), ("metadata", "debezium-json"),
  ]

  /// What a source may say of its format, beside `format:`.
  static let sourceKeys = [
    "header", "delimiter", "quote", "reader_schema", "registry", "registry_credentials", "metadata",
  ]
  /// What a sink of files may, and one of messages.
  static let fileSinkKeys = ["format", "header", "delimiter", "quote", "codec", "schema_name"]
  static let messageSinkKeys = [
    "format", "header", "delimiter", "quote", "schema_name", "registry", "registry_credentials", "subject", "register",
  ]

  init(section: Section, base: String) {
    self.section = section
    self.base = base
    connector =
      section["connector"].flatMap { item in
        if case .scalar(let scalar) = item.node.content { scalar.text } else { nil }
      } ?? ""
  }

  /// The format of a source or sink; json where none is given. Nil, with a fault, where it is faulty.
  func read(allowed: [String]) -> Format? {
    guard let item = section["format"] else {
      rejectOptions(but: "json")
      return .json
    }
    guard let name = item.choice(allowed) else { return nil }
    rejectOptions(but: name)
    switch name {
    case "csv": return csv()
    case "avro": return AvroChecker(section: section, base: base, isMessages: connector == "kafka").check(item)
    case "debezium-json": return .debeziumJSON(DebeziumOptions(metadata: []))
    case "raw": return .raw
    default: return .json
    }
  }

  private func rejectOptions(but name: String) {
    for (key, format) in FormatChecker.owners where format != name {
      section[key]?.keyFault("belongs to format \(format), not to \(name)", "remove it, or write `format: \(format)`")
    }
  }

  /// csv with its options.
  func csv() -> Format? {
    var options = CSVOptions()
    // Records of a topic come one by one.
    let hasHeader = connector != "kafka"
    options.header = hasHeader
    var isFaulty = false
    if let item = section["header"] {
      if let flag = item.flag() { options.header = flag } else { isFaulty = true }
      if options.header, !hasHeader {
        item.fault("records of a topic come one by one, without a header", "write `header: false`, or leave it out")
        isFaulty = true
      }
    }
    for (key, path) in [("delimiter", \CSVOptions.delimiter), ("quote", \CSVOptions.quote)] {
      guard let item = section[key] else { continue }
      if let byte = character(item) { options[keyPath: path] = byte } else { isFaulty = true }
    }
    if !isFaulty, options.delimiter == options.quote {
      section[section["quote"] == nil ? "delimiter" : "quote"]?.fault(
        "delimiter and quote are the same character", "use two different ones")
      isFaulty = true
    }
    return isFaulty ? nil : .csv(options)
  }

  /// One ASCII character that is no letter, digit, blank or line end; `\t` is a tab.
  private func character(_ item: Item) -> UInt8? {
    guard let scalar = item.scalar("one character") else { return nil }
    let text = scalar.text == "\\t" ? "\t" : scalar.text
    guard text.utf8.count == 1, let byte = text.utf8.first, byte == 9 || (byte > 0x20 && byte < 0x7F) else {
      item.fault(
        "`\(scalar.shown)` is not one ASCII character", "write one character in quotes, such as \";\" or \"\\t\"")
      return nil
    }
    return byte
  }
}
