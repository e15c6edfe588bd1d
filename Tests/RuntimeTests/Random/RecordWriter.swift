import StreamModel
import TestSupport

/// Writes rows as JSON lines or CSV records, with the freedoms that the formats leave, and spoils some.
struct RecordWriter {
  let fields: [Field]
  let format: TestSource.Format
  let eventTime: Int

  /// How one file is written.
  struct Layout {
    /// Columns of the file by their places; nil for one the schema lacks.
    let order: [Int?]
    /// Columns that the file lacks: they are null.
    let missing: Set<Int>
  }

  func layout(_ random: inout SeededRandom) -> Layout {
    guard format == .csv else { return Layout(order: fields.indices.map { $0 }, missing: []) }
    var missing: Set<Int> = []
    for (index, field) in fields.enumerated() where field.nullable && index != eventTime && random.chance(0.1) {
      missing.insert(index)
    }
    var order: [Int?] = fields.indices.filter { !missing.contains($0) }
    if random.chance(0.3) { order.append(nil) }
    return Layout(order: order.shuffled(using: &random), missing: missing)
  }

  func prologue(_ layout: Layout, isEmpty: Bool, _ random: inout SeededRandom) -> [UInt8] {
    let mark: [UInt8] = random.chance(0.1) ? [0xEF, 0xBB, 0xBF] : []
    guard format == .csv else { return mark }
    if isEmpty && random.chance(0.5) { return [] }
    let names = layout.order.map { $0.map { fields[$0].name } ?? "unknown" }
    return mark + Array((names.joined(separator: ",") + "\n").utf8)
  }

  func good(_ values: [Value], _ layout: Layout, _ random: inout SeededRandom) -> InputRecord {
    InputRecord(bytes: Array(text(values, layout, &random).utf8), outcome: .row(values))
  }

  private func text(_ values: [Value], _ layout: Layout, _ random: inout SeededRandom) -> String {
    format == .csv
      ? cells(values, layout, &random).joined(separator: ",") : "{\(members(values, &random).joined(separator: ","))}"
  }

  // MARK: CSV

  private func cells(_ values: [Value], _ layout: Layout, _ random: inout SeededRandom) -> [String] {
    layout.order.map { index in
      guard let index else { return random.chance(0.5) ? "whatever" : "" }
      if values[index] == .null { return "" }
      let text = RecordWriter.plain(values[index], &random)
      let needsQuotes = text.isEmpty || text.contains { ",\"\n\r".contains($0) } || random.chance(0.1)
      return needsQuotes ? "\"\(text.replacing("\"", with: "\"\""))\"" : text
    }
  }

  /// A value as text that both formats understand.
  private static func plain(_ value: Value, _ random: inout SeededRandom) -> String {
    switch value {
    case .decimal(let digits, let scale): return decimal(digits, scale, &random)
    case .timestamp(let time): return timestamp(time, &random)
    case .string(let text): return text
    case .int64(let value): return "\(value)"
    case .double(let value): return "\(value)"
    case .boolean(let value): return "\(value)"
    default: return ""
    }
  }

  private static func decimal(_ digits: Int128, _ scale: Int, _ random: inout SeededRandom) -> String {
    let text = CanonicalText.decimal(digits, scale: scale)
    guard text.contains(".") else { return text }
    if random.chance(0.2) { return text + "00" }
    var short = text
    while short.hasSuffix("0") { short.removeLast() }
    return short.hasSuffix(".") ? String(short.dropLast()) : short
  }

  private static func timestamp(_ time: EventTime, _ random: inout SeededRandom) -> String {
    switch random.int(0...3) {
    case 0 where time % 1000 == 0: return TestTimes.text(time).replacing(".000Z", with: "Z")
    case 1: return TestTimes.text(time + 19_800_000).replacing("Z", with: "+05:30")
    default: return TestTimes.text(time)
    }
  }

  // MARK: JSON

  private func members(_ values: [Value], _ random: inout SeededRandom) -> [String] {
    var members: [String] = []
    for (index, value) in values.enumerated() {
      if value == .null && random.chance(0.5) { continue }
      members.append(member(fields[index].name, RecordWriter.json(value, &random), &random))
    }
    if random.chance(0.1) { members.append("\"unknown\":{\"list\":[1,{\"deep\":null}],\"text\":\"}\\\"\"}") }
    if random.chance(0.5) { members.shuffle(using: &random) }
    if random.chance(0.05), let index = fields.firstIndex(where: { $0.name == "id" }) {
      members.append(member("id", RecordWriter.json(values[index], &random), &random))
      members.insert("\"id\":\"replaced\"", at: 0)
    }
    return members
  }

  private func member(_ name: String, _ value: String, _ random: inout SeededRandom) -> String {
    random.chance(0.2) ? " \"\(name)\" : \(value) " : "\"\(name)\":\(value)"
  }

  private static func json(_ value: Value, _ random: inout SeededRandom) -> String {
    switch value {
    case .null: return "null"
    case .string(let text): return quoted(text, &random)
    case .timestamp(let time): return random.chance(0.3) ? "\(time)" : "\"\(timestamp(time, &random))\""
    case .decimal: return random.chance(0.3) ? "\"\(plain(value, &random))\"" : plain(value, &random)
    default: return plain(value, &random)
    }
  }

  private static func quoted(_ text: String, _ random: inout SeededRandom) -> String {
    var quoted = "\""
    for unit in text.utf16 {
      let escapesAll = random.chance(0.02)
      switch unit {
      case 0x22: quoted += "\\\""
      case 0x5C: quoted += "\\\\"
      case 0x0A: quoted += "\\n"
      case ..<0x20: quoted += escape(unit)
      case 0x20..<0x7F where !escapesAll: quoted.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
      default: quoted += escape(unit)
      }
    }
    return quoted + "\""
  }

  private static func escape(_ unit: UInt16) -> String {
    let digits = String(unit, radix: 16)
    return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
  }

  // MARK: Records that do not decode

  func bad(_ values: [Value], _ layout: Layout, _ random: inout SeededRandom) -> InputRecord {
    let bytes = format == .csv ? badCells(values, layout, &random) : badJSON(values, &random)
    return InputRecord(bytes: bytes, outcome: .undecodable)
  }

  private func badCells(_ values: [Value], _ layout: Layout, _ random: inout SeededRandom) -> [UInt8] {
    var cells = cells(values, layout, &random)
    switch random.int(0...3) {
    case 0: cells.append("more")
    case 1: cells.removeLast()
    default:
      let spoilt: [(String, String)] = [
        ("at", "2026-03-28T00:00:00"), ("at", ""), ("account", ""), ("i", "1.5"), ("i", "x"),
      ]
      let usable = spoilt.filter { name, _ in layout.order.contains { $0.map { fields[$0].name == name } ?? false } }
      let (name, text) = usable[Int(random.int(0...Int64(usable.count - 1)))]
      for (place, index) in layout.order.enumerated() where index.map({ fields[$0].name == name }) ?? false {
        cells[place] = text
      }
    }
    if cells.count == 1 && layout.order.count == 2 { return Array("a,b,c,d".utf8) }
    return Array(cells.joined(separator: ",").utf8)
  }

  private func badJSON(_ values: [Value], _ random: inout SeededRandom) -> [UInt8] {
    let whole = "{\(members(values, &random).joined(separator: ","))}"
    switch random.int(0...6) {
    case 0: return Array("not json".utf8)
    case 1: return Array(whole.utf8.dropLast())
    case 2: return Array("[\(whole)]".utf8)
    case 3: return Array("\(whole)\(whole)".utf8)
    case 4: return Array("{\"account\":\"".utf8) + [0xFF, 0xFE] + Array("\"}".utf8)
    default: return Array("{\(spoilt(values, &random).joined(separator: ","))}".utf8)
    }
  }

  /// One field that does not fit its type; written last, so that it counts.
  private func spoilt(_ values: [Value], _ random: inout SeededRandom) -> [String] {
    let faults: [(String, String)] = [
      ("account", "null"), ("account", "7"), ("at", "null"), ("at", "\"2026-03-28T00:00:00\""), ("i", "\"5\""),
      ("i", "1.5"), ("i", "9223372036854775808"), ("d", "1.234"), ("d", "12345678.5"), ("flag", "1"), ("x", "\"1.5\""),
      ("kind", "5"), ("at", "\"2026-03-28T00:00:00.0001Z\""),
    ]
    let usable = faults.filter { name, _ in fields.contains { $0.name == name } }
    let (name, text) = usable[Int(random.int(0...Int64(usable.count - 1)))]
    return values.indices.filter { fields[$0].name != name && values[$0] != .null }
      .map { member(fields[$0].name, RecordWriter.json(values[$0], &random), &random) } + ["\"\(name)\":\(text)"]
  }
}
