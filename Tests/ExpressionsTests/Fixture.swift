import Expressions
import StreamModel
import Testing

/// Rows that expressions are tried on.
struct Fixture {
  let schema: Schema
  let rows: [[Value]]

  /// A batch of `rows`.
  var batch: RecordBatch { Fixture.batch(schema, rows) }

  static func batch(_ schema: Schema, _ rows: [[Value]]) -> RecordBatch {
    let builders = schema.fields.map { ColumnBuilder($0.type) }
    for row in rows { for (builder, value) in zip(builders, row) { builder.append(value) } }
    let times = Column.constant(.timestamp(0), .timestamp, count: rows.count)
    return RecordBatch(schema: schema, columns: builders.map { $0.finish() }, count: rows.count, eventTimes: times)
  }

  /// Row 0 has a value in every column, row 1 a null wherever there may be one, row 2 other values.
  static let usage = Fixture(
    schema: Schema([
      Field("n", .int64), Field("m", .int64, nullable: false), Field("d", .decimal(precision: 18, scale: 3)),
      Field("e", .decimal(precision: 38, scale: 10)), Field("x", .double), Field("s", .string),
      Field("t", .string, nullable: false), Field("b", .boolean), Field("at", .timestamp), Field("day", .date),
      Field("zone", .string), Field("raw", .bytes), Field("date", .string),
    ]),
    rows: [
      [
        .int64(7), .int64(-2), .decimal(12_345, scale: 3), .decimal(25_000_000_000, scale: 10), .double(2.5),
        .string("voice"),
        .string("Ünïcode ✓"), .boolean(true), .timestamp(1_769_866_496_789), .date(20_484), .string("Europe/Dublin"),
        .bytes([1, 2, 250]), .string("31/01/26 13:45"),
      ],
      [
        .null, .int64(0), .null, .null, .null, .null, .string(""), .null, .null, .null, .null, .null, .null,
      ],
      [
        .int64(0), .int64(5), .decimal(-500, scale: 3), .decimal(-1, scale: 10), .double(-0.0), .string("data"),
        .string("100%_done"), .boolean(false), .timestamp(-1), .date(-1), .string("Mars/Olympus"), .bytes([]),
        .string("nonsense"),
      ],
    ])
}

/// What an expression gives, in a form that tests can list: `type value`, `failed: reason` or `fault@offset+length: message — mend`.
func outcome(_ text: String, row: Int = 0, _ fixture: Fixture = .usage) -> String {
  switch ExpressionChecker.scalar(text, schema: fixture.schema) {
  case .faults(let faults):
    return faults.map { "fault@\($0.offset)+\($0.length): \($0.message) — \($0.mend)" }.joined(separator: "\n")
  case .valid(let expression):
    let evaluation = expression.evaluate(fixture.batch)
    if let failure = evaluation.failures.first(where: { $0.row == row }) { return "failed: \(failure.reason)" }
    return "\(expression.type)\(expression.nullable ? "" : " not null") \(shown(evaluation.column.value(at: row)))"
  }
}

/// The value alone.
func value(_ text: String, row: Int = 0) -> String {
  let result = outcome(text, row: row)
  guard !result.hasPrefix("f"), let blank = result.firstIndex(of: " ") else { return result }
  let rest = result[result.index(after: blank)...]
  return String(rest.hasPrefix("not null ") ? rest.dropFirst(9) : rest)
}

func shown(_ value: Value) -> String {
  switch value {
  case .null: "null"
  case .boolean(let value): "\(value)"
  case .int64(let value): "\(value)"
  case .double(let value): "\(value)"
  case .decimal(let value, let scale): Decimal.format(value, scale: scale)
  case .string(let value): "'\(value)'"
  case .bytes(let value): "\(value)"
  case .date(let value): CivilTime.formatDate(value)
  case .timestamp(let value): CivilTime.formatTimestamp(value)
  }
}

func valid(_ text: String, _ schema: Schema = Fixture.usage.schema) throws -> ScalarExpression {
  switch ExpressionChecker.scalar(text, schema: schema) {
  case .valid(let expression): return expression
  case .faults(let faults):
    Issue.record("\(text): \(faults)")
    throw faults[0]
  }
}
