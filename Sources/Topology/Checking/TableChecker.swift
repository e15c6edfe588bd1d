import Connectors
import Formats

/// Checks the `table:` of a lookup.
struct TableChecker {
  let item: Item
  let base: String

  func check(notes: inout [String]) -> TableConnector? {
    guard let section = item.openSection(expected: "{connector: file, path: rates.csv, format: csv}") else {
      return nil
    }
    let connector = ConnectorLanguage.read(
      section, among: ConnectorLanguage.tables, common: ["connector"], notes: &notes)
    switch connector?.name {
    case "file": return file(section)
    default: return nil
    }
  }

  private func file(_ section: Section) -> TableConnector? {
    let format = FormatChecker(section: section, base: base).read(allowed: ["json", "csv"])
    guard let item = section.required("path", "the table's file: path: rates.csv"),
      let path = PathText.read(item, relativeTo: base), let format
    else { return nil }
    return .file(FileTableSpec(path: path, format: format))
  }
}
