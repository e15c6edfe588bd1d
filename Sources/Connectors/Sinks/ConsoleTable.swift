import Formats
import StreamModel

/// Lays rows out for a terminal, and never cuts a value.
///
/// A table, as long as it fits: column widths come from the first batch, and a wider cell that comes later widens its column under
/// a new header. Where the terminal has no room for that, text columns are made narrower, down to `leastTextWidth`, and longer
/// texts go on in further lines of their row. Where that does not suffice either, every row from then on is a record of its
/// own, one line a column.
struct ConsoleTable {
  private let fields: [Field]
  private let names: [TerminalText]
  private let width: Int
  private let height: Int
  private var widths: [Int]
  private var linesSinceHeader = Int.max
  private var isTable = true
  private var rowCount = 0

  private static let separator = " │ "
  /// Text columns are not made narrower than this to fit the terminal.
  private static let leastTextWidth = 16

  init(schema: Schema, width: Int, height: Int) {
    fields = schema.fields
    names = schema.fields.map { TerminalText($0.name) }
    self.width = width
    self.height = height
    widths = names.map(\.width)
  }

  mutating func append(_ batch: RecordBatch, to buffer: inout ByteBuffer) {
    let cells = (0..<batch.count).map { row in batch.columns.map { ConsoleTable.text(of: $0, row: row) } }
    if isTable, fit(to: cells) { linesSinceHeader = .max }
    for row in cells {
      rowCount += 1
      isTable ? appendRow(row, to: &buffer) : appendRecord(row, to: &buffer)
    }
  }

  // MARK: - Widths

  /// Widens columns for `cells` as far as the terminal allows; whether the table begins anew or ends.
  private mutating func fit(to cells: [[TerminalText]]) -> Bool {
    var wanted = widths
    for (column, name) in names.enumerated() { wanted[column] = max(wanted[column], name.width) }
    for row in cells {
      for (column, cell) in row.enumerated() { wanted[column] = max(wanted[column], cell.width) }
    }
    isTable = narrow(&wanted)
    defer { widths = wanted }
    return !isTable || wanted != widths
  }

  /// Takes from the widest text columns until the line fits; false where it does not.
  private func narrow(_ wanted: inout [Int]) -> Bool {
    var excess = wanted.reduce(0, +) + (wanted.count - 1) * 3 - width
    while excess > 0 {
      let givers = wanted.indices.filter { isText($0) && wanted[$0] > ConsoleTable.leastTextWidth }
      guard let widest = givers.max(by: { wanted[$0] < wanted[$1] }) else { return false }
      wanted[widest] -= 1
      excess -= 1
    }
    return true
  }

  private func isText(_ column: Int) -> Bool { fields[column].type.layout == .view }

  // MARK: - The table

  private mutating func appendRow(_ row: [TerminalText], to buffer: inout ByteBuffer) {
    if linesSinceHeader >= height - 2 { appendHeader(to: &buffer) }
    linesSinceHeader += append(cells: row, to: &buffer)
  }

  private mutating func appendHeader(to buffer: inout ByteBuffer) {
    if linesSinceHeader != .max { buffer.append(UInt8(ascii: "\n")) }
    _ = append(cells: names, to: &buffer)
    append(line: widths.map { String(repeating: "─", count: $0) }.joined(separator: "─┼─"), to: &buffer)
    linesSinceHeader = 0
  }

  /// Appends a row, in as many lines as its longest cell takes; returns how many.
  private func append(cells: [TerminalText], to buffer: inout ByteBuffer) -> Int {
    let pieces = zip(cells, widths).map { $0.wrapped(to: $1) }
    let count = pieces.map(\.count).max() ?? 0
    for index in 0..<count {
      var line = ""
      for (column, piece) in pieces.enumerated() {
        if column > 0 { line += ConsoleTable.separator }
        let text = index < piece.count ? piece[index] : TerminalText(shown: "")
        let blanks = String(repeating: " ", count: max(0, widths[column] - text.width))
        let isLast = column == cells.count - 1
        line += fields[column].type.isNumeric ? blanks + text.text : isLast ? text.text : text.text + blanks
      }
      append(line: line, to: &buffer)
    }
    return count
  }

  private func append(line: String, to buffer: inout ByteBuffer) {
    var text = line + "\n"
    text.withUTF8 { buffer.append($0) }
  }

  // MARK: - Records

  private func appendRecord(_ row: [TerminalText], to buffer: inout ByteBuffer) {
    let title = "── \(rowCount) "
    append(line: title + String(repeating: "─", count: max(0, min(width, 40) - title.count)), to: &buffer)
    let indentation = (names.map(\.width).max() ?? 0) + 2
    for (name, cell) in zip(names, row) {
      var lead = name.text + String(repeating: " ", count: indentation - name.width)
      for piece in cell.wrapped(to: max(ConsoleTable.leastTextWidth, width - indentation)) {
        append(line: lead + piece.text, to: &buffer)
        lead = String(repeating: " ", count: indentation)
      }
    }
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

  /// The text in pieces of at most `limit` cells; at least one, and none empty unless the text is.
  func wrapped(to limit: Int) -> [TerminalText] {
    guard width > limit else { return [self] }
    var pieces: [TerminalText] = []
    var piece = ""
    var taken = 0
    for character in text {
      let cells = TerminalText.width(of: character)
      if taken + cells > limit, taken > 0 {
        pieces.append(TerminalText(shown: piece))
        (piece, taken) = ("", 0)
      }
      piece.append(character)
      taken += cells
    }
    return pieces + [TerminalText(shown: piece)]
  }
}
