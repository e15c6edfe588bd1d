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
    let builder = LookupIndexBuilder(batch: batch, layout: layout)
    (table, rows) = try builder.build()
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

/// Puts a table's rows in the order of their keys and versions.
private struct LookupIndexBuilder {
  let batch: RecordBatch
  let layout: TableLayout

  func build() throws(TableFault) -> (GroupTable, LookupRows) {
    try checkNulls()
    let (table, slots) = grouped()
    let order = try ordered(slots)
    try checkVersions(order, slots)
    var starts = [Int32](repeating: 0, count: table.slotCount + 1)
    for slot in slots { starts[Int(slot) + 1] += 1 }
    for slot in 0..<table.slotCount { starts[slot + 1] += starts[slot] }
    let rows = LookupRows(
      columns: layout.taken.map { taken($0, order) }, starts: starts, count: batch.count,
      validFrom: layout.validity.map { gathered($0.from, order) },
      validTo: layout.validity.map { gathered($0.to, order) })
    return (table, rows)
  }

  private func checkNulls() throws(TableFault) {
    for index in layout.key + (layout.validity.map { [$0.from] } ?? []) {
      let column = batch.columns[index]
      guard let row = (0..<batch.count).first(where: { !column.isValid($0) }) else { continue }
      throw TableFault("row \(row + 1) has no \(layout.schema[index].name) — give it one, or take the row out")
    }
  }

  private func grouped() -> (GroupTable, [Int32]) {
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
  private func ordered(_ slots: [Int32]) throws(TableFault) -> [Int32] {
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
        throw TableFault("\(key(row)): the version \(version(row, validity)) ends before it begins — correct it")
      }
    }
    for (row, next) in zip(order, order.dropFirst()) where slots[Int(row)] == slots[Int(next)] {
      guard let validity = layout.validity else {
        throw TableFault(
          "\(key(row)): rows \(row + 1) and \(next + 1) are both of this key — leave one, or tell versions apart with `as_of:`"
        )
      }
      let end = batch.columns[validity.to]
      if end.isValid(Int(row)), end.int64s[Int(row)] <= batch.columns[validity.from].int64s[Int(next)] { continue }
      throw TableFault(
        "\(key(row)): the versions \(version(row, validity)) and \(version(next, validity)) overlap — let each end where the next begins"
      )
    }
  }

  private func key(_ row: Int32) -> String {
    layout.key.map { "\(layout.schema[$0].name) \(batch.columns[$0].value(at: Int(row)).plainText)" }
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

  private func taken(_ column: Int, _ order: [Int32]) -> Column {
    let rows = gathered(column, order)
    return layout.givesNulls ? rows.withNullAtEnd : rows
  }
}

extension Column {
  /// The same rows and one more, which is null.
  var withNullAtEnd: Column { Column.concatenated([self, Column.constant(.null, type, count: 1)]) }
}

extension Value {
  /// The value as people write it.
  var plainText: String {
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
