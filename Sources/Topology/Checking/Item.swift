/// A value in the document: what it is, where it stands, and what it is called. Reading it reports what is wrong with it.
struct Item {
  let node: DocumentNode
  /// Of the key before it, or its own.
  let keyPlace: Place
  let path: String
  let faults: FaultCollector

  var isEmpty: Bool { node.isEmpty }
  /// Whether the word `null` is written, without quotes.
  var saysNull: Bool {
    if case .scalar(let scalar) = node.content { scalar.isNull && scalar.written == "null" } else { false }
  }
  var isFromCommandLine: Bool { node.place.origin == .override }

  /// Reports a fault of the value.
  func fault(_ message: String, _ mend: String) { faults.report(node.place, path, message, mend) }

  /// Reports a fault of the key, or of the section behind it as a whole.
  func keyFault(_ message: String, _ mend: String) { faults.report(keyPlace, path, message, mend) }

  /// Reports a fault at a byte of the value's text.
  func fault(atByte offset: Int, of scalar: DocumentScalar, _ message: String, _ mend: String) {
    let place = faults.source.place(ofByte: scalar.writtenOffset(ofByte: offset), in: scalar, at: node.place)
    faults.report(node.place.origin == .file ? place : node.place, path, message, mend)
  }
}

// MARK: - Reading

extension Item {
  /// The single value's text; `expected` says in a fault what to write.
  func scalar(_ expected: String) -> DocumentScalar? {
    switch node.content {
    case .scalar(let scalar):
      if scalar.isUnresolved { return nil }
      if !scalar.isNull, !scalar.text.isEmpty || scalar.style != .plain { return scalar }
      fault("has no value", "write \(expected)")
    case .sequence: fault("is a list", "write \(expected)")
    case .mapping: fault("is a section", "write \(expected)")
    }
    return nil
  }

  /// A duration in milliseconds, at least `lowest`.
  func duration(atLeast lowest: Int64 = 0) -> Int64? {
    guard let scalar = scalar("a duration such as \(Durations.example)") else { return nil }
    guard let milliseconds = Durations.parse(scalar.text) else {
      durationFault(scalar, signed: false)
      return nil
    }
    guard milliseconds >= lowest else {
      fault("\(scalar.shown) is too short", "write \(Durations.format(lowest)) or more")
      return nil
    }
    return milliseconds
  }

  /// A duration that may be negative.
  func signedDuration() -> Int64? {
    guard let scalar = scalar("a duration such as -5m or 10m") else { return nil }
    let milliseconds = Durations.parse(scalar.text, signed: true)
    if milliseconds == nil { durationFault(scalar, signed: true) }
    return milliseconds
  }

  private func durationFault(_ scalar: DocumentScalar, signed: Bool) {
    if !signed, scalar.text.hasPrefix("-"), Durations.parse(scalar.text, signed: true) != nil {
      fault("\(scalar.shown) is negative", "write a duration such as \(Durations.example)")
    } else if Durations.isTooLong(scalar.text) {
      fault("\(scalar.shown) is too long", "write \(Durations.format(Durations.longestMilliseconds)) or less")
    } else if Int64(scalar.text) != nil {
      fault("`\(scalar.shown)` has no unit", "write \(scalar.shown)s, or another of ms, s, m, h, d")
    } else {
      fault("`\(scalar.shown)` is no duration", "write a whole number and a unit, such as \(Durations.example)")
    }
  }

  /// A whole number in `range`.
  func integer(in range: ClosedRange<Int64>) -> Int64? {
    guard let scalar = scalar("a whole number") else { return nil }
    guard let number = Int64(scalar.text) else {
      let digits = Int64(scalar.written.filter { $0 != "_" && $0 != "," && $0 != " " })
      let example = digits.flatMap { range.contains($0) ? $0 : nil } ?? (range.contains(10) ? 10 : range.lowerBound)
      fault("`\(scalar.shown)` is no whole number", "write digits only, such as \(example)")
      return nil
    }
    guard range.contains(number) else {
      let bound = number < range.lowerBound ? "at least \(range.lowerBound)" : "at most \(range.upperBound)"
      fault("\(scalar.shown) is out of range", "write \(bound)")
      return nil
    }
    return number
  }

  /// A number, as `0.01` or `50000`.
  func number(_ isAllowed: (Double) -> Bool, _ expected: String) -> Double? {
    guard let scalar = scalar(expected) else { return nil }
    let isPlain = scalar.text.utf8.allSatisfy { $0 &- 48 <= 9 || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
    guard isPlain, let number = Double(scalar.text), number.isFinite else {
      fault("`\(scalar.shown)` is no number", "write \(expected)")
      return nil
    }
    guard isAllowed(number) else {
      fault("\(scalar.shown) is out of range", "write \(expected)")
      return nil
    }
    return number
  }

  func size(atLeast lowest: Int) -> Int? {
    guard let scalar = scalar("a size such as 64KB, 256MB or 2GB") else { return nil }
    guard let bytes = Sizes.parse(scalar.text) else {
      fault("`\(scalar.shown)` is no size", "write a whole number and a unit: 64KB, 256MB or 2GB")
      return nil
    }
    guard bytes >= lowest else {
      fault("\(scalar.shown) is too small", "write \(Sizes.format(lowest)) or more")
      return nil
    }
    return bytes
  }

  func flag() -> Bool? {
    guard let scalar = scalar("true or false") else { return nil }
    switch scalar.text {
    case "true": return true
    case "false": return false
    default:
      fault("`\(scalar.shown)` is neither true nor false", "write true or false")
      return nil
    }
  }

  /// One of a few words.
  func choice(_ words: [String]) -> String? {
    guard let scalar = scalar(Shown.alternatives(words)) else { return nil }
    if words.contains(scalar.text) { return scalar.text }
    let mend = NearestName.nearest(to: scalar.text, among: words).map { "did you mean `\($0)`?" }
    fault("`\(scalar.shown)` is not known here", mend ?? "write \(Shown.alternatives(words))")
    return nil
  }

  /// The items of a list; a single value is a list of one.
  var elements: [Item] {
    guard case .sequence(let nodes) = node.content else { return [self] }
    return nodes.enumerated().map { index, node in
      Item(node: node, keyPlace: node.place, path: "\(path)[\(index)]", faults: faults)
    }
  }

  /// What stands under `key`, if the value is a section that has it; reports nothing.
  func peek(_ key: String) -> Item? {
    guard case .mapping(let entries) = node.content else { return nil }
    return Section(entries: entries, keyPlace: keyPlace, path: path, faults: faults)[key]
  }

  /// The value as a section with these keys; nil where it is something else. Unknown keys are faults.
  func section(_ known: [String], expected: String) -> Section? {
    guard let section = openSection(expected: expected) else { return nil }
    section.checkKeys(known)
    return section
  }

  /// The value as a section whose keys are the user's.
  func openSection(expected: String) -> Section? {
    switch node.content {
    case .mapping(let entries):
      return Section(entries: entries, keyPlace: keyPlace, path: path, faults: faults)
    case .scalar(let scalar) where scalar.isNull:
      return Section(entries: [], keyPlace: keyPlace, path: path, faults: faults)
    case .scalar: fault("is a single value", "write \(expected)")
    case .sequence: fault("is a list", "write \(expected)")
    }
    return nil
  }
}

/// A mapping in the document.
struct Section {
  let entries: [DocumentEntry]
  let keyPlace: Place
  let path: String
  let faults: FaultCollector

  /// Every `key: value`, in the order of the file.
  var items: [(name: String, item: Item)] { entries.map { ($0.key, item($0)) } }

  subscript(key: String) -> Item? { entries.first { $0.key == key }.map(item) }

  private func item(_ entry: DocumentEntry) -> Item {
    Item(node: entry.value, keyPlace: entry.place, path: child(entry.key), faults: faults)
  }

  func child(_ key: String) -> String { Shown.text(path.isEmpty ? key : "\(path).\(key)") }

  /// Reports a fault of the section as a whole.
  func fault(_ message: String, _ mend: String) { faults.report(keyPlace, path, message, mend) }

  /// The value of a key that must be there.
  func required(_ key: String, _ expected: String) -> Item? {
    if let item = self[key] { return item }
    faults.report(keyPlace, child(key), "is missing", "write \(expected)")
    return nil
  }

  func checkKeys(_ known: [String]) {
    for (name, item) in items where !known.contains(name) {
      item.keyFault("is not known", NearestName.suggestion(for: name, among: known, otherwise: "remove it"))
    }
  }
}
