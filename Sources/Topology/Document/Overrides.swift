/// Values given on the command line: `--set sources.usage.path=/data/in` puts `/data/in` in the place of what the file
/// says there. Items of lists are `steps.all.from[1]` or `steps.all.from.1`. A setting that the file leaves out is added;
/// sources, steps, sinks and views are not.
struct Overrides {
  let faults: FaultCollector

  private struct Refusal: Error {
    let message: String
    let mend: String
  }

  /// Applies `overrides` in order; of two with one path the last counts.
  func apply(_ overrides: [String], to root: DocumentNode) -> DocumentNode {
    var root = root
    for override in overrides {
      guard let separator = override.firstIndex(of: "="), separator > override.startIndex else {
        faults.report(
          .override, "", "`\(Shown.text(override))` is not path=value", "write --set sources.usage.path=/data/in")
        continue
      }
      let path = String(override[..<separator])
      let value = DocumentScalar(String(override[override.index(after: separator)...]), style: .singleQuoted)
      do throws(Refusal) {
        let parts = try Overrides.split(path)
        guard parts.count <= YAMLReader.maxNesting else {
          throw Refusal(message: "has too many parts", mend: "check the path")
        }
        try set(value, at: parts[...], of: &root, parent: [])
      } catch {
        faults.report(.override, Shown.text(path), error.message, error.mend)
      }
    }
    return root
  }

  /// `a.b[1].c` as `a`, `b`, `1`, `c`.
  private static func split(_ path: String) throws(Refusal) -> [String] {
    var parts: [String] = [""]
    for character in path.unicodeScalars {
      switch character {
      case ".", "[": parts.append("")
      case "]": continue
      default: parts[parts.count - 1].unicodeScalars.append(character)
      }
    }
    guard parts.allSatisfy({ !$0.isEmpty }) else {
      throw Refusal(message: "is no path", mend: "write names with dots between: sources.usage.path")
    }
    return parts
  }

  private func set(_ value: DocumentScalar, at path: ArraySlice<String>, of node: inout DocumentNode, parent: [String])
    throws(Refusal)
  {
    guard let name = path.first else {
      guard case .scalar = node.content else {
        throw Refusal(message: "is a section or a list, and --set replaces single values", mend: "name a value in it")
      }
      node = DocumentNode(place: .override, content: .scalar(value))
      return
    }
    if node.isEmpty { node.content = .mapping([]) }
    switch node.content {
    case .scalar:
      throw Refusal(
        message: "`\(parent.joined(separator: "."))` is a single value",
        mend: "leave out `.\(path.joined(separator: "."))`")
    case .sequence(var items):
      guard let index = Int(name), items.indices.contains(index) else {
        throw Refusal(
          message: "`\(parent.joined(separator: "."))` is a list of \(items.count)",
          mend: "name an item by its position, from 0 to \(items.count - 1)")
      }
      try set(value, at: path.dropFirst(), of: &items[index], parent: parent + [name])
      node.content = .sequence(items)
    case .mapping(var entries):
      try set(value, at: path, in: &entries, parent: parent)
      node.content = .mapping(entries)
    }
  }

  private func set(
    _ value: DocumentScalar, at path: ArraySlice<String>, in entries: inout [DocumentEntry], parent: [String]
  ) throws(Refusal) {
    let name = path[path.startIndex]
    let index: Int
    if let existing = entries.firstIndex(where: { $0.key == name }) {
      index = existing
    } else {
      if parent.count == 1, let kind = Overrides.collections[parent[0]] {
        let names = entries.map(\.key)
        throw Refusal(
          message: "there is no \(kind) `\(name)`",
          mend: NearestName.suggestion(for: name, among: names, otherwise: "name one of the file's"))
      }
      index = entries.count
      let content: DocumentNode.Content = path.count == 1 ? .scalar(value) : .mapping([])
      entries.append(
        DocumentEntry(key: name, place: .override, value: DocumentNode(place: .override, content: content)))
    }
    try set(value, at: path.dropFirst(), of: &entries[index].value, parent: parent + [name])
  }

  /// Sections whose keys are the topology's own names, and what one of them is called.
  private static let collections = ["sources": "source", "steps": "step", "sinks": "sink", "views": "view"]
}
