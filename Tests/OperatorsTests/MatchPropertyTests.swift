import Expressions
import Operators
import StreamModel
import TestSupport
import Testing

/// Random patterns over random rows, held to the model.
struct MatchPropertyTests {
  private typealias Condition = (text: String, holds: (MatchModel.View) -> Bool)

  private static let names = ["A", "B", "C"]

  /// A condition of variable `own`, over any of the variables that the pattern has.
  private static func condition(
    _ own: Int, _ variables: [String], _ random: inout SeededRandom
  ) -> Condition? {
    let bound = random.int(1...8)
    let other = Int(random.int(0...Int64(variables.count - 1)))
    let name = variables[other]
    func sum(_ view: MatchModel.View, _ variable: Int?) -> Int64? {
      let numbers = view.numbers(of: variable).compactMap { $0 }
      return numbers.isEmpty ? nil : numbers.reduce(0, +)
    }
    switch random.int(0...9) {
    case 0: return nil
    case 1, 2: return ("x >= \(bound)", { $0.current.map { $0 >= bound } ?? false })
    case 3: return ("\(variables[own]).x < \(bound)", { $0.current.map { $0 < bound } ?? false })
    case 4:
      return (
        "x > prev(x)",
        { view in
          guard let current = view.current, let previous = view.previous else { return false }
          return current > previous
        }
      )
    case 5:
      return (
        "sum(\(name).x) < \(bound * 3) or sum(\(name).x) is null",
        { view in sum(view, other).map { $0 < bound * 3 } ?? true }
      )
    case 6: return ("count(*) <= \(bound)", { $0.variables.count <= bound })
    case 7:
      return (
        "x >= last(\(name).x, \(bound % 2)) or x is null",
        { view in
          guard let current = view.current else { return true }
          let numbers = view.numbers(of: other)
          let place = numbers.count - 1 - Int(bound % 2)
          guard place >= 0, let number = numbers[place] else { return false }
          return current >= number
        }
      )
    case 8:
      return (
        "x * 2 > avg(\(name).x)",
        { view in
          let numbers = view.numbers(of: other).compactMap { $0 }
          guard let current = view.current, !numbers.isEmpty else { return false }
          return current * 2 * Int64(numbers.count) > numbers.reduce(0, +)
        }
      )
    default:
      return (
        "x <= first(\(name).x) or count(\(name).*) = 0",
        { view in
          let numbers = view.numbers(of: other)
          guard let first = numbers.first else { return true }
          guard let current = view.current, let first else { return false }
          return current <= first
        }
      )
    }
  }

  private static func pattern(_ depth: Int, _ random: inout SeededRandom) -> String {
    let base: String
    switch depth == 0 ? 0 : random.int(0...4) {
    case 0, 1: base = names[Int(random.int(0...2))]
    case 2, 3:
      base = "(" + (0..<random.int(2...3)).map { _ in pattern(depth - 1, &random) }.joined(separator: " ") + ")"
    default:
      base = "(" + (0..<2).map { _ in pattern(depth - 1, &random) }.joined(separator: " | ") + ")"
    }
    let quantifiers = ["", "", "", "*", "+", "?", "{2}", "{1,}", "{1,2}", "{,2}"]
    let quantifier = quantifiers[Int(random.int(0...Int64(quantifiers.count - 1)))]
    return base + quantifier + (quantifier.isEmpty || random.chance(0.6) ? "" : "?")
  }

  private static let measures: [(name: String, text: String)] = [
    ("rows", "count(*)"), ("total", "sum(x)"), ("first", "first(A.x)"), ("last", "last(B.x)"), ("end", "x"),
    ("before", "prev(x)"),
  ]

  private static func row(_ view: MatchModel.View, _ key: Value, _ variables: [String], isTimeout: Bool) -> CapturedRow
  {
    func value(_ number: Int64??) -> Value { (number ?? nil).map(Value.int64) ?? .null }
    let all = view.numbers()
    let known = all.compactMap { $0 }
    let a = variables.firstIndex(of: "A").map { view.numbers(of: $0) } ?? []
    let b = variables.firstIndex(of: "B").map { view.numbers(of: $0) } ?? []
    let (start, end) = (view.rows[view.start].time, view.rows[view.start + all.count - 1].time)
    var values: [Value] = [key, .int64(Int64(all.count)), known.isEmpty ? .null : .int64(known.reduce(0, +))]
    if variables.contains("A") { values.append(value(a.first)) }
    if variables.contains("B") { values.append(value(b.last)) }
    values += [value(view.current), value(view.previous), .timestamp(start), .timestamp(end)]
    return isTimeout ? CapturedRow(port: .timedOut, at: end, stamp: nil, values) : CapturedRow(at: end, values)
  }

  @Test func randomPatterns_giveWhatTheModelFinds() throws {
    var tried = 0
    try TestSeeds.each(60) { random in
      let text = Self.pattern(2, &random)
      guard case .valid(let parsed) = RowPatternParser.parse(text) else { return }
      tried += 1
      let variables = parsed.variables
      let conditions = variables.indices.map { Self.condition($0, variables, &random) }
      let modes =
        ["skip_past_last_row", "skip_to_next_row"]
        + variables.flatMap { ["skip_to_first \($0)", "skip_to_last \($0)"] }
      var spec = MatchTestSpec(
        pattern: text,
        measures: Self.measures.filter { measure in
          (measure.name != "first" || variables.contains("A")) && (measure.name != "last" || variables.contains("B"))
        })
      for (name, condition) in zip(variables, conditions) { spec.define[name] = condition?.text }
      spec.within = random.chance(0.6) ? random.int(2...9) * 1000 : nil
      spec.afterMatch = modes[Int(random.int(0...Int64(modes.count - 1)))]
      try Self.check(spec, parsed, conditions.map { $0?.holds }, &random)
    }
    #expect(tried >= 15)
  }

  private static func check(
    _ spec: MatchTestSpec, _ parsed: ParsedRowPattern, _ conditions: [((MatchModel.View) -> Bool)?],
    _ random: inout SeededRandom
  ) throws {
    var script = OperatorScript(MatchTestSpec.input)
    var sequences: [Value: [MatchModel.Row]] = [:]
    var time: EventTime = 0
    for _ in 0..<40 {
      time += random.int(0...2) * 1000
      let key: Value = random.chance(0.1) ? .null : .string("k\(random.int(1...2))")
      let x: Int64? = random.chance(0.08) ? nil : random.int(0...9)
      script.row(at: time, [key, x.map(Value.int64) ?? .null, .timestamp(time)])
      sequences[key, default: []].append(MatchModel.Row(x: x, time: time))
      if random.chance(0.2) {
        script.watermark(time)
        time += 1000
      }
    }
    let output = try spec.run(script, seed: UInt64(bitPattern: random.int(0...Int64.max)))
    var expected: [CapturedRow] = []
    for (key, rows) in sequences {
      let model = MatchModel(
        rows: rows, pattern: parsed.pattern, conditions: conditions, within: spec.within,
        afterMatch: try spec.mode(parsed))
      for outcome in model.outcomes() {
        switch outcome {
        case .match(let view): expected.append(row(view, key, parsed.variables, isTimeout: false))
        case .timedOut(let view): expected.append(row(view, key, parsed.variables, isTimeout: true))
        }
      }
    }
    try RowDifference.check(
      "\(spec.pattern) where \(spec.define), within \(spec.within ?? -1), \(spec.afterMatch)", expected: expected,
      actual: output.rows)
  }
}
