import CSimdJSON
import StreamModel

/// Reads binary records (the specification's "Binary Encoding") into columns, as programs say.
///
/// For each chunk: `begin`, `read` for every record, `finish`. Up to ten bytes behind a record may be looked at, which
/// `RecordChunk.paddingBytes` covers.
final class AvroRowReader {
  /// What became of one record.
  enum Outcome {
    case row
    /// It was read to its end, and cannot be a row.
    case unusable(String)
    /// It makes no sense from some byte on: where it ends is not known.
    case malformed(String)
  }

  private let schema: Schema
  private var targets: AvroTargets
  private var bytes: UnsafePointer<UInt8>
  private var areaCount = 0
  private var cursor = 0
  private var limit = 0
  private var failure: String?
  private var damage: String?
  private var depth = 0
  /// Text of all programs of this chunk, and where each one's begins.
  private var text: [UInt8] = []
  private var textStarts: [ObjectIdentifier: Int] = [:]
  private var textStart = 0
  private var rowBytes = 64

  /// How deep skipped values may be nested.
  private static let maxDepth = 200

  static let dates: ClosedRange<Int64> = -719_162...2_932_896
  static let times = EventTimes.earliestRecord...EventTimes.latestRecord

  init(schema: Schema) {
    self.schema = schema
    targets = AvroTargets(schema, capacity: 16)
    bytes = UnsafePointer(bitPattern: 16).unsafelyUnwrapped
  }

  /// Begins with the first `count` bytes of `area`, which stays alive until `finish`.
  func begin(area: Memory, count: Int) {
    bytes = UnsafePointer(area.base.assumingMemoryBound(to: UInt8.self))
    areaCount = count
    targets = AvroTargets(schema, capacity: count / rowBytes + count / rowBytes / 8 + 16)
    text = []
    textStarts = [:]
  }

  func finish(_ wanted: [Int], area: Memory) -> DecodedRows {
    if targets.row > 0 { rowBytes = max(1, areaCount / targets.row) }
    return targets.finish(wanted, area: area, areaCount: areaCount, text: text)
  }

  /// Sets the program for the records that follow.
  func use(_ program: AvroProgram) {
    if let known = textStarts[ObjectIdentifier(program)] { return textStart = known }
    textStart = areaCount + text.count
    textStarts[ObjectIdentifier(program)] = textStart
    text.append(contentsOf: program.text)
  }

  /// Reads a record that begins at `start` and ends at `end` at the latest, `recordStart` being where its bytes are said to
  /// begin (before a prefix); returns what became of it and where it ended.
  func read(
    _ program: AvroProgram, from start: Int, to end: Int, recordStart: Int? = nil
  ) -> (outcome: Outcome, end: Int) {
    cursor = start
    limit = end
    failure = nil
    damage = nil
    depth = 0
    targets.beginRow()
    program.instructions.withUnsafeBufferPointer { run(0, $0, program) }
    if let damage { return (.malformed(damage), cursor) }
    if let failure { return (.unusable(failure), cursor) }
    let first = recordStart ?? start
    targets.endRow(packView(start: first, length: cursor - first))
    return (.row, cursor)
  }

  /// Takes back the row that was read last.
  func takeBack() { targets.takeBack() }

  // MARK: - Running

  private func run(_ first: Int, _ instructions: UnsafeBufferPointer<AvroInstruction>, _ program: AvroProgram) {
    var position = first
    while damage == nil {
      let step = instructions[position]
      let column = Int(step.column)
      position += 1
      switch step.code {
      case .end, .leave: return
      case .fail: note(program.messages[step.operand])
      case .jump: position = step.operand
      case .branch:
        let number = readLong()
        guard damage == nil else { return }
        guard number >= 0, number < step.extra else { return damaged("a union has no branch \(number)") }
        position = Int(program.branches[step.operand + Int(number)])
      case .enter: enter(step.operand, instructions, program)
      case .skipBlocks: skipBlocks(step.operand, instructions, program)
      case .skipVarint: _ = readLong()
      case .skipText: skip(readLength())
      case .skipFixed: skip(step.operand)
      case .null: targets.setNull(column)
      case .boolean: readBoolean(column)
      case .int64: targets.set(column, int64: readLong())
      case .int32: targets.set(column, int64: readInt())
      case .double: if let start = take(8) { targets.set(column, double: Double(bitPattern: load(start))) }
      case .float:
        if let start = take(4) {
          let bits = UnsafeRawPointer(bytes + start).loadUnaligned(as: UInt32.self)
          targets.set(column, double: Double(Float(bitPattern: UInt32(littleEndian: bits))))
        }
      case .string: readString(column)
      case .bytes: readBytes(column, readLength())
      case .fixed: readBytes(column, step.operand)
      case .timestampMillis: time(column, readLong(), .timestampMillis)
      case .timestampMicros: time(column, readLong(), .timestampMicros)
      case .timestampNanos: time(column, readLong(), .timestampNanos)
      case .timestampSeconds: time(column, readLong(), nil, isSeconds: true)
      case .date: date(column, readInt())
      case .longAsDouble: asDouble(column, readLong())
      case .longAsFloat: targets.set(column, double: Double(Float(readLong())))
      case .longAsDecimal: decimal(column, Int128(readLong()), scale: 0)
      case .decimalBytes: decimal(column, readLength(), scale: step.extra)
      case .decimalFixed: decimal(column, step.operand, scale: step.extra)
      case .symbol: symbol(column, step, program)
      case .constant: constant(column, program.constants[step.operand])
      }
    }
  }

  private func enter(_ target: Int, _ instructions: UnsafeBufferPointer<AvroInstruction>, _ program: AvroProgram) {
    depth += 1
    defer { depth -= 1 }
    if depth > AvroRowReader.maxDepth { return damaged("it is nested more than \(AvroRowReader.maxDepth) deep") }
    run(target, instructions, program)
  }

  private func skipBlocks(
    _ target: Int, _ instructions: UnsafeBufferPointer<AvroInstruction>, _ program: AvroProgram
  ) {
    while damage == nil {
      let count = readLong()
      if count == 0 || damage != nil { return }
      if count < 0 {
        skip(readLength())
      } else {
        var left = count
        while left > 0, damage == nil {
          let before = cursor
          enter(target, instructions, program)
          // Items that take no bytes could be claimed without end.
          left = cursor == before ? 0 : left - 1
        }
      }
    }
  }

  // MARK: - Problems

  private func note(_ problem: @autoclosure () -> String) {
    if failure == nil { failure = problem() }
  }

  private func damaged(_ problem: String) {
    if damage == nil { damage = problem }
  }

  private func name(_ column: Int) -> String { schema[column].name }

  // MARK: - Bytes

  /// A zigzag varint; 0 where it is damaged.
  @inline(__always) private func readLong() -> Int64 {
    let byte = bytes[cursor]
    if byte < 0x80, cursor < limit {
      cursor += 1
      return Int64(byte >> 1) ^ -Int64(byte & 1)
    }
    return readLongVarint()
  }

  private func readLongVarint() -> Int64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while cursor < limit {
      let byte = bytes[cursor]
      cursor += 1
      if shift == 63, byte > 1 { break }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1) }
      shift += 7
    }
    damaged(cursor < limit ? "a number has more than 64 bits" : "it ends too early")
    return 0
  }

  private func readInt() -> Int64 {
    let value = readLong()
    if Int32(exactly: value) == nil { damaged("\(value) is no int of 32 bits") }
    return value
  }

  /// The length of text or bytes, all of which are there; 0 where it is damaged.
  @inline(__always) private func readLength() -> Int {
    let length = readLong()
    if length >= 0, length <= limit - cursor { return Int(length) }
    damaged(length < 0 ? "a length is negative" : "it ends too early")
    return 0
  }

  private func skip(_ count: Int) { _ = take(count) }

  /// Where the next `count` bytes begin, which are passed over; nil where they are not there.
  @inline(__always) private func take(_ count: Int) -> Int? {
    let start = cursor
    guard count <= limit - start else {
      damaged("it ends too early")
      return nil
    }
    cursor = start + count
    return start
  }

  @inline(__always) private func load(_ start: Int) -> UInt64 {
    UInt64(littleEndian: UnsafeRawPointer(bytes + start).loadUnaligned(as: UInt64.self))
  }

  // MARK: - Values

  private func readBoolean(_ column: Int) {
    guard let start = take(1) else { return }
    if bytes[start] > 1 { return damaged("\(bytes[start]) is no boolean") }
    targets.set(column, boolean: bytes[start] == 1)
  }

  @inline(__always) private func readString(_ column: Int) {
    let length = readLength()
    let start = cursor
    cursor += length
    if !isASCII(start, length), !weir_is_utf8(bytes + start, length) {
      return note("\(name(column)): the text is not UTF-8")
    }
    targets.set(column, areaStart: start, length: length)
  }

  @inline(__always) private func isASCII(_ start: Int, _ length: Int) -> Bool {
    var high: UInt64 = 0
    var position = 0
    while position &+ 8 <= length {
      high |= load(start &+ position)
      position &+= 8
    }
    // What lies behind is readable, and is masked out.
    if position < length { high |= load(start &+ position) & (~0 &>> UInt64(64 &- 8 &* (length &- position))) }
    return high & 0x8080_8080_8080_8080 == 0
  }

  private func readBytes(_ column: Int, _ length: Int) {
    guard let start = take(length) else { return }
    targets.set(column, areaStart: start, length: length)
  }

  private func time(_ column: Int, _ value: Int64, _ unit: AvroLogicalType?, isSeconds: Bool = false) {
    guard let milliseconds = AvroRowReader.milliseconds(value, unit, isSeconds: isSeconds) else {
      let unit = isSeconds ? "s" : unit == .timestampMicros ? "µs" : unit == .timestampNanos ? "ns" : "ms"
      return note(
        "\(name(column)): \(value) \(unit) is no timestamp of whole milliseconds between the years 1 and 9999")
    }
    targets.set(column, int64: milliseconds)
  }

  /// Nil where digits would be lost, or the years 1 to 9999 left.
  static func milliseconds(_ value: Int64, _ unit: AvroLogicalType?, isSeconds: Bool) -> Int64? {
    var (milliseconds, isLost) = (value, false)
    switch unit {
    case .timestampMicros: (milliseconds, isLost) = (value / 1000, value % 1000 != 0)
    case .timestampNanos: (milliseconds, isLost) = (value / 1_000_000, value % 1_000_000 != 0)
    default: if isSeconds { (milliseconds, isLost) = value.multipliedReportingOverflow(by: 1000) }
    }
    return !isLost && times.contains(milliseconds) ? milliseconds : nil
  }

  private func date(_ column: Int, _ days: Int64) {
    guard AvroRowReader.dates.contains(days) else {
      return note("\(name(column)): day \(days) is not between the years 1 and 9999")
    }
    targets.set(column, int64: days)
  }

  private func asDouble(_ column: Int, _ value: Int64) {
    guard let exact = Double(exactly: value) else {
      return note("\(name(column)): double would lose digits of \(value)")
    }
    targets.set(column, double: exact)
  }

  private func decimal(_ column: Int, _ length: Int, scale: Int) {
    guard let start = take(length) else { return }
    guard let value = AvroDecimal.unscaled(UnsafeBufferPointer(start: bytes + start, count: length)) else {
      return note("\(name(column)): a number of \(length) bytes does not fit \(schema[column].type)")
    }
    decimal(column, value, scale: scale)
  }

  private func decimal(_ column: Int, _ unscaled: Int128, scale: Int) {
    guard case .decimal(let precision, let wanted) = schema[column].type else { return }
    switch AvroDecimal.rescaled(unscaled, from: scale, precision: precision, scale: wanted) {
    case .value(let value): targets.set(column, unscaled: value)
    case .losesDigits:
      note("\(name(column)): \(schema[column].type) would lose digits of \(AvroRowReader.shown(unscaled, scale))")
    case .overflow:
      note("\(name(column)): \(AvroRowReader.shown(unscaled, scale)) does not fit \(schema[column].type)")
    }
  }

  private static func shown(_ unscaled: Int128, _ scale: Int) -> String {
    scale <= 38 && Decimal.fits(unscaled, precision: 38)
      ? Decimal.format(unscaled, scale: scale) : "\(unscaled)e-\(scale)"
  }

  private func symbol(_ column: Int, _ step: AvroInstruction, _ program: AvroProgram) {
    let number = readLong()
    guard number >= 0, number < step.extra else { return damaged("an enum has no symbol \(number)") }
    let symbol = program.symbols[step.operand + Int(number)]
    if symbol.start < 0 { return note(program.messages[-symbol.start - 1]) }
    targets.set(column, textStart: textStart + symbol.start, length: symbol.length)
  }

  private func constant(_ column: Int, _ constant: AvroConstant) {
    switch constant {
    case .null: targets.setNull(column)
    case .boolean(let value): targets.set(column, boolean: value)
    case .int64(let value): targets.set(column, int64: value)
    case .double(let value): targets.set(column, double: value)
    case .unscaled(let value): targets.set(column, unscaled: value)
    case .text(let start, let length): targets.set(column, textStart: textStart + start, length: length)
    }
  }
}
