/// Undoes what commas do to calls in flow mappings: YAML reads `{rate: decimal(18,8)}` as `rate: decimal(18` and a
/// second key `8)` with no value. Where a plain value has a parenthesis still open and keys without values follow, they
/// are one text again.
enum FlowText {
  static func rejoin(_ entries: [DocumentEntry], in mapping: Place, _ source: SourceText) -> [DocumentEntry] {
    guard let start = source.index(of: mapping), start < source.scalars.count, source.scalars[start] == "{" else {
      return entries
    }
    var joined: [DocumentEntry] = []
    var index = 0
    while index < entries.count {
      var entry = entries[index]
      index += 1
      while isOpen(entry.value), index < entries.count, entries[index].value.isEmpty,
        let text = text(from: entry.value.place, through: entries[index], source)
      {
        entry.value.content = .scalar(DocumentScalar(text, style: .plain))
        index += 1
      }
      joined.append(entry)
    }
    return joined
  }

  /// Whether a plain text has a parenthesis that is not closed.
  private static func isOpen(_ node: DocumentNode) -> Bool {
    guard case .scalar(let scalar) = node.content, scalar.style == .plain else { return false }
    var depth = 0
    for character in scalar.text.unicodeScalars {
      if character == "(" { depth += 1 }
      if character == ")" { depth -= 1 }
    }
    return depth > 0
  }

  /// What is written from a place through the key of `entry`, line ends as blanks.
  private static func text(from start: Place, through entry: DocumentEntry, _ source: SourceText) -> String? {
    guard let first = source.index(of: start), let key = source.index(of: entry.place) else { return nil }
    let end = key + entry.key.unicodeScalars.count
    guard first < key, end <= source.scalars.count, source.scalars[key..<end].elementsEqual(entry.key.unicodeScalars)
    else { return nil }
    var text = String.UnicodeScalarView()
    for scalar in source.scalars[first..<end] { text.append(SourceText.isLineBreak(scalar) ? " " : scalar) }
    return String(text)
  }
}
