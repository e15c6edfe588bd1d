import StreamModel
import TestSupport

/// Makes the rows of a source, and writes them into files in the many ways a format allows.
struct InputMaker {
  let fields: [Field]
  let format: TestSource.Format
  let eventTime: Int
  let delay: Int64
  /// Typical distance of rows in event time, ms.
  let step: Int64
  /// Whether rows may come behind their partition's watermark.
  let allowsBehind: Bool
  /// Rows of a file, at most.
  var maxRows: Int64 = 60
  var badShare = 0.04

  /// A file whose accounts are `accounts`; ids are drawn from `ids`, so that some come again.
  func file(_ name: String, accounts: [String], ids: ClosedRange<Int64>, _ random: inout SeededRandom) -> InputFile {
    let count = random.chance(0.1) ? 0 : random.int(0...maxRows)
    let writer = RecordWriter(fields: fields, format: format, eventTime: eventTime)
    let layout = writer.layout(&random)
    var clock = TestTimes.base + random.int(-5...5) * step
    var highest: EventTime?
    var records: [InputRecord] = []
    for _ in 0..<count {
      let time = eventTime(&clock, &highest, &random)
      let values = row(time, accounts, ids, layout, &random)
      if random.chance(badShare) {
        records.append(writer.bad(values, layout, &random))
        continue
      }
      highest = max(highest ?? time, time)
      let record = writer.good(values, layout, &random)
      records.append(record)
      if format == .json, random.chance(0.03) { records.append(InputRecord(bytes: [], outcome: .blank)) }
      if random.chance(0.05) { records.append(writer.good(values, layout, &random)) }
    }
    return InputFile(
      name: name, prologue: writer.prologue(layout, isEmpty: records.isEmpty, &random), records: records,
      isTerminated: random.chance(0.7))
  }

  /// Mostly a little later than the row before; sometimes a tie, out of order by at most the delay, or behind.
  private func eventTime(
    _ clock: inout EventTime, _ highest: inout EventTime?, _ random: inout SeededRandom
  ) -> EventTime {
    if random.chance(0.04) { clock += random.int(5...40) * step }
    clock += random.chance(0.3) ? 0 : random.int(1...4) * step / 2
    guard random.chance(0.3), let highest else { return clock }
    let reach = allowsBehind && random.chance(0.4) ? delay + 30 * step : delay
    guard reach > 0 else { return clock }
    let grid = max(1, step / 2)
    return random.chance(0.2) ? highest - delay : highest - min(reach, random.int(0...reach / grid) * grid)
  }

  private func row(
    _ time: EventTime, _ accounts: [String], _ ids: ClosedRange<Int64>, _ layout: RecordWriter.Layout,
    _ random: inout SeededRandom
  ) -> [Value] {
    fields.indices.map { index in
      if index == eventTime { return .timestamp(time) }
      if layout.missing.contains(index) || (fields[index].nullable && random.chance(0.12)) { return .null }
      return value(fields[index], accounts, ids, &random)
    }
  }

  private func value(
    _ field: Field, _ accounts: [String], _ ids: ClosedRange<Int64>, _ random: inout SeededRandom
  ) -> Value {
    switch field.name {
    case "account": return .string(accounts[min(Int(random.int(0...5)), accounts.count - 1)])
    case "id": return .string("r\(random.int(ids))")
    case "zone":
      let zones = ["UTC", "Europe/Dublin", "Africa/Casablanca", "America/Havana", "Asia/Kathmandu"]
      return .string(random.chance(0.05) ? "Mars/Olympus" : zones[Int(random.int(0...4))])
    case "cycle": return .int64(random.int(25...31))
    case "big": return .int64(random.chance(0.6) ? Int64.max / random.int(1...4) : Int64.min / random.int(1...4))
    case "code": return .string(random.chance(0.9) ? "\(random.int(-5...15))" : "none")
    case "text": return .string(InputMaker.texts[Int(random.int(0...Int64(InputMaker.texts.count - 1)))])
    default: return scalar(field.type, &random)
    }
  }

  private static let texts = ["", "é", "a\"b", "line\nbreak", "comma, here", "😀 tab\t", "back\\slash", "plain"]

  private func scalar(_ type: DataType, _ random: inout SeededRandom) -> Value {
    switch type {
    case .int64: return .int64(random.int(-10...30))
    case .double: return .double(Double(random.int(-40...200)) / 4)
    case .boolean: return .boolean(random.chance(0.5))
    case .timestamp: return .timestamp(TestTimes.base + random.int(-50...100) * 1_800_000 + random.int(0...1) * 7)
    case .decimal(let precision, let scale):
      let digits = random.chance(0.1) ? Int128(0) : Int128(random.int(-3000...9999))
      if precision == 18, random.chance(0.05) { return .decimal(digits * 100_000_000_000, scale: scale) }
      return .decimal(digits, scale: scale)
    default: return .string(Literal.kinds[Int(random.int(0...2))])
    }
  }
}
