import StreamModel

/// Decodes changes of a database's rows (Debezium's JSON), one a line or message, each into one row.
///
/// A creation, a snapshot's read and an update give the row as it is afterwards, a deletion the row as it was before; the
/// columns that the topology declares as metadata say which. Tombstones give no row, like blank lines. A change without
/// a row (a truncation, a deletion whose row the database did not log) does not decode.
///
/// Each change is rewritten as the one JSON object that `JSONDecoder` reads, its numbers digit by digit as they are.
package final class DebeziumDecoder: RecordDecoder {
  private let schema: Schema
  private let rowColumns: Schema
  private let metadata: [(prefix: [UInt8], part: DebeziumPart)]
  private let json: JSONDecoder
  private let maxRecordBytes: Int
  private var values: DebeziumValues
  /// The text that `values` was made of.
  private var schemaText: [UInt8] = []
  private var text = ByteBuffer()

  package init(
    schema: Schema, materialize: [Int], epochSecondColumns: Set<Int>, options: DebeziumOptions,
    maxRecordBytes: Int = Format.maxRecordBytes
  ) {
    self.schema = schema
    self.maxRecordBytes = maxRecordBytes
    let names = Set(options.metadata.map(\.column))
    rowColumns = Schema(schema.fields.filter { !names.contains($0.name) })
    metadata = options.metadata.map {
      ([UInt8(ascii: ",")] + JSONEncoder.quoted($0.column) + [UInt8(ascii: ":")], $0.part)
    }
    values = DebeziumValues(columns: rowColumns, schema: nil)
    // Rewriting adds to a record; its own length is checked before.
    json = JSONDecoder(
      schema: schema, materialize: materialize, epochSecondColumns: epochSecondColumns,
      maxRecordBytes: maxRecordBytes * 2)
  }

  package func decode(_ chunk: RecordChunk, prologue: [UInt8]) -> DecodedChunk {
    if chunk.isFragment { return json.decode(chunk, prologue: prologue) }
    text.removeAll()
    var failures: [DecodeFailure] = []
    var places: [Place] = []
    for range in ranges(chunk) {
      let start = text.count
      if let reason = rewrite(chunk.bytes, range) {
        text.truncate(to: start)
        failures.append(DecodeFailure(start: range.lowerBound, length: range.count, reason: reason))
      } else if text.count > start {
        places.append(Place(start: start, original: range))
      }
    }
    return mapped(json.decode(rewritten(chunk), prologue: []), places, failures)
  }

  /// A rewritten change, and where its own text is.
  private struct Place {
    let start: Int
    let original: Range<Int>
  }

  private func rewritten(_ chunk: RecordChunk) -> RecordChunk {
    // Not at the partition's start, where a byte-order mark would be looked for.
    RecordChunk(partition: chunk.partition, offset: 1, copying: UnsafeRawBufferPointer(text.bytes))
  }

  private func ranges(_ chunk: RecordChunk) -> [Range<Int>] {
    if chunk.messageIndex != nil { return chunk.messages }
    let bytes = chunk.bytes
    var ranges: [Range<Int>] = []
    var start = chunk.offset == 0 && bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    while start < bytes.count {
      let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
      let length = end > start && bytes[end - 1] == UInt8(ascii: "\r") ? end - 1 - start : end - start
      if length > 0 { ranges.append(start..<start + length) }
      start = end + 1
    }
    return ranges
  }

  /// The outcome with the places of the original text.
  private func mapped(_ decoded: DecodedChunk, _ places: [Place], _ failures: [DecodeFailure]) -> DecodedChunk {
    var next = 0
    func original(_ start: Int) -> Range<Int> {
      while next + 1 < places.count, places[next + 1].start <= start { next += 1 }
      return places[next].original
    }
    let ranges = ColumnBuilder(.int64, capacity: decoded.rows.count)
    for row in 0..<decoded.rows.count {
      let place = original(Int(UInt64(bitPattern: decoded.rows.ranges.int64s[row]) >> 32))
      ranges.append(int64: Int64(bitPattern: packView(start: place.lowerBound, length: place.count)))
    }
    next = 0
    var all = failures
    for failure in decoded.failures {
      let place = original(failure.start)
      all.append(DecodeFailure(start: place.lowerBound, length: place.count, reason: failure.reason))
    }
    all.sort { $0.start < $1.start }
    let rows = DecodedRows(columns: decoded.rows.columns, count: decoded.rows.count, ranges: ranges.finish())
    return DecodedChunk(rows: rows, failures: all)
  }

  // MARK: - Rewriting

  /// Appends a change's row as a line; nothing for a tombstone. Returns why it has none.
  private func rewrite(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> String? {
    if range.count > maxRecordBytes { return "the record has \(range.count) bytes, the most is \(maxRecordBytes)" }
    switch DebeziumEnvelope.read(bytes, range) {
    case .tombstone: return nil
    case .fault(let reason): return reason
    case .envelope(let envelope):
      do throws(DebeziumValues.Refusal) {
        try write(envelope, bytes)
        return nil
      } catch {
        return error.reason
      }
    }
  }

  private func write(
    _ envelope: DebeziumEnvelope, _ bytes: UnsafeBufferPointer<UInt8>
  ) throws(DebeziumValues.Refusal) {
    try learn(envelope.schema, bytes)
    let row = try row(envelope, bytes)
    text.append(UInt8(ascii: "{"))
    let isEmpty = try write(row: row, bytes)
    for (index, (prefix, part)) in metadata.enumerated() {
      let prefix = isEmpty && index == 0 ? prefix[1...] : prefix[...]
      prefix.withUnsafeBufferPointer { text.append($0) }
      try write(part, envelope, bytes)
    }
    text.append("}\n")
  }

  /// The row that the change gives.
  private func row(
    _ envelope: DebeziumEnvelope, _ bytes: UnsafeBufferPointer<UInt8>
  ) throws(DebeziumValues.Refusal) -> Range<Int> {
    let operation = envelope.operation.map { String(decoding: bytes[$0], as: UTF8.self) } ?? ""
    switch operation {
    case "\"c\"", "\"r\"", "\"u\"":
      guard let after = envelope.after else { throw .init(reason: "a change with op \(operation) has no `after`") }
      return after
    case "\"d\"":
      guard let before = envelope.before else {
        throw .init(reason: "a deletion has no `before`: let the database log whole rows (REPLICA IDENTITY FULL)")
      }
      return before
    default: throw .init(reason: "a change with op \(operation) gives no row")
    }
  }

  private func learn(_ schema: Range<Int>?, _ bytes: UnsafeBufferPointer<UInt8>) throws(DebeziumValues.Refusal) {
    let written = schema.map { UnsafeBufferPointer(rebasing: bytes[$0]) }
    if (written?.count ?? 0) == schemaText.count, written?.elementsEqual(schemaText) ?? true { return }
    schemaText = written.map(Array.init) ?? []
    do {
      let node = schemaText.isEmpty ? nil : try JSONNode.parse(String(decoding: schemaText, as: UTF8.self))
      values = DebeziumValues(columns: rowColumns, schema: node)
    } catch {
      schemaText = []
      values = DebeziumValues(columns: rowColumns, schema: nil)
      throw .init(reason: "`schema` cannot be read: \(error)")
    }
  }

  /// Writes a row's members; returns whether there is none.
  private func write(
    row: Range<Int>, _ bytes: UnsafeBufferPointer<UInt8>
  ) throws(DebeziumValues.Refusal) -> Bool {
    var refusal: DebeziumValues.Refusal?
    var isFirst = true
    let isObject = JSONSpan.members(bytes, row) { name, value in
      if !isFirst { text.append(UInt8(ascii: ",")) }
      isFirst = false
      text.append(UInt8(ascii: "\""))
      append(UnsafeBufferPointer(rebasing: bytes[name]))
      text.append("\":")
      do throws(DebeziumValues.Refusal) {
        try write(value: value, of: name, bytes)
      } catch {
        refusal = refusal ?? error
      }
    }
    if let refusal { throw refusal }
    if !isObject { throw .init(reason: "the row of the change is no JSON object") }
    return isFirst
  }

  private func write(
    value: Range<Int>, of name: Range<Int>, _ bytes: UnsafeBufferPointer<UInt8>
  ) throws(DebeziumValues.Refusal) {
    let written = UnsafeBufferPointer(rebasing: bytes[value])
    guard !values.forms.isEmpty else { return append(written) }
    let name = String(decoding: bytes[name], as: UTF8.self)
    guard let form = values.forms[name] else { return append(written) }
    let converted: String?
    do throws(DebeziumValues.Refusal) {
      converted = try DebeziumValues.converted(written, form)
    } catch {
      throw .init(reason: "\(name): \(error.reason)")
    }
    guard var converted else { return append(written) }
    converted.withUTF8 { text.append($0) }
  }

  private func write(
    _ part: DebeziumPart, _ envelope: DebeziumEnvelope, _ bytes: UnsafeBufferPointer<UInt8>
  ) throws(DebeziumValues.Refusal) {
    switch part {
    case .operation: append(envelope.operation, bytes)
    case .ingestionTimestamp: append(envelope.timestamp, bytes)
    case .sourceTimestamp: append(member("ts_ms", of: envelope.source, bytes)?.value, bytes)
    case .sourceDatabase: append(member("db", of: envelope.source, bytes)?.value, bytes)
    case .sourceSchema: append(member("schema", of: envelope.source, bytes)?.value, bytes)
    case .sourceTable: append(member("table", of: envelope.source, bytes)?.value, bytes)
    case .sourceSnapshot:
      // Text in newer versions, a flag in older ones.
      guard let value = member("snapshot", of: envelope.source, bytes)?.value else { return text.append("null") }
      let isText = bytes[value.lowerBound] == UInt8(ascii: "\"") || bytes[value.lowerBound] == UInt8(ascii: "n")
      if !isText { text.append(UInt8(ascii: "\"")) }
      append(value, bytes)
      if !isText { text.append(UInt8(ascii: "\"")) }
    case .before(let column):
      guard let found = member(column, of: envelope.before, bytes) else { return text.append("null") }
      try write(value: found.value, of: found.name, bytes)
    }
  }

  private func member(
    _ wanted: String, of object: Range<Int>?, _ bytes: UnsafeBufferPointer<UInt8>
  ) -> (name: Range<Int>, value: Range<Int>)? {
    guard let object else { return nil }
    var found: (Range<Int>, Range<Int>)?
    _ = JSONSpan.members(bytes, object) { name, value in
      if bytes[name].elementsEqual(wanted.utf8) { found = (name, value) }
    }
    return found
  }

  private func append(_ value: Range<Int>?, _ bytes: UnsafeBufferPointer<UInt8>) {
    guard let value else { return text.append("null") }
    append(UnsafeBufferPointer(rebasing: bytes[value]))
  }

  /// Line ends between a message's values become blanks: a row is one line.
  private func append(_ written: UnsafeBufferPointer<UInt8>) {
    guard written.contains(UInt8(ascii: "\n")) || written.contains(UInt8(ascii: "\r")) else {
      return text.append(written)
    }
    for byte in written { text.append(byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") ? 0x20 : byte) }
  }
}
