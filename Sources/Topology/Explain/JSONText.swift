/// A JSON value whose objects keep the order they are written in.
package indirect enum JSONText {
  case null
  case flag(Bool)
  case integer(Int64)
  case number(Double)
  case string(String)
  case array([JSONText])
  case object([(String, JSONText)])

  /// Indented by two blanks a level.
  package var text: String {
    var text = ""
    write(to: &text, indentation: "")
    return text
  }

  /// On one line, without blanks.
  package var line: String {
    var text = ""
    writeLine(to: &text)
    return text
  }

  private func writeLine(to text: inout String) {
    switch self {
    case .null, .flag, .integer, .number, .string: write(to: &text, indentation: "")
    case .array(let items):
      text += "["
      for (index, item) in items.enumerated() {
        if index > 0 { text += "," }
        item.writeLine(to: &text)
      }
      text += "]"
    case .object(let entries):
      text += "{"
      for (index, entry) in entries.enumerated() {
        if index > 0 { text += "," }
        JSONText.quoted(entry.0, to: &text)
        text += ":"
        entry.1.writeLine(to: &text)
      }
      text += "}"
    }
  }

  private func write(to text: inout String, indentation: String) {
    switch self {
    case .null: text += "null"
    case .flag(let value): text += value ? "true" : "false"
    case .integer(let value): text += "\(value)"
    case .number(let value): text += PlanText.number(value)
    case .string(let value): JSONText.quoted(value, to: &text)
    case .array(let items):
      JSONText.writeAll(items, "[", "]", to: &text, indentation) { $0.write(to: &$1, indentation: $2) }
    case .object(let entries):
      JSONText.writeAll(entries, "{", "}", to: &text, indentation) { entry, text, indentation in
        JSONText.quoted(entry.0, to: &text)
        text += ": "
        entry.1.write(to: &text, indentation: indentation)
      }
    }
  }

  private static func writeAll<Element>(
    _ elements: [Element], _ open: String, _ close: String, to text: inout String, _ indentation: String,
    _ element: (Element, inout String, String) -> Void
  ) {
    guard !elements.isEmpty else {
      text += open + close
      return
    }
    let inner = indentation + "  "
    text += open
    for (index, value) in elements.enumerated() {
      text += (index == 0 ? "\n" : ",\n") + inner
      element(value, &text, inner)
    }
    text += "\n" + indentation + close
  }

  private static func quoted(_ value: String, to text: inout String) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      default:
        if scalar.value < 0x20 {
          let code = String(scalar.value, radix: 16)
          text += "\\u" + String(repeating: "0", count: 4 - code.count) + code
        } else {
          text.unicodeScalars.append(scalar)
        }
      }
    }
    text += "\""
  }
}
