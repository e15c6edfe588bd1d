import Yams

/// Reads a YAML text into a tree with places, within bounds.
///
/// The YAML library composes the whole text or nothing. To tell of every repeated key in one pass, a repeated key is
/// renamed in a copy of the text (one character, so that columns stay) and the text is composed again.
struct YAMLReader {
  /// Bounds that no topology written by hand reaches.
  static let maxNesting = 32
  static let maxNodes = 100_000
  static let maxAliases = 32
  private static let maxRenamings = 200
  /// Bound on the characters composed again for renamed keys.
  private static let maxRecomposed = 1 << 24
  private static let firstPlaceholder: UInt32 = 0xF_0000

  private let faults: FaultCollector
  private let source: SourceText
  /// Original first characters of renamed keys, by placeholder − `firstPlaceholder`.
  private var renamed: [Unicode.Scalar] = []
  private var nodesLeft = YAMLReader.maxNodes

  private init(faults: FaultCollector) {
    self.faults = faults
    source = faults.source
  }

  /// The document's root, or nil where the text is no YAML; then a fault says why.
  static func read(_ faults: FaultCollector) -> DocumentNode? {
    var reader = YAMLReader(faults: faults)
    guard reader.checkCharacters(), let root = reader.compose() else { return nil }
    return reader.convert(root, path: "", place: .start, depth: 0)
  }

  /// Control characters, and more aliases than could be meant.
  private func checkCharacters() -> Bool {
    var aliases = 0
    for (index, scalar) in source.scalars.enumerated() {
      let isControl =
        (scalar.value < 0x20 && !"\t\n\r".unicodeScalars.contains(scalar)) || scalar.value == 0x7F
        || scalar == "\u{FEFF}"
      if isControl || scalar.value >= YAMLReader.firstPlaceholder {
        let code = String(scalar.value, radix: 16, uppercase: true)
        faults.report(
          source.place(of: index), "", "holds the character U+\(code), which YAML does not allow here", "remove it")
        return false
      }
      if scalar == "*", isAlias(index) { aliases += 1 }
      if aliases > YAMLReader.maxAliases {
        faults.report(
          source.place(of: index), "", "has more than \(YAMLReader.maxAliases) aliases (`*name`)",
          "write the values out")
        return false
      }
    }
    return true
  }

  /// Whether the `*` at `index` can stand for an alias: where a value begins, with a name behind.
  private func isAlias(_ index: Int) -> Bool {
    guard index + 1 < source.scalars.count, !SourceText.isBlank(source.scalars[index + 1]) else { return false }
    var before = index - 1
    while before >= 0, SourceText.isBlank(source.scalars[before]) { before -= 1 }
    guard before >= 0, !SourceText.isLineBreak(source.scalars[before]) else { return true }
    return ":-,[{?".unicodeScalars.contains(source.scalars[before])
  }

  /// Composes the text, renaming repeated keys as often as needed.
  private mutating func compose() -> Node? {
    var scalars = source.scalars
    while true {
      do {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: scalars)
        if let root = try Yams.compose(yaml: String(text), .basic, .default, .utf8) { return root }
        faults.report(
          .start, "", "is empty", "write a topology: `weir: 1`, `topology: NAME`, `sources`, `steps`, `sinks`")
        return nil
      } catch YamlError.duplicatedKeysInMapping(let names, let context) {
        let place = Place(line: context.mark.line, column: context.mark.column)
        guard rename(names.first ?? "", at: place, in: &scalars) else {
          faults.report(place, "", "`\(Shown.text(names.first ?? ""))` is given more than once", "keep one of them")
          return nil
        }
      } catch {
        report(error)
        return nil
      }
    }
  }

  private mutating func rename(_ name: String, at place: Place, in scalars: inout [Unicode.Scalar]) -> Bool {
    guard renamed.count < YAMLReader.maxRenamings, renamed.count * scalars.count < YAMLReader.maxRecomposed,
      let first = name.unicodeScalars.first,
      var index = source.index(of: place), index < scalars.count
    else { return false }
    if scalars[index] == "\"" || scalars[index] == "'" { index += 1 }
    guard index < scalars.count, scalars[index] == first,
      let placeholder = Unicode.Scalar(YAMLReader.firstPlaceholder + UInt32(renamed.count))
    else { return false }
    scalars[index] = placeholder
    renamed.append(first)
    return true
  }

  /// The key as it was written.
  private func original(_ key: String) -> String {
    guard let first = key.unicodeScalars.first, first.value >= YAMLReader.firstPlaceholder else { return key }
    var scalars = key.unicodeScalars
    scalars.removeFirst()
    return String(renamed[Int(first.value - YAMLReader.firstPlaceholder)]) + String(scalars)
  }

  private func report(_ error: any Error) {
    switch error {
    case YamlError.scanner(let context, let problem, let mark, _),
      YamlError.parser(let context, let problem, let mark, _),
      YamlError.composer(let context, let problem, let mark, _):
      let place = Place(line: mark.line, column: mark.column)
      if problem.hasPrefix("Maximum nesting") {
        faults.report(place, "", "is nested too deeply", "write it with less nesting")
        return
      }
      if problem.hasPrefix("but found another document") {
        faults.report(place, "", "holds a second document", "write one topology a file")
        return
      }
      let situation = context.map { " \($0.text)" } ?? ""
      faults.report(place, "", "is no YAML: \(problem)\(situation)", mend(problem, at: place))
    default:
      faults.report(
        .start, "", "is no YAML that can be read: nested too deeply or damaged", "write it with less nesting")
    }
  }

  private func mend(_ problem: String, at place: Place) -> String {
    if let index = source.index(of: place), index < source.scalars.count, source.scalars[index] == "\t" {
      return "indent with blanks, not tabs"
    }
    if problem.hasPrefix("mapping values") { return "quote a text that holds `: `, and check the indentation" }
    if problem.hasPrefix("found undefined alias") { return "quote a text that begins with `*`" }
    if problem.hasPrefix("did not find expected") {
      return "check quotes, brackets and indentation; quote a text that holds a comma inside {…} or […]"
    }
    return "check quotes, brackets and indentation"
  }
}

// MARK: - From YAML nodes to the document

extension YAMLReader {
  private mutating func convert(_ node: Node, path: String, place parent: Place, depth: Int) -> DocumentNode? {
    let place = node.mark.map { Place(line: $0.line, column: $0.column) } ?? parent
    nodesLeft -= 1
    guard nodesLeft > 0 else {
      if nodesLeft == 0 {
        faults.report(
          place, path, "has more than \(YAMLReader.maxNodes) values", "use fewer aliases, or split the topology")
      }
      return nil
    }
    guard depth <= YAMLReader.maxNesting else {
      faults.report(
        place, path, "is nested more than \(YAMLReader.maxNesting) levels deep", "write it with less nesting")
      return nil
    }
    checkTag(at: place, path)
    switch node {
    case .scalar(let scalar): return DocumentNode(place: place, content: .scalar(convert(scalar)))
    case .sequence(let sequence): return convert(sequence, path, place, depth)
    case .mapping(let mapping): return convert(mapping, path, place, depth)
    case .alias: return nil
    }
  }

  private func checkTag(at place: Place, _ path: String) {
    guard let index = source.index(of: place), index < source.scalars.count, source.scalars[index] == "!" else {
      return
    }
    faults.report(
      place, path, "has a YAML tag (`!…`), which the topology language does not use",
      "remove the tag, or quote the text")
  }

  private func convert(_ scalar: Node.Scalar) -> DocumentScalar {
    switch scalar.style {
    case .any, .plain: DocumentScalar(scalar.string, style: .plain)
    case .singleQuoted: DocumentScalar(scalar.string, style: .singleQuoted)
    case .doubleQuoted: DocumentScalar(scalar.string, style: .doubleQuoted)
    case .literal, .folded: DocumentScalar(scalar.string, style: .block)
    }
  }

  private mutating func convert(_ sequence: Node.Sequence, _ path: String, _ place: Place, _ depth: Int) -> DocumentNode
  {
    var items: [DocumentNode] = []
    for (index, item) in sequence.enumerated() {
      guard let item = convert(item, path: "\(path)[\(index)]", place: place, depth: depth + 1) else { continue }
      items.append(item)
    }
    return DocumentNode(place: place, content: .sequence(items))
  }

  private mutating func convert(_ mapping: Node.Mapping, _ path: String, _ place: Place, _ depth: Int) -> DocumentNode {
    var entries: [DocumentEntry] = []
    for (key, value) in mapping {
      let keyPlace = key.mark.map { Place(line: $0.line, column: $0.column) } ?? place
      guard case .scalar(let scalar) = key else {
        faults.report(keyPlace, path, "has a key that is a list or a section", "write a plain name before the colon")
        continue
      }
      let name = original(scalar.string)
      guard let value = convert(value, path: entryPath(path, name), place: keyPlace, depth: depth + 1) else { continue }
      entries.append(DocumentEntry(key: name, place: keyPlace, value: value))
    }
    let joined = FlowText.rejoin(entries, in: place, source)
    return DocumentNode(place: place, content: .mapping(withoutRepetitions(joined, path)))
  }

  private func entryPath(_ path: String, _ name: String) -> String {
    Shown.text(path.isEmpty ? name : "\(path).\(name)")
  }

  /// The first entry of each key; every further one is a fault.
  private func withoutRepetitions(_ entries: [DocumentEntry], _ path: String) -> [DocumentEntry] {
    var lines: [String: Int] = [:]
    return entries.filter { entry in
      guard let line = lines[entry.key] else {
        lines[entry.key] = entry.place.line
        return true
      }
      faults.report(
        entry.place, entryPath(path, entry.key), "is given twice, first on line \(line)", "keep one of them")
      return false
    }
  }
}
