import StreamModel

/// The steps that take rows one by one, and `deduplicate`.
enum ReferenceSteps {
  static func filter(_ input: [ReferenceRow], _ condition: TestExpression) -> StepResult {
    var result = StepResult(ports: [.rejected: []])
    for row in input {
      switch try? condition.evaluate(row.values) {
      case nil: result.failed.append(row)
      case .boolean(true): result.rows.append(row)
      default: result.ports[.rejected]?.append(row)
      }
    }
    return result
  }

  static func project(_ input: [ReferenceRow], _ columns: [ProjectedColumn], _ keepsColumns: Bool) -> StepResult {
    var result = StepResult()
    for row in input {
      guard let computed = try? columns.map({ try $0.expression.evaluate(row.values) }) else {
        result.failed.append(row)
        continue
      }
      var projected = row
      if !keepsColumns { projected.values = [] }
      for (column, value) in zip(columns, computed) {
        if let replaced = column.replaces { projected.values[replaced] = value } else { projected.values.append(value) }
      }
      result.rows.append(projected)
    }
    return result
  }

  /// Arrival decides: a row is a duplicate when a kept row of its key lies less than `within` from it. A row late by more
  /// than `within` is on port `late`.
  static func deduplicate(_ input: [ReferenceRow], _ key: [Int], _ within: Int64) -> StepResult {
    var result = StepResult(ports: [.duplicates: [], .late: []])
    var kept: [[Value]: [EventTime]] = [:]
    for row in input {
      let values = key.map { row.values[$0] }
      if row.isBehind, row.stamp - row.time > within {
        result.ports[.late]?.append(row)
      } else if kept[values, default: []].contains(where: { abs($0 - row.time) < within }) {
        result.ports[.duplicates]?.append(row)
      } else {
        kept[values, default: []].append(row.time)
        result.rows.append(row)
      }
    }
    return result
  }
}

/// `join`: every pair is looked at.
///
/// A left row is done at a watermark of its time + upper, a right row at its time − lower. Two rows are joined when their
/// keys and times fit and neither came (by its own partition's watermark) when the other was done. What comes so late that
/// whatever it could be joined with was done is on port `late`.
struct ReferenceJoin {
  private let join: TestJoin

  init(_ join: TestJoin) { self.join = join }

  func work(_ left: [ReferenceRow], _ right: [ReferenceRow]) -> StepResult {
    var result = StepResult(ports: [.late: (left + right).filter(isLate)])
    let partners = right.filter { !isLate($0) }
    for row in left where !isLate(row) {
      let found = partners.filter { isPair(row, $0) }
      for partner in found { result.rows.append(joined(row, partner)) }
      if found.isEmpty && join.isLeft { result.rows.append(joined(row, nil)) }
    }
    return result
  }

  private func isLate(_ row: ReferenceRow) -> Bool { row.isBehind && row.stamp - row.time >= join.upper - join.lower }

  private func isPair(_ left: ReferenceRow, _ right: ReferenceRow) -> Bool {
    let leftKey = join.leftKey.map { left.values[$0] }
    guard !leftKey.contains(.null), leftKey == join.rightKey.map({ right.values[$0] }) else { return false }
    guard left.time + join.lower <= right.time, right.time <= left.time + join.upper else { return false }
    return left.time + join.upper > right.stamp && right.time - join.lower > left.stamp
  }

  private func joined(_ left: ReferenceRow, _ right: ReferenceRow?) -> ReferenceRow {
    let taken = join.rightColumns.map { right?.values[$0] ?? .null }
    return ReferenceRow(values: left.values + taken, time: max(left.time, right?.time ?? left.time))
  }
}
