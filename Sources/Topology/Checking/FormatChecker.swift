import Formats
import StreamModel

/// Reads `format:` and the options of csv.
enum FormatChecker {
  static let unavailable = ["avro", "debezium-json"]
  private static let csvKeys = ["header", "delimiter", "quote"]

  /// The format of a source or sink; json where none is given. Nil, with a fault, where it is faulty.
  static func read(_ section: Section, allowed: [String]) -> Format? {
    guard let item = section["format"] else {
      rejectCSVOptions(section, "json")
      return .json
    }
    if case .scalar(let scalar) = item.node.content, let name = unavailable.first(where: { $0 == scalar.text }) {
      item.fault("the \(name) format is not available in this version of Weir", "use \(Shown.alternatives(allowed))")
      return nil
    }
    guard let name = item.choice(allowed) else { return nil }
    guard name == "csv" else {
      rejectCSVOptions(section, name)
      return name == "raw" ? .raw : .json
    }
    return csv(section)
  }

  private static func rejectCSVOptions(_ section: Section, _ format: String) {
    for key in csvKeys {
      section[key]?.keyFault("belongs to format csv, not to \(format)", "remove it, or write `format: csv`")
    }
  }

  private static func csv(_ section: Section) -> Format? {
    var options = CSVOptions()
    var isFaulty = false
    if let item = section["header"] {
      if let flag = item.flag() { options.header = flag } else { isFaulty = true }
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
  private static func character(_ item: Item) -> UInt8? {
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
