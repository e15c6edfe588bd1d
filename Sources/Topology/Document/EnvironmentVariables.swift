/// Puts environment variables into the values of a document: `${NAME}`, `${NAME:-default}`; `$${` stands for `${`.
struct EnvironmentVariables {
  let values: [String: String]
  let faults: FaultCollector

  /// `node` with every value of the file's filled in. Values from the command line stay as they are.
  func fill(_ node: DocumentNode, path: String = "") -> DocumentNode {
    var filled = node
    switch node.content {
    case .scalar(let scalar):
      if node.place.origin == .file, scalar.text.utf8.contains(UInt8(ascii: "$")) {
        filled.content = .scalar(fill(scalar, at: node.place, path))
      }
    case .sequence(let items):
      filled.content = .sequence(items.enumerated().map { fill($1, path: "\(path)[\($0)]") })
    case .mapping(let entries):
      filled.content = .mapping(
        entries.map { entry in
          var entry = entry
          entry.value = fill(entry.value, path: path.isEmpty ? entry.key : "\(path).\(entry.key)")
          return entry
        })
    }
    return filled
  }

  private func fill(_ scalar: DocumentScalar, at place: Place, _ path: String) -> DocumentScalar {
    let written = Array(scalar.written.utf8)
    var text: [UInt8] = []
    var filled = scalar
    var cursor = 0
    while cursor < written.count {
      let escaped = written[cursor...].starts(with: "$${".utf8)
      guard escaped || written[cursor...].starts(with: "${".utf8) else {
        text.append(written[cursor])
        cursor += 1
        continue
      }
      let start = text.count
      let end: Int
      if escaped {
        text.append(contentsOf: "${".utf8)
        end = cursor + 3
      } else {
        guard let close = written[cursor...].firstIndex(of: UInt8(ascii: "}")) else {
          report(
            scalar, place, cursor, path, "has `${` without `}`",
            "write `${NAME}` or `${NAME:-default}`, or `$${` for the characters themselves")
          return filled
        }
        end = close + 1
        let reference = String(decoding: written[cursor + 2..<close], as: UTF8.self)
        text.append(contentsOf: value(of: reference, scalar, place, cursor, path).utf8)
      }
      filled.substitutions.append(.init(range: start..<text.count, writtenRange: cursor..<end))
      cursor = end
    }
    filled.text = String(decoding: text, as: UTF8.self)
    return filled
  }

  /// The value of `NAME` or `NAME:-default`; an unset or empty variable takes the default.
  private func value(of reference: String, _ scalar: DocumentScalar, _ place: Place, _ offset: Int, _ path: String)
    -> String
  {
    let bytes = Array(reference.utf8)
    let separator = bytes.indices.dropLast().first {
      bytes[$0] == UInt8(ascii: ":") && bytes[$0 + 1] == UInt8(ascii: "-")
    }
    let name = String(decoding: bytes[..<(separator ?? bytes.count)], as: UTF8.self)
    guard EnvironmentVariables.isName(name) else {
      report(
        scalar, place, offset, path, "`${\(Shown.text(reference))}` names no environment variable",
        "write `${NAME}` or `${NAME:-default}`")
      return ""
    }
    if let separator {
      let value = values[name] ?? ""
      return value.isEmpty ? String(decoding: bytes[(separator + 2)...], as: UTF8.self) : value
    }
    if let value = values[name] { return value }
    report(
      scalar, place, offset, path, "the environment variable \(name) is not set",
      "set it, or give a default: `${\(name):-default}`")
    return ""
  }

  private func report(
    _ scalar: DocumentScalar, _ place: Place, _ offset: Int, _ path: String, _ message: String, _ mend: String
  ) {
    faults.report(faults.source.place(ofByte: offset, in: scalar, at: place), path, message, mend)
  }

  static func isName(_ text: String) -> Bool {
    guard let first = text.utf8.first,
      first | 0x20 >= UInt8(ascii: "a") && first | 0x20 <= UInt8(ascii: "z") || first == UInt8(ascii: "_")
    else { return false }
    return text.utf8.allSatisfy {
      ($0 | 0x20 >= UInt8(ascii: "a") && $0 | 0x20 <= UInt8(ascii: "z")) || $0 == UInt8(ascii: "_") || $0 &- 48 <= 9
    }
  }
}
