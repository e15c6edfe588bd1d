import Operators

/// A reference to a stream as it is written.
struct WrittenReference {
  let reference: StreamReference
  let item: Item

  /// As the author wrote it.
  var shown: String {
    if case .scalar(let scalar) = item.node.content { return scalar.shown }
    return reference.description
  }
}

/// A step as far as its text alone tells: its inputs by name, and which operation it is.
struct StepDraft {
  let name: String
  let item: Item
  let section: Section
  var inputs: [WrittenReference] = []
  /// A join's `with:`.
  var rightInputs: [WrittenReference] = []
  var operation: (kind: OperationKind, item: Item)?
  var isFaulty = false

  var allInputs: [WrittenReference] { inputs + rightInputs }

  /// Nil, with a fault, when the step is no section.
  init?(name: String, item: Item) {
    guard let section = item.openSection(expected: "`from:` and an operation") else { return nil }
    self.name = name
    self.item = item
    self.section = section
    Names.checkPart(name, item)
    section.checkKeys(["from", "on_error"] + OperationKind.names)
    readInputs()
    readOperation()
  }

  private mutating func readInputs() {
    guard let item = section.required("from", "the source or step it reads: from: usage") else {
      isFaulty = true
      return
    }
    guard let references = References.read(item) else {
      isFaulty = true
      return
    }
    inputs = references
  }

  private mutating func readOperation() {
    let found = OperationKind.allCases.compactMap { kind in section[kind.rawValue].map { (kind: kind, item: $0) } }
      .sorted { ($0.item.keyPlace.line, $0.item.keyPlace.column) < ($1.item.keyPlace.line, $1.item.keyPlace.column) }
    guard let first = found.first else {
      isFaulty = true
      // An operation with a slip in its name is reported as the key that it is.
      if section.items.contains(where: { NearestName.nearest(to: $0.name, among: OperationKind.names) != nil }) {
        return
      }
      section.fault("has no operation", "add one of \(OperationKind.names.joined(separator: ", "))")
      return
    }
    operation = first
    for other in found.dropFirst() {
      other.item.keyFault("is a second operation beside `\(first.kind.rawValue)`", "give it a step of its own")
      isFaulty = true
    }
    guard first.kind == .join, let with = first.item.peek("with") else { return }
    guard let references = References.read(with) else {
      isFaulty = true
      return
    }
    rightInputs = references
  }
}

/// Reads `from:` and `with:`.
enum References {
  /// One or several streams, each once; nil when any is faulty.
  static func read(_ item: Item) -> [WrittenReference]? {
    if case .mapping = item.node.content {
      item.fault("is a section", "write a source, a step, a port (`step.late`), or a list of them")
      return nil
    }
    let elements = item.elements
    guard !elements.isEmpty else {
      item.fault("is an empty list", "name a source or a step")
      return nil
    }
    var references: [WrittenReference] = []
    for element in elements {
      guard let reference = single(element) else { continue }
      let written = WrittenReference(reference: reference, item: element)
      if references.contains(where: { $0.reference == reference }) {
        element.fault("`\(written.shown)` is listed twice", "list it once: a union would hold its rows twice")
      } else {
        references.append(written)
      }
    }
    return references.count == elements.count ? references : nil
  }

  private static func single(_ item: Item) -> StreamReference? {
    guard let scalar = item.scalar("a source, a step or a port such as `step.late`") else { return nil }
    let parts = scalar.text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return StreamReference(producer: scalar.text) }
    guard let port = SidePort(rawValue: String(parts[1])) else {
      let names = SidePort.allCases.map(\.rawValue)
      let nearest = NearestName.nearest(to: String(parts[1]), among: names).map { "did you mean `\($0)`?" }
      item.fault("`\(scalar.shown)` names no port", nearest ?? "the ports are \(Shown.alternatives(names, "and"))")
      return nil
    }
    return StreamReference(producer: String(parts[0]), port: port)
  }
}
