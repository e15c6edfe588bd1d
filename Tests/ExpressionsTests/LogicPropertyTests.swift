import Expressions
import StreamModel
import Testing

/// A random boolean or whole-number expression, evaluated row by row as a reader of SQL would.
indirect enum Sketch {
  struct Failure: Error {}

  case column(String, isBoolean: Bool)
  case number(Int64?)
  case truth(Bool?)
  case sum(String, Sketch, Sketch)
  case comparison(String, Sketch, Sketch)
  case logic(String, [Sketch])
  case not(Sketch)
  case test(Sketch, String)
  case between(Sketch, Sketch, Sketch)
  case membership(Sketch, [Sketch], negated: Bool)
  case choice([(Sketch, Sketch)], Sketch)
  case simpleChoice(Sketch, [(Sketch, Sketch)], Sketch)
  case coalesce([Sketch])
  case nullIf(Sketch, Sketch)

  var text: String {
    switch self {
    case .column(let name, _): name
    case .number(let value): value.map { "\($0)" } ?? "cast(null as int64)"
    case .truth(let value): value.map { "\($0)" } ?? "cast(null as boolean)"
    case .sum(let sign, let left, let right), .comparison(let sign, let left, let right):
      "(\(left.text) \(sign) \(right.text))"
    case .logic(let word, let operands): "(" + operands.map(\.text).joined(separator: " \(word) ") + ")"
    case .not(let operand): "(not \(operand.text))"
    case .test(let operand, let test): "(\(operand.text) is \(test))"
    case .between(let operand, let low, let high): "(\(operand.text) between \(low.text) and \(high.text))"
    case .membership(let operand, let items, let negated):
      "(\(operand.text) \(negated ? "not " : "")in (\(items.map(\.text).joined(separator: ", "))))"
    case .choice(let branches, let otherwise):
      "case \(branches.map { "when \($0.text) then \($1.text)" }.joined(separator: " ")) else \(otherwise.text) end"
    case .simpleChoice(let subject, let branches, let otherwise):
      "case \(subject.text) \(branches.map { "when \($0.text) then \($1.text)" }.joined(separator: " ")) else \(otherwise.text) end"
    case .coalesce(let arguments): "coalesce(\(arguments.map(\.text).joined(separator: ", ")))"
    case .nullIf(let left, let right): "nullif(\(left.text), \(right.text))"
    }
  }

  // MARK: Evaluation

  /// The value on a row: booleans are 0 and 1.
  func value(_ row: [String: Int64?]) throws -> Int64? {
    switch self {
    case .column(let name, _): return row[name] ?? nil
    case .number(let value): return value
    case .truth(let value): return value.map { $0 ? 1 : 0 }
    case .sum(let sign, let left, let right): return try Sketch.sum(sign, left.value(row), right.value(row))
    case .comparison(let sign, let left, let right):
      return Sketch.compare(sign, try left.value(row), try right.value(row))
    case .logic(let word, let operands): return try Sketch.logic(operands, decisive: word == "or" ? 1 : 0, row)
    case .not(let operand): return try operand.value(row).map { 1 - $0 }
    case .test(let operand, let test):
      let value = try operand.value(row)
      let base = test.hasSuffix("null") ? value == nil : value == (test.hasSuffix("true") ? 1 : 0)
      return base != test.hasPrefix("not") ? 1 : 0
    case .between(let operand, let low, let high):
      return try Sketch.logic([.comparison(">=", operand, low), .comparison("<=", operand, high)], decisive: 0, row)
    case .membership(let operand, let items, let negated):
      let found = try Sketch.logic(items.map { .comparison("=", operand, $0) }, decisive: 1, row)
      return negated ? found.map { 1 - $0 } : found
    case .choice(let branches, let otherwise):
      for (condition, result) in branches where try condition.value(row) == 1 { return try result.value(row) }
      return try otherwise.value(row)
    case .simpleChoice(let subject, let branches, let otherwise):
      let value = try subject.value(row)
      for (item, result) in branches {
        if Sketch.compare("=", value, try item.value(row)) == 1 { return try result.value(row) }
      }
      return try otherwise.value(row)
    case .coalesce(let arguments):
      for argument in arguments { if let value = try argument.value(row) { return value } }
      return nil
    case .nullIf(let left, let right):
      let value = try left.value(row)
      return Sketch.compare("=", value, try right.value(row)) == 1 ? nil : value
    }
  }

  private static func sum(_ sign: String, _ left: Int64?, _ right: Int64?) throws -> Int64? {
    guard let left, let right else { return nil }
    if sign == "%" && right == 0 { throw Failure() }
    if sign == "%" && right == -1 { return 0 }
    let (value, overflow) =
      sign == "+"
      ? left.addingReportingOverflow(right)
      : sign == "-"
        ? left.subtractingReportingOverflow(right)
        : sign == "*" ? left.multipliedReportingOverflow(by: right) : (left % right, false)
    if overflow { throw Failure() }
    return value
  }

  private static func compare(_ sign: String, _ left: Int64?, _ right: Int64?) -> Int64? {
    guard let left, let right else { return nil }
    let holds =
      switch sign {
      case "=": left == right
      case "<>": left != right
      case "<": left < right
      case "<=": left <= right
      case ">": left > right
      default: left >= right
      }
    return holds ? 1 : 0
  }

  private static func logic(_ operands: [Sketch], decisive: Int64, _ row: [String: Int64?]) throws -> Int64? {
    var isKnown = true
    for operand in operands {
      let value = try operand.value(row)
      if value == decisive { return decisive }
      if value == nil { isKnown = false }
    }
    return isKnown ? 1 - decisive : nil
  }

  // MARK: Making

  static func number(_ depth: Int, _ random: inout SeededGenerator) -> Sketch {
    if depth == 0 {
      let leaves: [Sketch] = [
        .column("i", isBoolean: false), .column("j", isBoolean: false), .column("k", isBoolean: false),
        .number(Int64.random(in: -3...3, using: &random)), .number(0), .number(nil), .number(.max),
      ]
      return leaves.randomElement(using: &random) ?? .number(0)
    }
    switch Int.random(in: 0..<8, using: &random) {
    case 0, 1, 2:
      return .sum(
        ["+", "-", "*", "%"].randomElement(using: &random) ?? "+", number(depth - 1, &random),
        number(depth - 1, &random))
    case 3:
      return .choice(
        [
          (truth(depth - 1, &random), number(depth - 1, &random)),
          (truth(depth - 1, &random), number(depth - 1, &random)),
        ], number(depth - 1, &random))
    case 4:
      return .simpleChoice(
        number(depth - 1, &random),
        [(number(0, &random), number(depth - 1, &random)), (number(depth - 1, &random), number(0, &random))],
        number(0, &random))
    case 5: return .coalesce([number(depth - 1, &random), number(depth - 1, &random)])
    case 6: return .nullIf(number(depth - 1, &random), number(depth - 1, &random))
    default: return number(0, &random)
    }
  }

  static func truth(_ depth: Int, _ random: inout SeededGenerator) -> Sketch {
    if depth == 0 {
      let leaves: [Sketch] = [
        .column("p", isBoolean: true), .column("q", isBoolean: true), .truth(true), .truth(false), .truth(nil),
      ]
      return leaves.randomElement(using: &random) ?? .truth(true)
    }
    switch Int.random(in: 0..<8, using: &random) {
    case 0, 1:
      return .logic(
        Bool.random(using: &random) ? "and" : "or",
        (0..<Int.random(in: 2...4, using: &random)).map { _ in truth(depth - 1, &random) })
    case 2: return .not(truth(depth - 1, &random))
    case 3:
      return .comparison(
        ["=", "<>", "<", "<=", ">", ">="].randomElement(using: &random) ?? "=", number(depth - 1, &random),
        number(depth - 1, &random))
    case 4:
      return .test(
        truth(depth - 1, &random),
        ["null", "not null", "true", "not true", "false", "not false"].randomElement(using: &random) ?? "null")
    case 5: return .between(number(depth - 1, &random), number(depth - 1, &random), number(depth - 1, &random))
    case 6:
      return .membership(
        number(depth - 1, &random),
        (0..<Int.random(in: 1...4, using: &random)).map { _ in
          number(Int.random(in: 0..<depth, using: &random), &random)
        }, negated: Bool.random(using: &random))
    default: return truth(0, &random)
    }
  }
}

@Suite struct LogicPropertyTests {
  private static let schema = Schema([
    Field("i", .int64), Field("j", .int64), Field("k", .int64, nullable: false), Field("p", .boolean),
    Field("q", .boolean),
  ])

  private static func row(_ random: inout SeededGenerator) -> [Value] {
    func number() -> Int64 {
      Int.random(in: 0..<12, using: &random) == 0 ? .min : Int64.random(in: -2...2, using: &random)
    }
    func optional(_ value: Value) -> Value { Int.random(in: 0..<4, using: &random) == 0 ? .null : value }
    return [
      optional(.int64(number())), optional(.int64(number())), .int64(number()),
      optional(.boolean(.random(using: &random))), optional(.boolean(.random(using: &random))),
    ]
  }

  private static func named(_ row: [Value]) -> [String: Int64?] {
    Dictionary(
      uniqueKeysWithValues: zip(schema.fields, row).map { field, value in
        switch value {
        case .int64(let value): (field.name, value)
        case .boolean(let value): (field.name, value ? 1 : 0)
        default: (field.name, nil)
        }
      })
  }

  @Test func everyExpression_givesWhatARowByRowReadingGives() throws {
    var random = SeededGenerator()
    for round in 0..<1500 {
      let sketch = round.isMultiple(of: 2) ? Sketch.truth(4, &random) : Sketch.number(4, &random)
      let expression = try valid(sketch.text, LogicPropertyTests.schema)
      let rows = (0..<Int.random(in: 0...40, using: &random)).map { _ in LogicPropertyTests.row(&random) }
      let batch = Fixture.batch(LogicPropertyTests.schema, rows)
      let evaluation = expression.evaluate(batch)
      let failed = Set(evaluation.failures.map(\.row))
      #expect(failed.count == evaluation.failures.count && evaluation.failures.map(\.row) == failed.sorted())
      for (row, values) in rows.enumerated() {
        let what: Comment = "\(sketch.text) on \(values), seed \(random.seed)"
        let expected = Result { try sketch.value(LogicPropertyTests.named(values)) }
        switch expected {
        case .failure:
          #expect(failed.contains(row) && evaluation.column.value(at: row) == .null, what)
        case .success(let value):
          #expect(!failed.contains(row), what)
          let given = evaluation.column.value(at: row)
          #expect(given == (value.map { expression.type == .boolean ? .boolean($0 == 1) : .int64($0) } ?? .null), what)
          if value == nil { #expect(expression.nullable, what) }
        }
      }
      if expression.type == .boolean {
        let selected = expression.select(batch)
        #expect(
          selected.rows == rows.indices.filter { evaluation.column.value(at: $0) == .boolean(true) }.map { Int32($0) })
        #expect(selected.failures == evaluation.failures)
      }
    }
  }

  @Test func cuttingABatch_changesNoResult() throws {
    var random = SeededGenerator()
    for _ in 0..<100 {
      let expression = try valid(Sketch.number(4, &random).text, LogicPropertyTests.schema)
      let rows = (0..<23).map { _ in LogicPropertyTests.row(&random) }
      let whole = expression.evaluate(Fixture.batch(LogicPropertyTests.schema, rows))
      for (row, values) in rows.enumerated() {
        let single = expression.evaluate(Fixture.batch(LogicPropertyTests.schema, [values]))
        #expect(
          single.column.value(at: 0) == whole.column.value(at: row),
          "\(expression.text) on \(values), seed \(random.seed)")
        #expect(single.failures.map(\.reason) == whole.failures.filter { $0.row == row }.map(\.reason))
      }
    }
  }
}
