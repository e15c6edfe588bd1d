import StreamModel

/// What is wrong with a table: two rows for one key, versions that overlap, a row that does not decode.
package struct TableFault: Error, Equatable, Sendable, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}

/// A whole table in memory, by key. Never changes: what is read anew is a new one.
///
/// Invariant for `Sendable`: nothing changes after `init`, and `table` is only asked.
package final class LookupIndex: @unchecked Sendable {
  package let rows: LookupRows
  private let table: GroupTable

  /// Takes the rows of a table, which have the columns of `layout.schema`.
  package init(_ batch: RecordBatch, _ layout: TableLayout) throws(TableFault) {
    let arrangement = TableArrangement(batch: batch, layout: layout)
    try arrangement.checkKeys()
    let (table, slots) = arrangement.grouped()
    self.table = table
    rows = try arrangement.rows(slots: slots, slotCount: table.slotCount, givesNulls: layout.givesNulls)
  }

  package var sizeBytes: Int { table.sizeBytes + rows.count * rows.columns.count * 16 }

  /// The slot of each key; −1 for one that is not there.
  package func slots(of keys: LookupKeys) -> [Int32] {
    [Int32](unsafeUninitializedCapacity: keys.count) { slots, count in
      if let start = slots.baseAddress { table.find(keys.keys, count: keys.count, slots: start) }
      count = keys.count
    }
  }
}

extension LookupRows {
  /// The rows of one key, as slot 0: `batch` has the columns of `layout.schema`, those of the key perhaps absent.
  /// - Parameter key: The key in words.
  package static func ofKey(_ key: String, _ batch: RecordBatch, _ layout: TableLayout) throws(TableFault) -> LookupRows
  {
    let arrangement = TableArrangement(batch: batch, layout: layout, key: key)
    return try arrangement.rows(
      slots: [Int32](repeating: 0, count: batch.count), slotCount: 1, givesNulls: false)
  }
}

/// Puts a table's rows in the order of their keys and versions, and checks them.
private struct TableArrangement {
  let batch: RecordBatch
  let layout: TableLayout
  /// The key of all rows in words; nil where they have columns for it.
  var key: String?

  func rows(slots: [Int32], slotCount: Int, givesNulls: Bool) throws(TableFault) -> LookupRows {
    try checkValues()
    let order = ordered(slots)
    try checkVersions(order, slots)
    var starts = [Int32](repeating: 0, count: slotCount + 1)
    for slot in slots { starts[Int(slot) + 1] += 1 }
    for slot in 0..<slotCount { starts[slot + 1] += starts[slot] }
    return LookupRows(
      columns: layout.taken.map { column in
        let rows = gathered(column, order)
        return givesNulls ? rows.withNullAtEnd : rows
      }, starts: starts, count: batch.count, validFrom: layout.validity.map { gathered($0.from, order) },
      validTo: layout.validity.map { gathered($0.to, order) })
  }

  func checkKeys() throws(TableFault) { for column in layout.key { try checkNulls(column) } }

  private func checkNulls(_ index: Int) throws(TableFault) {
    let column = batch.columns[index]
    guard let row = (0..<batch.count).first(where: { !column.isValid($0) }) else { return }
    throw TableFault("row \(row + 1) has no \(layout.schema[index].name) — give it one, or take the row out")
  }

  private func checkValues() throws(TableFault) {
    if let validity = layout.validity { try checkNulls(validity.from) }
    guard let check = layout.check, batch.count > 0 else { return }
    let (kept, failures) = check.select(batch)
    if let failure = failures.first {
      throw TableFault("\(name(Int32(failure.row))): \(check.text): \(failure.reason)")
    }
    guard kept.count < batch.count else { return }
    let good = Set(kept)
    let row = (0..<Int32(batch.count)).first { !good.contains($0) } ?? 0
    let values = layout.taken.map { "\(layout.schema[$0].name) \(batch.columns[$0].value(at: Int(row)).plainText)" }
    throw TableFault("\(name(row)): `\(check.text)` is not true of \(values.joined(separator: ", ")) — correct the row")
  }

  func grouped() -> (GroupTable, [Int32]) {
    let encoder = KeyEncoder(keyColumns: layout.key)
    encoder.encode(batch)
    let table = GroupTable(capacity: batch.count)
    let rows = [Int32](0..<Int32(batch.count))
    let slots = [Int32](unsafeUninitializedCapacity: batch.count) { slots, count in
      rows.withUnsafeBufferPointer { rows in
        if let rows = rows.baseAddress, let slots = slots.baseAddress {
          table.assign(KeyBatch(encoder), rows: rows, count: batch.count, slots: slots)
        }
      }
      count = batch.count
    }
    return (table, slots)
  }

  /// The rows by slot, those of one by the beginning of their validity.
  private func ordered(_ slots: [Int32]) -> [Int32] {
    let from = layout.validity.map { batch.columns[$0.from] }
    return (0..<Int32(batch.count)).sorted { left, right in
      let (first, second) = (slots[Int(left)], slots[Int(right)])
      if first != second { return first < second }
      guard let from else { return left < right }
      return (from.int64s[Int(left)], left) < (from.int64s[Int(right)], right)
    }
  }

  private func checkVersions(_ order: [Int32], _ slots: [Int32]) throws(TableFault) {
    if let validity = layout.validity {
      let (from, to) = (batch.columns[validity.from], batch.columns[validity.to])
      for row in order where to.isValid(Int(row)) && to.int64s[Int(row)] <= from.int64s[Int(row)] {
        throw TableFault("\(name(row)): the version \(version(row, validity)) ends before it begins — correct it")
      }
    }
    for (row, next) in zip(order, order.dropFirst()) where slots[Int(row)] == slots[Int(next)] {
      guard let validity = layout.validity else {
        throw TableFault(
          "\(name(row)): rows \(row + 1) and \(next + 1) are both of this key — leave one, or tell versions apart with `as_of:`"
        )
      }
      let end = batch.columns[validity.to]
      if end.isValid(Int(row)), end.int64s[Int(row)] <= batch.columns[validity.from].int64s[Int(next)] { continue }
      throw TableFault(
        "\(name(row)): the versions \(version(row, validity)) and \(version(next, validity)) overlap — let each end where the next begins"
      )
    }
  }

  /// The key of a row in words.
  private func name(_ row: Int32) -> String {
    key
      ?? layout.key.map { "\(layout.schema[$0].name) \(batch.columns[$0].value(at: Int(row)).plainText)" }
      .joined(separator: ", ")
  }

  private func version(_ row: Int32, _ validity: TableLayout.Validity) -> String {
    let (from, to) = (batch.columns[validity.from], batch.columns[validity.to])
    let end = to.isValid(Int(row)) ? CivilTime.formatTimestamp(to.int64s[Int(row)]) : "open"
    return "[\(CivilTime.formatTimestamp(from.int64s[Int(row)])), \(end))"
  }

  private func gathered(_ column: Int, _ order: [Int32]) -> Column {
    order.withUnsafeBufferPointer { batch.columns[column].gather($0) }
  }
}

extension Column {
  /// The same rows and one more, which is null.
  var withNullAtEnd: Column { Column.concatenated([self, Column.constant(.null, type, count: 1)]) }
}

extension Value {
  /// The value as people write it.
  package var plainText: String {
    switch self {
    case .null: "null"
    case .boolean(let value): "\(value)"
    case .int64(let value): "\(value)"
    case .double(let value): "\(value)"
    case .decimal(let value, let scale): Decimal.format(value, scale: scale)
    case .string(let value): value
    case .bytes(let value): "\(value.count) bytes"
    case .date(let value): CivilTime.formatDate(value)
    case .timestamp(let value): CivilTime.formatTimestamp(value)
    }
  }
}
