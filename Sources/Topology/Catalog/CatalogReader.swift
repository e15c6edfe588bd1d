import Operators
import StreamModel

/// Reads the catalogue that a step names: a YAML file with faults of its own, told together with the topology's.
enum CatalogReader {
  /// The catalogue, and its absolute path; nil, with faults, where it is faulty.
  static func read(_ item: Item, base: String) -> (catalog: TariffCatalog, path: String)? {
    guard case .scalar(let written) = item.node.content, let path = PathText.read(item, relativeTo: base) else {
      _ = item.scalar("the path of a catalogue of tariffs")
      return nil
    }
    switch TopologyFile.read(path) {
    case .unreadable(let message, let mend, let bytesBefore):
      if bytesBefore.isEmpty {
        item.fault("`\(written.shown)` \(message)", mend == "name a topology file" ? "name a catalogue" : mend)
      } else {
        let before = SourceText(String(decoding: bytesBefore, as: UTF8.self))
        let faults = FaultCollector(file: shownPath(written.text, item.faults), source: before)
        faults.report(before.place(of: before.scalars.count), "", message, mend)
        item.faults.add(faults)
      }
      return nil
    case .text(let text):
      let faults = FaultCollector(file: shownPath(written.text, item.faults), source: SourceText(text))
      let catalog = check(faults)
      item.faults.add(faults)
      return faults.isEmpty ? catalog.map { ($0, path) } : nil
    }
  }

  /// The path as the caller of the topology would write it.
  private static func shownPath(_ written: String, _ faults: FaultCollector) -> String {
    if written.hasPrefix("/") { return written }
    let parts = faults.file.split(separator: "/", omittingEmptySubsequences: false).dropLast()
    return (parts + [Substring(written)]).joined(separator: "/")
  }

  /// Reads and checks a catalogue's text.
  static func check(_ faults: FaultCollector) -> TariffCatalog? {
    guard let root = YAMLReader.read(faults) else { return nil }
    guard case .mapping(let entries) = root.content else {
      faults.report(root.place, "", "is no catalogue", "begin with `catalog: 1` and `name: NAME`")
      return nil
    }
    return CatalogChecker(root: Section(entries: entries, keyPlace: .start, path: "", faults: faults)).check()
  }
}
