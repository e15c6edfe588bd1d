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
    var filling = Filling(scalar: scalar) { offset, message, mend in
      faults.report(faults.source.place(ofByte: offset, in: scalar, at: place), path, message, mend)
    }
    return filling.run(values)
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

/// One scalar being filled in.
private struct Filling {
  private let written: [UInt8]
  private var scalar: DocumentScalar
  private var text: [UInt8] = []
  private var cursor = 0
  /// Takes the offset in the written text, what is wrong and how to mend it.
  private let report: (Int, String, String) -> Void

  init(scalar: DocumentScalar, report: @escaping (Int, String, String) -> Void) {
    self.scalar = scalar
    self.report = report
    written = Array(scalar.written.utf8)
  }

  mutating func run(_ values: [String: String]) -> DocumentScalar {
    while cursor < written.count {
      if written[cursor...].starts(with: "$${".utf8) {
        put("${", for: cursor..<cursor + 3)
      } else if written[cursor...].starts(with: "${".utf8) {
        fillReference(values)
      } else {
        text.append(written[cursor])
        cursor += 1
      }
    }
    scalar.text = String(decoding: text, as: UTF8.self)
    return scalar
  }

  private mutating func put(_ value: String, for range: Range<Int>) {
    let start = text.count
    text.append(contentsOf: value.utf8)
    scalar.substitutions.append(.init(range: start..<text.count, writtenRange: range))
    cursor = range.upperBound
  }

  private mutating func fillReference(_ values: [String: String]) {
    guard let close = written[cursor...].firstIndex(of: UInt8(ascii: "}")) else {
      report(
        cursor, "has `${` without `}`",
        "write `${NAME}` or `${NAME:-default}`, or `$${` for the characters themselves")
      scalar.isUnresolved = true
      cursor = written.count
      return
    }
    let reference = String(decoding: written[cursor + 2..<close], as: UTF8.self)
    let value = value(of: reference, values)
    if value == nil { scalar.isUnresolved = true }
    put(value ?? "", for: cursor..<close + 1)
  }

  /// The value of `NAME` or `NAME:-default`; an unset or empty variable takes the default. Nil, with a fault, for none.
  private func value(of reference: String, _ values: [String: String]) -> String? {
    let bytes = Array(reference.utf8)
    let separator = bytes.indices.dropLast().first { bytes[$0...].starts(with: ":-".utf8) }
    let name = String(decoding: bytes[..<(separator ?? bytes.count)], as: UTF8.self)
    guard EnvironmentVariables.isName(name) else {
      report(
        cursor, "`${\(Shown.text(reference))}` names no environment variable", "write `${NAME}` or `${NAME:-default}`")
      return nil
    }
    let value = values[name]
    if let separator, value?.isEmpty ?? true { return String(decoding: bytes[(separator + 2)...], as: UTF8.self) }
    if value == nil {
      report(
        cursor, "the environment variable \(name) is not set", "set it, or give a default: `${\(name):-default}`")
    }
    return value
  }
}
