import StreamModel

/// Reads what a view says of who may see what: `account`, the column that says whose a row is, and `mask`, personal columns.
///
/// | key | type | default |
/// |---|---|---|
/// | `account` | a column of text | none: who may see one account only sees nothing of the view |
/// | `mask` | columns of text outside the key | none |
struct ViewAccessChecker {
  let stream: StreamShape
  let key: NamedColumns

  /// Nil where there is a fault.
  func check(_ section: Section) -> (account: Int?, masked: [Int])? {
    let account = section["account"].map(accountColumn)
    let masked = section["mask"].map(maskedColumns)
    guard account != .some(nil), masked != .some(nil) else { return nil }
    return (account ?? nil, (masked ?? nil) ?? [])
  }

  private func accountColumn(_ item: Item) -> Int? {
    guard let column = stream.column(item) else { return nil }
    guard isText(column) else {
      item.fault(
        "`\(stream.schema[column].name)` is \(stream.schema[column].type)", "name a column of type string")
      return nil
    }
    return column
  }

  private func maskedColumns(_ item: Item) -> [Int]? {
    let named = stream.columns(item)
    guard named.isComplete else { return nil }
    for column in named.indices where key.indices.contains(column) || !isText(column) {
      let name = stream.schema[column].name
      let isKey = key.indices.contains(column)
      item.fault(
        isKey
          ? "`\(name)` is part of the key, by which rows are asked for" : "`\(name)` is \(stream.schema[column].type)",
        isKey ? "take it out of `key` or of `mask`" : "name columns of type string")
      return nil
    }
    return named.indices
  }

  private func isText(_ column: Int) -> Bool {
    stream.schema[column].type == .string || stream.opaque.contains(stream.schema[column].name)
  }
}
