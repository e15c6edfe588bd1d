import Formats
import StreamModel

/// Lays rows out as a table for a terminal.
///
/// Column widths come from the first batch. A wider cell that comes later widens its column where the terminal has room,
/// and the header is then shown again; where it has none the text ends in `…`. Numbers are never cut.
struct ConsoleTable {
  private let fields: [Field]
  private let width: Int
  private let height: Int
  private var widths: [Int]
  private var linesSinceHeader = Int.max

  private static let separator = " │ "
  /// Text columns are not made narrower than this to fit the terminal.
  private static let leastTextWidth = 8

  init(schema: Schema, width: Int, height: Int) {
    fields = schema.fields
    self.width = width
    self.height = height
    widths = schema.fields.map { TerminalText.width(of: $0.name) }
  }

  mutating func append(_ batch: RecordBatch, to buffer: inout ByteBuffer) {
    let cells = (0..<batch.count).map { row in batch.columns.map { ConsoleTable.text(of: $0, row: row) } }
    if fit(to: cells) { linesSinceHeader = .max }
    for row in cells {
      if linesSinceHeader >= height - 2 { appendHeader(to: &buffer) }
      append(line: row, to: &buffer)
      linesSinceHeader += 1
    }
  }

  // MARK: - Widths

  /// Widens columns for `cells` as far as the terminal allows; whether any changed.
  private mutating func fit(to cells: [[TerminalText]]) -> Bool {
    var wanted = widths
    for row in cells {
      for (column, cell) in row.enumerated() { wanted[column] = max(wanted[column], cell.width) }
    }
    narrow(&wanted)
    for column in wanted.indices { wanted[column] = max(wanted[column], isText(column) ? 0 : widths[column]) }
    defer { widths = wanted }
    return wanted != widths
  }

  /// Takes from the widest text columns until the line fits, or none can give more.
  private func narrow(_ wanted: inout [Int]) {
    var excess = wanted.reduce(0, +) + (wanted.count - 1) * 3 - width
    while excess > 0 {
      let givers = wanted.indices.filter { isText($0) && wanted[$0] > ConsoleTable.leastTextWidth }
      guard let widest = givers.max(by: { wanted[$0] < wanted[$1] }) else { return }
      wanted[widest] -= 1
      excess -= 1
    }
  }

  private func isText(_ column: Int) -> Bool { fields[column].type.layout == .view }

  // MARK: - Lines

  private mutating func appendHeader(to buffer: inout ByteBuffer) {
    if linesSinceHeader != .max { buffer.append(UInt8(ascii: "\n")) }
    append(line: fields.map { TerminalText($0.name) }, to: &buffer)
    let rule = widths.map { String(repeating: "─", count: $0) }.joined(separator: "─┼─")
    append(clipped: rule, to: &buffer)
    linesSinceHeader = 0
  }

  private func append(line cells: [TerminalText], to buffer: inout ByteBuffer) {
    var line = ""
    for (column, cell) in cells.enumerated() {
      if column > 0 { line += ConsoleTable.separator }
      let text = isText(column) ? cell.cut(to: widths[column]) : cell
      let blanks = String(repeating: " ", count: max(0, widths[column] - text.width))
      let isLast = column == cells.count - 1
      line += fields[column].type.isNumeric ? blanks + text.text : isLast ? text.text : text.text + blanks
    }
    append(clipped: line, to: &buffer)
  }

  private func append(clipped line: String, to buffer: inout ByteBuffer) {
    var text = TerminalText(shown: line).cut(to: width).text
    text += "\n"
    text.withUTF8 { buffer.append($0) }
  }

  // MARK: - Cells

  private static func text(of column: Column, row: Int) -> TerminalText {
    switch column.value(at: row) {
    case .null: TerminalText("null")
    case .boolean(let value): TerminalText(value ? "true" : "false")
    case .int64(let value): TerminalText(String(value))
    case .double(let value): TerminalText("\(value)")
    case .decimal(let value, let scale): TerminalText(Decimal.format(value, scale: scale))
    case .string(let value): TerminalText(value)
    case .bytes(let value): TerminalText(Base64.encode(value))
    case .date(let value): TerminalText(CivilTime.formatDate(value))
    case .timestamp(let value): TerminalText(CivilTime.formatTimestamp(value))
    }
  }
}

/// Text as a terminal shows it: control characters written out, so that data cannot steer the terminal, and its width known.
struct TerminalText {
  let text: String
  let width: Int

  init(_ raw: String) {
    let shown = raw.unicodeScalars.contains(where: TerminalText.isControl) ? TerminalText.escaped(raw) : raw
    self.init(shown: shown)
  }

  /// Text that has no control characters.
  init(shown: String) {
    text = shown
    width = TerminalText.width(of: shown)
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || (0x202A...0x202E).contains(scalar.value)
      || (0x2066...0x2069).contains(scalar.value)
  }

  private static func escaped(_ raw: String) -> String {
    var text = ""
    for scalar in raw.unicodeScalars {
      switch scalar {
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case _ where isControl(scalar): text += "\\u{\(String(scalar.value, radix: 16))}"
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text
  }

  /// How many character cells `text` takes.
  static func width(of text: String) -> Int {
    if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.utf8.count }
    return text.reduce(0) { $0 + width(of: $1) }
  }

  private static func width(of character: Character) -> Int {
    character.unicodeScalars.contains(where: isWide) ? 2 : 1
  }

  /// East Asian wide characters and pictographs (Unicode Standard Annex 11, by blocks).
  private static func isWide(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
      0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
      true
    default: false
    }
  }

  /// The text cut to `limit` cells, its last then `…`.
  func cut(to limit: Int) -> TerminalText {
    guard width > limit, limit > 0 else { return self }
    var kept = ""
    var taken = 0
    for character in text {
      let cells = TerminalText.width(of: character)
      if taken + cells > limit - 1 { break }
      kept.append(character)
      taken += cells
    }
    return TerminalText(shown: kept + "…")
  }
}
